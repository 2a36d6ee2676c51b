import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { compilePipeline, stopCompiler } from '../../../src/shared/pipeline/compile.js'

after(stopCompiler)

const PIPELINE = '\nexport const pipeline = async () => {}'
const read = async (source: string) =>
  (await compilePipeline(source + PIPELINE, { contentType: 'ts' })).inputs

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
