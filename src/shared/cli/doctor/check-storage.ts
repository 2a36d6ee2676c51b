import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { readSchemaVersion, type Series } from '../../db/migrate.js'
import { logsPathOf, openDatabase, storageError, type Db } from '../../db/open.js'
import { createSecrets } from '../../db/secrets.js'
import { AppError, errorMessage } from '../../errors.js'
import { keyFileOf } from '../../secrets/master-key.js'
import { fail, ok, warn, type Finding } from './finding.js'

export interface StorageCheck {
  storage: string
  secrets: string
  hasPassphrase: boolean
  /** Read every page of every database, however long that takes. */
  isFull: boolean
}

/** A larger file is read through only when that is asked for: a minute a few gigabytes, and the disk's whole time. */
const QUICK_BYTES = 1024 ** 3

/**
 * The databases: their folders, modes, versions and pages. It only reads, in short transactions of
 * SQLite's, so a server may run beside it.
 */
export function checkStorage({ storage, secrets, hasPassphrase, isFull }: StorageCheck): Finding[] {
  const files: [check: string, path: string, series: Series[]][] = [
    ['database', storage, storage === secrets ? ['main', 'secrets'] : ['main']],
    ['output', logsPathOf(storage), ['logs']],
    ...(storage === secrets
      ? []
      : [['secrets', secrets, ['secrets']] as [string, string, Series[]]]),
  ]
  const findings = files.flatMap(([check, path, series]) => checkFile(check, path, series, isFull))
  return hasPassphrase ? findings : [...findings, ...checkKey(secrets)]
}

function checkFile(
  check: string,
  path: string,
  series: readonly Series[],
  isFull: boolean,
): Finding[] {
  const folder = dirname(path)
  if (!existsSync(folder))
    return [fail(check, `${path}: its folder is not there`, `mkdir -p ${folder}`)]
  if (!isAccessible(folder, constants.W_OK | constants.X_OK))
    return [fail(check, `${folder} is not writable for this user`, 'change its owner or its mode')]
  if (!existsSync(path)) return [ok(check, `${path}: not there yet, the first start makes it`)]
  if (!isAccessible(path, constants.R_OK | constants.W_OK))
    return [fail(check, `${path} is not writable for this user`, 'change its owner or its mode')]
  return inspect(check, path, series, isFull)
}

function inspect(
  check: string,
  path: string,
  series: readonly Series[],
  isFull: boolean,
): Finding[] {
  try {
    using open = closing(openDatabase(path, { mode: 'read' }))
    const versions = series.map((one) => ({ one, ...readSchemaVersion(open.db, one) }))
    const newer = versions.find(({ version, known }) => version > known)
    if (newer)
      return [
        fail(
          check,
          `${path} has schema version ${newer.version} (${newer.one}), but this pocketci knows versions up to ${newer.known}`,
          'start the newer pocketci that has written it, or give another --storage-sqlite-path',
        ),
      ]
    const damage = findDamage(open.db, path, isFull)
    if (damage !== undefined)
      return [fail(check, `${path} is damaged: ${damage}`, 'stop the server and restore a backup')]
    const notes = [
      versions.map(({ one, version, known }) => describeVersion(one, version, known)).join(', '),
      describePages(path, isFull),
    ]
    return [ok(check, `${path}: ${notes.join('; ')}`), ...checkMode(check, path)]
  } catch (error) {
    const known = storageError(path, error)
    const text = errorMessage(known)
    const isBusy = known instanceof AppError && known.code === 'storage_busy'
    return [(isBusy ? warn : fail)(check, text, 'see "Configuration and start" in docs/errors.md')]
  }
}

function describeVersion(series: Series, version: number, known: number): string {
  if (version === known) return `${series} at version ${version}`
  return `${series} at version ${version}, the next start takes it to ${known}`
}

function describePages(path: string, isFull: boolean): string {
  const { size } = statSync(path)
  if (isFull) return 'every page and index checked'
  return size > QUICK_BYTES ? 'not read through, which --full does' : 'every page checked'
}

function findDamage(db: Db, path: string, isFull: boolean): string | undefined {
  if (!isFull && statSync(path).size > QUICK_BYTES) return undefined
  const pragma = isFull ? 'integrity_check(1)' : 'quick_check(1)'
  const answer = String(db.pragma(pragma, { simple: true }))
  return answer === 'ok' ? undefined : answer
}

/** Who can read it can read what steps have printed, and the encrypted secrets. */
function checkMode(check: string, path: string): Finding[] {
  if ((statSync(path).mode & 0o077) === 0) return []
  return [warn(check, `${path} is open to other users of this machine`, `chmod 600 ${path}*`)]
}

/** Without its key a store of secrets is lost. */
function checkKey(path: string): Finding[] {
  const check = 'secrets key'
  const file = keyFileOf(path)
  if (existsSync(file)) {
    const { mode } = statSync(file)
    if ((mode & 0o077) === 0)
      return [ok(check, `${file}: keep a copy of it apart from the database`)]
    return [fail(check, `${file} is open to other users of this machine`, `chmod 600 ${file}`)]
  }
  if (!hasSecretStore(path)) return [ok(check, `${file}: not there yet, the first start makes it`)]
  return [
    fail(
      check,
      `${file} is missing, and the secrets were stored under it or under a passphrase`,
      'bring the file back, or give the passphrase with --secrets-sqlite-passphrase',
    ),
  ]
}

function hasSecretStore(path: string): boolean {
  if (!existsSync(path)) return false
  try {
    using open = closing(openDatabase(path, { mode: 'read' }))
    if (readSchemaVersion(open.db, 'secrets').version === 0) return false
    return createSecrets(open.db).findKdfParams() !== undefined
  } catch {
    return false // what is wrong with the file was found before
  }
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false // whatever the reason, the server would not get there either
  }
}

function closing(db: Db): Disposable & { db: Db } {
  return { db, [Symbol.dispose]: () => void db.close() }
}
