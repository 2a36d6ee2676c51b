import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGuests, failureOf, type HostCall } from '../../helpers/guest.js'

const { open, run, runBody, evaluate } = createGuests()

describe('how a pipeline ends', () => {
  const endings: [what: string, source: string, failure: RegExp][] = [
    ['an async pipeline', 'export const pipeline = async () => {}', /^$/],
    ['a synchronous pipeline', 'export const pipeline = () => 1', /^$/],
    ['CommonJS', 'module.exports = { pipeline: async () => {} }', /^$/],
    ['a pipeline that is no function', 'export const pipeline = 1', /^pipeline is not a function$/],
    [
      'CommonJS that exports nothing',
      'module.exports = { other: "pipeline" }',
      /^could not run program: TypeError: nothing is exported as "pipeline"$/,
    ],
    [
      'a throw at the top',
      'throw new Error("top")\nexport const pipeline = 1',
      /^could not run program: Error: top$/,
    ],
    [
      'a synchronous throw',
      'export const pipeline = () => { throw new TypeError("sync") }',
      /^could not run pipeline: TypeError: sync$/,
    ],
    [
      'a rejection',
      'export const pipeline = async () => { throw new RangeError("late") }',
      /^promise rejected: RangeError: late$/,
    ],
    [
      'a rejection without an error',
      'export const pipeline = async () => { throw { a: [1] } }',
      /^promise rejected: \{ "a": \[ 1 \] \}$/,
    ],
    [
      'a rejection with nothing',
      'export const pipeline = async () => { throw undefined }',
      /^promise rejected: undefined$/,
    ],
    [
      'an unhandled rejection of nobody',
      'export const pipeline = async () => { Promise.reject(new Error("x")) }',
      /^$/,
    ],
    [
      'module.exports taken away',
      'module.exports = "pipeline".at(99)',
      /^could not run program: TypeError/,
    ],
  ]
  for (const [what, source, failure] of endings)
    it(what, async () => assert.match(failureOf(await run(source)), failure))

  it('an un-awaited call still gets its answer after the pipeline has ended', async () => {
    const { state, lines } = await runBody('runtime.run({}).then(() => console.log("done"))')
    assert.equal(state.status, 'resolved')
    assert.deepEqual(lines, ['done'])
  })

  it('what nothing settles stays pending', async () => {
    assert.equal((await runBody('await new Promise(() => {})')).state.status, 'pending')
  })

  it('a rejection value that fights back is still reported', async () => {
    for (const hostile of [
      'new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 }, getPrototypeOf() { throw 3 } })',
      'new Proxy(new Error("x"), { get() { throw 1 } })',
      'Object.defineProperty(new Error(), "message", { get() { throw 1 } })',
      '{ toString() { throw 1 }, get stack() { throw 2 } }',
      'Object.assign(new Error("x"), { name: { toString() { throw 1 } } })',
      'Symbol("s")',
    ])
      assert.match(failureOf(await runBody(`throw ${hostile}`)), /^promise rejected: ./)
  })

  it('a huge error text is cut', async () => {
    const { state } = await runBody(
      'const e = new Error("m".repeat(5e6)); e.stack = "    at x (main.js:1:1)\\n".repeat(1e5); throw e',
    )
    assert.equal(state.status, 'rejected')
    assert.ok(JSON.stringify(state).length < 40_000)
  })

  it('start is for once, and nothing is delivered while the guest runs', async () => {
    const { vm } = await open('export const pipeline = async () => {}')
    using _vm = vm
    vm.start()
    assert.throws(() => vm.start(), /started before/)
    let inner: unknown
    const opened = await open('export const pipeline = async () => { storage.get("x") }', {
      answerSync() {
        try {
          opened.vm.deliver({ type: 'resolve', call: 1, value: 1 })
        } catch (error) {
          inner = error
        }
        return {}
      },
    })
    using _other = opened.vm
    opened.vm.start()
    assert.match(String(inner), /entered while its guest runs/)
  })
})

describe('runtime', () => {
  it('run hands over the config without its callback, and volumes by name alone', async () => {
    const { calls, lines } = await runBody(
      `const r = await runtime.run({
        name: 'x', command: { path: 'a', args: ['b'] },
        mounts: { a: { name: 'v', path: '/p', readFiles() {} }, b: 'w' }, onOutput() {}
      })
      console.log(r.code, r.status)
      await runtime.run({ command: { path: 'a' } })`,
    )
    assert.deepEqual(calls, [
      {
        call: 1,
        name: 'runtime.run',
        args: [
          {
            name: 'x',
            command: { path: 'a', args: ['b'] },
            mounts: { a: { name: 'v' }, b: 'w' },
          },
          true,
        ],
      },
      { call: 2, name: 'runtime.run', args: [{ command: { path: 'a' } }, false] },
    ])
    assert.deepEqual(lines, ['0 complete'])
  })

  it('output enters in order and what the callback does changes nothing', async () => {
    const { vm, lines } = await open(`export const pipeline = async () => {
      await runtime.run({ onOutput: (s: string, d: string) => { console.log(s, d); throw 1 } } as any)
    }`)
    using _vm = vm
    vm.start()
    vm.deliver({ type: 'output', call: 1, stream: 'stdout', data: 'a' })
    vm.deliver({ type: 'output', call: 1, stream: 'stderr', data: 'b' })
    vm.deliver({ type: 'resolve', call: 1, value: {} })
    vm.deliver({ type: 'output', call: 1, stream: 'stdout', data: 'late' })
    vm.deliver({ type: 'resolve', call: 1, value: {} })
    vm.deliver({ type: 'resolve', call: 77, value: {} })
    assert.deepEqual(lines, ['stdout a', 'stderr b'])
    assert.equal(vm.state.status, 'resolved')
  })

  it('refuses input that is none', async () => {
    const message = (call: string) => evaluate(`${call}.catch((e) => e.message)`)
    assert.equal(await message('(runtime as any).run()'), 'run requires an input object')
    assert.equal(await message('(runtime as any).run("x")'), 'run requires an input object')
    assert.equal(
      await message('(runtime as any).startSandbox()'),
      'startSandbox requires an input object',
    )
    assert.match(
      String(await message('runtime.run({ onOutput: 1 } as any)')),
      /^invalid input: onOutput must be a function$/,
    )
    assert.match(
      String(await message('(() => { const c: any = {}; c.c = c; return runtime.run(c) })()')),
      /^invalid input: .*circular/,
    )
    assert.match(String(await message('runtime.run({ n: 1n } as any)')), /^invalid input: .*BigInt/)
  })

  it('a rejection is an Error of the guest, at the line of the call', async () => {
    const { lines } = await runBody(
      `try { await runtime.run({} as any) }
       catch (e: any) { console.log(e instanceof Error, e.constructor === Error, e.message); console.log(e) }`,
      { answer: () => new Error('no such image') },
    )
    assert.equal(lines[0], 'true true no such image')
    assert.match(lines[1] ?? '', /^Error: no such image\n {4}at pipeline \(main\.js:2:\d+\)\n?$/)
  })

  it('a sandbox runs commands until it is closed', async () => {
    const answer = ({ name }: HostCall): unknown =>
      name === 'runtime.startSandbox' ? { id: 'box' } : { code: 3 }
    const { calls, lines } = await runBody(
      `const box = await runtime.startSandbox({ name: 'b', mounts: { x: { name: 'v' } } as any })
       console.log(box.id, (await box.exec({ command: { path: 'a' }, onOutput() {} })).code)
       console.log(await (box as any).exec().catch((e: Error) => e.message))
       await box.close()`,
      { answer },
    )
    assert.deepEqual(lines, ['box 3', 'exec requires an input object'])
    assert.deepEqual(
      calls.map(({ name, args }) => [name, ...args]),
      [
        ['runtime.startSandbox', { name: 'b', mounts: { x: { name: 'v' } } }],
        ['sandbox.exec', 'box', { command: { path: 'a' } }, true],
        ['sandbox.close', 'box'],
      ],
    )
  })
})

describe('volumes', () => {
  const answer = ({ name }: HostCall): unknown =>
    name === 'volumes.create' ? { name: 'v', path: '/v' } : JSON.parse('{"a":"A","__proto__":"P"}')

  it('are created and read', async () => {
    const { calls, lines } = await runBody(
      `const v = await volumes.create(); await volumes.create({ name: 'n', size: 2 })
       const files = await v.readFiles(['a', '__proto__'])
       console.log(v.name, v.path, Object.keys(files), ({} as any).a)
       await volumes.readFiles('v', ['a']); await volumes.readFiles('v', 'a', 'b')`,
      { answer },
    )
    assert.deepEqual(lines, ['v /v [ "a", "__proto__" ] undefined'])
    assert.deepEqual(
      calls.map(({ args }) => args),
      [[{}], [{ name: 'n', size: 2 }], ['v', ['a', '__proto__']], ['v', ['a']], ['v', ['a', 'b']]],
    )
  })

  it('name what is missing', async () => {
    const message = (call: string) => evaluate(`${call}.catch((e: Error) => e.message)`, { answer })
    const create = '(await volumes.create() as any)'
    assert.equal(await message(`${create}.readFiles()`), 'readFiles requires a filePaths array')
    assert.equal(
      await message(`${create}.readFiles('a')`),
      'readFiles expects an array of file paths',
    )
    assert.equal(
      await message(`${create}.readFiles([1])`),
      'readFiles expects an array of file paths',
    )
    assert.equal(
      await message('(volumes as any).readFiles("v")'),
      'readFiles requires volumeName and filePaths',
    )
  })
})

describe('orchestration', () => {
  it('is pipeline by another name, for files with a pipeline of their own', async () => {
    assert.equal(await evaluate('(globalThis as any).pipeline === orchestration'), true)
  })

  it('runs the jobs of a stage in parallel and joins their failures', async () => {
    const { lines, calls } = await runBody(
      `await orchestration.stage('s', (stage) => {
         stage.job('a', async () => { await runtime.run({} as any); throw new Error('late') })
         stage.job('b', () => { throw new Error('now') })
         stage.job('c', () => runtime.run({} as any))
       }).catch((e) => console.log(e.message))`,
    )
    assert.equal(calls.length, 2)
    assert.deepEqual(lines, [
      'stage "s" job "a" promise rejected: late\nstage "s" job "b" failed: now',
    ])
  })

  const refused: [call: string, message: string][] = [
    ['stage()', 'pipeline.stage requires (name, callback)'],
    ['stage("s", 1)', 'pipeline.stage callback must be a function'],
    ['stage("s", () => {})', 'pipeline.stage "s" has no jobs'],
    [
      'stage("s", (t: any) => t.job("x"))',
      'pipeline.stage "s" callback failed: stage.job requires (name, callback)',
    ],
    [
      'stage("s", (t: any) => t.job("x", 1))',
      'pipeline.stage "s" callback failed: stage.job callback must be a function',
    ],
  ]
  for (const [call, message] of refused)
    it(`${call} rejects`, async () =>
      assert.equal(
        await evaluate(`(orchestration as any).${call}.catch((e: Error) => e.message)`),
        message,
      ))
})

describe('storage and yaml', () => {
  it('storage is synchronous, and its errors are the guest’s', async () => {
    const { calls, lines } = await runBody(
      `storage.set('k', { a: 1 }); console.log(storage.get('k'))
       storage.getAll('p'); storage.getAll('p', ['x']); storage.getMostRecentJobStatus('p', 'j')
       try { storage.get('none') } catch (e: any) { console.log(e instanceof Error, e.message) }`,
      {
        answerSync({ name, args }) {
          if (args[0] === 'none') throw new Error('storage get: not found')
          return name === 'storage.get' ? { a: 1 } : null
        },
      },
    )
    assert.deepEqual(lines, ['{ "a": 1 }', 'true storage get: not found'])
    assert.deepEqual(
      calls.slice(2, 5).map(({ args }) => args),
      [
        ['p', ['*']],
        ['p', ['x']],
        ['p', 'j'],
      ],
    )
  })

  it('yaml parses and sorts, and its errors can be caught', async () => {
    assert.deepEqual(await evaluate('yaml.parse("b: [1, two]")'), { b: [1, 'two'] })
    assert.equal(
      await evaluate('YAML.stringify({ b: 1, a: { d: 1, c: 2 } })'),
      'a:\n  c: 2\n  d: 1\nb: 1\n',
    )
    assert.match(
      String(
        await evaluate(
          '(() => { try { yaml.parse("a: [") } catch (e: any) { return e.message } })()',
        ),
      ),
      /^yaml\.parse: .* at line 1, column 5/,
    )
  })
})

describe('console', () => {
  const shown: [values: string, text: string][] = [
    ['"a b", 1, true, null, undefined', 'a b 1 true null undefined'],
    ['{ s: "q\\"", n: [1, , 2] }', '{ "s": "q\\"", "n": [ 1, undefined, 2 ] }'],
    [
      '-0, 1n, Symbol("x"), /a/g, () => 1, class A {}',
      '-0 1n Symbol(x) /a/g [Function] [Function: A]',
    ],
    ['new Map([[1, { a: 1 }]]), new Set(["x"])', 'Map { 1 => { "a": 1 } } Set { "x" }'],
    ['(() => { const a: any = {}; a.a = a; return a })()', '{ "a": [Circular] }'],
    ['{ get x() { throw 1 } }', '{ "x": [Getter] }'],
    ['new Proxy({}, { ownKeys() { throw 1 } })', '[unreadable]'],
    [
      '{ a: { b: { c: { d: { e: { f: 1 } } } } } }',
      '{ "a": { "b": { "c": { "d": { "e": {…} } } } } }',
    ],
    ['new Date(0), Promise.resolve()', '1970-01-01T00:00:00.000Z Promise {}'],
  ]
  for (const [values, text] of shown)
    it(`shows ${values}`, async () =>
      assert.deepEqual((await runBody(`console.log(${values})`)).lines, [text]))

  it('bounds what it prints', async () => {
    const { lines } = await runBody(
      'console.log("x".repeat(2e6)); console.log(Array.from({ length: 1e5 }, (_, i) => "y".repeat(i % 50)))',
    )
    assert.match(lines[0] ?? '', /^x{65536}… \(1934464 more characters\)$/)
    assert.match(lines[1] ?? '', /… 99900 more \]$/)
  })
})
