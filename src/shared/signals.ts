/** The signals of a process, turned into a wish to stop and then into an order. */
export interface StopSignals extends Disposable {
  /** Aborts at the first signal; the reason is its name. */
  readonly stopping: AbortSignal
  /** Aborts at the second one; the reason is its name. */
  readonly forced: AbortSignal
}

/**
 * npm, npx and our own bin pass on a signal that the terminal has already delivered to the whole
 * process group: the same signal within this time is the same key stroke.
 */
const ECHO_MS = 250

/** Listens until it is disposed. For entry files and commands: nothing else handles signals. */
export function abortOnSignals(names: readonly NodeJS.Signals[]): StopSignals {
  const stopping = new AbortController()
  const forced = new AbortController()
  let last: { name: NodeJS.Signals; at: number } | undefined

  const onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now()
    const isEcho = last?.name === name && now - last.at < ECHO_MS
    last = { name, at: now }
    if (isEcho) return
    if (stopping.signal.aborted) forced.abort(name)
    else stopping.abort(name)
  }
  for (const name of names) process.on(name, onSignal)

  return {
    stopping: stopping.signal,
    forced: forced.signal,
    [Symbol.dispose]() {
      const stopListening = (): void => {
        for (const name of names) process.off(name, onSignal)
      }
      // an echo that comes after a fast end must not find the default: to die of it
      const sinceLastMs = last ? performance.now() - last.at : Infinity
      if (sinceLastMs < ECHO_MS) setTimeout(stopListening, ECHO_MS - sinceLastMs).unref()
      else stopListening()
    },
  }
}

/** The exit code by which shells know a process that a signal ended. */
export function signalExitCode(signal: unknown): number {
  return signal === 'SIGINT' ? 130 : 143
}
