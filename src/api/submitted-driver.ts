import { z } from 'zod'
import { DRIVERS, type Config, type DriverName } from '../shared/config/config.js'
import { checkEngineHost, parseDriverConfig } from '../shared/contract/driver-config.js'
import type { EncryptedSecret } from '../shared/db/secrets.js'
import { AppError } from '../shared/errors.js'
import { encryptDriverConfig } from '../shared/secrets/driver-config.js'

/** The driver of a pipeline as it is sent. */
export const driverFields = {
  driver: z.string().nullish(),
  driver_config: z.unknown().optional(),
} as const

type DriverFields = z.infer<z.ZodObject<typeof driverFields>>

/** A driver, and settings for it: undefined when none were sent. */
export interface SubmittedDriver {
  name: DriverName
  settings: object | undefined
}

/**
 * The driver that the pipeline runs on now, with its settings. Throws `driver_not_allowed`,
 * `driver_unknown`, `driver_config_invalid`.
 */
export function checkDriver(body: DriverFields, drivers: Config['drivers']): SubmittedDriver {
  const name = checkName(body.driver ?? '', drivers)
  const given = body.driver_config ?? undefined
  if (given === undefined) return { name, settings: undefined }
  const settings = parseDriverConfig(name, given)
  if ('host' in settings && settings.host !== undefined)
    checkEngineHost(settings.host, drivers.docker.host)
  return { name, settings }
}

function checkName(given: string, { allowed, ...drivers }: Config['drivers']): DriverName {
  const found = DRIVERS.find((known) => known === (given || drivers.default))
  // the default one was checked at start
  if (found && (given === '' || allowed.includes('*') || allowed.includes(given))) return found
  const driver = JSON.stringify(given.slice(0, 100))
  if (!allowed.includes('*') && !allowed.includes(given))
    throw new AppError(
      'driver_not_allowed',
      `driver not allowed: driver ${driver} is not allowed on this server. Allowed drivers: ${allowed.join(', ')}`,
    )
  throw new AppError(
    'driver_unknown',
    `unknown driver ${driver}; known drivers: ${DRIVERS.join(', ')}`,
  )
}

/** As they are stored. Null for settings that say nothing: they take away what was there. */
export function encryptSettings(
  { name, settings }: SubmittedDriver,
  masterKey: Buffer,
  pipelineId: string,
): EncryptedSecret | null | undefined {
  if (settings === undefined) return undefined
  if (Object.keys(settings).length === 0) return null
  return encryptDriverConfig(masterKey, pipelineId, name, settings)
}
