import { isLoopback } from '../loopback.js'
import type { Config, DriverName } from './config.js'

export interface ChooseDriverOptions {
  /** The server has an api, so that `--host` says who can reach it. */
  hasApi: boolean
  /** True when a Docker engine answers at `config.drivers.docker`. */
  findsEngine: () => Promise<boolean>
}

/**
 * The configuration with its default driver. Unless --driver names one: docker where an engine
 * answers, else native where only this machine reaches the server, else docker, whose runs wait for
 * an engine. Only allowed drivers are chosen.
 */
export async function chooseDriver(
  config: Config,
  { hasApi, findsEngine }: ChooseDriverOptions,
): Promise<Config> {
  const { drivers, http } = config
  if (drivers.default !== '') return config
  const isAllowed = (name: DriverName): boolean =>
    drivers.allowed.includes('*') || drivers.allowed.includes(name)
  const choose = (name: DriverName, isFallback = false): Config =>
    Object.freeze({ ...config, drivers: Object.freeze({ ...drivers, default: name, isFallback }) })

  if (!isAllowed('docker')) return choose('native')
  const isSafe = hasApi && isLoopback(http.host)
  if (!isAllowed('native') || !isSafe || (await findsEngine())) return choose('docker')
  return choose('native', true)
}
