import type { ServerResponse } from 'node:http'

/** A response that is written piece by piece, at the pace of its reader. */
export interface BodyStream {
  /** Resolves when the reader can take more, or has gone: then writing does nothing any more. */
  write: (data: string | Uint8Array) => Promise<void>
  /** Aborts when the reader has gone. */
  readonly gone: AbortSignal
  end: () => void
}

/** After so many bytes the young generation is collected: see `openBodyStream`. */
const GIVE_BACK_BYTES = 16 * 1_048_576

/**
 * Sends the status line and headers at once. The engine counts a buffer as a small object, not by the
 * memory behind it, and would let a long response pile up tens of megabytes before it collects them.
 */
export function openBodyStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): BodyStream {
  const gone = new AbortController()
  let resume: (() => void) | undefined
  let uncollected = 0
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
      uncollected += data.length
      if (uncollected > GIVE_BACK_BYTES) {
        uncollected = 0
        globalThis.gc?.({ type: 'minor', execution: 'sync' })
      }
      if (response.destroyed || response.write(data)) return Promise.resolve()
      return new Promise((resolve) => (resume = resolve))
    },
    end: () => void response.end(),
  }
}
