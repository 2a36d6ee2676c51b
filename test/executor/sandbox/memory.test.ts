import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { loadEngine } from '../../../src/executor/sandbox/load-engine.js'
import { openPipelineVm } from '../../../src/executor/sandbox/open-pipeline-vm.js'
import { idleContext, idleHost } from '../../helpers/idle-guest.js'

it(
  '1,000 sandboxes, hostile ones among them, leave nothing behind',
  { timeout: 120_000 },
  async () => {
    const engine = await loadEngine()
    const bodies = [
      'console.log(1)',
      'throw new Error("x")',
      'runtime.run({})',
      'const a = []; for (;;) a.push(new Uint8Array(1e5))',
      'const f = () => f(); f()',
      'for (;;);',
    ]
    const runOne = async (body: string): Promise<void> => {
      const code = `(function (module) { module.exports.pipeline = async () => { ${body} } })`
      using vm = await openPipelineVm({
        engine,
        program: { code, sourceMap: '' },
        context: idleContext,
        host: idleHost,
        limits: { memoryBytes: 8_388_608, sliceMs: 5, cpuMs: 1_000, messageBytes: 1_000 },
        seed: 1,
      })
      vm.start()
    }
    const runMany = async (count: number): Promise<number> => {
      for (let index = 0; index < count; index++) {
        await runOne(bodies[index % bodies.length] ?? '')
        await turn()
      }
      return process.memoryUsage.rss()
    }
    const after100 = await runMany(100)
    const after1000 = await runMany(900)
    // plus a fixed allowance: when the collector runs is its own affair
    assert.ok(
      after1000 < after100 * 1.1 + 64 * 1_048_576,
      `${after100 / 1_048_576} MiB after 100, ${after1000 / 1_048_576} MiB after 1,000`,
    )
  },
)
