import {
  apply,
  defineProperty,
  descriptor,
  ErrorIntrinsic,
  MapIntrinsic,
  mapDelete,
  mapGet,
  mapSet,
  parse,
  PromiseIntrinsic,
  slice,
  stringify,
} from './intrinsics.js'

/**
 * The one function of the host: kind, subject and body of a message, answered by a text whose first
 * character says what it is (see host-channel.ts).
 */
export type Send = (kind: string, subject: string, body: string) => string

export type OutputCallback = (stream: string, data: string) => unknown

/** The host as the globals see it. Arguments are handed over as JSON text, by `listOf`. */
export interface Host {
  callSync(name: string, args: string): unknown
  callAsync(name: string, args: string, onOutput?: OutputCallback): Promise<unknown>
}

/** Hands in what the host has to say about a call. */
export type Deliver = (kind: string, call: string, text: string) => void

interface Call {
  resolve(value: unknown): void
  reject(error: Error): void
  /** Made when the call was made, so that its stack shows the author's line. */
  failure: Error
  onOutput: OutputCallback | undefined
}

export function createHost(send: Send): { host: Host; deliver: Deliver } {
  const calls = new MapIntrinsic<unknown, unknown>()

  const host: Host = {
    callSync(name, args) {
      const answer = send('sync', name, args)
      if (answer[0] === '!') throw new ErrorIntrinsic(slice(answer, 1))
      return valueOf(slice(answer, 1))
    },

    callAsync(name, args, onOutput) {
      return new PromiseIntrinsic((resolve, reject) => {
        const failure = new ErrorIntrinsic()
        const answer = send('async', name, args)
        if (answer[0] === '!') reject(withMessage(failure, slice(answer, 1)))
        else mapSet(calls, slice(answer, 1), { resolve, reject, failure, onOutput } satisfies Call)
      })
    },
  }

  const deliver: Deliver = (kind, number, text) => {
    // only `callAsync` puts values there
    const call = mapGet(calls, number) as Call | undefined
    if (!call) return
    if (kind === 'output') return showOutput(call.onOutput, text)
    mapDelete(calls, number)
    if (kind === 'resolve') call.resolve(valueOf(text))
    else call.reject(withMessage(call.failure, text))
  }

  return { host, deliver }
}

/** The JSON text of a list of values; values without one become null. Runs their `toJSON`. */
export function listOf(...values: unknown[]): string {
  let text = ''
  for (let index = 0; index < values.length; index++)
    text += (index === 0 ? '' : ',') + jsonOf(values[index])
  return `[${text}]`
}

function jsonOf(value: unknown): string {
  // not for every value, whatever the types say: functions and undefined have no text
  const text: string | undefined = stringify(value)
  return text === undefined ? 'null' : text
}

function valueOf(text: string): unknown {
  return text === '' ? undefined : parse(text)
}

/** Gives an error that was made earlier what it has to say. */
export function withMessage(error: Error, message: string): Error {
  defineProperty(error, 'message', descriptor(message, true, false))
  return error
}

function showOutput(callback: OutputCallback | undefined, text: string): void {
  if (!callback) return
  const chunk = parse(text) as [string, string]
  try {
    apply(callback, undefined, [chunk[0], chunk[1]])
  } catch {
    // a callback watches; what it throws changes nothing
  }
}
