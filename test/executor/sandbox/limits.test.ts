import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { loadEngine } from '../../../src/executor/sandbox/load-engine.js'
import type { VmState } from '../../../src/executor/sandbox/pipeline-vm.js'
import { compilePipeline } from '../../../src/shared/pipeline/compile.js'
import type { GuestThreadData } from '../../helpers/guest-thread.js'
import { createGuests, failureOf, type GuestOptions } from '../../helpers/guest.js'

const { open, run, runBody, evaluate } = createGuests()

const SLICE_MS = 150
const QUICK: GuestOptions = { limits: { sliceMs: SLICE_MS, memoryBytes: 16 * 1_048_576 } }

/** Past the limit, on a machine that does other things as well. */
const SLACK_MS = 1_000

describe('a pipeline that never stops is ended at the slice limit', () => {
  const endless: Record<string, string> = {
    'a loop': 'while (true) {}',
    'a loop that catches everything':
      'while (true) { try { while (true) {} } catch {} finally { continue } }',
    'a loop in a finally': 'try { throw 1 } finally { while (true) {} }',
    'a loop after the first wait': 'await null; for (;;);',
    'a loop in a job': 'Promise.resolve().then(() => { for (;;); }); await new Promise(() => {})',
    'an async loop': '(async () => { while (true) await null })()',
    'async loops that revive one another':
      'const spin: any = async () => { try { while (true) await null } catch { return spin() } }; spin().catch(spin); spin()',
    'a promise that feeds itself': 'const f = () => { Promise.resolve().then(f) }; f()',
    'a thenable that feeds itself': 'const t = { then(r: any) { r(t) } }; await (t as any)',
    'a multiplying promise flood':
      'const f = () => { Promise.resolve().then(f); Promise.resolve().then(() => null) }; f()',
    'a catastrophic regular expression': '/^(a+)+$/.test("a".repeat(50) + "b")',
    'a getter': '({ get x() { for (;;); } }).x',
    'a Proxy trap': 'Object.keys(new Proxy({}, { ownKeys() { for (;;); } }))',
    'toJSON of an argument': 'runtime.run({ toJSON() { for (;;); } } as any)',
    'a getter of an argument': 'runtime.run({ get name() { for (;;); } } as any)',
    'toString of a console argument': 'console.log(new Proxy({}, { ownKeys() { for (;;); } }))',
    'a getter of a rejection': 'throw { get stack() { for (;;); } }',
    'then of the result': 'return { then() { for (;;); } }',
    'a finalizer that feeds itself':
      'const r: any = new FinalizationRegistry(() => { r.register({}, 1); throw 1 }); r.register({}, 1)',
    'a sort': '[3, 2, 1].sort(() => { for (;;); })',
    'a generator': 'for (const x of (function* () { for (;;) yield 1 })());',
    'endless console lines': 'for (;;) console.log("x")',
    'endless regular expressions of the host':
      'for (;;) try { assert.containsString("a".repeat(1e4), "(b+)+$") } catch {}',
    'endless YAML': 'for (;;) try { yaml.parse("- a\\n".repeat(100)) } catch {}',
  }
  for (const [what, body] of Object.entries(endless))
    it(what, async () => {
      const startedAt = performance.now()
      const { state } = await runBody(body, QUICK)
      const tookMs = performance.now() - startedAt
      assert.equal(state.status, 'crashed', JSON.stringify(state))
      assert.ok(state.reason === 'slice' || state.reason === 'memory', state.reason)
      assert.ok(tookMs < SLICE_MS + SLACK_MS, `took ${tookMs} ms`)
    })

  it('and the top level of the file as well', async () => {
    const { state } = await run('for (;;);\nexport const pipeline = 1', QUICK)
    assert.equal(state.status === 'crashed' && state.reason, 'slice')
  })

  it('and the callback of a delivery', async () => {
    const { vm } = await open(
      'export const pipeline = async () => { await runtime.run({ onOutput() { try { for (;;); } catch {} } } as any) }',
      QUICK,
    )
    using _vm = vm
    vm.start()
    vm.deliver({ type: 'output', call: 1, stream: 'stdout', data: 'x' })
    assert.equal(vm.state.status === 'crashed' && vm.state.reason, 'slice')
  })
})

describe('a pipeline that wants too much ends with an error', () => {
  const greedy: Record<string, string> = {
    'a huge array': 'new Array(1e9).fill(0)',
    'a growing list': 'const a: any[] = []; for (;;) a.push({})',
    'a huge string': '"x".repeat(2 ** 30)',
    'a doubling string': 'let s = "xxxxxxxx"; for (;;) { s += s; s.charCodeAt(0) }',
    'a typed array': 'new Uint8Array(2 ** 31)',
    'typed arrays': 'const a: any[] = []; for (;;) a.push(new Float64Array(1e5))',
    'an ArrayBuffer': 'new ArrayBuffer(2 ** 40)',
    'a BigInt': '2n ** (2n ** 40n)',
    'a growing map': 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })',
    closures: 'let f = () => {}; for (;;) { const g = f; f = () => g() }',
    promises: 'const a: any[] = []; for (;;) a.push(new Promise(() => {}))',
    'a JSON bomb':
      'let s = "[" + "[1,2,3],".repeat(3) + "1]"; for (let i = 0; i < 20; i++) s = `[${s},${s}]`; JSON.parse(s)',
    'join of holes': 'new Array(3e7).join("ab")',
    split: '"a".repeat(4e6).split("")',
    replace: '"a".repeat(1e5).replace(/a/g, "$&".repeat(1e3))',
    'a matcher': '/(?:a|a)*b/.test("a".repeat(3e6))',
    'spread arguments': 'Math.max(...new Array(1e6).fill(1))',
    'calls in flight': 'for (;;) runtime.run({ name: "x".repeat(1000) } as any).catch(() => {})',
  }
  for (const [what, body] of Object.entries(greedy))
    it(what, async () => {
      const result = await runBody(body, {
        limits: { sliceMs: 1_500, memoryBytes: 16 * 1_048_576 },
      })
      assert.ok(['crashed', 'rejected'].includes(result.state.status), JSON.stringify(result.state))
      assert.match(
        failureOf(result),
        /MiB of memory|InternalError|RangeError|kept the processor|TypeError|more than 10000 calls/,
      )
    })

  it('memory is named as the reason, with its flag', async () => {
    const { state } = await runBody(
      'const a: any[] = []; for (;;) a.push(new Uint8Array(1e6))',
      QUICK,
    )
    assert.deepEqual(state, {
      status: 'crashed',
      reason: 'memory',
      error: { message: 'the pipeline used more than 16 MiB of memory (--sandbox-memory-mb)' },
    })
  })

  it('an error of the author that speaks of memory stays the author’s', async () => {
    const result = await runBody('throw new Error("docker: out of memory")')
    assert.equal(failureOf(result), 'promise rejected: Error: docker: out of memory')
  })

  it('and one that copes with it goes on', async () => {
    assert.equal(
      await evaluate('(() => { try { new Uint8Array(1e9) } catch (e: any) { return "coped" } })()'),
      'coped',
    )
  })
})

const DEEP: Record<string, string> = {
  calls: 'const f = (): any => f(); f()',
  'calls that catch': 'const f = (): any => { try { return f() } catch { return f() } }; f()',
  'async calls': 'const f = async (): Promise<any> => f(); await f()',
  'a host call at each level': 'const f = (): any => { console.log("x"); return f() }; f()',
  toJSON: 'const o: any = { toJSON() { return { a: JSON.stringify(o) } } }; JSON.stringify(o)',
  'nested JSON': 'let o: any = {}; for (let i = 0; i < 5e4; i++) o = { o }; JSON.stringify(o)',
  'nested JSON text': 'JSON.parse("[".repeat(1e6))',
  'a nested argument':
    'let o: any = {}; for (let i = 0; i < 5e4; i++) o = { o }; await runtime.run(o)',
  'a nested rejection': 'let o: any = {}; for (let i = 0; i < 5e4; i++) o = [o]; throw String(o)',
  'nested proxies': 'let p: any = {}; for (let i = 0; i < 5e4; i++) p = new Proxy(p, {}); p.x',
  'nested flat': 'let a: any = []; for (let i = 0; i < 5e4; i++) a = [a]; a.flat(Infinity)',
  'nested source': 'eval("(".repeat(1e5))',
  'nested regular expressions': 'new RegExp("(?:".repeat(1e5) + ")".repeat(1e5))',
  'a getter of itself': 'const o = { get x(): any { return this.x } }; o.x',
  'deep equality':
    'const f = () => { let a: any = []; for (let i = 0; i < 1e4; i++) a = [a]; return a }; assert.equal(f(), f())',
}

describe('recursion ends with an error', () => {
  for (const [what, body] of Object.entries(DEEP))
    it(what, async () => {
      const { state } = await runBody(body, { limits: { sliceMs: 1_000 } })
      assert.ok(['crashed', 'rejected'].includes(state.status), JSON.stringify(state))
      if (state.status === 'crashed') assert.notEqual(state.reason, 'engine')
    })
})

it('recursion ends with an error in a thread too, whose stack is another', async () => {
  const programs = await Promise.all(
    Object.values(DEEP).map((body) =>
      compilePipeline(`export const pipeline = async () => { ${body} }`, { contentType: 'ts' }),
    ),
  )
  const workerData: GuestThreadData = { engine: await loadEngine(), programs }
  const thread = new Worker(new URL('../../helpers/guest-thread.js', import.meta.url), {
    workerData,
  })
  const [states] = (await once(thread, 'message')) as [VmState[]]
  await thread.terminate()
  assert.equal(states.length, programs.length)
  for (const state of states) {
    assert.ok(['crashed', 'rejected', 'pending'].includes(state.status), JSON.stringify(state))
    if (state.status === 'crashed') assert.notEqual(state.reason, 'engine')
  }
})

describe('limits over a run', () => {
  it('processor time adds up over slices', async () => {
    const { state } = await runBody(
      'for (;;) { await runtime.run({} as any); let x = 0; for (let i = 0; i < 3e5; i++) x += i }',
      { limits: { cpuMs: 200 } },
    )
    assert.equal(state.status === 'crashed' && state.reason, 'cpu')
  })

  it('an abort ends a spinning pipeline', async () => {
    let polls = 0
    const { state } = await runBody('for (;;) try { for (;;); } catch {}', {
      limits: { sliceMs: 10_000 },
      isAborted: () => ++polls > 20,
    })
    assert.deepEqual(state, {
      status: 'crashed',
      reason: 'aborted',
      error: { message: 'the run was aborted' },
    })
  })

  it('waiting for the disk is not the pipeline’s time', async () => {
    const block = new Int32Array(new SharedArrayBuffer(4))
    const { state } = await runBody('for (let i = 0; i < 10; i++) storage.set("k", {})', {
      limits: { sliceMs: 100 },
      answerSync() {
        Atomics.wait(block, 0, 0, 20)
      },
    })
    assert.equal(state.status, 'resolved')
  })

  it('a crashed sandbox takes nothing more, and its end is calm', async () => {
    const { vm } = await open('export const pipeline = () => { for (;;); }', QUICK)
    vm.start()
    const { state } = vm
    vm.deliver({ type: 'resolve', call: 1, value: 1 })
    vm[Symbol.dispose]()
    vm[Symbol.dispose]()
    vm.deliver({ type: 'resolve', call: 1, value: 1 })
    assert.deepEqual(vm.state, state)
    assert.equal(state.status, 'crashed')
  })

  it('a crash while what nobody awaited is drained counts', async () => {
    const { state } = await runBody('runtime.run({} as any).then(() => { for (;;); })', QUICK)
    assert.equal(state.status, 'crashed')
  })
})

describe('messages', () => {
  const SMALL: GuestOptions = { limits: { messageBytes: 1_000 } }

  it('arguments that are too large are the caller’s error', async () => {
    assert.match(
      String(
        await evaluate(
          'runtime.run({ name: "é".repeat(600) } as any).catch((e) => e.message)',
          SMALL,
        ),
      ),
      /^runtime\.run: the arguments are larger than 1000 bytes.*--sandbox-message-mb/,
    )
    assert.match(
      String(
        await evaluate(
          '(() => { try { storage.set("k", { v: "x".repeat(2000) }) } catch (e: any) { return e.message } })()',
          SMALL,
        ),
      ),
      /^storage\.set: the arguments are larger/,
    )
  })

  it('nesting of arguments is bounded', async () => {
    assert.match(
      String(
        await evaluate(
          '(() => { let o: any = {}; for (let i = 0; i < 600; i++) o = [o]; return runtime.run({ o } as any).catch((e) => e.message) })()',
        ),
      ),
      /nested more than 500 levels deep/,
    )
  })

  it('a result that is too large rejects', async () => {
    const message = await evaluate('runtime.run({} as any).catch((e) => e.message)', {
      ...SMALL,
      answer: () => ({ stdout: 'x'.repeat(2_000) }),
    })
    assert.match(String(message), /^the result is larger than 1000 bytes/)
    assert.match(
      String(
        await evaluate(
          '(() => { try { storage.get("k") } catch (e: any) { return e.message } })()',
          {
            ...SMALL,
            answerSync: () => 'x'.repeat(2_000),
          },
        ),
      ),
      /^storage\.get: the result is larger/,
    )
  })

  it('output that is too large ends the sandbox', async () => {
    const { vm } = await open(
      'export const pipeline = async () => { await runtime.run({ onOutput() {} } as any) }',
      SMALL,
    )
    using _vm = vm
    vm.start()
    vm.deliver({ type: 'output', call: 1, stream: 'stdout', data: 'x'.repeat(2_000) })
    assert.equal(vm.state.status === 'crashed' && vm.state.reason, 'message')
  })

  it('20,000 calls one after the other leave no answers behind', async () => {
    const { state } = await runBody(
      'for (let i = 0; i < 20000; i++) { const s = yaml.stringify("x".repeat(2000)); if (s.length < 2000) throw s }',
      { limits: { sliceMs: 20_000, cpuMs: 20_000, memoryBytes: 8 * 1_048_576 } },
    )
    assert.equal(state.status, 'resolved')
  })
})
