/** Memory that requests share: whoever finds too little left waits for those before it. */
export interface ByteBudget {
  /** Resolves with a part of it, which is given back when that is disposed. Throws when the signal aborts. */
  take(bytes: number, signal: AbortSignal): Promise<Disposable>
}

/** No part may be larger than the whole. */
export function createByteBudget(totalBytes: number): ByteBudget {
  const waiting: { bytes: number; go: () => void }[] = []
  let free = totalBytes

  const serve = (): void => {
    for (let next = waiting[0]; next && next.bytes <= free; next = waiting[0]) {
      waiting.shift()
      free -= next.bytes
      next.go()
    }
  }

  return {
    async take(bytes, signal) {
      signal.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        const entry = {
          bytes,
          go: () => {
            signal.removeEventListener('abort', onAbort)
            resolve()
          },
        }
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(entry), 1)
          reject(signal.reason as Error)
          serve()
        }
        signal.addEventListener('abort', onAbort, { once: true })
        waiting.push(entry)
        serve()
      })
      let isTaken = true
      return {
        [Symbol.dispose]() {
          if (!isTaken) return
          isTaken = false
          free += bytes
          serve()
        },
      }
    },
  }
}
