import { z } from 'zod'
import type { DriverName } from '../config/config.js'
import { parseEngineAddress } from '../docker/engine-address.js'
import { AppError } from '../errors.js'

/** The settings of a driver that a pipeline may bring. */
const SCHEMAS = {
  docker: z.strictObject({
    /** Another engine than the server's: `tcp://`, `http(s)://` or `ssh://`. */
    host: z.string().max(2_000).optional(),
  }),
  native: z.strictObject({}),
} satisfies Record<DriverName, z.ZodType>

export type DriverSettings = { [Name in DriverName]: z.infer<(typeof SCHEMAS)[Name]> }

/** Parses `driver_config` for its driver. Throws `driver_config_invalid`, which names the field. */
export function parseDriverConfig<Name extends DriverName>(
  driver: Name,
  config: unknown,
): DriverSettings[Name] {
  const result = SCHEMAS[driver].safeParse(config)
  if (result.success) return result.data as DriverSettings[Name]
  const [issue] = result.error.issues
  throw invalid(driver, issue?.path.join('.') ?? '', issue?.message ?? 'invalid')
}

/**
 * The engine that a pipeline names. A socket is this machine's, and which of them pipelines reach is
 * the operator's to say, with --docker-host.
 */
export function checkEngineHost(host: string, serverHost: string): void {
  const address = parseHost(host)
  if (address.protocol === 'unix:' && host !== serverHost)
    throw invalid('docker', 'host', 'a socket of this machine has to be the one of --docker-host')
}

function parseHost(host: string): URL {
  try {
    return parseEngineAddress(host)
  } catch (error) {
    throw invalid('docker', 'host', (error as Error).message)
  }
}

function invalid(driver: string, field: string, reason: string): AppError {
  const name = ['driver_config', field].filter(Boolean).join('.')
  return new AppError('driver_config_invalid', `${name}: ${reason} (driver ${driver})`)
}
