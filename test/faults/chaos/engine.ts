import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnEngine } from '../../helpers/own-engine.js'
import type { Actor } from './actor.js'

/** The engine dies with all its containers, by force or in order, and comes back after a while. */
export function restartEngine(engine: OwnEngine): Actor {
  return async ({ random, count }) => {
    await engine.stop(random.pick(['SIGKILL', 'SIGTERM']))
    await sleep(random.int(3_000))
    await engine.start()
    count('engines restarted')
  }
}
