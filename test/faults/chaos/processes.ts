import { setTimeout as sleep } from 'node:timers/promises'
import { sendSignal } from '../../helpers/process.js'
import { tiersOf } from '../../helpers/processes.js'
import { until } from '../../helpers/until.js'
import { LEASE_TTL_MS } from '../limits.js'
import type { Actor, Stage } from './actor.js'

/** SIGKILL of one executor. */
export const killExecutor: Actor = async (stage) => {
  sendSignal(await pidOf(stage, 'executor'), 'SIGKILL')
  stage.count('executors killed')
}

/** SIGKILL of the api. */
export const killApi: Actor = async (stage) => {
  sendSignal(await pidOf(stage, 'api'), 'SIGKILL')
  stage.count('apis killed')
}

/** SIGKILL of the supervisor and all tiers, and a new server. */
export const killEverything: Actor = async (stage) => {
  await stage.server().killTree()
  stage.count('servers killed')
  await stage.restart()
}

/** A stop in order, with a drain time that runs do not end in, and a new server. */
export const stopServer: Actor = async (stage) => {
  await stage.server().stop()
  stage.count('servers stopped')
  await stage.restart()
}

/** An executor that is frozen past its lease and then wakes up. */
export const freezeExecutor: Actor = async (stage) => {
  const pid = await pidOf(stage, 'executor')
  sendSignal(pid, 'SIGSTOP')
  await sleep(LEASE_TTL_MS * (1.2 + stage.random.int(10) / 10))
  sendSignal(pid, 'SIGCONT')
  stage.count('executors frozen')
}

async function pidOf({ server, random }: Stage, tier: string): Promise<number> {
  const pids = await until(`there is an ${tier}`, async () => {
    const tiers = (await tiersOf(server())).filter(({ name }) => name.includes(tier))
    return tiers.length > 0 ? tiers.map(({ pid }) => pid) : undefined
  })
  return random.pick(pids)
}
