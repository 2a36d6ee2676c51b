import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createSourcePositions } from '../../../src/executor/sandbox/source-positions.js'
import { loadEngine } from '../../../src/executor/sandbox/load-engine.js'
import { openPipelineVm } from '../../../src/executor/sandbox/open-pipeline-vm.js'
import { bundlePipeline } from '../../../src/shared/pipeline/compile.js'
import { createGuests } from '../../helpers/guest.js'
import { idleContext, idleHost } from '../../helpers/idle-guest.js'

const { run } = createGuests()

/** The frames of the error; the engine names the last place that was evaluated within a call. */
async function framesOf(source: string): Promise<string[]> {
  const { state } = await run(source)
  assert.equal(state.status, 'rejected')
  return (state.error.stack ?? '').split('\n').map((frame) => frame.trim())
}

describe('positions are those of the author’s file', () => {
  it('after types that were stripped', async () => {
    const frames = await framesOf(`interface Input {
  name: string
  // a comment that is dropped
}

type Wide = Record<string, Input>

function fail(input: Input): never {
  throw new TypeError(input.name)
}

export const pipeline = async (): Promise<void> => {
  const all: Wide = { a: { name: 'x' } }
  await null
  fail(all['a']!)
}
`)
    assert.deepEqual(frames, ['at fail (main.js:9:23)', 'at pipeline (main.js:15:8)'])
  })

  it('behind lowered syntax and wide characters', async () => {
    const frames = await framesOf(`export const pipeline = () => {
  const 名前 = '😀😀'; if (名前) throw new Error(名前)
}`)
    assert.match(frames[0] ?? '', /^at pipeline \(main\.js:2:4\d\)$/)
  })

  it('in class members, callbacks and the top level', async () => {
    const frames = await framesOf(`class Runner<T> {
  private value?: T
  go(): void {
    [1].forEach((n) => {
      throw new Error(String(n))
    })
  }
}
export const pipeline = () => new Runner<string>().go()
`)
    assert.match(frames[0] ?? '', /main\.js:5:\d+/)
    assert.match(frames[1] ?? '', /main\.js:4:\d+/)
    assert.match(frames[2] ?? '', /main\.js:9:\d+/)
    assert.deepEqual(await framesOf('\n\n  null.x\nexport const pipeline = 1'), [
      'at <anonymous> (main.js:3:3)',
    ])
  })

  it('of a refused argument, whose error the host made', async () => {
    const frames = await framesOf('export const pipeline = async () => {\n\n  yaml.parse("[")\n}')
    assert.equal(frames.length, 1)
    assert.match(frames[0] ?? '', /^at pipeline \(main\.js:3:\d+\)$/)
  })

  it('of stacks that are printed', async () => {
    const { lines } = await run(
      'type A = 1\nexport const pipeline = async () => {\n  console.log("first line\\n", new Error("x"))\n}',
    )
    assert.match(lines[0] ?? '', /^first line\n Error: x\n {4}at pipeline \(main\.js:3:\d+\)/)
  })

  it('of each file of a bundle', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pocketci-positions-'))
    await writeFile(
      join(folder, 'inner.ts'),
      'type A = 1\n\nexport const fail = (a: A) => {\n  throw new Error(`${a}`)\n}\n',
    )
    await writeFile(
      join(folder, 'build.ts'),
      'import { fail } from "./inner"\nexport const pipeline = async () => fail(1)\n',
    )
    using vm = await openPipelineVm({
      engine: await loadEngine(),
      program: await bundlePipeline(join(folder, 'build.ts')),
      context: idleContext,
      host: idleHost,
      limits: { memoryBytes: 16_777_216, sliceMs: 1_000, cpuMs: 1_000, messageBytes: 1_000 },
      seed: 1,
    })
    vm.start()
    assert.equal(vm.state.status, 'rejected')
    assert.match(vm.state.error.stack ?? '', /inner\.ts:4:\d+\)\n.*build\.ts:2:\d+\)$/)
    await rm(folder, { recursive: true })
  })
})

describe('a source map that is damaged', () => {
  for (const text of ['', 'null', '{}', '{"version":3,"mappings":"!!","sources":[]}'])
    it(`costs the positions alone: ${text}`, () => {
      const positions = createSourcePositions(text)
      const { message, stack } = positions.mapError({
        message: 'm',
        stack: '    at f (main.js:1:1)\n    at run (pocketci:boot.js:1:1)',
      })
      assert.equal(message, 'm')
      assert.equal(stack, '    at f (main.js:1:1)')
    })
})
