import { after } from 'node:test'
import { loadEngine } from '../../src/executor/sandbox/load-engine.js'
import { openPipelineVm } from '../../src/executor/sandbox/open-pipeline-vm.js'
import type {
  Delivery,
  PipelineVm,
  VmHost,
  VmLimits,
  VmState,
} from '../../src/executor/sandbox/pipeline-vm.js'
import { createPureFunctions } from '../../src/executor/sandbox/pure-functions.js'
import { compilePipeline, stopCompiler } from '../../src/shared/pipeline/compile.js'

const LIMITS: VmLimits = {
  memoryBytes: 64 * 1_048_576,
  sliceMs: 1_000,
  cpuMs: 5_000,
  messageBytes: 1_048_576,
}

export interface HostCall {
  call?: number
  name: string
  args: readonly unknown[]
}

/** The answer to an asynchronous call: what is resolved, or an Error to reject with. */
type Answer = (call: HostCall) => unknown

export interface GuestOptions {
  limits?: Partial<VmLimits>
  answer?: Answer
  answerSync?: (call: HostCall) => unknown
  seed?: number
  now?: () => number
  isAborted?: () => boolean
}

export interface GuestRun {
  state: VmState
  /** What the pipeline printed. */
  lines: string[]
  calls: HostCall[]
}

/** Makes what tests run pipelines with; the compiler ends with the test file. */
export function createGuests() {
  const engine = loadEngine()
  after(stopCompiler)

  /** Opens the sandbox of a source file; deliveries are the test's own. */
  async function open(source: string, options: GuestOptions = {}) {
    const lines: string[] = []
    const calls: HostCall[] = []
    const host = createHost(options, lines, calls)
    const program = await compilePipeline(source, { contentType: 'ts' })
    const vm = await openPipelineVm({
      engine: await engine,
      program,
      context: CONTEXT,
      host,
      limits: { ...LIMITS, ...options.limits },
      seed: options.seed ?? 1,
    })
    return { vm, lines, calls }
  }

  /** Runs a source file to its end, each call answered in order. */
  async function run(source: string, options: GuestOptions = {}): Promise<GuestRun> {
    const { vm, lines, calls } = await open(source, options)
    using _vm = vm
    vm.start()
    let next = 0
    while (vm.state.status !== 'crashed' && next < calls.length) {
      const call = calls[next++]
      if (call?.call !== undefined) vm.deliver(await deliveryOf(call, options.answer))
    }
    return { state: vm.state, lines, calls }
  }

  /** Runs the body of a pipeline function. */
  const runBody = (body: string, options: GuestOptions = {}): Promise<GuestRun> =>
    run(`export const pipeline = async () => {\n${body}\n}`, options)

  /** The JSON value of an expression. */
  async function evaluate(expression: string, options: GuestOptions = {}): Promise<unknown> {
    const { state, lines } = await runBody(
      `console.log(JSON.stringify([await (${expression})]))`,
      options,
    )
    const [line] = lines
    if (line === undefined) throw new Error(`no value: ${JSON.stringify(state)}`)
    const [value] = JSON.parse(line) as unknown[]
    return value
  }

  return { open, run, runBody, evaluate }
}

/** The message that a run ended with; empty when it succeeded. */
export function failureOf({ state }: { state: VmState }): string {
  return state.status === 'rejected' || state.status === 'crashed' ? state.error.message : ''
}

export type { PipelineVm }

const CONTEXT = {
  runID: 'run-1',
  pipelineID: 'pipeline-1',
  triggeredBy: 'manual',
  args: ['one'],
  targetJobs: [],
  inputs: {},
  driverName: 'native',
}

function createHost(options: GuestOptions, lines: string[], calls: HostCall[]): VmHost {
  const pure = createPureFunctions()
  return {
    callSync(name, args) {
      if (name === 'console') {
        lines.push(String(args[1]))
        return null
      }
      const pureFunction = pure[name]
      if (pureFunction) return pureFunction(args)
      calls.push({ name, args })
      return options.answerSync?.({ name, args }) ?? null
    },
    callAsync: (call, name, args) => void calls.push({ call, name, args }),
    isAborted: options.isAborted ?? (() => false),
    enterSlice() {},
    leaveSlice() {},
    now: options.now ?? (() => 1_700_000_000_000),
  }
}

const RESULT = { code: 0, stdout: '', stderr: '', status: 'complete' }

async function deliveryOf(call: HostCall, answer: Answer = () => RESULT): Promise<Delivery> {
  const number = call.call ?? 0
  try {
    const value = await answer(call)
    if (value instanceof Error) throw value
    return { type: 'resolve', call: number, value }
  } catch (error) {
    return { type: 'reject', call: number, message: (error as Error).message }
  }
}
