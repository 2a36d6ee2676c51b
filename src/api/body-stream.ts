import type { ServerResponse } from 'node:http'
import { createGiveBack } from '../shared/give-back.js'

/** A response that is written piece by piece, at the pace of its reader. */
export interface BodyStream {
  /** Resolves when the reader can take more, or has gone: then writing does nothing any more. */
  write: (data: string | Uint8Array) => Promise<void>
  /** Aborts when the reader has gone. */
  readonly gone: AbortSignal
  end: () => void
}

/** Sends the status line and headers at once. */
export function openBodyStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): BodyStream {
  const gone = new AbortController()
  let resume: (() => void) | undefined
  const giveBack = createGiveBack()
  const wake = (): void => {
    resume?.()
    resume = undefined
  }
  response.on('drain', wake)
  response.on('error', () => undefined) // 'close' follows
  response.on('close', () => {
    gone.abort()
    wake()
  })
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.flushHeaders()

  return {
    gone: gone.signal,
    write(data) {
      giveBack(data.length)
      if (response.destroyed || response.write(data)) return Promise.resolve()
      return new Promise((resolve) => (resume = resolve))
    },
    end: () => void response.end(),
  }
}
