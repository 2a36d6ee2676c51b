import { errorMessage, isStackOverflow } from '../../shared/errors.js'
import type { Delivery, GuestError, VmHost, VmLimits } from './pipeline-vm.js'
import { GuestStopped, type SliceClock } from './slice-clock.js'

/** Deepest nesting of a value that crosses: what comes after parsing it recurses. */
const MAX_DEPTH = 500

/** Calls that may be under way at a time: each costs the host more than the guest. */
const MAX_CALLS_IN_FLIGHT = 10_000

/** Longest error text for the guest. */
const MAX_ERROR_CHARS = 65_536

/** How a pipeline ended, as its guest reports it. */
export type Settlement = { status: 'resolved' } | { status: 'rejected'; error: GuestError }

/** The host's end of the one function that guest and host share. */
export interface HostChannel {
  /**
   * Takes a message of the guest and answers with a text whose first character says what it is:
   * `=` a JSON value, `#` the number of a call that has begun, `!` an error; nothing: undefined.
   * Never throws: what is thrown into the engine becomes a guest error with the host's stack in it.
   */
  receive: (kind: string, subject: string, body: string) => string
  /**
   * What the guest is handed for a delivery: a kind, and a text that goes with it. A result that
   * does not fit becomes a rejection; output that does not fit throws GuestStopped.
   */
  encodeDelivery(delivery: Delivery): { kind: string; text: string }
}

export type CallTarget = Pick<VmHost, 'callSync' | 'callAsync'>

export interface HostChannelOptions {
  host: CallTarget
  limits: VmLimits
  slices: SliceClock
  onSettled: (settlement: Settlement) => void
}

export function createHostChannel(options: HostChannelOptions): HostChannel {
  const { host, limits, slices, onSettled } = options
  const inFlight = new Set<number>()
  let calls = 0

  function answer(kind: string, subject: string, body: string): string {
    switch (kind) {
      case 'sync': {
        const args = parseArgs(subject, body, limits.messageBytes)
        const call = (): unknown => host.callSync(subject, args)
        const value = waitsForDisk(subject) ? slices.pause(call) : call()
        if (value === undefined) return ''
        const text = encode(value, limits.messageBytes)
        if (text === undefined) throw new Error(`${subject}: ${tooLarge('result', limits)}`)
        return `=${text}`
      }
      case 'async': {
        const args = parseArgs(subject, body, limits.messageBytes)
        if (inFlight.size >= MAX_CALLS_IN_FLIGHT)
          throw new Error(`${subject}: more than ${MAX_CALLS_IN_FLIGHT} calls are under way`)
        const call = ++calls
        inFlight.add(call)
        host.callAsync(call, subject, args)
        return `#${call}`
      }
      case 'resolved':
        onSettled({ status: 'resolved' })
        return ''
      case 'rejected':
        onSettled({
          status: 'rejected',
          error: { message: subject, ...(body === '' ? {} : { stack: body }) },
        })
        return ''
      default:
        throw new Error(`no such message: ${kind}`)
    }
  }

  return {
    receive(kind, subject, body) {
      try {
        return answer(kind, subject, body)
      } catch (error) {
        if (isStackOverflow(error)) slices.stop(new GuestStopped('stack', STACK_MESSAGE))
        return `!${errorMessage(error).slice(0, MAX_ERROR_CHARS)}`
      }
    },

    encodeDelivery(delivery) {
      if (delivery.type === 'output') {
        const text = encode([delivery.stream, delivery.data], limits.messageBytes)
        if (text === undefined) throw new GuestStopped('message', tooLarge('output', limits))
        return { kind: 'output', text }
      }
      inFlight.delete(delivery.call)
      if (delivery.type === 'reject')
        return { kind: 'reject', text: delivery.message.slice(0, MAX_ERROR_CHARS) }
      const text = encode(delivery.value, limits.messageBytes)
      return text === undefined
        ? { kind: 'reject', text: tooLarge('result', limits) }
        : { kind: 'resolve', text }
    },
  }
}

export const STACK_MESSAGE = 'the pipeline recursed too deeply'

function tooLarge(what: string, { messageBytes }: VmLimits): string {
  return `the ${what} is larger than ${messageBytes} bytes, the most that crosses the sandbox at once (--sandbox-message-mb)`
}

/** These wait for a committed write. All others work for the guest, on its time. */
function waitsForDisk(name: string): boolean {
  return name.startsWith('storage.') || name === 'webhook.dedup'
}

function parseArgs(name: string, text: string, messageBytes: number): readonly unknown[] {
  if (Buffer.byteLength(text) > messageBytes)
    throw new Error(
      `${name}: the arguments are larger than ${messageBytes} bytes, the most that crosses the sandbox at once (--sandbox-message-mb)`,
    )
  if (depthOf(text) > MAX_DEPTH)
    throw new Error(`${name}: the arguments are nested more than ${MAX_DEPTH} levels deep`)
  const args: unknown = JSON.parse(text)
  if (!Array.isArray(args)) throw new Error(`${name}: the arguments are not a list`)
  return args
}

function encode(value: unknown, messageBytes: number): string | undefined {
  if (value === undefined) return ''
  const text = JSON.stringify(value)
  return Buffer.byteLength(text) > messageBytes ? undefined : text
}

/** Deepest nesting of a JSON text; right for valid JSON, and never too low for any other. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isString = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (isString) {
      if (unit === BACKSLASH) index++
      else if (unit === QUOTE) isString = false
    } else if (unit === QUOTE) isString = true
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) deepest = Math.max(deepest, ++depth)
    else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth--
  }
  return deepest
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
