import { AppError } from '../../shared/errors.js'
import { DRIVERS, type Config } from '../../shared/config/config.js'
import type { Logger } from '../../shared/logger.js'
import type { Driver } from './driver.js'
import type { StartProcess } from './native/start-process.js'
import { openNativeDriver } from './native/open-native-driver.js'

export interface OpenDriverOptions {
  /** Names all that the driver makes for one run. */
  namespace: string
  config: Config
  logger: Logger
  /** Starts the processes of native steps; by default this process does. */
  startProcess?: StartProcess
}

/** Opens the driver of one run; the caller disposes it. Throws `driver_unknown`, `driver_not_allowed`. */
export async function openDriver(name: string, options: OpenDriverOptions): Promise<Driver> {
  const { namespace, config, logger, startProcess } = options
  const driver = parseDriver(name, config.drivers.allowed)
  switch (driver) {
    case 'native':
      return openNativeDriver({
        root: config.drivers.nativeRoot,
        user: config.drivers.nativeUser,
        outputBytes: config.limits.logBytes,
        namespace,
        logger,
        ...(startProcess && { startProcess }),
      })
  }
}

type DriverName = (typeof DRIVERS)[number]

/** The driver of a name that a pipeline may use here; `*` allows all. */
function parseDriver(name: string, allowed: readonly string[]): DriverName {
  const driver = DRIVERS.find((known) => known === name)
  if (!driver) throw new AppError('driver_unknown', `unknown driver "${name.slice(0, 100)}"`)
  if (allowed.includes('*') || allowed.includes(driver)) return driver
  throw new AppError(
    'driver_not_allowed',
    `driver "${name}" is not allowed on this server. Allowed drivers: ${allowed.join(', ')}`,
  )
}
