import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError, errorMessage } from '../errors.js'
import { logsPathOf, openDatabase, storageError, type Db } from './open.js'

const MIGRATIONS_DIR = fileURLToPath(new URL('../../../../migrations', import.meta.url))

/** Each series of migrations is numbered on its own; `main` and `secrets` may share a file. */
export type Series = 'main' | 'logs' | 'secrets'

interface Migration {
  version: number
  file: string
}

/**
 * Creates or upgrades the databases of a server. Each migration is one transaction with its
 * bookkeeping, so a kill between any two leaves a database that the next start finishes.
 * Throws `storage_newer` when a newer pocketci has written one, and leaves that file as it was.
 */
export function migrateStorage(paths: { storage: string; secrets: string }): void {
  migrateFile(paths.storage, 'main')
  migrateFile(logsPathOf(paths.storage), 'logs')
  migrateFile(paths.secrets, 'secrets')
}

export function migrateFile(path: string, series: Series): void {
  createPrivately(path)
  const db = openDatabase(path, { mode: 'write' })
  try {
    migrate(db, path, series)
  } catch (error) {
    throw storageError(path, error)
  } finally {
    db.close()
  }
}

/** How far a database is, and how far this pocketci would take it. */
export function readSchemaVersion(db: Db, series: Series): { version: number; known: number } {
  return { version: currentVersion(db, series), known: knownVersion(series) }
}

/** Nobody else reads it, native steps least of all; SQLite gives its side files the same mode. */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch (error) {
    throw new AppError(
      'storage_unusable',
      `database ${path}: it cannot be opened; check that its folder exists and is writable (${errorMessage(error)})`,
      { cause: error, details: { path } },
    )
  }
}

function migrate(db: Db, path: string, series: Series): void {
  const { version, known } = readSchemaVersion(db, series)
  if (version > known) throw newerError(path, version, known)
  for (const migration of listMigrations(series))
    if (migration.version > version) applyOnce(db, migration, series)
}

/** Takes the write lock before it looks: of two servers that start at once, one waits and does nothing. */
function applyOnce(db: Db, migration: Migration, series: Series): void {
  db.transaction(() => {
    if (currentVersion(db, series) >= migration.version) return
    db.exec(readFileSync(join(MIGRATIONS_DIR, series, migration.file), 'utf8'))
    db.exec(
      'create table if not exists schema_versions (series text primary key, version integer not null) strict',
    )
    db.prepare(
      `insert into schema_versions (series, version) values (?, ?)
       on conflict (series) do update set version = excluded.version`,
    ).run(series, migration.version)
  }).immediate()
}

function currentVersion(db: Db, series: Series): number {
  const table = db
    .prepare("select 1 from sqlite_master where type = 'table' and name = 'schema_versions'")
    .get()
  if (!table) return 0
  const version = db
    .prepare('select version from schema_versions where series = ?')
    .pluck()
    .get(series)
  return Number(version ?? 0)
}

function knownVersion(series: Series): number {
  return listMigrations(series).at(-1)?.version ?? 0
}

/** Files are `000001_create_runs.sql`; the number is the database's `user_version` afterwards. */
function listMigrations(series: Series): Migration[] {
  return readdirSync(join(MIGRATIONS_DIR, series))
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => ({ file, version: Number.parseInt(basename(file), 10) }))
}

function newerError(path: string, version: number, known: number): AppError {
  return new AppError(
    'storage_newer',
    `database ${path} has schema version ${version}, but this pocketci knows versions up to ${known}: ` +
      'a newer pocketci has written it. Start that version, or give another --storage-sqlite-path',
    { details: { path, version, known } },
  )
}
