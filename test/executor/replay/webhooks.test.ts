import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOperations } from '../../../src/executor/writes.js'
import { createGates } from '../../../src/shared/db/gates.js'
import { createSecrets } from '../../../src/shared/db/secrets.js'
import { encryptSecret } from '../../../src/shared/secrets/cipher.js'
import { createRuns } from '../../../src/shared/db/runs.js'
import { createWebhookDedups } from '../../../src/shared/db/webhook-dedups.js'
import { createWebhookDeliveries } from '../../../src/shared/db/webhook-deliveries.js'
import { hashKey } from '../../../src/shared/webhooks/event-expressions.js'
import { createAttempts, MASTER_KEY, RUN, type TestRun } from '../../helpers/attempts.js'

const attempts = createAttempts()
const SUCCESS = { status: 'success' }
const BODY = JSON.stringify({ ref: 'refs/heads/main', number: 1_000_000, list: [1, { a: null }] })

const pipeline = (body: string): string => `export const pipeline = async () => {\n${body}\n}`
const show = (value: string): string => `console.log(JSON.stringify(${value}))`

/** The run is one of a webhook. */
function deliver({ main }: TestRun, body = BODY, respondBy: number | null = null): void {
  const event = {
    ...{ provider: 'github', eventType: 'push', method: 'POST', url: '/api/webhooks/p?x=1' },
    ...{ headers: { 'X-Github-Event': 'push' }, query: { x: '1' }, delivery: 'd' },
  }
  createWebhookDeliveries(main).insert({
    ...{ id: 'd', pipelineId: 'p', event, body: Buffer.from(body), keepsBody: true },
    bodyBytes: body.length,
    ...{ outcome: 'accepted', reason: '', runId: RUN, firstId: null, requestId: '' },
    ...{ receivedAt: 1, respondBy },
  })
  main
    .prepare("update runs set trigger_type = 'webhook', trigger_input = ? where id = ?")
    .run(JSON.stringify({ webhook: event }), RUN)
}

const linesOf = (run: TestRun): string[] => run.output(0).trimEnd().split('\n')

test('http.request is the webhook; names of headers have no case; nothing of it can be changed', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      const request = http.request()
      ${show('request')}
      ${show("[request.headers['x-GITHUB-event'], request.headers.Nothing ?? 'none', typeof request.headers.toString]")}
      ${show('[request === http.request(), Object.isFrozen(request), Object.keys(request.headers)]')}
      ${show('pipelineContext.triggeredBy')}`),
  )
  deliver(run)
  assert.deepEqual(await run.attempt(), SUCCESS)
  const [event = '', ...rest] = linesOf(run)
  assert.deepEqual(JSON.parse(event), {
    ...{ provider: 'github', eventType: 'push', method: 'POST', url: '/api/webhooks/p?x=1' },
    ...{ headers: { 'X-Github-Event': 'push' }, query: { x: '1' }, body: BODY },
  })
  assert.deepEqual(rest, [
    '["push","none","function"]',
    '[true,true,["X-Github-Event"]]',
    '"webhook"',
  ])
})

test('expressions over the webhook; a fault is said in the log', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${show('webhookTrigger(\'provider == "github" && payload.ref endsWith "/main"\')')}
      ${show('webhookTrigger(\'payload.ref == "x"\')')}
      ${show("webhookTrigger('payload.number')")}
      ${show("webhookTrigger('paylod.number == 1')")}
      ${show("webhookTrigger('payload.a.b == 1')")}
      ${show(
        "webhookParams({ number: 'payload.number', none: 'payload.x', list: 'payload.list', bad: '1 +', header: 'headers[\"x-github-event\"]' })",
      )}
      ${show("webhookDedup('1 +')")}
      for (const wrong of [() => webhookTrigger(), () => webhookParams({ a: 1 })])
        try { wrong() } catch (error) { console.log(error.message) }`),
  )
  deliver(run)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(linesOf(run), [
    'true',
    'false',
    'webhook_trigger eval error: column 9: a bool is expected, this is a number',
    'false',
    'webhook_trigger compile error: column 1: unknown name "paylod"',
    'false',
    'webhook_trigger eval error: column 11: cannot read "b" of nil',
    'false',
    'webhook_params compile error: column 4: unexpected end of the expression',
    '{"number":"1000000","none":"","list":"[1,{\\"a\\":null}]","header":"push"}',
    'dedup_key evaluation: column 4: unexpected end of the expression',
    'false',
    'webhookTrigger expects an expression, which is a string',
    'invalid webhookParams: a: Invalid input: expected string, received number',
  ])
})

test('a run that no webhook started passes filters, has no parameters and repeats nothing', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${show("[http.request() ?? 'none', webhookTrigger('false'), webhookParams({ a: '1' }), webhookDedup('\"x\"')]")}
      http.respond({ status: 201 })`),
  )
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(linesOf(run), ['["none",true,{},false]'])
})

test('a key is new once for each pipeline and time; its run and each replay hear the same', async (t) => {
  const source = pipeline(`
    ${show("[webhookDedup('payload.ref'), webhookDedup('payload.ref'), webhookDedup('\"other\"'), webhookDedup('\"\"')]")}
    await orchestration.gate('look')`)
  const run = await attempts.open(t, source)
  deliver(run)
  const other = { pipelineId: 'p', scope: 'pipeline', ownerId: 'earlier' } as const
  const dedups = createWebhookDedups(run.main)
  dedups.take({ ...other, keyHash: hashKey('other') }, { now: Date.now(), ttlMs: 1_000 })
  assert.equal((await run.attempt()).status, 'waiting')
  run.main.prepare('delete from webhook_dedups').run()
  assert.equal((await run.attempt()).status, 'waiting', 'a replay asks nobody')
  assert.deepEqual(linesOf(run), ['[false,false,true,false]'])
})

test('keys that are too old, and those of runs that broke for no reason of theirs, do not count', async (t) => {
  const run = await attempts.open(t, pipeline(''))
  const { main } = run
  const dedups = createWebhookDedups(main)
  const key = (ownerId: string) =>
    ({ pipelineId: 'p', scope: 'pipeline', keyHash: hashKey('k'), ownerId }) as const
  const take = (ownerId: string, now: number) => dedups.take(key(ownerId), { now, ttlMs: 100 })
  assert.equal(take(RUN, 1_000), undefined)
  assert.equal(take('b', 1_050), RUN)
  assert.equal(take(RUN, 1_050), undefined, 'its own')
  createRuns(main).failQueued(RUN, '', { code: 'executor_lost', message: 'x' }, 1)
  assert.equal(take('c', 1_060), undefined)
  assert.equal(take('d', 1_159), 'c')
  assert.equal(take('e', 1_160), undefined, 'the time is over')
  assert.equal(dedups.prune(1_160, 10), 0)
  assert.equal(dedups.prune(1_161, 10), 1)
})

test('the first answer counts, while somebody waits for it, and only what HTTP allows', async (t) => {
  const source = pipeline(`
    for (const bad of [{ status: 99 }, { headers: { 'Set-Cookie': 'a' } }, { headers: { a: 'b\\r\\nc: d' } }, { body: 1 }])
      try { http.respond(bad) } catch (error) { console.log(error.message) }
    http.respond({ status: 201, body: 'hi', headers: { 'X-A': 'b' } })
    http.respond({ status: 500 })
    await orchestration.gate('look')`)
  for (const [respondBy, expected] of [
    [Date.now() + 60_000, { status: 201, body: 'hi', headers: { 'X-A': 'b' } }],
    [Date.now() - 1, undefined],
  ] as const) {
    const run = await attempts.open(t, source)
    deliver(run, BODY, respondBy)
    assert.equal((await run.attempt()).status, 'waiting')
    assert.equal((await run.attempt()).status, 'waiting')
    assert.deepEqual(createWebhookDeliveries(run.main).findResponse('d'), expected)
    assert.equal(linesOf(run).length, 4)
    assert.match(run.output(0), /^invalid http\.respond: status: .*\n.*headers\.Set-Cookie: /)
  }
})

test('a body that is too large for the sandbox is an error there, and expressions see all of it', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${show("webhookParams({ size: 'len(payload.text)', last: 'payload.last' })")}
      try { http.request() } catch (error) { console.log(error.message) }`),
  )
  deliver(run, JSON.stringify({ text: 'x'.repeat(9 * 1_048_576), last: 'here' }))
  assert.deepEqual(await run.attempt(), SUCCESS)
  const [params, error] = linesOf(run)
  assert.equal(params, '{"size":"9437184","last":"here"}')
  assert.match(
    error ?? '',
    /^http\.request: the result is larger than 8388608 bytes.*--sandbox-message-mb/,
  )
})

test('a webhook that is no longer stored is an error, not an empty one', async (t) => {
  const run = await attempts.open(
    t,
    pipeline("try { webhookTrigger('true') } catch (error) { console.log(error.message) }"),
  )
  deliver(run)
  run.main.prepare('delete from webhook_deliveries').run()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(linesOf(run), ['webhook delivery d is no longer stored'])
})

test('the code of a fork gets no secrets until a person approves, and again after a resume', async (t) => {
  const fork = (head: number): string =>
    JSON.stringify({ pull_request: { head: { repo: { id: head } }, base: { repo: { id: 1 } } } })
  const source = pipeline(`
    const use = () => runtime.run({ name: 'say', command: { path: 'say', args: ['x'] }, env: { A: 'secret:A' } })
      .then(() => console.log('used'), (error) => console.log(error.message))
    await use()
    await orchestration.gate('secrets')
    await use()`)
  const withheld =
    'failed to load secrets for task "say": secret "A" is withheld: the run is for a pull request from a fork, and nobody has approved a gate of it'
  for (const [head, expected] of [
    [2, [withheld, 'used']],
    [1, ['used', 'used']],
  ] as const) {
    const run = await attempts.open(t, source)
    deliver(run, fork(head))
    const encryptedValue = encryptSecret(MASTER_KEY, 'pipeline/p', 'A', 'abcdefgh')
    createSecrets(run.main).upsert({ scope: 'pipeline/p', key: 'A', encryptedValue }, 1)
    assert.equal((await run.attempt()).status, 'waiting')
    const gates = createGates(run.main)
    const gate = gates.findNumber(RUN, 1)
    gates.resolve(gate?.id ?? '', { status: 'approved', by: 'ann', comment: '' }, 2)
    assert.deepEqual(await run.attempt(), SUCCESS)
    assert.deepEqual(linesOf(run), expected)
    gates.forget(RUN)
    assert.equal(gates.hasApproved(RUN), false)
    assert.equal(gates.listOfRun(RUN)[0]?.approvedBy, 'ann')
  }
})

test('an executor may die at every operation of a run that asks and answers', async (t) => {
  const source = pipeline(`
    const isSeen = webhookDedup('payload.ref')
    http.respond({ body: String(isSeen) })
    console.log(String(isSeen))
    await runtime.run({ name: 'say', command: { path: 'say', args: ['x'] } })`)
  for (const dieWhen of ['before', 'after'] as const)
    for (let dieAt = 1; ; dieAt++) {
      const run = await attempts.open(t, source)
      deliver(run, BODY, Date.now() + 60_000)
      const first = await run.attempt({ dieAt, dieWhen })
      assert.deepEqual(first.status === 'died' ? await run.attempt() : first, SUCCESS)
      assert.deepEqual(linesOf(run), ['false'])
      assert.equal(createWebhookDeliveries(run.main).findResponse('d')?.body, 'false')
      if (first.status !== 'died') break
    }
})

test('old deliveries go, but not those that a run needs or that wait for room', async (t) => {
  const run = await attempts.open(t, pipeline(''))
  deliver(run)
  const { main } = run
  const deliveries = createWebhookDeliveries(main)
  const event = { provider: 'generic', eventType: '', method: 'POST', delivery: 'x' }
  const one = { pipelineId: 'p', event, body: Buffer.from('x'), keepsBody: true, reason: '' }
  const more = { bodyBytes: 1, firstId: null, requestId: '', respondBy: null, runId: null }
  for (const [id, outcome, receivedAt] of [
    ['old', 'accepted', 1],
    ['deferred', 'deferred', 1],
    ['young', 'refused', 100],
  ] as const)
    deliveries.insert({ ...one, ...more, id, outcome, receivedAt })
  const prune = () =>
    createOperations(main).pruneWebhooks({ deliveriesBefore: 50, dedupsBefore: 50 })
  assert.equal(deliveries.hasBefore(50, 50), true)
  assert.equal(prune(), false)
  const left = () => deliveries.list('p', { page: 1, perPage: 9 }).items.map(({ id }) => id)
  assert.deepEqual(left(), ['young', 'deferred', 'd'])
  createRuns(main).failQueued(RUN, '', { code: 'x', message: 'x' }, 1)
  prune()
  assert.deepEqual(left(), ['young', 'deferred'])
  assert.equal(main.prepare('select count(*) from webhook_bodies').pluck().get(), 2)
})
