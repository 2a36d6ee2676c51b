import { JSException, type JSValueHandle } from 'quickjs-wasi'
import { errorMessage, isStackOverflow } from '../../shared/errors.js'
import { type CallTarget, createHostChannel, STACK_MESSAGE } from './host-channel.js'
import { openGuest, type Guest } from './open-guest.js'
import type {
  CrashReason,
  GuestError,
  PipelineVm,
  VmHost,
  VmLimits,
  VmOptions,
  VmState,
} from './pipeline-vm.js'
import { createSliceClock, GuestStopped } from './slice-clock.js'
import { createSourcePositions, type SourcePositions } from './source-positions.js'

/** Opens the sandbox of one run. Throws only when it cannot be made at all. */
export async function openPipelineVm(options: VmOptions): Promise<PipelineVm> {
  const { engine, program, context, host, limits, seed } = options
  const slices = createSliceClock(limits, host)
  const positions = createSourcePositions(program.sourceMap)
  let state: VmState = { status: 'pending' }

  const channel = createHostChannel({
    host: withReadableConsole(host, positions),
    limits,
    slices,
    onSettled(settlement) {
      if (state.status !== 'pending') return
      if (settlement.status === 'rejected' && OUT_OF_MEMORY.test(settlement.error.message))
        slices.stop(outOfMemory(limits))
      else if (settlement.status === 'rejected')
        state = { status: 'rejected', error: positions.mapError(settlement.error) }
      else state = settlement
    },
  })

  const guest = await openGuest({
    engine,
    context,
    seed,
    memoryBytes: limits.memoryBytes,
    now: () => host.now(),
    check: () => {
      if (slices.isRunning) slices.check()
    },
    receive: channel.receive,
  })
  let isOpen = true
  let isStarted = false

  function runSlice(work: () => void): void {
    if (slices.isRunning) throw new Error('the sandbox was entered while its guest runs')
    if (!isOpen) return
    slices.enter()
    try {
      work()
      guest.drain()
      if (guest.isBroken) throw outOfMemory(limits)
      // natives that take long may not have been asked in between
      slices.check()
    } catch (error) {
      crash(error)
    } finally {
      slices.leave()
    }
  }

  function crash(error: unknown): void {
    isOpen = false
    guest.discard()
    state = { status: 'crashed', ...describeCrash(error, limits) }
  }

  function startProgram(): void {
    const compiled = compile(guest, program.code)
    if (compiled.error) {
      state = { status: 'rejected', error: positions.mapError(compiled.error) }
      return
    }
    guest.start(compiled.program)
  }

  return {
    start() {
      if (isStarted) throw new Error('the sandbox was started before')
      isStarted = true
      runSlice(startProgram)
    },

    deliver(delivery) {
      runSlice(() => {
        const { kind, text } = channel.encodeDelivery(delivery)
        guest.deliver(kind, delivery.call, text)
      })
    },

    get state() {
      return state
    },

    get memoryBytes() {
      return guest.memoryBytes
    },

    [Symbol.dispose]() {
      isOpen = false
      guest.discard()
    },
  }
}

/** People read the console: stacks in it show the author's lines. */
function withReadableConsole(host: VmHost, positions: SourcePositions): CallTarget {
  return {
    callSync(name, args) {
      const [level, text] = args
      const isConsole = name === 'console' && typeof text === 'string'
      return host.callSync(name, isConsole ? [level, positions.mapText(text)] : args)
    },
    callAsync: (call, name, args) => host.callAsync(call, name, args),
  }
}

type Compiled = { program: JSValueHandle; error?: never } | { error: GuestError; program?: never }

function compile(guest: Guest, code: string): Compiled {
  try {
    return { program: guest.compile(code) }
  } catch (error) {
    if (!(error instanceof JSException) || isOutOfMemory(error.message)) throw error
    const stack = error.stack
    return {
      error: {
        message: `compilation error: ${error.message}`,
        ...(stack === undefined ? {} : { stack }),
      },
    }
  }
}

function describeCrash(
  error: unknown,
  limits: VmLimits,
): { reason: CrashReason; error: GuestError } {
  const { reason, message } = stopOf(error, limits)
  return { reason, error: { message } }
}

/** Which limit an error means that came out of the engine. */
function stopOf(error: unknown, limits: VmLimits): GuestStopped {
  if (error instanceof GuestStopped) return error
  if (isStackOverflow(error)) return new GuestStopped('stack', STACK_MESSAGE)
  const message = errorMessage(error)
  if (isOutOfMemory(message)) return outOfMemory(limits)
  return new GuestStopped('engine', `the sandbox failed: ${message}`)
}

/** What an uncaught one of the guest reads like. */
const OUT_OF_MEMORY = /^[a-z ]+: InternalError: out of memory/

/** The engine's own words; also when the bridge to it found no room for a string. */
function isOutOfMemory(message: string): boolean {
  return /\bout of memory\b|wasm_malloc failed/.test(message)
}

function outOfMemory({ memoryBytes }: VmLimits): GuestStopped {
  return new GuestStopped(
    'memory',
    `the pipeline used more than ${Math.round(memoryBytes / 1_048_576)} MiB of memory (--sandbox-memory-mb)`,
  )
}
