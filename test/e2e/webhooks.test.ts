import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { openDatabase } from '../../src/shared/db/open.js'
import { freePort } from '../helpers/free-port.js'
import { ended, getRun } from '../helpers/runs.js'
import { repoPath } from '../helpers/repo.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'
import { sign } from '../helpers/webhooks.js'

const SECRET = 'hush'
const BODY = JSON.stringify({ ref: 'refs/heads/main', n: 1 })
const ARGS = ['--lease-ttl=2s', '--log-level=warn']

function send(
  server: TestServer,
  id: string,
  { delivery, body = BODY }: { delivery?: string; body?: string } = {},
): Promise<Response> {
  return server.api(`/api/webhooks/${id}`, {
    method: 'POST',
    body,
    headers: {
      ...sign('github', SECRET, body),
      'content-type': 'application/json',
      ...(delivery && { 'x-github-delivery': delivery }),
    },
  })
}

const sent = async (response: Response): Promise<Record<string, string>> =>
  (await response.json()) as Record<string, string>

test('a pipeline reads its webhook and answers it while it goes on', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const id = await server.setPipeline(
    'hook',
    `export const pipeline = async () => {
      if (!webhookTrigger('provider == "github" && payload.ref == "refs/heads/main"')) throw new Error('filter')
      const { n } = webhookParams({ n: 'payload.n + 1' })
      const headers = { 'X-N': n, 'Content-Security-Policy': 'none', 'content-type': 'text/markdown' }
      http.respond({ status: 201, headers, body: \`thanks for \${http.request().headers['x-github-event']}\` })
      await orchestration.gate('later')
    }`,
    { webhook_secret: SECRET },
  )
  const response = await send(server, id)
  assert.equal(response.status, 201)
  assert.equal(await response.text(), 'thanks for push')
  assert.equal(response.headers.get('x-n'), '2')
  assert.equal(response.headers.get('content-type'), 'text/markdown')
  assert.match(String(response.headers.get('content-security-policy')), /default-src 'none'/)
  const list = await server.api(`/api/pipelines/${id}/deliveries`)
  const { items } = (await list.json()) as {
    items: { run_id: string; response: { body: string } }[]
  }
  assert.deepEqual(items[0]?.response.body, 'thanks for push')
  assert.notEqual((await getRun(server, items[0]?.run_id ?? '')).status, 'failed')
})

test('the caller gets its 202 when the run says nothing, fails, or takes too long', async (t) => {
  const server = await startServer(t, { args: [...ARGS, '--webhook-timeout=1h'] })
  const mute = await server.setPipeline(
    'mute',
    "export const pipeline = async () => { if (pipelineContext.args[0]) http.respond({}); throw new Error('no') }",
    { webhook_secret: SECRET },
  )
  const response = await send(server, mute)
  assert.equal(response.status, 202)
  const { run_id: runId = '' } = await sent(response)
  assert.equal((await getRun(server, runId)).status, 'failed', 'it waited for the end')
  await server.stop()

  const short = await startServer(t, { args: [...ARGS, '--webhook-timeout=300ms'] })
  const late = await short.setPipeline(
    'late',
    `export const pipeline = async () => {
      await orchestration.gate('wait')
      http.respond({ status: 500 })
    }`,
    { webhook_secret: SECRET },
  )
  const slow = await send(short, late)
  assert.equal(slow.status, 202)
  assert.equal((await sent(slow))['message'], 'pipeline execution started')
})

test('webhooks that find the queue full outlive a crash and run in their order, once each', async (t) => {
  const dir = tempDir(t)
  const args = [...ARGS, '--max-in-flight=1', '--max-queue-size=1', '--max-deferred-webhooks=20']
  const first = await startServer(t, { dir, args })
  const id = await first.setPipeline(
    'hook',
    `export const pipeline = async () => {
      if (http.request().headers['x-github-delivery'] === 'd0') await orchestration.gate('hold')
      console.log(http.request().body)
    }`,
    { webhook_secret: SECRET, concurrency_mode: 'serial' },
  )
  const holder = await sent(await send(first, id, { delivery: 'd0' }))
  await until('it waits', async () => {
    const run = (await getRun(first, holder['run_id'] ?? '')) as { waiting_reason?: string }
    return run.waiting_reason?.includes('gate')
  })
  const statuses: string[] = []
  for (let n = 1; n <= 10; n++)
    statuses.push(
      (await sent(await send(first, id, { delivery: `d${n}`, body: `body ${n}` })))['status'] ?? '',
    )
  assert.deepEqual(statuses.slice(0, 2), ['queued', 'queued'])
  assert.ok(
    statuses.slice(2).every((status) => status === 'deferred'),
    statuses.join(),
  )
  await first.killTree()

  const second = await startServer(t, { dir, args })
  const again = await sent(await send(second, id, { delivery: 'd5', body: 'body 5' }))
  assert.equal(again['status'], 'deferred')
  const gates = await second.api(`/api/runs/${holder['run_id']}/gates`)
  const [gate] = (await gates.json()) as { id: string }[]
  await second.api(`/api/gates/${gate?.id}/approve`, { method: 'POST' })
  const items = await until('all have run', async () => {
    const list = await second.api(`/api/pipelines/${id}/runs?per_page=100`)
    const { items } = (await list.json()) as { items: { id: string; status: string }[] }
    return items.length === 11 && items.every(({ status }) => status === 'success')
      ? items
      : undefined
  })
  const printed = await Promise.all(
    items
      .toReversed()
      .slice(1)
      .map(async (run) => (await second.api(`/api/runs/${run.id}/logs?step=0`)).text()),
  )
  assert.deepEqual(
    printed,
    Array.from({ length: 10 }, (_, n) => `body ${n + 1}\n`),
  )
})

test('an api that dies right after it took a webhook has taken it, once', async (t) => {
  const dir = tempDir(t)
  const env = { POCKETCI_FAULT: `api.webhook.admitted:1:${dir}/died` }
  const server = await startServer(t, { dir, args: [...ARGS, `--port=${await freePort()}`], env })
  const id = await server.setPipeline('hook', 'export const pipeline = async () => {}', {
    webhook_secret: SECRET,
  })
  await assert.rejects(send(server, id, { delivery: 'one' }))
  const answer = await until('the api is back', () =>
    send(server, id, { delivery: 'one' }).catch(() => undefined),
  )
  const { run_id: runId = '', message } = await sent(answer)
  assert.equal(message, 'this webhook was delivered before')
  assert.equal((await ended(server, runId)).status, 'success')
  const list = await server.api(`/api/pipelines/${id}/runs`)
  assert.equal(((await list.json()) as { total_items: number }).total_items, 1)
})

/** How many webhooks; `npm run test:long` sends more. */
const STORM = process.env['POCKETCI_TEST_LONG'] ? 1_000 : 200

test(`everything is killed during ${STORM} webhooks: each 2xx has one run, and so has what is sent again`, async (t) => {
  const dir = tempDir(t)
  const args = [...ARGS, `--port=${await freePort()}`, '--max-in-flight=2', '--max-queue-size=20']
  const first = await startServer(t, { dir, args })
  const id = await first.setPipeline('hook', 'export const pipeline = async () => {}', {
    webhook_secret: SECRET,
  })
  const names = Array.from({ length: STORM }, (_, n) => `d${n}`)
  const answered = new Set<string>()
  let next = 0
  const work = async (server: TestServer): Promise<void> => {
    for (let name = names[next++]; name !== undefined; name = names[next++]) {
      const response = await send(server, id, { delivery: name }).catch(() => undefined)
      if (!response) continue
      assert.equal(response.status, 202)
      await response.arrayBuffer().then(
        () => answered.add(name),
        () => undefined,
      )
      if (answered.size === STORM / 2) await first.killTree()
    }
  }
  await Promise.all(Array.from({ length: 20 }, () => work(first)))
  assert.ok(answered.size >= STORM / 2 && answered.size < STORM, `${answered.size} were answered`)

  const second = await startServer(t, { dir, args })
  next = 0
  await Promise.all(Array.from({ length: 20 }, () => work(second)))
  assert.equal(answered.size, STORM)
  const found = await until('all have run', async () => {
    const runs = await second.api(`/api/pipelines/${id}/runs?per_page=1`)
    const { total_items: total } = (await runs.json()) as { total_items: number }
    const queue = await second.api('/api/queue?per_page=1')
    const { deferred_webhooks: waiting } = (await queue.json()) as { deferred_webhooks: number }
    return waiting === 0 ? total : undefined
  })
  assert.equal(found, STORM)
  const db = openDatabase(second.storage, { mode: 'read' })
  t.after(() => db.close())
  const taken = db
    .prepare("select count(distinct run_id) from webhook_deliveries where outcome = 'accepted'")
    .pluck()
    .get()
  assert.equal(taken, STORM)
})

test('the command line sets a secret and tries a webhook out', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const file = `${server.dir}/hook.ts`
  writeFileSync(
    file,
    "export const pipeline = async () => { console.log(http.request().method, http.request().headers['x-a'], webhookTrigger('payload.a == 1')) }",
  )
  const set = await server.cli(
    'pipeline',
    'set',
    file,
    '-w',
    SECRET,
    '--webhook-provider',
    'github',
  )
  assert.match(set.stdout, /Webhook URL: http:\/\/.*\/api\/webhooks\/[0-9a-f]{32}\n/)
  assert.ok(!set.stdout.includes(SECRET))
  const id = /webhooks\/([0-9a-f]{32})/.exec(set.stdout)?.[1] ?? ''
  assert.equal((await send(server, id)).status, 202)
  const triggered = await server.cli(
    ...['pipeline', 'trigger', 'hook', '--webhook-body', '{"a":1}', '--webhook-header', 'X-A=b=c'],
    '--json',
  )
  const { run_id: runId } = JSON.parse(triggered.stdout) as { run_id: string }
  assert.equal((await ended(server, runId)).status, 'success')
  const log = await server.api(`/api/runs/${runId}/logs?step=0`)
  assert.equal(await log.text(), 'POST b=c true\n')
  const bad = await server.cli('pipeline', 'trigger', 'hook', '--webhook-header', 'nothing')
  assert.match(bad.stderr, /invalid webhook header "nothing": expected KEY=VALUE/)
})

test('the example webhook.ts, as its page has it', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const file = repoPath('examples/webhook.ts')
  const set = await server.cli('pipeline', 'set', file, '--webhook-secret', SECRET)
  const id = /webhooks\/([0-9a-f]{32})/.exec(set.stdout)?.[1] ?? ''
  const push = (ref: string, after: string) =>
    send(server, id, { body: JSON.stringify({ ref, after }) })
  const built = await push('refs/heads/main', '4b825dc')
  assert.deepEqual([built.status, await built.text()], [202, 'building 4b825dc\n'])
  for (const [ref, line] of [
    ['refs/heads/main', 'this commit was built before\n'],
    ['refs/heads/other', 'not the main branch\n'],
  ] as const) {
    const { run_id: runId = '' } = await sent(await push(ref, '4b825dc'))
    assert.equal((await ended(server, runId)).status, 'success')
    assert.equal(await (await server.api(`/api/runs/${runId}/logs?step=0`)).text(), line)
  }
})
