import { appendFileSync } from 'node:fs'
import type { StartMessage } from '../../../../src/shared/contract/supervision.js'

/** One line for the test that watches: tiers have nothing but their start message in common with it. */
export function note(start: StartMessage, event: string): void {
  const name = start.title.replace('pocketci ', '')
  appendFileSync(`${start.config.storage.path}.events`, `${name}: ${event} ${process.pid}\n`)
}
