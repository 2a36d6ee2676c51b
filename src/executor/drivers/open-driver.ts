import { DRIVERS, type Config, type DriverName } from '../../shared/config/config.js'
import { checkEngineHost, parseDriverConfig } from '../../shared/contract/driver-config.js'
import type { EngineOptions } from '../../shared/docker/engine.js'
import { AppError } from '../../shared/errors.js'
import type { Logger } from '../../shared/logger.js'
import type { Driver } from './driver.js'
import { openDockerDriver } from './docker/open-docker-driver.js'
import type { StartProcess } from './native/start-process.js'
import { openNativeDriver } from './native/open-native-driver.js'

export interface OpenDriverOptions {
  /** Names all that the driver makes for one run. */
  namespace: string
  /** Whose run it is: see db/instance.ts. */
  instance: string
  config: Config
  logger: Logger
  /** The pipeline's own settings for a driver; undefined when it has none. */
  findSettings(driver: DriverName): unknown
  /** Starts the processes of native steps; by default this process does. */
  startProcess?: StartProcess
}

/**
 * Opens the driver of one run; the caller disposes it. An empty name is the server's default.
 * Throws `driver_unknown`, `driver_not_allowed`, `driver_config_invalid`, `driver_unavailable`.
 */
export async function openDriver(name: string, options: OpenDriverOptions): Promise<Driver> {
  const { drivers } = options.config
  const driver = parseDriver(name === '' ? drivers.default : name, drivers.allowed)
  const settings = options.findSettings(driver) ?? {}
  switch (driver) {
    case 'docker':
      return openDocker(options, settings)
    case 'native':
      parseDriverConfig('native', settings)
      return openNative(options)
  }
}

/** Where a pipeline's settings lead. Throws `driver_config_invalid`. */
export function engineOf({ drivers }: Config, settings: unknown): EngineOptions {
  const { host: serverHost, certPath } = drivers.docker
  const { host } = parseDriverConfig('docker', settings)
  if (host === undefined) return { host: serverHost, certPath }
  // allowed at the time of the run as well: --docker-host may have changed since it was set
  checkEngineHost(host, serverHost)
  return { host, certPath }
}

async function openDocker(options: OpenDriverOptions, settings: unknown): Promise<Driver> {
  const { namespace, instance, config } = options
  const { allowsPrivileged } = config.drivers.docker
  const engine = engineOf(config, settings)
  return openDockerDriver({ ...engine, namespace, instance, allowsPrivileged })
}

function openNative({ namespace, instance, config, logger, startProcess }: OpenDriverOptions) {
  return openNativeDriver({
    root: config.drivers.nativeRoot,
    user: config.drivers.nativeUser,
    outputBytes: config.limits.logBytes,
    namespace,
    instance,
    logger,
    ...(startProcess && { startProcess }),
  })
}

/** The driver of a name that a pipeline may use here; `*` allows all. */
export function parseDriver(name: string, allowed: readonly string[]): DriverName {
  const driver = DRIVERS.find((known) => known === name)
  if (!driver) throw new AppError('driver_unknown', `unknown driver "${name.slice(0, 100)}"`)
  if (allowed.includes('*') || allowed.includes(driver)) return driver
  throw new AppError(
    'driver_not_allowed',
    `driver "${name}" is not allowed on this server. Allowed drivers: ${allowed.join(', ')}`,
  )
}
