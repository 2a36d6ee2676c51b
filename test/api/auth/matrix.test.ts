import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SCOPE_OF } from '../../../src/api/auth/policy.js'
import type { Route } from '../../../src/api/route-table.js'
import type { Scope } from '../../../src/shared/contract/scopes.js'
import { PIPELINE } from '../../helpers/api.js'
import { startPeopleApi, type PeopleApi, type Person } from '../../helpers/people.js'

const MEMBER: Person = { email: 'member@acme.example', organizations: ['acme'] }

/** Everybody who may come, and what becomes of a request that needs a scope. */
const ROLES: Record<string, { person?: Person; scopes?: Scope[] | null; isMember: boolean }> = {
  anonymous: { isMember: false },
  'an expired token': { person: { ...MEMBER, expiresAt: 1 }, isMember: false },
  'another user': { person: { email: 'other@example.com' }, scopes: null, isMember: false },
  'a viewer': { person: { ...MEMBER, scopes: ['ci:read'] }, scopes: ['ci:read'], isMember: true },
  'a token without scope': {
    person: { ...MEMBER, scopes: ['ci:approve'] },
    scopes: ['ci:approve'],
    isMember: true,
  },
  'an admin': { person: MEMBER, scopes: null, isMember: true },
}

for (const [role, { person, scopes, isMember }] of Object.entries(ROLES))
  test(`every route for ${role}: as the policy has it`, async (t) => {
    const world = await start(t)
    const headers = person ? world.api.add(person) : {}
    const routes = world.api.table.listRoutes()
    assert.ok(routes.length > 40)
    for (const route of routes) {
      const status = await statusOf(world, route, headers)
      const needed = SCOPE_OF[route.action]
      const what = `${role}: ${route.method} ${route.path} answered ${status}`
      if (needed === null) assert.notEqual(status, 403, what)
      else if (scopes === undefined) {
        const isPage = !route.path.startsWith('/api/') && !route.access && !person
        assert.equal(status, isPage ? 302 : 401, what)
      } else if (scopes && !scopes.includes(needed)) assert.equal(status, 403, what)
      else if (!isMember && route.resource !== 'server') assert.equal(status, 403, what)
      else assert.ok(status !== 401 && status !== 403, what)
    }
  })

test('what strangers are answered does not tell what is there', async (t) => {
  const world = await start(t)
  for (const route of world.api.table.listRoutes()) {
    if (SCOPE_OF[route.action] === null) continue
    const paths = [pathOf(world, route), route.path.replace(/:\w+/g, 'missing')] as const
    const [there, missing] = await Promise.all(
      paths.map(async (path) => {
        const response = await world.api.fetch(path, {
          method: route.method,
          redirect: 'manual',
          headers: { 'x-request-id': 'same' },
        })
        const location = response.headers.get('location')?.replace(encodeURIComponent(path), '')
        return { status: response.status, location, body: await response.text() }
      }),
    )
    assert.deepEqual(there, missing, route.path)
  }
})

test('a share link opens its run and nothing else', async (t) => {
  const world = await start(t)
  const { api, token } = world
  assert.equal((await api.fetch(`/share/${token}/tasks`)).status, 200)
  for (const path of [
    '/api/pipelines',
    `/api/runs/${world.run}/status`,
    `/api/runs/${token}/status`,
  ]) {
    const response = await api.fetch(path, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(response.status, 401, path)
  }
})

const SCHEDULED = `export const schedules = { nightly: { cron: '0 3 * * *' } }\n${PIPELINE}`

interface World {
  api: PeopleApi
  pipeline: string
  run: string
  schedule: string
  token: string
}

/** A pipeline that is open to a member alone, with a run that waits at a gate and is shared. */
async function start(t: TestContext): Promise<World> {
  const api = await startPeopleApi(t)
  const owner = api.add({ email: 'owner@acme.example', organizations: ['acme'] })
  const set = await api.as(owner, 'PUT', '/api/pipelines/closed', {
    ...{ content: SCHEDULED, content_type: 'ts', rbac_expression: '"acme" in Organizations' },
  })
  const pipeline = String(set.body['id'])
  const triggered = await api.as(owner, 'POST', `/api/pipelines/${pipeline}/trigger`)
  const run = String(triggered.body['run_id'])
  api.db
    .prepare(
      `insert into gates (id, run_id, number, name, status, created_at) values ('gate', ?, 1, 'g', 'pending', 0)`,
    )
    .run(run)
  const shared = await api.as(owner, 'POST', `/api/runs/${run}/share`)
  const token = String(shared.body['share_path']).split('/')[2] ?? ''
  const schedule = String(api.db.prepare('select id from schedules').pluck().get())
  return { api, pipeline, run, schedule, token }
}

function pathOf({ pipeline, run, schedule, token }: World, { path, resource }: Route): string {
  const values = { pipeline, run, gate: 'gate', schedule }
  const [param, value] =
    resource === 'server' ? ['token', token] : [resource.param, values[resource.kind]]
  return path.replace(`:${param}`, value).replace(/:\w+/g, 'other')
}

/** Answers that never end are left at their beginning. */
async function statusOf(
  world: World,
  route: Route,
  headers: Record<string, string>,
): Promise<number> {
  const response = await world.api.fetch(pathOf(world, route), {
    method: route.method,
    headers,
    redirect: 'manual',
  })
  await response.body?.cancel()
  return response.status
}
