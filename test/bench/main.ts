import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { benchClaims } from './claims.js'
import { benchDockerStep } from './docker-step.js'
import { benchExpressions } from './expressions.js'
import { benchFirstInstruction } from './first-instruction.js'
import { benchFirstLine } from './first-line.js'
import { benchIdle } from './idle.js'
import { benchJournal } from './journal.js'
import { benchLoudDockerStep, benchLoudStep } from './loud-step.js'
import { benchQueueClaims } from './queue-claims.js'
import { benchReplay } from './replay.js'
import { benchRuns } from './runs-per-second.js'
import { withScope } from './scope.js'
import { round, type Figure } from './stats.js'
import { benchTriggers } from './triggers.js'
import { benchUpload } from './upload.js'
import { benchWebhooks } from './webhooks.js'

/**
 * `npm run bench`: medians beside the same work done bare, in one table and as JSON.
 * `npm run bench -- webhooks idle` or `--only webhooks,idle` measures some; `--quick` less of everything;
 * `--json FILE` writes a file.
 */
const BENCHES = {
  expressions: benchExpressions,
  'first-line': benchFirstLine,
  'first-instruction': benchFirstInstruction,
  runs: benchRuns,
  triggers: benchTriggers,
  webhooks: benchWebhooks,
  'loud-step': benchLoudStep,
  'docker-step': benchDockerStep,
  'docker-loud-step': benchLoudDockerStep,
  upload: benchUpload,
  claims: benchClaims,
  'queue-claims': benchQueueClaims,
  journal: benchJournal,
  replay: benchReplay,
  idle: benchIdle,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})
const only = [...(values.only?.split(',') ?? []), ...positionals]
const figures: Figure[] = []
for (const [name, bench] of Object.entries(BENCHES)) {
  if (only.length > 0 && !only.includes(name)) continue
  console.error(`measuring ${name}…`)
  figures.push(...(await withScope((scope) => bench(scope, { isQuick: values.quick }))))
}

console.table(
  figures.map(({ name, value, unit, floor, ratio, goal, isMet }) => ({
    figure: name,
    value: `${round(value)} ${unit}`,
    floor: floor ? `${round(floor.value)} ${unit} (${floor.name})` : '',
    ratio: ratio === undefined ? '' : round(ratio),
    goal,
    met: isMet ? 'yes' : 'NO',
  })),
)
const json = JSON.stringify(figures, undefined, 2)
if (values.json === undefined) console.log(json)
else writeFileSync(values.json, `${json}\n`)
