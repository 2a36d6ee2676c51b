import { errorMessage, hasCode } from '../../shared/errors.js'
import type { RunOutcome } from '../../shared/db/runs.js'
import type { Wait } from '../../shared/db/suspensions.js'
import { isWithin } from '../../shared/wait.js'
import type { Effects } from '../sandbox/effects.js'
import type { AsyncFunction } from '../sandbox/host-functions/async-functions.js'
import type { CrashReason, GuestError, PipelineVm, VmHost } from '../sandbox/pipeline-vm.js'
import type { RunControl } from './run-control.js'

export interface RunPipelineOptions {
  effects: Effects
  control: RunControl
  syncFunctions: ReadonlyMap<string, (args: readonly unknown[]) => unknown>
  asyncFunctions: ReadonlyMap<string, AsyncFunction>
  openVm(host: VmHost): Promise<PipelineVm>
  /** Unix milliseconds. */
  startedAt: number
  /** Ends what is under way: the sandbox has failed. */
  onCrash(): void
  /** A failed assertion fails the run even when the pipeline swallows it; undefined when none failed. */
  failedAssertion(): string | undefined
  /** Told at the end how much memory the sandbox has come to hold. */
  onMemory(bytes: number): void
}

/** How a run leaves its thread: ended, or with nothing left to do but to wait for others. */
export type RunExit = RunOutcome | { status: 'waiting'; waits: Wait[] }

/**
 * Runs one pipeline to its end: feeds the sandbox one delivery at a time until nothing is under way
 * any more, also what nobody awaited, and only then looks at the pipeline's promise.
 * Throws what made the journal unwritable, `lease_lost` among it.
 */
export async function runPipeline(options: RunPipelineOptions): Promise<RunExit> {
  const { effects, onCrash, failedAssertion } = options
  let now = options.startedAt
  using vm = await options.openVm(createHost(options, () => now))

  let waits: Wait[] = []
  vm.start()
  try {
    while (vm.state.status !== 'crashed') {
      const delivery = await effects.next()
      if (!delivery) break
      now = delivery.at
      vm.deliver(delivery)
    }
    if (vm.state.status === 'crashed') onCrash()
    else waits = effects.leave()
  } finally {
    // what is under way is another executor's then
    if (isLeaseLost(effects.failure)) await isWithin(effects.idle(), DETACH_MS)
    else await effects.idle()
  }
  options.onMemory(vm.memoryBytes)
  if (effects.failure !== undefined) throw effects.failure
  if (waits.length > 0) return { status: 'waiting', waits }
  return outcomeOf(vm, failedAssertion())
}

/** How long a run that goes to another executor waits for what it has under way. */
const DETACH_MS = 5_000

function createHost(options: RunPipelineOptions, now: () => number): VmHost {
  const { effects, control, syncFunctions, asyncFunctions } = options
  return {
    callSync(name, args) {
      const call = syncFunctions.get(name)
      if (!call) throw new Error(`there is no host function ${name}`)
      return call(args)
    },
    callAsync(call, name, args) {
      const plan = planOf(asyncFunctions, name, args)
      effects.perform({ ...plan, call, name, args })
    },
    isAborted: () => control.isAborted,
    enterSlice: () => control.enterSlice(),
    leaveSlice: () => control.leaveSlice(),
    now,
  }
}

/** Input that does not fit is an effect as well: its rejection takes its place in the journal. */
function planOf(
  functions: ReadonlyMap<string, AsyncFunction>,
  name: string,
  args: readonly unknown[],
) {
  try {
    const plan = functions.get(name)
    if (!plan) throw new Error(`there is no host function ${name}`)
    return plan(args)
  } catch (error) {
    return { action: () => Promise.reject(new Error(errorMessage(error), { cause: error })) }
  }
}

function outcomeOf(vm: PipelineVm, assertion: string | undefined): RunOutcome {
  const { state } = vm
  switch (state.status) {
    case 'resolved':
      return assertion === undefined
        ? { status: 'success' }
        : failed('assertion_failed', `assertion failed: ${assertion}`)
    case 'rejected':
      return failed('pipeline_failed', withStack(state.error))
    case 'crashed':
      return failed(CRASH_CODES[state.reason], withStack(state.error))
    case 'pending':
      return failed(
        'pipeline_stuck',
        'the pipeline never finished: its promise is pending and nothing is under way that could settle it',
      )
  }
}

const CRASH_CODES: Record<CrashReason, string> = {
  slice: 'sandbox_slice',
  cpu: 'sandbox_cpu',
  memory: 'sandbox_memory',
  stack: 'sandbox_stack',
  message: 'sandbox_message',
  aborted: 'aborted',
  engine: 'sandbox_engine',
}

function failed(errorCode: string, reason: string): RunOutcome {
  return { status: 'failed', errorCode, errorMessage: `could not execute pipeline: ${reason}` }
}

function withStack({ message, stack }: GuestError): string {
  return stack === undefined || message.includes(stack) ? message : `${message}\n${stack}`
}

/** True for what means that the run is another's now. */
export function isLeaseLost(error: unknown): boolean {
  return hasCode(error, 'lease_lost')
}
