import { argon2, randomBytes, type Argon2Parameters } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { AppError, hasCode } from '../errors.js'
import { createSecrets, type KdfParams, type Secrets } from '../db/secrets.js'
import { openDatabase, type Db } from '../db/open.js'
import { decryptSecret, encryptSecret } from './cipher.js'

/** Parameters of a new store; an existing one keeps those that are stored with it. */
const NEW_STORE = { algorithm: 'argon2id', time: 3, memory: 65_536, threads: 4 } as const
const SALT_BYTES = 16
const KEY_BYTES = 32

/** The slot of the check value: not a scope that any pipeline has. */
const CHECK_SCOPE = '__check__'
const CHECK_TEXT = 'pocketci'

export interface MasterKeyOptions {
  /** The migrated database that holds the secrets. */
  path: string
  /** Unset: a random key file beside the database, made at first use with mode 0600. */
  passphrase?: string | undefined
}

/**
 * The 32-byte key that secrets are encrypted under: Argon2id over the passphrase or the key file.
 * It takes about a fifth of a second and 64 MiB, so the supervisor derives it once and hands it on.
 * Throws `secret_undecryptable` when the passphrase is not that of the store.
 */
export async function deriveMasterKey(options: MasterKeyOptions): Promise<Buffer> {
  const db = openDatabase(options.path, { mode: 'write' })
  try {
    const passphrase = options.passphrase ?? readKeyFile(keyFileOf(options.path))
    const secrets = createSecrets(db)
    const params = secrets.findKdfParams()
    return params
      ? await openStore(params, passphrase, options)
      : await createStore(db, secrets, passphrase, options)
  } finally {
    db.close()
  }
}

/** Where the random key of a database without a passphrase is. */
export function keyFileOf(path: string): string {
  return `${path}.key`
}

async function createStore(
  db: Db,
  secrets: Secrets,
  passphrase: string,
  options: MasterKeyOptions,
): Promise<Buffer> {
  const fresh = { ...NEW_STORE, salt: randomBytes(SALT_BYTES) }
  const key = await derive(passphrase, fresh)
  const checkValue = encryptSecret(key, CHECK_SCOPE, '', CHECK_TEXT)
  const winner = db
    .transaction(() => {
      const existing = secrets.findKdfParams()
      if (!existing) secrets.insertKdfParams({ ...fresh, checkValue })
      return existing
    })
    .immediate()
  // another server made the store at the same moment: its salt counts
  return winner ? await openStore(winner, passphrase, options) : key
}

async function openStore(
  params: KdfParams,
  passphrase: string,
  { path, passphrase: given }: MasterKeyOptions,
): Promise<Buffer> {
  const key = await derive(passphrase, params)
  try {
    decryptSecret(key, CHECK_SCOPE, '', params.checkValue)
    return key
  } catch (cause) {
    if (!hasCode(cause, 'secret_undecryptable')) throw cause
    throw new AppError(
      'secret_undecryptable',
      given === undefined
        ? `the secrets in ${path} were stored under a passphrase or another key file: give --secrets-sqlite-passphrase, or bring back ${keyFileOf(path)}`
        : `--secrets-sqlite-passphrase is not the one that the secrets in ${path} were stored under`,
      { cause },
    )
  }
}

async function derive(
  passphrase: string,
  params: Pick<KdfParams, 'salt' | 'time' | 'memory' | 'threads'>,
): Promise<Buffer> {
  const parameters: Argon2Parameters = {
    message: passphrase,
    nonce: params.salt,
    passes: params.time,
    memory: params.memory,
    parallelism: params.threads,
    tagLength: KEY_BYTES,
  }
  return promisify(argon2)('argon2id', parameters)
}

/** Makes the key file if it is not there: whole or not at all, and once when two servers start. */
function readKeyFile(path: string): string {
  if (!existsSync(path)) createKeyFile(path)
  const key = readFileSync(path, 'utf8').trim()
  if (Buffer.from(key, 'base64').length === KEY_BYTES) return key
  throw new AppError('storage_unusable', `key file ${path} is damaged: restore it from a backup`)
}

function createKeyFile(path: string): void {
  const draft = `${path}.${process.pid}`
  const file = openSync(draft, 'w', 0o600)
  try {
    writeSync(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`)
    fsyncSync(file)
    linkSync(draft, path)
  } catch (error) {
    // another server made it first: that one counts
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    closeSync(file)
    unlinkSync(draft)
  }
}
