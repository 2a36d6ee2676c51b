import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnEngine } from '../../helpers/own-engine.js'
import type { Actor } from './actor.js'

/** The engine stops, which kills its containers, and comes back after a while. */
export function restartEngine(engine: OwnEngine): Actor {
  return async ({ random, count }) => {
    await engine.stop()
    await sleep(random.int(3_000))
    await engine.start()
    count('engines restarted')
  }
}
