import { QuickJS, type JSValueHandle } from 'quickjs-wasi'
import { ENGINE_OPTIONS } from './engine-options.js'
import type { VmOptions } from './pipeline-vm.js'

/** The file name of the compiled program in the engine's stacks. */
export const PROGRAM_FILE = 'main.js'

/** One engine with the globals of a pipeline in it. Whatever it throws, it is not usable any more. */
export interface Guest {
  /** Evaluates a program to its function; throws JSException when it does not parse. */
  compile(code: string): JSValueHandle
  start(program: JSValueHandle): void
  deliver(kind: string, call: number, text: string): void
  /** Runs promise jobs until none is left. */
  drain(): void
  /** True when the prelude itself failed: it had no memory left to report an error. */
  readonly isBroken: boolean
  /** Size of its memory, which only grows. */
  readonly memoryBytes: number
  /** Lets go of the engine, whatever state it is in. No code runs in it. */
  discard(): void
}

export interface GuestOptions extends Pick<VmOptions, 'engine' | 'context' | 'seed'> {
  memoryBytes: number
  now: () => number
  /** Called while guest code runs; what it throws ends the guest. */
  check: () => void
  receive: (kind: string, subject: string, body: string) => string
}

export async function openGuest(options: GuestOptions): Promise<Guest> {
  const { engine, memoryBytes, now, check, receive } = options
  let memory: WebAssembly.Memory | undefined
  const vm = await QuickJS.restore(engine.image, {
    ...ENGINE_OPTIONS,
    wasm: engine.wasm,
    wasi(linear) {
      memory = linear
      return deterministicWasi(linear, now)
    },
    memoryLimit: memoryBytes,
    interruptHandler() {
      check()
      return false
    },
    moduleLoader: {
      // the guest's own import() ends here
      normalize() {
        throw withoutStack('import() is not available in a pipeline')
      },
      load() {
        throw withoutStack('import() is not available in a pipeline')
      },
    },
  })

  using boot = vm.importHandle(engine.boot)
  const entries = callBoot(vm, boot, createSend(vm, receive), {
    context: options.context,
    seed: options.seed,
  })
  return createGuest({ vm, entries, check, memoryBytes: () => memory?.buffer.byteLength ?? 0 })
}

interface Entries {
  start: JSValueHandle
  deliver: JSValueHandle
}

function callBoot(
  vm: QuickJS,
  boot: JSValueHandle,
  send: JSValueHandle,
  settings: object,
): Entries {
  using text = vm.newString(JSON.stringify(settings))
  using entries = vm.callFunction(boot, vm.undefined, send, text)
  return { start: entries.getProp('start'), deliver: entries.getProp('deliver') }
}

/**
 * The one host function. It answers with text, never with an error: an error made by the host
 * carries the host's stack.
 */
function createSend(
  vm: QuickJS,
  receive: (kind: string, subject: string, body: string) => string,
): JSValueHandle {
  let previous: JSValueHandle | undefined
  return vm.newFunction('send', (kind, subject, body) => {
    // the engine has taken its own reference to the answer once the call is over
    previous?.dispose()
    previous = vm.newString(receive(textOf(kind), textOf(subject), textOf(body)))
    return previous
  })
}

/** Never converts: a conversion would run guest code. */
function textOf(handle: JSValueHandle | undefined): string {
  return handle?.isString ? handle.toString() : ''
}

interface GuestParts {
  vm: QuickJS
  entries: Entries
  check: () => void
  memoryBytes: () => number
}

function createGuest({ vm, entries, check, memoryBytes }: GuestParts): Guest {
  let running: JSValueHandle | undefined
  return {
    compile: (code) => vm.evalCode(code, PROGRAM_FILE),
    start(program) {
      running = vm.callFunction(entries.start, vm.undefined, program)
    },
    deliver(kind, call, text) {
      using kindHandle = newString(vm, kind)
      using callHandle = newString(vm, String(call))
      using textHandle = newString(vm, text)
      vm.callFunction(entries.deliver, vm.undefined, kindHandle, callHandle, textHandle).dispose()
    },
    drain: () => drain(vm, check),
    get isBroken() {
      return running?.promiseState === REJECTED
    },
    get memoryBytes() {
      return memoryBytes()
    },
    discard: () => vm.dispose(),
  }
}

const REJECTED = 2

/**
 * Runs jobs until none is left. A job that throws is the callback of a FinalizationRegistry: nobody
 * waits for it, the next job follows. One that throws nothing had no memory for an error.
 */
function drain(vm: QuickJS, check: () => void): void {
  for (;;) {
    try {
      vm.executePendingJobs()
      return
    } catch (error) {
      const isJobError = error instanceof Error && error.message.startsWith(JOB_ERROR)
      if (!isJobError) throw error
      if (error.message === `${JOB_ERROR}null`) throw new Error('out of memory', { cause: error })
      check()
    }
  }
}

const JOB_ERROR = 'Job execution error: '

function newString(vm: QuickJS, text: string): JSValueHandle {
  const handle = vm.newString(text)
  if (!handle.isString) throw new Error('out of memory')
  return handle
}

/** An error that the engine can show to the guest: it copies the stack when there is one. */
function withoutStack(message: string): Error {
  const error = new Error(message)
  error.stack = ''
  return error
}

/** The guest's clock is the host's word; nothing it can observe is random; it writes nowhere. */
function deterministicWasi(memory: WebAssembly.Memory, now: () => number) {
  const SUCCESS = 0
  const NOT_SUPPORTED = 52
  return {
    clock_time_get(_clock: number, _precision: bigint, result: number): number {
      const nanoseconds = BigInt(Math.trunc(now())) * 1_000_000n
      new DataView(memory.buffer).setBigUint64(result, nanoseconds, true)
      return SUCCESS
    },
    random_get(pointer: number, length: number): number {
      new Uint8Array(memory.buffer, pointer, length).fill(0)
      return SUCCESS
    },
    fd_write: (): number => NOT_SUPPORTED,
  }
}
