import {
  orderSchema,
  startMessageSchema,
  type ReadyInfo,
  type Report,
  type StartMessage,
} from '../contract/supervision.js'
import { toErrorData } from '../errors.js'

/**
 * A tier's end of the channel to its supervisor. Dispose it last: the open channel keeps the
 * process alive.
 *
 * The order of a stop: `stopping` (take on nothing new, finish what runs), then `closing` (end what
 * is still open: streams, idle connections). An executor need not look at `closing`. When the
 * supervisor is gone, or the tier alone is told to terminate, both abort together.
 */
export interface SupervisorLink extends Disposable {
  readonly start: StartMessage
  readonly stopping: AbortSignal
  readonly closing: AbortSignal
  /** Tells that the tier serves. */
  ready(info: ReadyInfo): void
  /** Tells that the tier cannot start; resolves when the word is out, so that the process may exit. */
  fatal(error: unknown): Promise<void>
}

/** How long a tier without a supervisor may take over its stop, beyond the drain time. */
const ORPHAN_GRACE_MS = 5_000

/**
 * Waits for the supervisor's first message and takes its title. For the entry file of a tier: it
 * listens for signals. Rejects when the process has no supervisor.
 */
export async function connectToSupervisor(): Promise<SupervisorLink> {
  if (!process.send)
    throw new Error(
      'this file is started by `pocketci server`, `pocketci api` or `pocketci executor`',
    )
  const first = Promise.withResolvers<StartMessage>()
  const stopping = new AbortController()
  const closing = new AbortController()
  let drainTimeoutMs = 0
  let killTimer: NodeJS.Timeout | undefined

  const onOrder = (message: unknown): void => {
    const order = orderSchema.parse(message)
    stopping.abort(order.type)
    if (order.type === 'close') closing.abort(order.type)
  }
  const stopAlone = (reason: string): void => {
    stopping.abort(reason)
    closing.abort(reason)
  }
  const onDisconnect = (): void => {
    first.reject(new Error('the supervisor is gone'))
    stopAlone('the supervisor is gone')
    // nobody is left to end a tier that hangs
    killTimer = setTimeout(killSelf, drainTimeoutMs + ORPHAN_GRACE_MS).unref()
  }
  const onTerminate = (): void => {
    // an order that has come already says what to do and when
    if (!stopping.signal.aborted) stopAlone('SIGTERM')
  }
  process.once('message', (message) => {
    // before anything is awaited: the next message may follow in the same breath
    process.on('message', onOrder)
    const { success, data, error } = startMessageSchema.safeParse(message)
    if (success) first.resolve(data)
    else first.reject(error)
  })
  process.once('disconnect', onDisconnect)
  process.on('SIGTERM', onTerminate)
  // a terminal sends these to the whole group: the supervisor decides what they mean
  process.on('SIGINT', ignore)
  process.on('SIGHUP', ignore)

  const start = await first.promise
  process.title = start.title
  drainTimeoutMs = start.config.drainTimeoutMs

  return {
    start,
    stopping: stopping.signal,
    closing: closing.signal,
    ready: (info) => void report({ type: 'ready', ...info }),
    fatal: (error) => report({ type: 'fatal', error: toErrorData(error) }),
    [Symbol.dispose]() {
      clearTimeout(killTimer)
      process.off('message', onOrder)
      process.off('disconnect', onDisconnect)
      if (process.connected) process.disconnect()
    },
  }
}

function killSelf(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** A supervisor that is gone is told nothing: `stopping` says so already. */
function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve()
    process.send(message, undefined, undefined, () => resolve())
  })
}

function ignore(): void {
  // see where it is registered
}
