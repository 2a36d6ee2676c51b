import type { Random } from '../helpers/random.js'

/** A pipeline of random shape, and what has to be there when a run of it has ended. */
export interface Scenario {
  source: string
  /** Steps that run, each once, with their whole output and exit code. */
  steps: ExpectedStep[]
  /** Of each of these, one step runs: which one is a matter of timing or chance. */
  oneOf: ExpectedStep[][]
  /** Tasks without a command of their own. */
  sandboxes: string[]
  /** Steps whose output the pipeline is handed and stores under `heard`. */
  heard: ExpectedStep[]
  /** How often it adds one to its counter. */
  count: number
}

export interface ExpectedStep {
  name: string
  output: string
  code: number
}

export interface ScenarioOptions {
  random: Random
  image: string
  ledger: StepLedger
  hasSandboxes: boolean
  blocks: number
  /** Between two lines of a step, in seconds. */
  pauses: readonly string[]
}

/** How a step notes that it ran. */
export interface StepLedger {
  /** As the step sees it. */
  path: string
  /** The volume that has it, at an absolute place. */
  volume?: { name: string; place: string }
}

interface Builder {
  random: Random
  scenario: Scenario
  hasSandboxes: boolean
  /** A step that prints numbered lines: the expression that runs it. */
  step(name: string, options?: StepOptions): { code: string; expected: ExpectedStep }
  name(kind: string): string
}

interface StepOptions {
  exit?: number
  /** Runs after the ledger has its line; what it prints comes first. */
  script?: string
  prints?: string
  /** More fields of the call, as source. */
  more?: string
  /** The function to call. */
  call?: string
}

export function createScenario(options: ScenarioOptions): Scenario {
  const { random, blocks, hasSandboxes } = options
  const scenario: Scenario = {
    ...{ source: '', steps: [], oneOf: [], sandboxes: [], heard: [], count: blocks },
  }
  let names = 0
  const builder: Builder = {
    ...{ random, scenario, hasSandboxes },
    name: (kind) => `${kind}${++names}`,
    step: (name, step = {}) => stepOf(options, name, step),
  }
  const kinds = [serial, parallel, branch, chance, race, heard, volume]
  if (hasSandboxes) kinds.push(sandbox)
  const body = Array.from({ length: blocks }, () => random.pick(kinds)(builder) + COUNT)
  scenario.source = `${prelude(options)}
export const pipeline = async () => {
  ${options.ledger.volume ? `await volumes.create({ name: '${options.ledger.volume.name}' })` : ''}
  ${body.join('\n  ')}
}`
  return scenario
}

const COUNT = `
  storage.set(KEY, { count: (storage.getAll(KEY)[0]?.payload.count ?? 0) + 1 })`

/** A step's first act is its line in the ledger; without one it fails. */
function prelude({ image, ledger }: ScenarioOptions): string {
  const mounts = ledger.volume
    ? `'${ledger.volume.place}': { name: '${ledger.volume.name}' }, `
    : ''
  return `
const KEY = '/pipeline/' + pipelineContext.runID + '/kept'
const common = { image: '${image}' }
const mounts = { ${mounts} }
const env = { RUN: pipelineContext.runID }
const sh = (script) => ({ path: 'sh', args: ['-c', script] })
const step = (name, script, more = {}) =>
  runtime.run({ ...common, name, env, command: sh(script), ...more, mounts: { ...mounts, ...more.mounts } })
`
}

function stepOf({ random, ledger, pauses }: ScenarioOptions, name: string, step: StepOptions) {
  const { exit = 0, script = ':', prints = '', more = '', call = 'step' } = step
  const lines = 1 + random.int(12)
  const pause = random.pick(pauses)
  const text = [
    // the first process of a container has to ask for a signal that would end any other
    "trap 'exit 143' TERM",
    `echo "$RUN ${name}" >> ${ledger.path} || exit 99`,
    script,
    `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "${name} line $i"; sleep ${pause}; done`,
    `exit ${exit}`,
  ].join('; ')
  const numbered = Array.from({ length: lines }, (_, at) => `${name} line ${at + 1}\n`).join('')
  return {
    code: `${call}(${JSON.stringify(name)}, ${JSON.stringify(text)}, { ${more} })`,
    expected: { name, output: prints + numbered, code: exit },
  }
}

function plain({ step, name, scenario }: Builder, kind: string): string {
  const { code, expected } = step(name(kind))
  scenario.steps.push(expected)
  return `await ${code}`
}

function serial(builder: Builder): string {
  return plain(builder, 'serial')
}

/** Chains of steps side by side, begun in changing order and ending as they come. */
function parallel(builder: Builder): string {
  const { random } = builder
  const chains = Array.from({ length: 2 + random.int(3) }, () =>
    Array.from({ length: 1 + random.int(2) }, () => plain(builder, 'parallel')).join('; '),
  )
  return `await Promise.all([${random
    .shuffle(chains)
    .map((chain) => `(async () => { ${chain} })()`)
    .join(', ')}])`
}

/** What comes next depends on how a step ends. */
function branch(builder: Builder): string {
  const { random, scenario, step, name } = builder
  const exit = random.int(3)
  const asked = step(name('asked'), { exit })
  const [yes, no] = [step(name('yes')), step(name('no'))]
  scenario.steps.push(asked.expected, exit === 1 ? yes.expected : no.expected)
  return `if ((await ${asked.code}).code === 1) await ${yes.code}; else await ${no.code}`
}

/** What comes next depends on a random number and the clock, which a replay has to repeat. */
function chance({ step, name, scenario }: Builder): string {
  const [heads, tails] = [step(name('heads')), step(name('tails'))]
  scenario.oneOf.push([heads.expected, tails.expected])
  return `if ((Math.floor(Math.random() * 1000) + Date.now()) % 2) await ${heads.code}; else await ${tails.code}`
}

/** What comes next depends on who is first. */
function race({ step, name, scenario }: Builder): string {
  const [a, b] = [step(name('runner')), step(name('runner'))]
  const [wonA, wonB] = [step(name('won')), step(name('won'))]
  scenario.steps.push(a.expected, b.expected)
  scenario.oneOf.push([wonA.expected, wonB.expected])
  return `await (await Promise.race([${a.code}.then(() => 'a'), ${b.code}.then(() => 'b')]) === 'a' ? ${wonA.code} : ${wonB.code})`
}

function heard({ step, name, scenario }: Builder): string {
  const id = name('heard')
  const { code, expected } = step(id, {
    more: `onOutput: (stream, data) => { if (stream === 'stdout') ${id} += data }`,
  })
  scenario.steps.push(expected)
  scenario.heard.push(expected)
  return `let ${id} = ''; await ${code}; storage.set(KEY, { ${id} })`
}

/** A step writes a file of a volume; the next one, and the pipeline, see it. */
function volume({ step, name, scenario }: Builder): string {
  const id = name('volume')
  const more = `mounts: { data: ${id} }`
  const write = step(name('write'), { script: `echo ${id} > data/file`, more })
  const read = step(name('read'), { script: 'cat data/file', prints: `${id}\n`, more })
  scenario.steps.push(write.expected, read.expected)
  return `const ${id} = await volumes.create({ name: '${id}' }); await ${write.code}; await ${read.code}
  assert.equal((await ${id}.readFiles(['file'])).file, '${id}\\n')`
}

/** Two commands in one container. */
function sandbox({ step, name, scenario }: Builder): string {
  const id = name('sandbox')
  const call = `((name, script) => ${id}.exec({ name, env, command: sh(script) }))`
  const write = step(name('exec'), { script: `echo ${id} >> file`, call })
  const read = step(name('exec'), { script: 'cat file', prints: `${id}\n`, call })
  scenario.steps.push(write.expected, read.expected)
  scenario.sandboxes.push(id)
  return `const ${id} = await runtime.startSandbox({ ...common, name: '${id}', mounts })
  await ${write.code}; await ${read.code}; await ${id}.close()`
}
