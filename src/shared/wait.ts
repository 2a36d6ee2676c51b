import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from './errors.js'

/** False when the promise has not settled in time; it goes on. */
export async function isWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController()
  try {
    return await Promise.race([
      promise.then(() => true),
      sleep(ms, false, { signal: timer.signal }),
    ])
  } finally {
    timer.abort()
  }
}

/** The value of a promise, or `aborted` as soon as the signal is; the promise goes on. */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (!signal) return promise
  if (signal.aborted) throw aborted(signal)
  let onAbort: (() => void) | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_resolve, reject) => {
        onAbort = () => reject(aborted(signal))
        signal.addEventListener('abort', onAbort)
      }),
    ])
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort)
  }
}

function aborted(signal: AbortSignal): AppError {
  return new AppError('aborted', 'no longer waiting', { cause: signal.reason })
}
