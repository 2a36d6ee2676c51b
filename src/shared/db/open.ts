import Database from 'better-sqlite3'
import { AppError, errorMessage } from '../errors.js'

export type Db = Database.Database

/** Milliseconds that a statement waits for another process's write lock. */
export const BUSY_TIMEOUT_MS = 5_000

export interface OpenOptions {
  /** `read` opens query-only; it fails when the file is not there. */
  mode: 'read' | 'write'
  /**
   * `full` syncs the WAL at each commit, so an acknowledged write survives power loss; `normal`
   * leaves that to the checkpoint (the log database: its tail is synced when a step ends).
   */
  durability?: 'full' | 'normal'
  /** A second file whose tables are to be seen too: the secrets, when they have a file of their own. */
  attach?: string
}

/** Opens a database with the pragmas of this project, which are set here alone. The caller closes it. */
export function openDatabase(
  path: string,
  { mode, durability = 'full', attach = path }: OpenOptions,
): Db {
  try {
    const db = new Database(path, { readonly: mode === 'read', timeout: BUSY_TIMEOUT_MS })
    if (mode === 'write') {
      db.pragma('journal_mode = WAL')
      db.pragma(`synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`)
      db.pragma('journal_size_limit = 67108864')
    }
    db.pragma('foreign_keys = ON')
    db.pragma('cache_size = -8000')
    db.pragma('temp_store = MEMORY')
    if (attach !== path) db.prepare('attach ? as attached').run(attach)
    return db
  } catch (error) {
    throw storageError(path, error)
  }
}

/** Turns a driver error about the file itself into one that says what to do. */
export function storageError(path: string, error: unknown): unknown {
  const code = sqliteCode(error)
  const advice = code === undefined ? undefined : ADVICE.find(([prefix]) => code.startsWith(prefix))
  if (!advice) return error
  const [, appCode, text] = advice
  return new AppError(appCode, `database ${path}: ${text} (${errorMessage(error)})`, {
    cause: error,
    details: { path, sqlite: code },
  })
}

const ADVICE = [
  ['SQLITE_BUSY', 'storage_busy', 'another process holds its write lock; stop it or try again'],
  ['SQLITE_LOCKED', 'storage_busy', 'another connection holds a lock; try again'],
  ['SQLITE_FULL', 'storage_full', 'the disk is full; free some space'],
  ['SQLITE_IOERR', 'storage_unusable', 'reading or writing it failed; check the disk'],
  ['SQLITE_READONLY', 'storage_unusable', 'it is not writable; check its owner and mode'],
  [
    'SQLITE_CANTOPEN',
    'storage_unusable',
    'it cannot be opened; check that its folder exists and is writable',
  ],
  ['SQLITE_NOTADB', 'storage_unusable', 'the file is not a SQLite database'],
  ['SQLITE_CORRUPT', 'storage_unusable', 'the file is damaged; restore a backup'],
  ['SQLITE_PERM', 'storage_unusable', 'access is denied; check its owner and mode'],
] as const

function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.message.includes('directory does not exist') ? 'SQLITE_CANTOPEN' : undefined
}

/** The path of the database of log chunks that belongs to a main database. */
export function logsPathOf(storagePath: string): string {
  return `${storagePath}-logs`
}
