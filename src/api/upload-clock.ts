import type { IncomingMessage } from 'node:http'
import { AppError } from '../shared/errors.js'

export interface UploadTimes {
  /** For the body as a whole. */
  totalMs: number
  /** A sender from whom nothing has come for so long is gone or does not mean it. */
  pauseMs: number
}

/** The time of one upload. Disposing it stops it. */
export interface UploadClock extends Disposable {
  /** Aborts with `upload_too_slow` when the body takes too long, or nothing of it comes. */
  readonly signal: AbortSignal
}

export function startUploadClock(
  { socket }: IncomingMessage,
  { totalMs, pauseMs }: UploadTimes,
): UploadClock {
  const slow = new AbortController()
  const stop = (reason: string): void =>
    slow.abort(new AppError('upload_too_slow', `the request body ${reason}`))
  const total = setTimeout(
    () => stop(`took longer than ${totalMs / 1_000} s (--upload-timeout of the server)`),
    totalMs,
  )
  let seen = socket.bytesRead
  const pause = setInterval(() => {
    if (socket.bytesRead === seen) stop(`paused for ${pauseMs / 1_000} s`)
    seen = socket.bytesRead
  }, pauseMs)
  return {
    signal: slow.signal,
    [Symbol.dispose]() {
      clearTimeout(total)
      clearInterval(pause)
    },
  }
}
