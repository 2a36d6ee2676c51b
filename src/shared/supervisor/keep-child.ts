import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadyInfo } from '../contract/supervision.js'
import { AppError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { Child, ChildExit } from './start-child.js'

/**
 * A process that is started again when it dies:
 *
 * starting → up → (it dies) → waiting → starting → …
 * starting → failed (its first start, and it said or showed that it cannot)
 * any → stopping → ended (it was told to stop)
 */
export interface KeptChild {
  /** Of the first start; undefined when it was stopped before. */
  readonly ready: Promise<ReadyInfo | undefined>
  /** Rejects when its first start fails, or when it cannot be kept for another reason. */
  readonly failed: Promise<never>
  /** Starts it no more and tells the process of this moment to stop. */
  stop(): void
  /** Tells it to end what is still open. */
  close(): void
  /** Starts it no more and ends the process at once. */
  kill(): void
  /** After stop(). True: the process did not end within the time and was killed. */
  ended(withinMs: number): Promise<boolean>
}

export interface KeepOptions {
  name: string
  start: () => Child
  /** Called after each process that ended, before the next one is started. */
  onExit: (info: ReadyInfo | undefined) => void
  logger: Logger
  restart: RestartDelays
}

export interface RestartDelays {
  firstMs: number
  maxMs: number
  /** A process that was up for so long makes the next wait a first one again. */
  resetAfterMs: number
}

export const RESTART_DELAYS: RestartDelays = { firstMs: 200, maxMs: 10_000, resetAfterMs: 30_000 }

export function keepChild(options: KeepOptions): KeptChild {
  const { name, logger, onExit, restart } = options
  const first = Promise.withResolvers<ReadyInfo | undefined>()
  const failure = Promise.withResolvers<never>()
  const stopping = new AbortController()
  let current: Child | undefined

  const running = run().catch((error: unknown) => failure.reject(error))

  async function run(): Promise<void> {
    let delayMs = restart.firstMs
    let hasBeenUp = false
    while (!stopping.signal.aborted) {
      const startedAt = performance.now()
      current = options.start()
      const info = await current.ready
      if (info) first.resolve(info)
      hasBeenUp ||= info !== undefined
      const exit = await current.exited
      current = undefined
      onExit(info)
      if (stopping.signal.aborted) break

      if (!hasBeenUp && exit.signal === null) throw startError(name, exit)
      if (performance.now() - startedAt >= restart.resetAfterMs) delayMs = restart.firstMs
      const { code, signal, fatal } = exit
      logger.error({ name, code, signal, err: fatal, delayMs }, 'process died; starting it again')
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined) // stopped
      delayMs = Math.min(delayMs * 2, restart.maxMs)
    }
    first.resolve(undefined)
  }

  return {
    ready: first.promise,
    failed: failure.promise,
    stop() {
      stopping.abort()
      current?.order('stop')
    },
    close: () => current?.order('close'),
    kill() {
      stopping.abort()
      current?.kill('SIGKILL')
    },
    async ended(withinMs) {
      let wasKilled = false
      const timer = setTimeout(() => {
        wasKilled = true
        logger.warn({ name, withinMs }, 'process did not stop in time; killing it')
        current?.kill('SIGKILL')
      }, withinMs)
      await running
      clearTimeout(timer)
      return wasKilled
    },
  }
}

/** The first start of a tier has failed: trying again would only repeat it. */
function startError(name: string, { code, fatal }: ChildExit): Error {
  return (
    fatal ??
    new AppError(
      'tier_failed',
      `${name} ended with code ${code} before it was ready; see its log above`,
    )
  )
}
