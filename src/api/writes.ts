import { isDeepStrictEqual } from 'node:util'
import { createAuthOperations } from './auth/auth-writes.js'
import { setScheduleEnabled, syncSchedules, type SetScheduleEnabled } from './change-schedules.js'
import { fireSchedule, type FireSchedule, type Firing } from './fire-schedule.js'
import { createTokenOperations } from './auth/token-writes.js'
import { resolveGate, type GateResult, type ResolveGate } from './resolve-gate.js'
import { seedPassed, type SeedPassed } from './seed-passed.js'
import {
  checkAdmission,
  checkCapacity,
  type QueueFull,
  type Refusal,
} from '../shared/admission/check-admission.js'
import { QUEUED } from '../shared/admission/queued-note.js'
import {
  enqueueRun,
  NO_GROUP,
  type RuledGroup,
  type RuledRun,
} from '../shared/admission/enqueue-run.js'
import { findRuleFault, NO_RULE, type ConcurrencyRule } from '../shared/contract/queue-rules.js'
import { isTerminal, type RunStatus } from '../shared/contract/statuses.js'
import { createExecutors } from '../shared/db/executors.js'
import { createGates } from '../shared/db/gates.js'
import { createKeptVolumes, type KeepRule } from '../shared/db/kept-volumes.js'
import type { Db } from '../shared/db/open.js'
import { createJournal } from '../shared/db/journal.js'
import { createReusableResults } from '../shared/db/reusable-results.js'
import { createPipelines, type Pipeline, type PipelineInput } from '../shared/db/pipelines.js'
import { createPipelineInputs } from '../shared/db/pipeline-inputs.js'
import { createRuns, type Run } from '../shared/db/runs.js'
import type { Notes } from '../shared/db/writer/protocol.js'
import { createPipelineWebhooks } from '../shared/db/pipeline-webhooks.js'
import { createWebhookDedups } from '../shared/db/webhook-dedups.js'
import { createWebhookDeliveries } from '../shared/db/webhook-deliveries.js'
import { createTriggeredRuns } from '../shared/db/triggered-runs.js'
import { createTasks } from '../shared/db/tasks.js'
import { createUploads } from '../shared/db/uploads.js'
import { createSchedules } from '../shared/db/schedules.js'
import { createSecrets, type EncryptedSecret } from '../shared/db/secrets.js'
import { removeWebhookSecret } from '../shared/secrets/webhook-secret.js'
import type { PipelineDeclarations } from '../shared/pipeline/program.js'
import { removeDriverConfig } from '../shared/secrets/driver-config.js'
import { createDeliveryWrites } from './webhooks/delivery-writes.js'
import { isReservedSecret } from '../shared/secrets/reserved.js'

/**
 * All that the api changes in the main database: the operations of its writer thread. Each is one
 * transaction that looks and then changes, so no two requests can both pass a check.
 */
export type ApiWrites = ReturnType<typeof createOperations>

export function createOperations(db: Db) {
  const pipelines = createPipelines(db)
  const runs = createRuns(db)
  const tasks = createTasks(db)
  const executors = createExecutors(db)
  const secrets = createSecrets(db)
  const uploads = createUploads(db)
  const journal = createJournal(db)
  const reusable = createReusableResults(db)
  const keptVolumes = createKeptVolumes(db)
  const gates = createGates(db)
  const triggered = createTriggeredRuns(db)
  const pipelineInputs = createPipelineInputs(db)
  const pipelineWebhooks = createPipelineWebhooks(db)
  const deliveries = createWebhookDeliveries(db)
  const dedups = createWebhookDedups(db)
  const schedules = createSchedules(db)

  return {
    ...createDeliveryWrites({
      ...{ pipelines, pipelineInputs, runs, tasks, executors, deliveries, dedups },
    }),
    ...createAuthOperations(db),
    ...createTokenOperations(db),

    /**
     * Stores a pipeline with its secrets, which are encrypted for the id that is given: it has to be
     * the pipeline's own. Nothing is written unless all of it is.
     */
    setPipeline(set: SetPipeline): SetResult {
      const { id, declarations, secrets: encrypted, driverConfig, webhooks, now } = set
      const existing = pipelines.findRef(id)
      if (existing?.id === id && existing.name !== set.input.name) return { outcome: 'id_taken' }
      const stored = pipelines.findByName(set.input.name)
      if (stored && stored.id !== id) return { outcome: 'other_id', id: stored.id }
      const missing = encrypted.length > 0 && findMissingKey(`pipeline/${id}`, encrypted)
      if (missing) return { outcome: 'secret_key_missing', key: missing }

      const concurrency = mergeRule(stored?.concurrency, set.concurrency)
      const fault = findRuleFault(concurrency)
      if (fault !== undefined) return { outcome: 'rule_invalid', fault }

      const input = { ...set.input, concurrency }
      const pipeline = pipelines.upsert(input, id, now)
      pipelineInputs.set(pipeline.id, declarations.inputs)
      syncSchedules(schedules, pipeline.id, declarations.schedules, now)
      for (const secret of encrypted) secrets.upsert(secret, now)
      if (driverConfig === null || (stored && stored.driver !== input.driver))
        removeDriverConfig(secrets, id)
      if (driverConfig) secrets.upsert(driverConfig, now)
      pipelineWebhooks.set(pipeline.id, declarations.mayRespond, webhooks.provider)
      if (webhooks.secret === null) removeWebhookSecret(secrets, id)
      for (const secret of webhooks.secret ?? []) secrets.upsert(secret, now)
      return { outcome: 'stored', pipeline }
    },

    setPaused: ({ id, isPaused, now }: SetPaused): boolean =>
      pipelines.setPaused(id, isPaused, now),

    /**
     * Accepts a run, or says why not. Nothing is written for a refusal. The concurrency rule may end
     * the run in that moment, or those before it.
     */
    admitRun({ run, resolved, upload, maxQueueSize, now }: AdmitRun, notes: Notes): Admission {
      const { pipelineId } = run
      const tables = { pipelines, runs, executors }
      const count = (limit: number): number => notes.get(QUEUED) ?? runs.countQueued(limit)
      const checked = checkAdmission(tables, { pipelineId, maxQueueSize, now, count })
      if (checked.outcome !== 'free') return checked
      const { rules } = checked
      if (!isDeepStrictEqual(rules.concurrency, resolved.rule))
        return { outcome: 'rule_changed', rule: rules.concurrency }

      const enqueue = { run: { ...run, hasUpload: upload !== undefined }, rules, resolved, now }
      const { run: accepted, hasSuperseded } = enqueueRun({ runs, tasks }, enqueue)
      if (accepted.status !== 'queued') return { outcome: 'accepted', run: accepted }
      notes.set(QUEUED, checked.queued + 1)
      if (upload !== undefined) uploads.insert(run.id, upload)
      if (hasSuperseded) notes.delete(QUEUED)
      return { outcome: 'accepted', run: accepted }
    },

    /** See seed-passed.ts. */
    seedPassed: (input: SeedPassed): boolean => seedPassed({ pipelines, runs, tasks }, input),

    /**
     * Puts a run that has ended into the queue again, as its next generation. What its steps came to
     * stands where it may; with `from`, only of those that were asked for before that step.
     */
    restartRun({ runId, from, by, maxQueueSize, now }: RestartRun, notes: Notes): RestartResult {
      const run = runs.find(runId)
      if (!run) return { outcome: 'not_found' }
      if (from === undefined ? run.status !== 'failed' : !isTerminal(run.status))
        return { outcome: 'wrong_status' }
      const beforeEffect = from === undefined ? null : findEffect(runId, from)
      if (beforeEffect === undefined) return { outcome: 'step_not_found' }
      if (run.errorCode === NO_GROUP) return { outcome: 'group_missing' }
      const hasVolumes = keptVolumes.isKept(runId)
      if (run.hasUpload && !hasVolumes) return { outcome: 'workdir_gone' }
      const count = (limit: number): number => notes.get(QUEUED) ?? runs.countQueued(limit)
      const checked = checkCapacity({ runs, executors }, { maxQueueSize, now, count })
      if (checked.outcome !== 'free') return checked
      notes.set(QUEUED, checked.queued + 1)
      reusable.collect(runId, { beforeEffect, hasVolumes })
      journal.clear(runId)
      gates.forget(runId)
      triggered.forget(runId)
      tasks.setAside(runId, run.generation)
      runs.restart(runId, { stepBase: tasks.maxStep(runId), by, now })
      return { outcome: 'restarted', hasVolumes }
    },

    /** Ends a queued run at once; asks the executor of a running one. */
    stopRun(stop: StopRun, notes: Notes): StopResult {
      notes.delete(QUEUED)
      return stopRun(stop)
    },

    /** Queues the run of a schedule, once for each time that it is due. */
    fireSchedule(input: FireSchedule, notes: Notes): Firing {
      notes.delete(QUEUED)
      return fireSchedule({ pipelines, runs, tasks, executors, schedules }, input)
    },

    /** See change-schedules.ts. */
    setScheduleEnabled: (input: SetScheduleEnabled): boolean =>
      setScheduleEnabled(schedules, input),

    /** Ends the gates of some runs whose time is over. */
    expireGates({ runIds, now }: { runIds: readonly string[]; now: number }, notes: Notes): void {
      notes.delete(QUEUED)
      for (const runId of runIds) gates.expire(runId, now)
    },

    /** Approves or rejects a gate; its run may go on then. */
    resolveGate(input: ResolveGate, notes: Notes): GateResult {
      notes.delete(QUEUED)
      return resolveGate({ gates, runs }, input)
    },

    /**
     * Removes a pipeline whose runs have all ended; while one has not, asks for its stop and
     * removes nothing: the caller waits and asks again.
     */
    removePipeline(
      { id, by, now }: RemovePipeline,
      notes: Notes,
    ): 'removed' | 'not_found' | 'active' {
      notes.delete(QUEUED)
      if (!pipelines.find(id)) return 'not_found'
      const active = runs
        .findActive(id)
        .map((runId) => stopRun({ runId, by, keep: KEEP_NOTHING, now }))
      if (active.some((result) => result === 'stopping')) return 'active'
      pipelines.remove(id)
      secrets.removeScope(`pipeline/${id}`)
      return 'removed'
    },
  }

  /** A key of the pipeline that an update leaves out: more likely forgotten than meant. */
  function findMissingKey(scope: string, given: readonly EncryptedSecret[]): string | undefined {
    const keys = new Set(given.map(({ key }) => key))
    return secrets.listKeys(scope).find((key) => !keys.has(key) && !isReservedSecret(key))
  }

  /** Of a step of the run's last generation: its place in the order of calls. */
  function findEffect(runId: string, from: number | string): number | undefined {
    const task = typeof from === 'number' ? tasks.findStep(runId, from) : tasks.find(runId, from)
    return task?.effect ?? undefined
  }

  function stopRun({ runId, by, keep, now }: StopRun): StopResult {
    const run = runs.find(runId)
    if (!run) return 'not_found'
    const status: RunStatus = run.status
    switch (status) {
      case 'queued':
        runs.failQueued(runId, by, { code: 'aborted', message: STOPPED }, now)
        tasks.endOpen(runId, { status: 'aborted', errorMessage: STOPPED }, now)
        keptVolumes.decide(runId, keep, now)
        return 'stopped'
      case 'running':
        runs.requestStop(runId, by, now)
        return 'stopping'
      case 'success':
      case 'failed':
      case 'skipped':
        return 'ended'
    }
  }
}

function mergeRule(
  stored: ConcurrencyRule = NO_RULE,
  given: Partial<ConcurrencyRule>,
): ConcurrencyRule {
  return { ...(given.mode === undefined ? stored : NO_RULE), ...given }
}

/** The run goes with its pipeline. */
const KEEP_NOTHING: KeepRule = { keepMs: 0, maxRuns: 0 }

/** The error text of a run that somebody stopped; on the wire. */
const STOPPED = 'Run stopped by user'

export interface SetPipeline {
  /** The pipeline's, or the one to give it if it is new. */
  id: string
  input: Omit<PipelineInput, 'concurrency'>
  declarations: PipelineDeclarations
  /** With a mode it is the whole rule; without one it changes the one that is stored. */
  concurrency: Partial<ConcurrencyRule>
  secrets: EncryptedSecret[]
  /** Settings of its driver. Null: there are none; undefined: as they are, unless the driver changes. */
  driverConfig: EncryptedSecret | null | undefined
  webhooks: {
    /** The only provider that it takes webhooks of; empty: any. Undefined: as it is. */
    provider: string | undefined
    /** What they are signed with, and were until now. Null: nothing; undefined: as it is. */
    secret: EncryptedSecret[] | null | undefined
  }
  now: number
}

export type SetResult =
  | { outcome: 'stored'; pipeline: Pipeline }
  /** The pipeline of this name has another id: encrypt for that one. */
  | { outcome: 'other_id'; id: string }
  /** Another pipeline has this id. */
  | { outcome: 'id_taken' }
  | { outcome: 'secret_key_missing'; key: string }
  | { outcome: 'rule_invalid'; fault: string }

export interface SetPaused {
  id: string
  isPaused: boolean
  now: number
}

export interface AdmitRun {
  run: RuledRun
  /** Its concurrency group, and the rule that gave it. */
  resolved: RuledGroup
  /** A synced file of the spool that becomes the run's. */
  upload?: string | undefined
  maxQueueSize: number
  now: number
}

export type Admission =
  | { outcome: 'accepted'; run: Run }
  /** Somebody has set the pipeline meanwhile: find the group by this rule. */
  | { outcome: 'rule_changed'; rule: ConcurrencyRule }
  | Refusal

export interface RestartRun {
  runId: string
  /** A step's number or its absolute path; undefined: the run failed and goes on. */
  from?: number | string | undefined
  /** Who asked, for the record. */
  by: string
  maxQueueSize: number
  now: number
}

export type RestartResult =
  /** With the volumes that its last generation has left, or without any. */
  | { outcome: 'restarted'; hasVolumes: boolean }
  | { outcome: 'not_found' }
  | { outcome: 'wrong_status' }
  | { outcome: 'step_not_found' }
  /** Its concurrency group could not be named, and it must not run without. */
  | { outcome: 'group_missing' }
  /** It had a working directory of its own. */
  | { outcome: 'workdir_gone' }
  | QueueFull

export interface StopRun {
  runId: string
  /** Who asked, for the record. */
  by: string
  /** What becomes of its volumes when it is ended at once. */
  keep: KeepRule
  now: number
}

export type StopResult = 'stopped' | 'stopping' | 'ended' | 'not_found'

export interface RemovePipeline {
  id: string
  by: string
  now: number
}
