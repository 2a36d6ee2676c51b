import type { TestServer } from '../../helpers/server.js'
import type { Random } from '../../helpers/random.js'

/** What an actor can reach. */
export interface Stage {
  random: Random
  /** The server of this moment. */
  server(): TestServer
  /** Starts another one on the same folder, after the first has ended. */
  restart(): Promise<void>
  /** Notes what was done, for the counts. */
  count(what: string): void
}

/** Does one kind of harm, once, and undoes what has to be undone before it resolves. */
export type Actor = (stage: Stage) => Promise<void>
