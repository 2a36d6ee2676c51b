import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGuests, type HostCall } from '../../helpers/guest.js'

const { open, run, runBody, evaluate } = createGuests()

/** What no guest may see: names of the host's world, and text of its files and stacks. */
const HOST_TRACES = /node:|node_modules|quickjs|file:\/\/|\/sandbox\/|host-channel|dist/

describe('every way to a Function constructor leads to the guest’s own', () => {
  // each runs code through the constructor it has found
  const ways: Record<string, string> = {
    'the constructor of a function': '(() => {}).constructor',
    'the constructor of the global': '(globalThis as any).constructor.constructor',
    'the constructor of this':
      '(function (this: any) { return this ?? globalThis }).call(undefined).constructor.constructor',
    eval: '(code: string) => () => (0, eval)(`(() => {${code}})()`)',
    'Function itself': 'Function',
    'an async function': '(async () => {}).constructor.constructor',
    'a generator': '(function* () {}).constructor.constructor',
    'an async generator': '(async function* () {}).constructor.constructor',
    'Reflect.construct': '(code: string) => Reflect.construct(Function, [code])',
    'a Proxy of Function': 'new Proxy(Function, {})',
    'a bound function': 'Function.bind(null)',
    'an error': 'new Error().constructor.constructor',
    'an error of the engine':
      '(() => { try { (null as any).x } catch (e: any) { return e.constructor.constructor } })()',
    'an error of the stack':
      '(() => { const f = (): any => f(); try { f() } catch (e: any) { return e.constructor.constructor } })()',
    'an error of a host function':
      '(() => { try { yaml.parse("[") } catch (e: any) { return e.constructor.constructor } })()',
    'a rejection of a host function':
      '(await runtime.run({ fails: true } as any).catch((e) => e)).constructor.constructor',
    'a refused input':
      '(await (runtime as any).run().catch((e: any) => e)).constructor.constructor',
    'a result of the host': '(await runtime.run({} as any)).constructor.constructor',
    'a nested result': '((await runtime.run({} as any)) as any).list.constructor.constructor',
    'a value of a synchronous function': '(yaml.parse("a: [1]") as any).a.constructor.constructor',
    'a promise of the host': '(runtime.run({} as any) as any).constructor.constructor',
    'the then of its promise': '(runtime.run({} as any).then as any).constructor',
    runtime: '(runtime as any).constructor.constructor',
    'runtime.run': '(runtime.run as any).constructor.constructor("return Function")()',
    'the prototype of an async global':
      '(Object.getPrototypeOf(runtime.startSandbox) as any).constructor.constructor',
    'volumes.create':
      '(volumes.create as any).__proto__.constructor.constructor("return Function")()',
    'assert.equal': '(assert.equal as any).constructor',
    'console.log': '(console.log as any).constructor',
    'storage.get': '(storage.get as any).constructor',
    'yaml.parse': '(yaml.parse as any).constructor',
    pipelineContext: '(pipelineContext as any).constructor.constructor',
    'a string of pipelineContext': '(pipelineContext.args[0] as any).constructor.constructor',
    'orchestration.stage':
      '(orchestration.stage as any).constructor.constructor("return Function")()',
    'Math.random': '(Math.random as any).constructor',
    'the stage of a callback':
      'await new Promise<any>((r) => orchestration.stage("s", (s) => { r((s as any).constructor.constructor); s.job("j", () => {}) }))',
    'the arguments of onOutput':
      'await new Promise<any>((r) => { runtime.run({ onOutput(...a: any[]) { r(a.constructor.constructor) } } as any) })',
    'a JSON value with a constructor':
      '(await runtime.run({} as any) as any).constructor.constructor',
  }
  for (const [what, way] of Object.entries(ways))
    it(what, async () => {
      const { vm, lines, calls } = await open(`export const pipeline = async () => {
        const make: any = ${way}
        const code = 'return [typeof process, typeof require, typeof module, typeof hostSecret, typeof Buffer, typeof fetch, typeof setTimeout, Object.keys(globalThis).length > 0].join()'
        console.log(await make(code)())
      }`)
      using _vm = vm
      // a canary in the host's own global
      Object.assign(globalThis, { hostSecret: 'seen' })
      vm.start()
      for (let next = 0; next < calls.length; next++) {
        const call = calls[next] as HostCall
        if (call.call === undefined) continue
        if (call.args[1] === true)
          vm.deliver({ type: 'output', call: call.call, stream: 'stdout', data: 'x' })
        vm.deliver(
          (call.args[0] as { fails?: boolean }).fails
            ? { type: 'reject', call: call.call, message: 'failed' }
            : { type: 'resolve', call: call.call, value: { list: [1], code: 0 } },
        )
      }
      assert.deepEqual(lines, [`${'undefined,'.repeat(7)}true`], JSON.stringify(vm.state))
    })
})

describe('nothing of the host is there', () => {
  for (const name of [
    'process',
    'require',
    'module1',
    'Buffer',
    'global',
    'window',
    'self',
    'Deno',
    'Bun',
    'std',
    'os',
    'bjson',
    'fetch',
    'URL',
    'TextEncoder',
    'crypto',
    'performance',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'structuredClone',
    'WebAssembly',
    'Worker',
    'SharedWorker',
    'MessageChannel',
    'navigator',
    'print',
    'gc',
    'load',
    'scriptArgs',
    'Atomics',
    'XMLHttpRequest',
    'send',
    'host',
    'boot',
    '__dirname',
  ])
    it(name, async () => assert.equal(await evaluate(`eval('typeof ${name}')`), 'undefined'))

  it('no import() leads anywhere, least of all to the prelude', async () => {
    for (const name of [
      'fs',
      'node:fs',
      './host.js',
      'pocketci:host.js',
      'pocketci:boot.js',
      '/etc/passwd',
      'std',
      'os',
      'main.js',
      '',
    ]) {
      const message = await evaluate(
        `(0, eval)('import(${JSON.stringify(name)}).then(() => "loaded", (e) => e.message + (e.stack ?? ""))')`,
      )
      assert.match(String(message), /^import\(\) is not available in a pipeline/, name)
      assert.doesNotMatch(String(message), HOST_TRACES)
    }
  })

  it('require is a plain ReferenceError at run time', async () => {
    assert.equal(
      await evaluate(
        '(() => { const name = "fs"; try { return (eval as any)("require")(name) } catch (e: any) { return e.name } })()',
      ),
      'ReferenceError',
    )
  })

  it('no error carries the host’s files', async () => {
    const { lines } = await runBody(
      `const errors: any[] = []
       const attempt = (f: () => unknown) => { try { f() } catch (e) { errors.push(e) } }
       attempt(() => yaml.parse('['))
       attempt(() => storage.get('x'))
       attempt(() => assert.containsString('a', '('))
       attempt(() => (yaml as any).parse(1))
       errors.push(await runtime.run({ c: 1n } as any).catch((e) => e))
       errors.push(await runtime.run({} as any).catch((e) => e))
       for (const e of errors) console.log(e.name, e.message, String(e.stack), Object.getOwnPropertyNames(e).join())`,
      {
        answer: () => Object.assign(new Error('no'), { code: 'E', path: '/host' }),
        answerSync({ name }) {
          if (name === 'storage.get') throw new TypeError('storage get: not found')
        },
      },
    )
    assert.equal(lines.length, 6)
    for (const line of lines) assert.doesNotMatch(line, HOST_TRACES)
  })
})

describe('what a guest replaces does not reach the host protocol', () => {
  const POISON: Record<string, string> = {
    'Promise.prototype.then': 'Promise.prototype.then = function () { throw 1 } as any',
    'the Promise constructor': '(globalThis as any).Promise = class { constructor() { throw 1 } }',
    'Promise.prototype.constructor':
      'Object.defineProperty(Promise.prototype, "constructor", { value: class Mine { static get [Symbol.species]() { return Mine } } })',
    'Array.prototype.push and friends':
      'for (const k of ["push", "map", "join", "slice", "concat", "forEach"]) (Array.prototype as any)[k] = () => { throw 1 }',
    iteration: '(Array.prototype as any)[Symbol.iterator] = () => { throw 1 }',
    'setters on Array.prototype':
      'for (const i of [0, 1, 2]) Object.defineProperty(Array.prototype, i, { set() {}, get() { return "forged" }, configurable: true })',
    'setters on Object.prototype':
      'for (const k of ["name", "resolve", "reject", "failure", "error", "value"]) Object.defineProperty(Object.prototype, k, { set() { throw 1 }, get() { return "forged" }, configurable: true })',
    descriptors:
      '(Object.prototype as any).get = () => 1; (Object.prototype as any).writable = false',
    JSON: '(globalThis as any).JSON = { parse: () => ({ forged: 1 }), stringify: () => "[]" }',
    'JSON members': 'JSON.parse = () => "forged"; JSON.stringify = () => "forged"',
    'toJSON of arrays and strings':
      '(Array.prototype as any).toJSON = (String.prototype as any).toJSON = () => "forged"',
    Map: 'Map.prototype.get = Map.prototype.set = Map.prototype.delete = () => { throw 1 }',
    'String.prototype':
      'for (const k of ["slice", "split", "startsWith"]) (String.prototype as any)[k] = () => { throw 1 }',
    Reflect:
      'for (const k of Reflect.ownKeys(Reflect)) try { (Reflect as any)[k] = () => { throw 1 } } catch {}',
    'Function.prototype.call':
      'Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw 1 }',
    'Symbol.hasInstance':
      'Object.defineProperty(Error, Symbol.hasInstance, { value: () => { throw 1 } })',
    Error: '(globalThis as any).Error = function () { throw 1 }',
    'Error.stackTraceLimit':
      'try { (Error as any).stackTraceLimit = { valueOf() { throw 1 } } } catch {}',
  }
  for (const [what, poison] of Object.entries(POISON))
    it(what, async () => {
      const { vm, calls } = await open(`const log = console.log
        export const pipeline = () => {
          ${poison}
          runtime.run({ command: { path: 'a' }, own: 'x' } as any)
          storage.set('key', { v: 1 })
        }`)
      using _vm = vm
      vm.start()
      const seen = calls.map(({ call, name, args }) => [call, name, args[0], args[1]])
      assert.deepEqual(
        seen.map(([call, name]) => [call, name]),
        [
          [1, 'runtime.run'],
          [undefined, 'storage.set'],
        ],
        JSON.stringify(vm.state),
      )
      if (!what.startsWith('toJSON')) {
        assert.deepEqual(seen[0]?.[2], { command: { path: 'a' }, own: 'x' })
        assert.deepEqual(seen[1]?.slice(2), ['key', { v: 1 }])
      }
      vm.deliver({ type: 'resolve', call: 1, value: {} })
      assert.equal(vm.state.status, 'resolved', JSON.stringify(vm.state))
    })

  it('globals cannot be replaced or changed', async () => {
    assert.deepEqual(
      await evaluate(`(() => {
        const failed: string[] = []
        for (const name of ['runtime', 'volumes', 'assert', 'console', 'storage', 'yaml', 'YAML', 'pipelineContext', 'pipeline', 'orchestration']) {
          const g = globalThis as any
          const before = g[name]
          try { g[name] = 1 } catch {}
          try { delete g[name] } catch {}
          try { Object.defineProperty(g, name, { value: 1 }) } catch {}
          for (const key of Object.keys(before)) try { before[key] = 1 } catch {}
          if (g[name] !== before || !Object.isFrozen(before)) failed.push(name)
          for (const key of Object.keys(before)) if (before[key] === 1) failed.push(key)
        }
        try { (pipelineContext.args as any).push('x') } catch {}
        if (pipelineContext.args.length !== 1) failed.push('args')
        return failed
      })()`),
      [],
    )
  })

  it('what a guest shadows in its file is its own affair', async () => {
    const { state } = await run(
      'const runtime = 1, console = 2, pipeline = async () => { if (runtime + console !== 3) throw 1 }\nexport { pipeline }',
    )
    assert.equal(state.status, 'resolved')
  })
})

describe('the prelude’s own functions stay out of reach', () => {
  it('through stack hooks', async () => {
    assert.deepEqual(
      await evaluate(`(() => {
        const seen: unknown[] = []
        ;(Error as any).prepareStackTrace = (_: unknown, sites: any[]) => { seen.push(sites); return 'x' }
        try { yaml.parse('[') } catch (e: any) { seen.push(typeof e.stack) }
        new Error().stack
        return [seen, typeof (Error as any).captureStackTrace]
      })()`),
      [['string'], 'undefined'],
    )
  })

  it('through caller, callee and arguments', async () => {
    assert.deepEqual(
      await evaluate(`(() => {
        const seen: unknown[] = []
        const probe = function (this: unknown) {
          for (const read of [() => (probe as any).caller, () => (probe as any).arguments, () => (runtime.run as any).caller, () => (runtime.run as any).arguments])
            try { const v = read(); if (v !== undefined && v !== null) seen.push(typeof v) } catch {}
          try { seen.push(typeof (eval('(function () { return arguments.callee.caller })') as any)()) } catch {}
          return undefined
        }
        runtime.run({ get name() { return probe.call(undefined) }, toJSON: probe } as any).catch(() => {})
        return seen.filter((kind) => kind === 'function')
      })()`),
      [],
    )
  })

  it('sloppy functions see their own global at most', async () => {
    assert.equal(
      await evaluate(
        '(() => { const f = Function("return this"); return f() === globalThis && typeof f().process })()',
      ),
      'undefined',
    )
  })

  it('functions of the globals are no constructors and have no prototype', async () => {
    assert.deepEqual(
      await evaluate(`[runtime, volumes, assert, console, storage, yaml, orchestration].flatMap((space: any) =>
        Object.values(space).filter((f: any) => { if ('prototype' in f) return true; try { new f(); return true } catch { return false } }))`),
      [],
    )
  })
})

describe('hostile arguments', () => {
  const values: Record<string, string> = {
    'a Proxy':
      'new Proxy({ name: "x" }, { get(t: any, k) { return k === "toJSON" ? undefined : t[k] }, ownKeys: () => ["name"], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) })',
    'a Proxy that throws':
      'new Proxy({}, { get() { throw new Error("trap") }, ownKeys() { throw new Error("trap") } })',
    'a revoked Proxy':
      '(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()',
    getters: '({ get name() { return "g" }, get command() { throw new Error("getter") } })',
    toJSON: '({ toJSON() { return { name: "forged" } } })',
    'toJSON that lies about its type': '({ toJSON() { return "text" } })',
    '__proto__ keys':
      'JSON.parse(\'{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}\')',
    'a null prototype': 'Object.assign(Object.create(null), { name: "x" })',
    'an array': '[1, 2]',
    'a function': 'Object.assign(() => {}, { name2: 1 })',
    symbols: '({ [Symbol("x")]: 1, s: Symbol("y") })',
    'a cycle': '(() => { const a: any = {}; a.a = a; return a })()',
    'a BigInt': '({ n: 1n })',
    'typed arrays': '({ a: new Uint8Array([1]) })',
    'lone surrogates and NUL': '({ s: "\\ud800\\u0000\\udc00" })',
    'a class instance':
      'new (class A { name = "x"; #secret = 1; get secret() { return this.#secret } })()',
    'numbers that JSON lacks': '({ a: NaN, b: Infinity, c: -0 })',
    nothing: 'undefined',
  }
  const targets: Record<string, string> = {
    'runtime.run': 'await runtime.run(v)',
    'runtime.startSandbox': 'await runtime.startSandbox(v)',
    'volumes.create': 'await volumes.create(v)',
    'volumes.readFiles': 'await (volumes as any).readFiles(v, v)',
    'storage.set': 'storage.set(v, v)',
    'storage.getAll': 'storage.getAll(v, v)',
    'yaml.parse': 'yaml.parse(v)',
    'yaml.stringify': 'yaml.stringify(v)',
    'assert.equal': 'assert.equal(v, { other: 1 })',
    'assert.containsString': 'assert.containsString(v, v)',
    'console.log': 'console.log(v, { v })',
    mounts: 'await runtime.run({ mounts: { a: v, b: { name: v } } } as any)',
    onOutput: 'await runtime.run({ onOutput: v } as any)',
  }
  for (const [target, call] of Object.entries(targets))
    it(`to ${target} are plain JSON data or an error of the guest`, async () => {
      for (const [what, value] of Object.entries(values)) {
        const { state, calls } = await runBody(
          `const v: any = ${value}
           try { ${call} } catch (e) { if (!(e instanceof Error)) throw new Error('not an Error') }`,
          { answer: () => ({ id: 'x', name: 'x', path: '/x' }) },
        )
        assert.equal(state.status, 'resolved', `${what}: ${JSON.stringify(state)}`)
        for (const { args } of calls) assertPlain(args)
        assert.equal(({} as { polluted?: number }).polluted, undefined, what)
      }
    })

  it('keep __proto__ as data both ways', async () => {
    const { calls, lines } = await runBody(
      `const r: any = await runtime.run(JSON.parse('{"env":{"__proto__":"a"}}'))
       console.log(Object.keys(r), Object.getPrototypeOf(r) === Object.prototype, ({} as any).polluted)`,
      { answer: () => JSON.parse('{"__proto__":{"polluted":1}}') as unknown },
    )
    const [{ args } = { args: [] }] = calls
    const env = (args[0] as { env: object }).env
    assert.deepEqual(Object.keys(env), ['__proto__'])
    assert.equal(Object.getPrototypeOf(env), Object.prototype)
    assert.deepEqual(lines, ['[ "__proto__" ] true undefined'])
  })
})

describe('games with promises and memory', () => {
  const games: Record<string, string> = {
    'Symbol.species on the host’s promise':
      'class P extends Promise<any> { static get [Symbol.species]() { return Function as any } }; await P.prototype.then.call(runtime.run({} as any), (x: any) => x)',
    'settling twice':
      'const p = runtime.run({} as any); await Promise.all([p, p, p.then(() => p)])',
    'a thenable pipeline result': 'return { then(ok: any) { ok(); ok(); throw 1 } }',
    finalizers:
      'const r = new FinalizationRegistry(() => { throw 1 }); for (let i = 0; i < 1e4; i++) r.register({}, i)',
    'weak references': 'const w = new WeakRef(runtime.run({} as any)); await null; w.deref()',
    'a Proxy of a global': 'await new Proxy(runtime.run, {})({} as any)',
    'a global as prototype': 'const o = Object.create(runtime); await o.run({})',
    'a detached method': 'const { run } = runtime; await run.call(null as any, {} as any)',
    'a shared buffer': 'new SharedArrayBuffer(1024)',
    'a resizable buffer':
      'const b = new (ArrayBuffer as any)(8, { maxByteLength: 64 }); const a = new Uint8Array(b); b.resize(0); a[0] = 1',
    'a sort that shrinks': 'const a = [3, 2, 1]; a.sort(() => { a.length = 0; return 1 })',
    'a species that lies':
      'class A extends Array { static get [Symbol.species]() { return function () { return new Uint8Array(1) } as any } }; try { new A(1, 2, 3).map((x) => x) } catch {}',
    'JSON.parse with a reviver that edits':
      'JSON.parse("[1,[2,3]]", function (this: any) { this.length = 0; return this })',
  }
  for (const [what, body] of Object.entries(games))
    it(what, async () => {
      const { state } = await runBody(body)
      assert.equal(state.status, 'resolved', JSON.stringify(state))
    })

  it('a forged call number is answered to nobody', async () => {
    const { vm, lines } = await open(
      'export const pipeline = async () => { const r = await runtime.run({ call: 99 } as any); console.log(r) }',
    )
    using _vm = vm
    vm.start()
    for (const call of [0, -1, 2, 99, Number.NaN])
      vm.deliver({ type: 'resolve', call, value: 'wrong' })
    assert.equal(vm.state.status, 'pending')
    vm.deliver({ type: 'resolve', call: 1, value: 'right' })
    assert.deepEqual(lines, ['right'])
  })
})

/** Own data properties of plain objects all the way down. */
function assertPlain(value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    assert.ok(['string', 'number', 'boolean', 'object'].includes(typeof value), typeof value)
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  assert.ok(prototype === Object.prototype || prototype === Array.prototype)
  for (const property of Object.values(Object.getOwnPropertyDescriptors(value))) {
    assert.ok('value' in property)
    assertPlain(property.value)
  }
}
