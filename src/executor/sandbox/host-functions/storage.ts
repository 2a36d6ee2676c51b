import { z } from 'zod'
import { AppError } from '../../../shared/errors.js'
import type { Db } from '../../../shared/db/open.js'
import type { Claim } from '../../../shared/db/runs.js'
import { createStorageEntries } from '../../../shared/db/storage-entries.js'
import { createTasks } from '../../../shared/db/tasks.js'
import type { WriterClient } from '../../../shared/db/writer/writer-client.js'
import type { ExecutorWrites } from '../../writes.js'
import { leaseLost, type Effects, type SyncEnd } from '../effects.js'

/** Longest key, and entries that `getAll` answers at most. */
const MAX_KEY_CHARS = 1_024
const MAX_ENTRIES = 1_000

const keySchema = z.string().min(1).max(MAX_KEY_CHARS)
const objectSchema = z.record(z.string(), z.unknown())

export interface StorageOptions {
  claim: Claim
  pipelineId: string
  /** Read-only, of the main database; opened by the first read. */
  reader: () => Db
  writer: WriterClient<ExecutorWrites>
  effects: Effects
  now: () => number
}

/**
 * The `storage` global: synchronous, and confined to the run's pipeline. Keys below
 * `/pipeline/<own run>/` go with the run; those of other runs are refused.
 */
export function createStorageFunctions(options: StorageOptions) {
  const { claim, pipelineId, reader, writer, effects, now } = options

  /** A read is an effect too: replay has to see what the run saw. */
  const reading =
    (name: string, read: (args: readonly unknown[]) => unknown) =>
    (args: readonly unknown[]): unknown => {
      const recorded = effects.recall(name, args)
      if (recorded) return settle(recorded)
      try {
        const value = read(args)
        effects.commit(effects.entriesOf(name, args, { outcome: 'resolve', value }), [])
        return value
      } catch (error) {
        const value = error instanceof Error ? error.message : String(error)
        effects.commit(effects.entriesOf(name, args, { outcome: 'reject', value }), [])
        throw error
      }
    }

  return {
    'storage.set': (args: readonly unknown[]): unknown => {
      const key = parseKey(args[0])
      const value = parse(objectSchema, args[1], 'storage set: the value must be an object')
      const scope = scopeOf(key, pipelineId, claim.runId)
      const recorded = effects.recall('storage.set', args)
      if (recorded) return settle(recorded)
      const entries = effects.entriesOf('storage.set', args, { outcome: 'resolve', value: null })
      try {
        const input = { claim, scope, key, value, entries, now: now() }
        if (!writer.writeSync('storageSet', input)) throw leaseLost(claim)
      } catch (error) {
        // the guest must not go on from what a replay would not see
        effects.fail(error)
        throw error
      }
      return null
    },

    'storage.get': reading('storage.get', ([key]) => {
      const name = parseKey(key)
      scopeOf(name, pipelineId, claim.runId)
      const entry = createStorageEntries(reader()).find(pipelineId, name)
      if (!entry) throw new AppError('request_invalid', 'storage get: not found')
      return JSON.parse(entry.payload)
    }),

    'storage.getAll': reading('storage.getAll', ([prefix, fields]) => {
      const names = parse(
        z.array(z.string()).max(100),
        fields ?? ['*'],
        'storage getAll: fields must be strings',
      )
      const path = parse(
        z.string().max(MAX_KEY_CHARS),
        prefix,
        'storage getAll: the prefix must be a string',
      )
      return createStorageEntries(reader())
        .list(pipelineId, path, MAX_ENTRIES)
        .map(({ id, key, payload }) => ({
          id,
          path: key,
          payload: pick(objectSchema.parse(JSON.parse(payload)), names),
        }))
    }),

    'storage.getMostRecentJobStatus': reading('storage.getMostRecentJobStatus', ([id, job]) => {
      if (id !== '' && id !== pipelineId)
        throw new AppError('access_denied', 'storage: another pipeline’s jobs cannot be read')
      return createTasks(reader()).findLatestJobStatus(pipelineId, parseKey(job))
    }),
  }
}

function settle({ outcome, value }: SyncEnd): unknown {
  if (outcome === 'reject') throw new Error(String(value))
  return value
}

function parseKey(key: unknown): string {
  return parse(keySchema, key, `storage: a key is a string of 1 to ${MAX_KEY_CHARS} characters`)
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  message: string,
): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new AppError('request_invalid', message)
  return result.data
}

/** Keys below a run's path belong to that run, and to no other run of the pipeline. */
function scopeOf(key: string, pipelineId: string, runId: string) {
  if (!/^\/?pipeline\//.test(key)) return { pipelineId, runId: null }
  if (key.startsWith(`/pipeline/${runId}/`)) return { pipelineId, runId }
  throw new AppError('access_denied', 'storage: a run’s keys can be used by that run only')
}

function pick(
  payload: Record<string, unknown>,
  fields: readonly string[],
): Record<string, unknown> {
  if (fields.includes('*')) return payload
  return Object.fromEntries(
    fields.filter((field) => Object.hasOwn(payload, field)).map((field) => [field, payload[field]]),
  )
}
