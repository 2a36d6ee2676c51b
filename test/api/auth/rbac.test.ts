import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PIPELINE, startTestApi } from '../../helpers/api.js'
import { startPeopleApi } from '../../helpers/people.js'
import { createUsers } from '../../../src/shared/db/users.js'
import { insertPipeline } from '../../helpers/storage.js'

const ACME = '"acme" in Organizations'

/** A pipeline under a rule with a run, one without, somebody whom the rule admits and somebody else. */
async function start(t: TestContext, flags: Record<string, string[]> = {}) {
  const api = await startPeopleApi(t, { flags })
  const member = api.add({ email: 'member@acme.example', organizations: ['acme'] })
  const stranger = api.add({ email: 'stranger@example.com' })
  const set = async (name: string, more: object, as = member) => {
    const body = { content: PIPELINE, content_type: 'ts', ...more }
    return api.as(as, 'PUT', `/api/pipelines/${name}`, body)
  }
  const closed = String((await set('closed', { rbac_expression: ACME })).body['id'])
  const open = String((await set('open', {})).body['id'])
  const trigger = async (id: string) =>
    String((await api.as(member, 'POST', `/api/pipelines/${id}/trigger`)).body['run_id'])
  return {
    api,
    member,
    stranger,
    set,
    closed,
    open,
    run: await trigger(closed),
    other: await trigger(open),
  }
}

test('a rule keeps others from its pipeline and its runs, and says so', async (t) => {
  const { api, member, stranger, closed, run } = await start(t)
  for (const path of [
    `/api/pipelines/${closed}`,
    '/api/pipelines/closed',
    `/api/runs/${run}/status`,
  ]) {
    assert.equal((await api.as(member, 'GET', path)).status, 200, path)
    const refused = await api.as(stranger, 'GET', path)
    assert.deepEqual(
      [refused.status, refused.body['error']],
      [403, 'access denied to this pipeline'],
    )
  }
  const shown = await api.as(member, 'GET', `/api/pipelines/${closed}`)
  assert.equal(shown.body['rbac_expression'], ACME)
})

test('lists leave out what is under it: pages are full and totals count nothing hidden', async (t) => {
  const { api, member, stranger, set, open, run, other } = await start(t)
  for (let at = 0; at < 5; at++) {
    await set(`closed-${at}`, { rbac_expression: ACME })
    await set(`open-${at}`, {})
  }
  const listed = async (as: Record<string, string>, path: string) => {
    const { body } = await api.as(as, 'GET', path)
    const items = body['items'] as { id: string; name: string }[]
    return {
      total: body['total_items'],
      ids: items.map(({ id }) => id),
      names: items.map(({ name }) => name),
    }
  }
  assert.equal((await listed(member, '/api/pipelines')).total, 12)
  const page = await listed(stranger, '/api/pipelines?per_page=4&page=1')
  assert.deepEqual([page.total, page.names], [6, ['open-4', 'open-3', 'open-2', 'open-1']])
  assert.deepEqual((await listed(stranger, '/api/pipelines?per_page=4&page=2')).names, [
    'open-0',
    'open',
  ])
  assert.equal((await listed(stranger, '/api/pipelines?q=closed')).total, 0)
  assert.deepEqual((await listed(member, '/api/runs')).ids, [other, run])
  assert.deepEqual(await listed(stranger, '/api/runs'), {
    total: 1,
    ids: [other],
    names: [undefined],
  })
  const queue = await api.as(stranger, 'GET', '/api/queue')
  assert.deepEqual(
    [(queue.body['queued'] as { id: string }[]).map(({ id }) => id), queue.body['total_queued']],
    [[other], 1],
  )
  const html = await api.fetch('/pipelines/', { headers: stranger })
  const text = await html.text()
  assert.ok(text.includes(open) && !text.includes('closed'))
})

test('gates of others are not listed', async (t) => {
  const { api, member, stranger, run, other } = await start(t)
  for (const [at, id] of [run, other].entries())
    api.db
      .prepare(
        `insert into gates (id, run_id, number, name, status, created_at) values (?, ?, 1, 'g', 'pending', 0)`,
      )
      .run(`gate-${at}`, id)
  const ids = async (as: Record<string, string>, path: string) =>
    ((await api.as(as, 'GET', path)).body['items'] as { id: string }[]).map(({ id }) => id)
  assert.deepEqual(await ids(member, '/api/gates'), ['gate-1', 'gate-0'])
  assert.deepEqual(await ids(stranger, '/api/gates'), ['gate-1'])
  assert.deepEqual(await ids(stranger, '/api/gates?status=pending'), ['gate-1'])
  assert.equal((await api.as(stranger, 'POST', '/api/gates/gate-0/approve')).status, 403)
})

test('a rule stays unless it is given, and an empty one takes it away', async (t) => {
  const { set, api, stranger, closed } = await start(t)
  assert.equal((await set('closed', {})).body['rbac_expression'], ACME)
  assert.equal((await set('closed', { rbac_expression: null })).body['rbac_expression'], ACME)
  assert.equal((await set('closed', {}, stranger)).status, 403)
  assert.equal((await set('closed', { rbac_expression: '' })).body['rbac_expression'], undefined)
  assert.equal((await api.as(stranger, 'GET', `/api/pipelines/${closed}`)).status, 200)
})

test('a rule that is none, or keeps out whoever sets it, is refused and nothing is stored', async (t) => {
  const { set, api, stranger } = await start(t)
  for (const [rule, text] of [
    ['Emial == "x"', /invalid RBAC expression: .*Emial/],
    ['Email', /invalid RBAC expression/],
    ['(', /invalid RBAC expression/],
    ['Email == "somebody@else"', /it would keep you out yourself/],
    ['RawData.x.y == 1', /it would keep you out yourself/],
  ] as const) {
    const { status, body } = await set('fresh', { rbac_expression: rule })
    assert.equal(status, 400, rule)
    assert.match(String(body['error']), text)
  }
  assert.equal((await set('fresh', { rbac_expression: ACME }, stranger)).status, 400)
  assert.equal((await api.as(stranger, 'GET', '/api/pipelines/fresh')).status, 404)
})

test('a rule that cannot decide, or costs too much, keeps everybody out', async (t) => {
  const { api, member, closed } = await start(t)
  for (const rule of ['Organizations[7] == "acme"', 'broken (', 'all(1..100000, # > 0)']) {
    api.db.prepare('update pipelines set rbac_expression = ? where id = ?').run(rule, closed)
    assert.equal((await api.as(member, 'GET', `/api/pipelines/${closed}`)).status, 403, rule)
    assert.equal((await api.as(member, 'GET', '/api/pipelines')).body['total_items'], 1)
  }
})

test('the rule of the server keeps people from everything but signing in', async (t) => {
  const { api, member, stranger, open } = await start(t, { 'server-rbac': [ACME] })
  assert.equal((await api.as(member, 'GET', '/api/pipelines')).status, 200)
  for (const path of ['/api/pipelines', `/api/pipelines/${open}`, '/api/drivers', '/api/tokens']) {
    const refused = await api.as(stranger, 'GET', path)
    assert.deepEqual([refused.status, refused.body['error']], [403, 'access denied'], path)
  }
  const page = await api.fetch('/pipelines/', { headers: { ...stranger, accept: 'text/html' } })
  assert.equal(page.status, 403)
  assert.match(
    await page.text(),
    /<title>Access Denied[\s\S]*You do not have permission to access this page\./,
  )
  assert.equal((await api.fetch('/health')).status, 200)
})

test('rules see what the provider said last, for tokens too', async (t) => {
  const { api, member, closed } = await start(t)
  api.add({ email: 'member@acme.example', organizations: [] })
  assert.equal((await api.as(member, 'GET', `/api/pipelines/${closed}`)).status, 403)
})

test('where nobody signs in nobody passes a rule', async (t) => {
  for (const flags of [{}, { 'basic-auth': ['a:b'] }]) {
    const api = await startTestApi(t, { flags })
    insertPipeline(api.db, 'p')
    api.db.prepare("update pipelines set rbac_expression = 'true'").run()
    const headers = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }
    const { status, body } = await api.call('GET', '/api/pipelines/p', undefined, headers)
    assert.deepEqual(
      [status, body['error']],
      [403, 'pipeline requires OAuth authentication for RBAC evaluation'],
    )
    const list = await api.call('GET', '/api/pipelines', undefined, headers)
    assert.equal(list.body['total_items'], 0)
  }
})

test('a gate that names its approvers is resolved by them alone, under their name', async (t) => {
  const { api, member, stranger, other } = await start(t)
  const add = api.db.prepare(
    `insert into gates (id, run_id, number, name, approvers, status, created_at)
     values (?, ?, ?, 'g', ?, 'pending', 0)`,
  )
  const names = ['member@acme.example', 'github:member@acme.example', 'github:@nobody', 'someone']
  for (const [at, name] of names.entries())
    add.run(`gate-${at}`, other, at + 1, JSON.stringify([name]))
  const approve = (as: Record<string, string>, at: number) =>
    api.as(as, 'POST', `/api/gates/gate-${at}/approve`)
  for (const at of names.keys()) assert.equal((await approve(stranger, at)).status, 403)
  for (const at of [0, 1]) {
    const { status, body } = await approve(member, at)
    assert.deepEqual([status, body['approved_by']], [200, 'github:member@acme.example'])
  }
  for (const at of [2, 3]) assert.equal((await approve(member, at)).status, 403)
})

test('a nick name that looks like somebody’s id or address does not stand for them', async (t) => {
  const { api, other } = await start(t)
  const users = createUsers(api.db)
  const mallory = api.add({ email: 'mallory@x' })
  users.upsert(
    {
      ...{ provider: 'github', userId: 'mallory@x', email: 'mallory@x', name: 'owner@acme' },
      ...{ nickName: '583231', avatarUrl: '', organizations: [], groups: [], rawData: {} },
    },
    0,
  )
  const add = api.db.prepare(
    `insert into gates (id, run_id, number, name, approvers, status, created_at)
     values (?, ?, ?, 'g', ?, 'pending', 0)`,
  )
  for (const [at, name] of [
    'github:583231',
    '583231',
    'owner@acme',
    'github:owner@acme',
  ].entries()) {
    add.run(`g${at}`, other, at + 1, JSON.stringify([name]))
    assert.equal((await api.as(mallory, 'POST', `/api/gates/g${at}/approve`)).status, 403, name)
  }
  add.run('own', other, 9, '["github:@583231"]')
  assert.equal((await api.as(mallory, 'POST', '/api/gates/own/approve')).status, 200)
})
