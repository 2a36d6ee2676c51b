import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { compilePipeline, stopCompiler } from '../../../src/shared/pipeline/compile.js'

after(stopCompiler)

const PIPELINE = '\nexport const pipeline = async () => {}'
const compile = (source: string) => compilePipeline(source + PIPELINE, { contentType: 'ts' })
const read = async (source: string) => (await compile(source)).inputs
const readSchedules = async (source: string) => (await compile(source)).schedules

describe('the inputs of a pipeline', () => {
  const accepted: Record<string, string> = {
    'an exported constant': "export const inputs = { a: { type: 'string' } }",
    'quotes, comments and template texts':
      "export const inputs = { /* */ 'a': { type: `string` } }",
    'types around it': "export const inputs = { a: { type: 'string' } } as const satisfies object",
    'an export list': "const inputs = { a: { type: 'string' } }\nexport { inputs }",
    'an export under another name':
      "const inputs = 1, declared = { a: { type: 'string' } }\nexport { declared as inputs }",
  }
  for (const [what, source] of Object.entries(accepted))
    it(`are read from ${what}`, async () => {
      assert.deepEqual(await read(source), { a: { type: 'string' } })
    })

  it('may have values of every kind', async () => {
    const inputs = {
      n: { type: 'number', default: -1.5, description: 'ünïcode' },
      b: { type: 'boolean', default: false, required: false },
      c: { type: 'choice', choices: ['x', 'y'], default: 'y' },
    }
    assert.deepEqual(await read(`export const inputs = ${JSON.stringify(inputs)}`), inputs)
  })

  it('are none unless they are exported', async () => {
    assert.deepEqual(await read("const inputs = { a: { type: 'string' } }; void inputs"), {})
  })

  const refused: [string, string, RegExp][] = [
    ['a call', 'export const inputs = Object.freeze({})', /^inputs: .*written out/],
    [
      'a variable',
      "const envs = ['a']\nexport const inputs = { e: { type: 'choice', choices: envs } }",
      /^inputs\.e\.choices: .*written out/,
    ],
    ['a function', 'export function inputs() {}', /^inputs: .*written out/],
    ['a spread', 'export const inputs = { ...{} }', /^inputs: .*written out/],
    ['a computed name', "export const inputs = { ['a' + 1]: {} }", /^inputs: .*written out/],
    ['a getter', 'export const inputs = { get a() { return {} } }', /^inputs: .*written out/],
    ['what does not fit', "export const inputs = { a: { type: 'strnig' } }", /^inputs\.a\.type: /],
    ['__proto__', "export const inputs = { ['__proto__']: {} }", /^inputs: .*written out/],
    [
      'what is nested',
      "export const inputs = { a: { type: [[[['string']]]] } }",
      /^inputs\.a\.type\.0\.0\.0: .*written out/,
    ],
  ]
  for (const [what, source, message] of refused)
    it(`are refused with ${what}`, async () => {
      await assert.rejects(read(source), { code: 'pipeline_invalid', message })
    })

  it('are refused in a file that is nested too deeply to be read', async () => {
    const deep = (levels: number) => `void ${'['.repeat(levels)}${']'.repeat(levels)}`
    await assert.rejects(read(`export const inputs = {}\n${deep(1_990)}`), {
      code: 'pipeline_invalid',
      message: /^inputs: the file is nested too deeply/,
    })
    assert.deepEqual(await read(`export const inputs = {}\n${deep(100)}`), {})
    assert.deepEqual(await read(deep(1_990)), {})
  })
})

describe('the schedules of a pipeline', () => {
  it('are read with all that their runs are given', async () => {
    const schedules = await readSchedules(`
      export const inputs = { env: { type: 'choice', choices: ['a', 'b'], default: 'a' }, n: { type: 'number' } }
      export const schedules = {
        nightly: { cron: '0 3 * * *', timezone: 'Europe/Berlin', args: ['--all'], inputs: { n: '3' } },
        often: { every: '90m', jobs: ['build'] },
        both: { cron: 'TZ=Asia/Tokyo 0 9 * * MON-FRI', jobs: ['a', 'b'] },
      }`)
    assert.deepEqual(schedules, {
      nightly: {
        ...{ type: 'cron', expr: 'CRON_TZ=Europe/Berlin 0 3 * * *', jobName: '' },
        triggerInput: { args: ['--all'], inputs: { env: 'a', n: 3 } },
      },
      often: {
        ...{ type: 'interval', expr: '90m', jobName: 'build' },
        triggerInput: { jobs: ['build'], inputs: { env: 'a' } },
      },
      both: {
        ...{ type: 'cron', expr: 'TZ=Asia/Tokyo 0 9 * * MON-FRI', jobName: '' },
        triggerInput: { jobs: ['a', 'b'], inputs: { env: 'a' } },
      },
    })
  })

  it('are none unless they are exported', async () => {
    assert.deepEqual(await readSchedules('const schedules = 1; void schedules'), {})
  })

  const refused: [string, string, RegExp][] = [
    ['no time', '{ a: {} }', /^schedules\.a: it has to have either cron or every$/],
    ['two times', "{ a: { cron: '* * * * *', every: '1h' } }", /^schedules\.a: .* either cron or/],
    ['a bad expression', "{ a: { cron: '0 3 * *' } }", /^schedules\.a\.cron: expected five fields/],
    ['a day that never comes', "{ a: { cron: '0 0 30 2 *' } }", /^schedules\.a\.cron: no such day/],
    [
      'a bad zone',
      "{ a: { cron: '0 3 * * *', timezone: 'Mars' } }",
      /^schedules\.a\.cron: unknown time/,
    ],
    [
      'two zones',
      "{ a: { cron: 'TZ=UTC 0 3 * * *', timezone: 'UTC' } }",
      /^schedules\.a: .*twice$/,
    ],
    [
      'a zone of an interval',
      "{ a: { every: '1h', timezone: 'UTC' } }",
      /^schedules\.a: a timezone/,
    ],
    [
      'too short an interval',
      "{ a: { every: '59s' } }",
      /^schedules\.a\.every: "59s": .*at least 1m/,
    ],
    ['no duration', "{ a: { every: '-1h' } }", /^schedules\.a\.every: "-1h": expected a duration/],
    [
      'an unknown member',
      "{ a: { every: '1h', crn: '' } }",
      /^schedules\.a: Unrecognized key: "crn"/,
    ],
    ['a bad name', "{ '0a': { every: '1h' } }", /^schedules\.0a: a name begins with a letter/],
    [
      'an unknown input',
      "{ a: { every: '1h', inputs: { x: 1 } } }",
      /^schedules\.a\.inputs\.x: the pipe/,
    ],
    ['what is no object', "'0 3 * * *'", /^schedules: Invalid input/],
    ['a call', "{ a: { every: String('1h') } }", /^schedules\.a\.every: .*written out/],
  ]
  for (const [what, source, message] of refused)
    it(`are refused with ${what}`, async () => {
      const reading = readSchedules(`export const schedules = ${source}`)
      await assert.rejects(reading, { code: 'pipeline_invalid', message })
    })

  it('have to give the inputs that are required, and no more than fifty may be there', async () => {
    const required = "export const inputs = { env: { type: 'string', required: true } }"
    await assert.rejects(
      readSchedules(`${required}\nexport const schedules = { a: { every: '1h' } }`),
      { message: 'schedules.a.inputs.env: it is required' },
    )
    const many = Object.fromEntries(
      Array.from({ length: 51 }, (_, at) => [`s${at}`, { every: '1h' }]),
    )
    await assert.rejects(readSchedules(`export const schedules = ${JSON.stringify(many)}`), {
      message: 'schedules: at most 50 schedules',
    })
  })
})
