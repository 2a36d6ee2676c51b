import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ended, runOnce, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'

let server: TestServer
const cleanUps: (() => unknown)[] = []
before(async () => {
  server = await startServer(
    { after: (cleanUp) => void cleanUps.unshift(cleanUp as () => unknown) },
    // reached well within a slice, also where the tests are not alone
    { args: ['--sandbox-memory-mb=16'] },
  )
})
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

const async = (body: string): string => `export const pipeline = async () => {\n${body}\n}`

/** Refused when it is set: the message, with line and column where there is one. */
const REFUSED: [what: string, content: string, message: RegExp][] = [
  ['does not parse', 'const a = 1\nconst = 2', /^syntax error: main\.js:2:\d+/],
  ['has no export', 'const pipeline = async () => {}', /no .*pipeline.* export|export.*pipeline/i],
  ['is empty', '// nothing', /empty pipeline|export/],
  ['imports a module', "import x from 'fs'\nexport const pipeline = async () => x", /import/],
]

for (const [what, content, message] of REFUSED)
  test(`a pipeline that ${what} is refused when it is set`, async () => {
    const response = await server.api('/api/pipelines/bad', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ content, content_type: 'ts' }),
    })
    const { error } = (await response.json()) as { error: string }
    assert.equal(response.status, 400, error)
    assert.match(error, message)
  })

/** Fails alone when it runs. */
const FAILING: [what: string, content: string, message: RegExp][] = [
  [
    'throws',
    async(`\n  throw new Error('boom')`),
    /promise rejected: Error: boom\n[\s\S]*main\.js:3:/,
  ],
  [
    'throws at once',
    `export const pipeline = () => { throw new Error('early') }`,
    /could not run pipeline: .*early/,
  ],
  [
    'throws while it loads',
    `throw new Error('top')\nexport const pipeline = async () => {}`,
    /could not run program: .*top/,
  ],
  ['exports no function', `export const pipeline = 1`, /pipeline is not a function/],
  [
    'loops for ever',
    async('while (true) {}'),
    /1000 ms|1 s.*--sandbox-slice-timeout|without a break/,
  ],
  [
    'loops and catches',
    async('for (;;) { try { for (;;) {} } catch {} }'),
    /--sandbox-slice-timeout/,
  ],
  [
    'allocates for ever',
    async('const a = []; for (;;) a.push("x".repeat(100000) + a.length)'),
    /memory/,
  ],
  ['recurses for ever', async('const f = () => f() + 1; f()'), /recurs|stack/i],
  ['chains promises for ever', async('for (;;) await null'), /--sandbox-(slice|cpu)-timeout/],
  [
    'runs a catastrophic regular expression',
    async(`/^(a+)+$/.test('a'.repeat(40) + '!')`),
    /--sandbox-slice-timeout/,
  ],
  ['waits for nothing', async('await new Promise(() => {})'), /never finished/],
  [
    'asserts what is false',
    async(`try { assert.equal(1, 2) } catch {}`),
    /assertion failed: Not equal/,
  ],
  [
    'runs a command that is not there',
    async(`await runtime.run({ name: 'x', command: { path: 'no-such-command' } })`),
    /could not run container: run container: .*no-such-command/,
  ],
  [
    'gives a field of a wrong type',
    async(`await runtime.run({ name: 'x', command: { path: 'true' }, env: { A: 1 } })`),
    /invalid input: env\.A/,
  ],
  [
    'asks for a secret that is not there',
    async(`await runtime.run({ name: 'x', command: { path: 'true' }, env: { A: 'secret:NOPE' } })`),
    /failed to load secrets for task "x": secret "NOPE" not found in scopes/,
  ],
]

for (const [what, content, message] of FAILING)
  test(`a pipeline that ${what} fails alone, and its neighbour succeeds`, async () => {
    const neighbour = await server.setPipeline(
      'neighbour',
      async(`const { stdout } = await runtime.run({ name: 'n', command: { path: 'echo', args: ['fine'] } })
        assert.equal(stdout, 'fine\\n')`),
    )
    const bad = await server.setPipeline('bad', content)
    const [badRun, goodRun] = await Promise.all([trigger(server, bad), trigger(server, neighbour)])
    const [failed, good] = await Promise.all([ended(server, badRun), ended(server, goodRun)])
    assert.equal(failed.status, 'failed')
    assert.match(failed.error_message ?? '', message)
    assert.equal(good.status, 'success', good.error_message)
  })

test('a pipeline that returns no promise succeeds', async () => {
  const run = await runOnce(server, 'sync', `export const pipeline = () => 42`)
  assert.equal(run.status, 'success', run.error_message)
})

test('a step that fails is a result, not an error', async () => {
  const run = await runOnce(
    server,
    'exit-code',
    async(`const { code, status } = await runtime.run({ name: 'x', command: { path: 'sh', args: ['-c', 'exit 3'] } })
      assert.equal([code, status], [3, 'complete'])`),
  )
  assert.equal(run.status, 'success', run.error_message)
})

test('a step that outlives its time-out is killed and says so', async () => {
  const run = await runOnce(
    server,
    'time-out',
    async(`const { code, status, stdout } = await runtime.run({
        name: 'x', timeout: '300ms', command: { path: 'sh', args: ['-c', 'echo before; sleep 60'] } })
      assert.equal([code, status, stdout], [124, 'abort', 'before\\n'])`),
  )
  assert.equal(run.status, 'success', run.error_message)
})
