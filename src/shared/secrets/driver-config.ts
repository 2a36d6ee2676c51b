import { z } from 'zod'
import type { DriverName } from '../config/config.js'
import type { EncryptedSecret, Secrets } from '../db/secrets.js'
import { decryptSecret, encryptSecret } from './cipher.js'

/** Where the settings of a pipeline's driver are kept: a slot that nobody sets or reads by name. */
const KEY = 'driver_config'

/** Settings belong to the driver that they were given for. */
const storedSchema = z.object({ driver: z.string(), config: z.unknown() })

export function encryptDriverConfig(
  masterKey: Buffer,
  pipelineId: string,
  driver: DriverName,
  config: unknown,
): EncryptedSecret {
  const scope = `pipeline/${pipelineId}`
  const value = JSON.stringify({ driver, config })
  return { scope, key: KEY, encryptedValue: encryptSecret(masterKey, scope, KEY, value) }
}

export interface DriverSettingsOptions {
  /** Called when settings are first looked up. */
  secrets: () => Secrets
  masterKey: Buffer
  pipelineId: string
}

/**
 * Looks up what a pipeline brought for a driver; undefined when it brought nothing. Throws
 * `secret_undecryptable`.
 */
export function createDriverSettings(options: DriverSettingsOptions) {
  const { secrets, masterKey, pipelineId } = options
  const scope = `pipeline/${pipelineId}`
  return (driver: DriverName): unknown => {
    const stored = secrets().find(scope, KEY)
    if (!stored) return undefined
    const text = decryptSecret(masterKey, scope, KEY, stored)
    const { driver: owner, config } = storedSchema.parse(JSON.parse(text))
    return owner === driver ? config : undefined
  }
}

/** The pipelines that brought settings for a driver. */
export function listPipelinesWithSettings(secrets: Secrets): string[] {
  return secrets.listScopes(KEY).map((scope) => scope.slice('pipeline/'.length))
}

/** Takes the settings away. */
export function removeDriverConfig(secrets: Secrets, pipelineId: string): void {
  secrets.remove(`pipeline/${pipelineId}`, KEY)
}
