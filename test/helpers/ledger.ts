import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file outside the system that each step writes a line to: what really ran, and how often. */
export interface Ledger {
  path: string
  lines(): string[]
}

export function createLedger(dir: string): Ledger {
  const path = join(dir, 'ledger')
  writeFileSync(path, '')
  chmodSync(path, 0o666) // steps are another user
  return { path, lines: () => readFileSync(path, 'utf8').split('\n').filter(Boolean) }
}

export const STEPS = 10
export const LINES = 20

/**
 * A pipeline of ten steps, some of them at once, one heard by the pipeline, that notes each start in
 * the ledger and prints numbered lines.
 */
export function tenSteps(ledger: Ledger, pauseMs = 15): string {
  return `
const step = (n: number, onOutput?: (stream: string, data: string) => void) =>
  runtime.run({
    name: 'step ' + n,
    command: { path: 'sh', args: ['-c', \`
      echo "$RUN \${n}" >> ${ledger.path}
      i=0
      while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; sleep ${pauseMs / 1_000}; done\`] },
    env: { RUN: pipelineContext.runID },
    ...(onOutput && { onOutput }),
  })
export const pipeline = async () => {
  for (let n = 0; n < 3; n++) await step(n)
  await Promise.all([3, 4, 5].map((n) => step(n)))
  let heard = ''
  await step(6, (_stream, data) => { heard += data })
  storage.set('/pipeline/' + pipelineContext.runID + '/heard', { heard })
  for (let n = 7; n < ${STEPS}; n++) await step(n)
  console.log(heard.trim().split('\\n').length)
}`
}

/** What the ledger has to hold of runs that ended well: each step once. */
export function expectedLines(runs: readonly string[]): string[] {
  return runs.flatMap((run) => Array.from({ length: STEPS }, (_, n) => `${run} ${n}`)).sort()
}
