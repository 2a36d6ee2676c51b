import type { Environment } from '../config/flag.js'
import type { ReadyInfo, StartMessage } from '../contract/supervision.js'
import type { Logger } from '../logger.js'
import { signalExitCode } from '../signals.js'
import { keepChild, RESTART_DELAYS, type KeptChild, type RestartDelays } from './keep-child.js'
import { startChild } from './start-child.js'

/** One process of a server. */
export interface TierProcess {
  kind: 'api' | 'executor'
  /** `api`, `executor 1`: for the log. */
  name: string
  entry: URL
  start: StartMessage
}

export interface SuperviseOptions {
  tiers: readonly TierProcess[]
  /** See startChild. */
  env: Environment
  logger: Logger
  /** Aborts: stop in order. */
  stopping: AbortSignal
  /** Aborts, with the signal's name as the reason: kill what is left and answer. */
  forced: AbortSignal
  drainTimeoutMs: number
  /** All processes serve for the first time. */
  onReady: (infos: readonly ReadyInfo[]) => void
  /** An executor has ended that had told this id: runs that it left are to be claimable at once. */
  onExecutorExit: (executorId: string) => void
  restart?: RestartDelays
}

/** What a process may take beyond the drain time before it is killed. */
const STOP_GRACE_MS = 3_000

/**
 * Runs the processes of a server until it is told to stop: intake first, then the executors, then
 * what the api still has open. Answers the exit code: 0 when all ended by themselves. Throws what
 * a tier reports when its first start fails; nothing runs any more then.
 */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const { tiers, stopping, forced, onReady } = options
  const kept = tiers.map((tier) => ({ kind: tier.kind, child: keep(tier, options) }))
  const kill = (): void => {
    for (const { child } of kept) child.kill()
  }
  forced.addEventListener('abort', kill, { once: true })

  try {
    const over = Promise.race([aborted(stopping), ...kept.map(({ child }) => child.failed)])
    await Promise.race([firstReady(kept).then(onReady), over])
    await over
    const wasKilled = await stopInOrder(kept, options)
    if (forced.aborted) return signalExitCode(forced.reason)
    return wasKilled ? 1 : 0
  } finally {
    // after a first start that failed the others still run
    await stopInOrder(kept, options)
    forced.removeEventListener('abort', kill)
  }
}

interface Kept {
  kind: TierProcess['kind']
  child: KeptChild
}

function keep({ kind, name, entry, start }: TierProcess, options: SuperviseOptions): KeptChild {
  const { env, logger, onExecutorExit, restart = RESTART_DELAYS } = options
  return keepChild({
    name,
    logger,
    restart,
    start: () => startChild({ entry, start, env }),
    onExit: (info) => {
      if (kind === 'executor' && info?.executorId) onExecutorExit(info.executorId)
    },
  })
}

/** Waits for ever when one of them is stopped before it was ready. */
async function firstReady(kept: readonly Kept[]): Promise<ReadyInfo[]> {
  const infos = await Promise.all(kept.map(({ child }) => child.ready))
  const known = infos.filter((info) => info !== undefined)
  return known.length === kept.length ? known : new Promise(() => undefined)
}

/** True when one of them had to be killed. Called again, it finds nothing left to stop. */
async function stopInOrder(kept: readonly Kept[], options: SuperviseOptions): Promise<boolean> {
  const withinMs = options.drainTimeoutMs + STOP_GRACE_MS
  const apis = kept.filter(({ kind }) => kind === 'api')
  const executors = kept.filter(({ kind }) => kind === 'executor')

  for (const { child } of kept) child.stop()
  const executorsKilled = await allEnded(executors, withinMs)
  for (const { child } of apis) child.close()
  const apisKilled = await allEnded(apis, withinMs)
  return executorsKilled || apisKilled
}

async function allEnded(kept: readonly Kept[], withinMs: number): Promise<boolean> {
  const killed = await Promise.all(kept.map(({ child }) => child.ended(withinMs)))
  return killed.includes(true)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
