import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rssOf, tiersOf } from '../helpers/processes.js'
import { ended, getTasks, outputOf, runOnce, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'

const HOSTILE = [
  'while (true) {}',
  'const a = []; for (;;) a.push("x".repeat(100000) + a.length)',
  'const f = () => f() + 1; f()',
  'for (;;) await null',
  `/^(a+)+$/.test('a'.repeat(40) + '!')`,
  'new Uint8Array(2 ** 30)',
  `"x".repeat(2 ** 28).split("")`,
  'await Promise.all(Array.from({ length: 1e5 }, async () => { throw new Error("x".repeat(1000)) }))',
  'globalThis.constructor.constructor("return this")().x = Array(1e6).fill({})',
  'throw new Error("x".repeat(1e6))',
]

test('a thousand hostile runs leave the memory of the executor as it was after a hundred', async (t) => {
  const server = await startServer(t, {
    args: [
      '--max-in-flight=2',
      '--max-queue-size=2000',
      '--sandbox-slice-timeout=60ms',
      '--log-level=error',
    ],
  })
  const ids = await Promise.all(
    HOSTILE.map((body, at) =>
      server.setPipeline(`hostile-${at}`, `export const pipeline = async () => {\n${body}\n}`),
    ),
  )
  const tiers = await tiersOf(server)
  const executor = tiers.find(({ name }) => name.includes('executor'))?.pid ?? 0
  const runMany = async (count: number): Promise<void> => {
    const runs: string[] = []
    for (let at = 0; at < count; at++) runs.push(await trigger(server, ids[at % ids.length] ?? ''))
    for (const runId of runs) await ended(server, runId, 300_000)
  }
  await runMany(100)
  const after100 = rssOf(executor)
  await runMany(900)
  const after1000 = rssOf(executor)
  const said = `${after100 / 1e6} MB after 100, ${after1000 / 1e6} MB after 1,000`
  t.diagnostic(said)
  assert.ok(after1000 <= 1.1 * after100, said)
  const fine = await runOnce(server, 'fine', `export const pipeline = async () => 'still here'`)
  assert.equal(fine.status, 'success', fine.error_message)
})

test('a native step finds no secret of the server in /proc, in its environment or beside the database', async (t) => {
  const server = await startServer(t, {
    args: [
      '--secret=DEPLOY_TOKEN=tell-nobody-1234',
      '--secrets-sqlite-passphrase=pass-phrase-5678',
    ],
    env: { CANARY_OF_THE_SERVER: 'canary-9012' },
  })
  const script = [
    'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
    'env',
    `cat '${server.storage}' '${server.storage}.key' 2>&1 | head -c 100000`,
    'for f in /proc/[0-9]*/fd/*; do timeout 0.2 head -c 1000 "$f" </dev/null 2>/dev/null; done | head -c 1000000',
  ].join('\n')
  const id = await server.setPipeline(
    'spy',
    `export const pipeline = async () => {
      await runtime.run({ name: 'spy', command: { path: 'sh', args: ['-c', ${JSON.stringify(script)}] } })
      const used = await runtime.run({ name: 'use', env: { T: 'secret:DEPLOY_TOKEN' },
        command: { path: 'sh', args: ['-c', 'printf %s "$T" | wc -c; echo "$T"'] } })
      assert.equal(used.stdout, '16\\n***REDACTED***\\n')
    }`,
  )
  const runId = await trigger(server, id)
  const run = await ended(server, runId)
  assert.equal(run.status, 'success', run.error_message)
  const tasks = await getTasks(server, runId)
  const seen = tasks.map((task) => outputOf(task) + outputOf(task, 'stderr')).join('\n')
  for (const secret of ['tell-nobody-1234', 'pass-phrase-5678', 'canary-9012'])
    assert.equal(seen.includes(secret), false, `a step saw ${secret}`)
})
