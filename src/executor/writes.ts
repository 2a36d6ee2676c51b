import type { TaskStatus } from '../shared/contract/statuses.js'
import type { WebhookResponse } from '../shared/contract/webhook-response.js'
import { createExecutors, type Executor } from '../shared/db/executors.js'
import { createGates, type NewGate } from '../shared/db/gates.js'
import { createJournal, type JournalEntry } from '../shared/db/journal.js'
import { createInstance } from '../shared/db/instance.js'
import { createKeptVolumes, type KeepRule } from '../shared/db/kept-volumes.js'
import { createLogPurges } from '../shared/db/log-purges.js'
import type { Db } from '../shared/db/open.js'
import { createPipelineInputs } from '../shared/db/pipeline-inputs.js'
import { createPipelines } from '../shared/db/pipelines.js'
import {
  createRuns,
  type Claim,
  type Run,
  type RunOutcome,
  type StopCause,
  type Waiting,
} from '../shared/db/runs.js'
import { createRunCleanups, type RunCleanup } from '../shared/db/run-cleanups.js'
import { createRunSecrets } from '../shared/db/run-secrets.js'
import { createReusableResults } from '../shared/db/reusable-results.js'
import { createStorageEntries } from '../shared/db/storage-entries.js'
import { createSuspensions, summarize, type Wait } from '../shared/db/suspensions.js'
import { createTasks, type NewTask, type TaskEnd } from '../shared/db/tasks.js'
import { createTriggeredRuns } from '../shared/db/triggered-runs.js'
import { createUploads } from '../shared/db/uploads.js'
import { createWebhookDedups } from '../shared/db/webhook-dedups.js'
import { createWebhookDeliveries } from '../shared/db/webhook-deliveries.js'
import { triggerRun, type TriggerCall } from './trigger-run.js'
import { mergePatch } from './steps/merge-patch.js'

/** All that an executor changes in the main database: the operations of its writer thread. */
export type ExecutorWrites = ReturnType<typeof createOperations>

export function createOperations(db: Db) {
  const executors = createExecutors(db)
  const pipelines = createPipelines(db)
  const runs = createRuns(db)
  const tasks = createTasks(db)
  const journal = createJournal(db)
  const storage = createStorageEntries(db)
  const purges = createLogPurges(db)
  const uploads = createUploads(db)
  const runSecrets = createRunSecrets(db)
  const cleanups = createRunCleanups(db)
  const instance = createInstance(db)
  const keptVolumes = createKeptVolumes(db)
  const reusable = createReusableResults(db)
  const gates = createGates(db)
  const triggered = createTriggeredRuns(db)
  const pipelineInputs = createPipelineInputs(db)
  const suspensions = createSuspensions(db)
  const dedups = createWebhookDedups(db)
  const deliveries = createWebhookDeliveries(db)

  return {
    register({ executor, now, leaseTtlMs }: Register): void {
      executors.prune(now - FORGET_AFTER_MS)
      executors.register(executor, now, now + leaseTtlMs)
    },

    /** Renews the executor and its claims; answers the claims that are no longer its own. */
    renew({ executor, claims, now, leaseTtlMs }: Renew): Claim[] {
      if (!executors.renew(executor.id, now + leaseTtlMs))
        executors.register(executor, now, now + leaseTtlMs)
      return claims.filter((claim) => !runs.renew(claim, now + leaseTtlMs))
    },

    unregister: ({ executorId }: { executorId: string }): void => executors.remove(executorId),

    claim: (input: ClaimRuns): ClaimedRun[] => runs.claim(input).map((run) => withPipeline(run)),

    /** Ends a run and decides about its volumes. */
    finish({
      claim,
      outcome,
      openTasks,
      keep,
      now,
    }: FinishRun): 'lost' | 'ended' | 'ended_keeping' {
      if (!runs.finish(claim, outcome, now)) return 'lost'
      tasks.endOpen(claim.runId, openTasks, now)
      return keptVolumes.decide(claim.runId, keep, now) ? 'ended_keeping' : 'ended'
    },

    /** Gives a run up in order: another executor may claim it at once. Nothing when it is not ours. */
    handOver: ({ claim }: { claim: Claim }): void => runs.handOver(claim),

    /** The thread of a run has died: it may be claimed at once, and that counts as a death. */
    expire: ({ claim, now }: { claim: Claim; now: number }): void => runs.expire(claim, now),

    /** What an ended run has made is gone, but for its volumes of these names, if they are to stay. */
    cleaned({ runId, kept, now }: CleanedRun): void {
      // somebody was faster, or it never came to have any
      if (kept?.length === 0) forgetVolumes(runId)
      // given up meanwhile: they go now
      else if (kept && !keptVolumes.setNames(runId, kept)) return cleanups.postpone(runId, now)
      cleanups.remove(runId)
    },

    /** Volumes have stayed for long enough. Answers whose. */
    giveUpVolumes: ({ now, limit }: { now: number; limit: number }): string[] =>
      keptVolumes.giveUpOverdue(now, limit),

    /** Kept volumes are not there, and nothing has begun that counts on them. False: the claim is lost. */
    forgetVolumes({ claim }: { claim: Claim }): boolean {
      if (!runs.isOwned(claim)) return false
      forgetVolumes(claim.runId)
      return true
    },

    /** What an ended run has made could not be removed: tried again later. */
    postponeCleanup: ({ runId, dueAt }: { runId: string; dueAt: number }): void =>
      cleanups.postpone(runId, dueAt),

    /** True for one executor within the pause: see reaper.ts. */
    beginSweep: ({ now, pauseMs }: { now: number; pauseMs: number }): boolean =>
      instance.beginSweep(now, pauseMs),

    /**
     * What was found of these runs is to be removed, unless a run has not ended or somebody sees to it
     * already. Answers for which, and why. Until it is gone none of them can be resumed.
     */
    adopt: ({ found, now }: { found: RunCleanup[]; now: number }): Adopted[] =>
      found
        .filter((cleanup) => cleanups.adopt(cleanup, now))
        .map(({ runId }) => ({ runId, reason: runs.find(runId) ? 'run_ended' : 'run_unknown' })),

    /** False: the claim is no longer ours, or somebody wants the run stopped. */
    release: ({ claim, waiting, now }: ReleaseRun): boolean => runs.release(claim, waiting, now),

    /** A run has taken as long as its pipeline allows: its owner is asked to stop it. */
    timeOut({ claim, now }: { claim: Claim; now: number }): boolean {
      const run = runs.isOwned(claim) ? runs.find(claim.runId) : undefined
      if (!run || run.deadlineAt === null || run.deadlineAt > now) return false
      return runs.requestStop(run.id, 'run timeout', now, TIMED_OUT)
    },

    /** Puts a run back to wait for others, unless somebody wants it stopped. */
    suspend({ claim, waits, now }: SuspendRun): 'suspended' | 'stopping' | 'lost' {
      if (!runs.isOwned(claim)) return 'lost'
      if (!runs.release(claim, summarize(waits), now)) return 'stopping'
      suspensions.suspend(claim.runId, waits)
      return 'suspended'
    },

    /** Ends the gates of a run whose time is over. False: the claim is lost. */
    expireGates({ claim, now }: { claim: Claim; now: number }): boolean {
      if (!runs.isOwned(claim)) return false
      gates.expire(claim.runId, now)
      return true
    },

    /** Journal entries together with what they mean for the task tree. False: the claim is lost. */
    record({ claim, entries, changes, now }: RecordEffect): boolean {
      if (!runs.isOwned(claim)) return false
      for (const entry of entries) journal.append(claim, entry)
      const effect = entries.find(({ kind }) => kind === 'intent')?.effect ?? null
      for (const change of changes) applyChange(claim, change, { effect, now })
      return true
    },

    /** Storage calls are one transaction with their journal entries: nothing is ever in doubt. */
    storageSet({ claim, scope, key, value, entries, now }: StorageSet): boolean {
      if (!runs.isOwned(claim)) return false
      const stored = storage.find(scope.pipelineId, key)
      const merged = mergePatch(stored ? JSON.parse(stored.payload) : undefined, value)
      storage.upsert(scope, key, JSON.stringify(merged), now)
      for (const entry of entries) journal.append(claim, entry)
      return true
    },

    /**
     * Whether a run of the pipeline has asked with this key before; the answer is the result of the
     * journal entries. Undefined: the claim is lost.
     */
    webhookDedup(input: WebhookDedup): { isDuplicate: boolean } | undefined {
      const { claim, pipelineId, keyHash, ttlMs, entries, now } = input
      if (!runs.isOwned(claim)) return undefined
      const key = { pipelineId, scope: 'pipeline', keyHash, ownerId: claim.runId } as const
      const isDuplicate = dedups.take(key, { now, ttlMs }) !== undefined
      for (const entry of entries)
        journal.append(
          claim,
          entry.kind === 'result' ? { ...entry, value: JSON.stringify(isDuplicate) } : entry,
        )
      return { isDuplicate }
    },

    /** Forgets some webhooks and keys that are too old; answers whether there may be more. */
    pruneWebhooks({ deliveriesBefore, dedupsBefore }: PruneWebhooks): boolean {
      const removed = deliveries.prune(deliveriesBefore, PRUNE_BATCH)
      return dedups.prune(dedupsBefore, PRUNE_BATCH) + removed >= PRUNE_BATCH
    },

    /** The output of a deleted run is removed. */
    purged: ({ runId }: { runId: string }): void => purges.remove(runId),
  }

  function forgetVolumes(runId: string): void {
    reusable.dropMounted(runId)
    keptVolumes.forget(runId)
  }

  function withPipeline(run: Run): ClaimedRun {
    const pipeline = pipelines.find(run.pipelineId)
    const program = pipelines.findProgram(run.pipelineId, run.programVersion)
    if (!pipeline || !program) throw new Error(`run ${run.id} has no pipeline`)
    const { id, name } = pipeline
    return {
      run,
      pipeline: { id, name, program },
      upload: uploads.findName(run.id),
      keptVolumes: keptVolumes.find(run.id)?.names ?? undefined,
      isFresh: journal.isEmpty(run.id),
    }
  }

  function applyChange(
    claim: Claim,
    change: TaskChange,
    { effect, now }: { effect: number | null; now: number },
  ): void {
    switch (change.type) {
      case 'insert':
        tasks.insert(claim, { ...change.task, effect })
        return
      case 'reuse':
        tasks.reuse(claim, { ...change.task, effect })
        return
      case 'start':
        tasks.start(claim, change.step, now)
        return
      case 'finish':
        tasks.finish(claim, change.step, change.end, now)
        return
      case 'retry':
        tasks.retry(claim, change.step, change)
        return
      case 'note':
        tasks.note(claim, change.step, change.text)
        return
      case 'secret':
        runSecrets.insert(claim.runId, change.key, change.encryptedValue)
        return
      case 'gate':
        gates.insert(change.gate, claim.runId, now)
        return
      case 'respond':
        deliveries.respond(claim.runId, change.response, now)
        return
      case 'trigger':
        triggerRun(
          { pipelines, pipelineInputs, runs, tasks, executors, triggered },
          claim.runId,
          change.call,
          now,
        )
    }
  }
}

const TIMED_OUT: StopCause = {
  code: 'run_timed_out',
  message: 'the run took longer than the run timeout of its pipeline',
}

/** Rows that go in one transaction. */
const PRUNE_BATCH = 200

/** How long a dead executor stays on record. */
const FORGET_AFTER_MS = 3_600_000

export interface Register {
  executor: Executor
  now: number
  leaseTtlMs: number
}

export interface Renew extends Register {
  claims: Claim[]
}

export interface ClaimRuns {
  executorId: string
  /** What the executor has. */
  labels: readonly string[]
  limit: number
  now: number
  leaseTtlMs: number
  /** Of pipelines that name none. */
  defaultDriver: string
  /** The executor has no other run: only then it may take one that has brought executors down. */
  isIdle: boolean
}

/** A run with all that is needed to execute it. */
export interface ClaimedRun {
  run: Run
  pipeline: {
    id: string
    name: string
    program: { code: string; sourceMap: string }
  }
  /** The file in the spool that becomes its volume `workdir`. */
  upload: string | undefined
  /** Names of the volumes that its last generation has left for it. */
  keptVolumes: string[] | undefined
  /** Nothing of it was ever started: its journal is empty. */
  isFresh: boolean
}

export interface FinishRun {
  claim: Claim
  outcome: RunOutcome
  /** What becomes of tasks that have not ended. */
  openTasks: { status: TaskStatus; errorMessage: string }
  /** What becomes of its volumes. */
  keep: KeepRule
  now: number
}

export interface CleanedRun {
  runId: string
  /** The volumes that are still there; undefined: they are gone too. */
  kept?: string[] | undefined
  now: number
}

/** A run whose things are nobody's. */
export interface Adopted {
  runId: string
  reason: 'run_ended' | 'run_unknown'
}

export interface ReleaseRun {
  claim: Claim
  waiting: Waiting
  now: number
}

export interface SuspendRun {
  claim: Claim
  waits: readonly Wait[]
  now: number
}

export type TaskChange =
  | { type: 'insert'; task: Omit<NewTask, 'effect'> }
  /** What it came to in an earlier generation of the run stands. */
  | { type: 'reuse'; task: { step: number; path: string } }
  | { type: 'start'; step: number }
  | { type: 'finish'; step: number; end: TaskEnd }
  /** It was lost and runs again. */
  | { type: 'retry'; step: number; tries: number; reason: string }
  /** What it waits for; empty when it waits no more. */
  | { type: 'note'; step: number; text: string }
  /** The run has used it, encrypted for the run. */
  | { type: 'secret'; key: string; encryptedValue: Uint8Array }
  /** The run waits for a person. */
  | { type: 'gate'; gate: NewGate }
  /** It answers whoever has sent its webhook. */
  | { type: 'respond'; response: WebhookResponse }
  /** It triggers another run. */
  | { type: 'trigger'; call: TriggerCall }

export interface RecordEffect {
  claim: Claim
  entries: JournalEntry[]
  changes: TaskChange[]
  now: number
}

export interface StorageSet {
  claim: Claim
  scope: { pipelineId: string; runId: string | null }
  key: string
  value: unknown
  entries: JournalEntry[]
  now: number
}

export interface WebhookDedup {
  claim: Claim
  pipelineId: string
  keyHash: Uint8Array
  ttlMs: number
  /** Intent and result; the operation knows the result's value. */
  entries: JournalEntry[]
  now: number
}

export interface PruneWebhooks {
  deliveriesBefore: number
  dedupsBefore: number
}
