import { checkAdmission } from '../shared/admission/check-admission.js'
import { resolveGroup } from '../shared/admission/concurrency-group.js'
import { enqueueRun, type EnqueueTables } from '../shared/admission/enqueue-run.js'
import { nameOf, type Actor } from '../shared/authorize.js'
import { resolveInputs, type GivenInputs } from '../shared/contract/inputs.js'
import type { TriggerInput } from '../shared/contract/trigger-input.js'
import type { createExecutors } from '../shared/db/executors.js'
import type { PipelineInputs } from '../shared/db/pipeline-inputs.js'
import type { PipelineRef, Pipelines } from '../shared/db/pipelines.js'
import type { Run } from '../shared/db/runs.js'
import { describeGroup } from '../shared/db/wait-reasons.js'
import type { TriggeredRuns } from '../shared/db/triggered-runs.js'
import { AppError } from '../shared/errors.js'

/** Pipelines that may be behind a run: a chain that is longer is a mistake. */
const MAX_CALLERS = 10

/** What a run asks for. */
export interface TriggerCall {
  /** Numbers the calls of a run from 1. */
  number: number
  /** Name or id. */
  target: string
  /** The id of the new run, if there will be one. */
  childId: string
  input: TriggerInput
  /** Not checked yet. */
  inputs: GivenInputs
  isAwaited: boolean
  maxQueueSize: number
}

export interface TriggerTables extends EnqueueTables {
  pipelines: Pipelines
  pipelineInputs: PipelineInputs
  executors: ReturnType<typeof createExecutors>
  triggered: TriggeredRuns
}

/** Queues a run for another one, or writes down why not. Part of the transaction of the intent. */
export function triggerRun(
  tables: TriggerTables,
  callerId: string,
  call: TriggerCall,
  now: number,
): void {
  const { runs, triggered } = tables
  const caller = runs.find(callerId)
  if (!caller) throw new Error(`run ${callerId} is not there in the transaction that owns it`)
  const error = refuse(tables, caller, call, now) ?? ''
  const childId = error === '' ? call.childId : null
  triggered.insert(callerId, { ...call, childId, error })
}

/** Answers why not; undefined: the run is queued. */
function refuse(
  tables: TriggerTables,
  caller: Run,
  call: TriggerCall,
  now: number,
): string | undefined {
  try {
    return admit(tables, caller, call, now)
  } catch (error) {
    // inputs that do not fit; anything else is no answer
    if (error instanceof AppError && error.code === 'request_invalid') return error.message
    throw error
  }
}

function admit(
  tables: TriggerTables,
  caller: Run,
  { target, childId, input, inputs: given, isAwaited, maxQueueSize }: TriggerCall,
  now: number,
): string | undefined {
  const { pipelines, triggered } = tables
  const pipeline = pipelines.findRef(target)
  if (!pipeline) return `pipeline "${target}" not found`
  const actor: Actor = { kind: 'pipeline', id: caller.pipelineId }
  if (!mayTrigger(tables, caller, pipeline.id))
    return `access denied to pipeline "${pipeline.name}"`
  const callers = [...triggered.listCallers(caller.id), caller.pipelineId]
  const fault = findChainFault(tables, callers, pipeline)
  if (fault !== undefined) return fault
  const inputs = resolveInputs(tables.pipelineInputs.find(pipeline.id), given)

  const checked = checkAdmission(tables, { pipelineId: pipeline.id, maxQueueSize, now })
  switch (checked.outcome) {
    case 'pipeline_not_found':
      return `pipeline "${target}" not found`
    case 'paused':
      return `pipeline "${pipeline.name}" is paused`
    case 'queue_full':
      return 'execution queue is full'
    case 'free':
      break
  }
  const { concurrency: rule } = checked.rules
  const triggerInput = { ...input, ...(Object.keys(inputs).length > 0 && { inputs }) }
  const resolved = { rule, ...resolveGroup(pipeline.id, rule, triggerInput) }
  if (isAwaited && 'group' in resolved && triggered.isDeadlock(caller.id, resolved.group))
    return `triggerPipeline: a run of "${pipeline.name}" would wait for its own caller, by way of the concurrency group ${describeGroup(resolved.group)}`
  const run = {
    ...{ id: childId, pipelineId: pipeline.id, triggerInput, requestId: caller.requestId },
    triggerType: 'manual' as const,
    triggeredBy: nameOf(actor),
  }
  enqueueRun(tables, { run, rules: checked.rules, resolved, now })
  triggered.setCallers(childId, callers)
  return undefined
}

/** Pipelines that call one another in a circle would never end. */
function findChainFault(
  { pipelines }: TriggerTables,
  callers: readonly string[],
  target: PipelineRef,
): string | undefined {
  const isCycle = callers.includes(target.id)
  if (!isCycle && callers.length < MAX_CALLERS) return undefined
  const names = callers.map((id) => pipelines.findRef(id)?.name ?? id)
  const chain = [...names, target.name].join(' → ')
  return isCycle
    ? `triggerPipeline: "${target.name}" is among its own callers: ${chain}`
    : `triggerPipeline: more than ${MAX_CALLERS} pipelines call one another: ${chain}`
}

/** A rule is about people. A pipeline passes it that is under the same one: whoever set it was let in. */
function mayTrigger({ pipelines }: TriggerTables, caller: Run, targetId: string): boolean {
  const rule = pipelines.findRule(targetId)
  return rule === '' || rule === pipelines.findRule(caller.pipelineId)
}
