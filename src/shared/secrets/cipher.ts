import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AppError } from '../errors.js'

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * A secret at rest: nonce ‖ ciphertext ‖ tag under AES-256-GCM. Scope and key are the associated
 * data, so a ciphertext that is moved to another slot does not decrypt.
 */
export function encryptSecret(
  masterKey: Buffer,
  scope: string,
  key: string,
  value: string,
): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce)
  cipher.setAAD(associatedData(scope, key))
  return Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** The inverse of encryptSecret; throws `secret_undecryptable` for another key, slot or damaged bytes. */
export function decryptSecret(
  masterKey: Buffer,
  scope: string,
  key: string,
  stored: Buffer,
): string {
  try {
    const nonce = stored.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', masterKey, nonce)
    decipher.setAAD(associatedData(scope, key))
    decipher.setAuthTag(stored.subarray(-TAG_BYTES))
    const ciphertext = stored.subarray(NONCE_BYTES, -TAG_BYTES)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8')
  } catch (cause) {
    throw new AppError(
      'secret_undecryptable',
      `could not decrypt secret "${key}" in scope "${scope}": it was stored under another passphrase or is damaged; set it again`,
      { cause },
    )
  }
}

function associatedData(scope: string, key: string): Buffer {
  return Buffer.from(`${scope}\0${key}`, 'utf8')
}
