import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnEngine } from '../../helpers/own-engine.js'
import type { Actor } from './actor.js'

/**
 * The engine goes and comes back after a while. One that stops in order kills its containers; those of
 * one that is killed go on until it is back.
 */
export function restartEngine(engine: OwnEngine): Actor {
  return async ({ random, count }) => {
    await engine.stop(random.pick(['SIGKILL', 'SIGTERM', 'SIGTERM']))
    await sleep(random.int(3_000))
    await engine.start()
    count('engines restarted')
  }
}
