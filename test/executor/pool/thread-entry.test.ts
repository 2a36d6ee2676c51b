import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { tiersOf } from '../../helpers/processes.js'
import { runOnce } from '../../helpers/runs.js'
import { startServer } from '../../helpers/server.js'

/** Of each thread of a process; 0 is what a process starts with. */
function nicenessOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    // the fields behind the name, which may have spaces in it
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })
}

test('threads that execute runs stand back; those that write and renew leases do not', async (t) => {
  const server = await startServer(t)
  await runOnce(server, 'p', 'export const pipeline = async () => {}')
  const tiers = await tiersOf(server)
  const pid = (name: string): number => tiers.find((tier) => tier.name.includes(name))?.pid ?? 0
  const own = Math.min(...nicenessOf(pid('executor')))
  const later = nicenessOf(pid('executor')).filter((niceness) => niceness === own + 5)
  assert.ok(later.length >= 1, 'the pool')
  assert.ok(nicenessOf(pid('executor')).filter((niceness) => niceness === own).length > 2)
  assert.ok(nicenessOf(pid('api')).every((niceness) => niceness === own))
})
