import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSecrets } from '../../src/shared/db/secrets.js'
import { decryptSecret } from '../../src/shared/secrets/cipher.js'
import { PIPELINE, startTestApi } from '../helpers/api.js'

test('a set pipeline is answered as it is stored, and set again it keeps its id', async (t) => {
  const api = await startTestApi(t)
  const first = await api.call('PUT', '/api/pipelines/build', {
    content: PIPELINE,
    content_type: 'ts',
    driver: '',
    // what the reference's command line always sends
    webhook_secret: '',
    resume_enabled: false,
  })
  assert.equal(first.status, 200)
  assert.equal(first.headers.get('content-type'), 'application/json')
  const { id, created_at: createdAt, updated_at: updatedAt, ...rest } = first.body
  assert.match(String(id), /^[0-9a-f]{32}$/)
  assert.match(String(createdAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal(updatedAt, createdAt)
  assert.deepEqual(rest, {
    name: 'build',
    content: PIPELINE,
    content_type: 'ts',
    driver: 'native',
    resume_enabled: false,
    paused: false,
  })

  await api.call('POST', '/api/pipelines/build/pause')
  const second = await api.call('PUT', '/api/pipelines/build', { content: `${PIPELINE} // 2` })
  assert.equal(second.body['id'], id)
  assert.equal(second.body['created_at'], createdAt)
  assert.equal(second.body['paused'], true)
  assert.deepEqual((await api.call('GET', `/api/pipelines/${String(id)}`)).body, second.body)
  assert.deepEqual((await api.call('GET', '/api/pipelines/build')).body, second.body)
})

/** Refused with 400, and nothing is stored. */
const REFUSED: [what: string, body: Record<string, unknown>, text: string][] = [
  ['no content', {}, 'content is required'],
  ['empty content', { content: '' }, 'content is required'],
  [
    'YAML',
    { content: 'jobs: []', content_type: 'yaml' },
    'YAML pipelines are not available in this version yet: write the pipeline in TypeScript',
  ],
  [
    'an unknown type',
    { content: 'x', content_type: 'py' },
    'unknown content_type "py" (valid: "", "ts", "js")',
  ],
  [
    'an unknown driver',
    { content: PIPELINE, driver: 'k9s' },
    'unknown driver "k9s"; known drivers: docker, native',
  ],
  [
    'a reserved secret',
    { content: PIPELINE, secrets: { driver_config: 'x' } },
    'secret key "driver_config" is reserved for system use',
  ],
  [
    'a secret without a name',
    { content: PIPELINE, secrets: { '': 'x' } },
    'secrets: a key has 1 to 255 characters, none of them a control character or "="',
  ],
  [
    'an endless secret',
    { content: PIPELINE, secrets: { A: 'x'.repeat(65_537) } },
    'secrets: the value of "A" is longer than 65536 characters',
  ],
  [
    'a provider that is none',
    { content: PIPELINE, webhook_provider: 'x' },
    'invalid request body: webhook_provider: Invalid option: expected one of ""|"github"|"gitlab"|"bitbucket"|"honeybadger"|"slack"|"stripe"|"pagerduty"|"linear"|"sentry"|"generic"',
  ],
  [
    'settings that are none',
    { content: PIPELINE, driver: 'docker', driver_config: 'x' },
    'driver_config: Invalid input: expected object, received string (driver docker)',
  ],
  [
    'settings that the driver does not have',
    { content: PIPELINE, driver: 'docker', driver_config: { hosts: 'x' } },
    'driver_config: Unrecognized key: "hosts" (driver docker)',
  ],
  [
    'settings of another driver',
    { content: PIPELINE, driver: 'native', driver_config: { host: 'tcp://127.0.0.1:1' } },
    'driver_config: Unrecognized key: "host" (driver native)',
  ],
  [
    'an engine without an address',
    { content: PIPELINE, driver: 'docker', driver_config: { host: 'x' } },
    'driver_config.host: the address of a Docker engine has to be unix:///path, tcp://host:port, http(s)://host:port or ssh://user@host (driver docker)',
  ],
  [
    'a socket of the server’s machine',
    { content: PIPELINE, driver: 'docker', driver_config: { host: 'unix:///run/other.sock' } },
    'driver_config.host: a socket of this machine has to be the one of --docker-host (driver docker)',
  ],
  [
    'a permission',
    { content: PIPELINE, rbac_expression: 'true' },
    'pipeline RBAC expressions require OAuth authentication; basic auth cannot evaluate RBAC',
  ],
  [
    'a group without a name',
    { content: PIPELINE, concurrency_mode: 'group' },
    'concurrency_mode="group" requires a non-empty concurrency_group_template',
  ],
  [
    'an unknown concurrency mode',
    { content: PIPELINE, concurrency_mode: 'x' },
    'unknown concurrency_mode "x" (valid: "", "serial", "group", "skip-if-running")',
  ],
  [
    'a concurrency group',
    { content: PIPELINE, concurrency_group_template: 'x' },
    'concurrency_group_template is only valid when concurrency_mode is "group"',
  ],
  [
    'cancelling',
    { content: PIPELINE, concurrency_cancel_running: true },
    'concurrency_cancel_running is only valid when concurrency_mode is "group"',
  ],
  [
    'cancelling in another mode',
    { content: PIPELINE, concurrency_mode: 'serial', concurrency_cancel_running: true },
    'concurrency_cancel_running is only valid when concurrency_mode is "group"',
  ],
  [
    'a broken template',
    { content: PIPELINE, concurrency_mode: 'group', concurrency_group_template: '{{ .Args' },
    'concurrency_group_template: column 1: the action is not closed',
  ],
  [
    'a label with a space',
    { content: PIPELINE, labels: ['a b'] },
    'labels: "a b" is no label: expected up to 63 letters, digits, "_", "." and "-", not one of the last three first',
  ],
  [
    'a bare number of a duration',
    { content: PIPELINE, run_timeout: '10' },
    'run_timeout: expected a duration from 1ms to 168h, or 0 for no limit, got "10"',
  ],
]

test('what cannot be stored is refused as a whole, with the field that is wrong', async (t) => {
  const api = await startTestApi(t)
  for (const [what, body, text] of REFUSED) {
    const answer = await api.call('PUT', '/api/pipelines/p', body)
    assert.deepEqual([answer.status, answer.body['error']], [400, text], what)
  }
  assert.equal((await api.call('GET', '/api/pipelines')).body['total_items'], 0)
})

test('features that are off are refused by name', async (t) => {
  const api = await startTestApi(t, { flags: { 'allowed-features': ['fetch'] } })
  const errorOf = async (more: object) =>
    (await api.call('PUT', '/api/pipelines/p', { content: PIPELINE, ...more })).body['error']
  assert.equal(await errorOf({ secrets: { A: 'x' } }), 'secrets feature is not enabled')
  assert.equal(await errorOf({ webhook_secret: 'x' }), 'webhooks feature is not enabled')
  assert.equal(await errorOf({ resume_enabled: true }), 'resume feature is not enabled')
  assert.equal(
    await errorOf({ secrets: {}, webhook_secret: null, resume_enabled: null }),
    undefined,
  )
})

test('source that does not compile is refused with its line and column', async (t) => {
  const api = await startTestApi(t)
  const { status, body } = await api.call('PUT', '/api/pipelines/p', {
    content: 'const a = 1\nconst = 2',
  })
  assert.equal(status, 400)
  assert.equal(body['code'], 'pipeline_invalid')
  assert.match(String(body['error']), /^syntax error: main\.js:2:7: /)
})

test('names are checked', async (t) => {
  const api = await startTestApi(t)
  const put = (name: string) =>
    api.call('PUT', `/api/pipelines/${encodeURIComponent(name)}`, { content: PIPELINE })
  const cases: [name: string, fault: RegExp][] = [
    ['x'.repeat(10_000), /^invalid pipeline name: it has 10000 characters, of 255 at most$/],
    ['a/b', /must not contain "\/"/],
    ['a\nb', /control characters/],
    ['a\0b', /control characters/],
    ['  ', /blank/],
  ]
  for (const [name, fault] of cases) {
    const { status, body } = await put(name)
    assert.equal(status, 400, name.slice(0, 20))
    assert.match(String(body['error']), fault)
  }
  for (const name of ['x'.repeat(255), 'ünïcode 🚀', 'a\'b"<c>', '__proto__'])
    assert.equal((await put(name)).body['name'], name)
})

test('secrets are stored encrypted, never answered, and an update has to name those that are there', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p', { secrets: { A: 'hush-hush', B: '2' } })
  const secrets = createSecrets(api.db)
  const stored = secrets.find(`pipeline/${id}`, 'A')
  assert.ok(stored && !stored.includes('hush'))
  assert.equal(decryptSecret(api.secretKey, `pipeline/${id}`, 'A', stored), 'hush-hush')

  const update = (given: object) =>
    api.call('PUT', '/api/pipelines/p', { content: PIPELINE, secrets: given })
  const refused = await update({ A: '3', C: '4' })
  assert.deepEqual(
    [refused.status, refused.body['error']],
    [400, 'missing existing secret key "B": all existing secrets must be included on update'],
  )
  assert.deepEqual(secrets.listKeys(`pipeline/${id}`), ['A', 'B'])
  assert.equal((await update({})).status, 200)
  const good = await update({ A: '3', B: '4', C: '5' })
  assert.doesNotMatch(JSON.stringify(good.body), /hush|secret/)
  assert.deepEqual(secrets.listKeys(`pipeline/${id}`), ['A', 'B', 'C'])
})

test('of many first sets at once all agree on one pipeline, whose secrets decrypt', async (t) => {
  const api = await startTestApi(t)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      api.call('PUT', '/api/pipelines/p', {
        content: `${PIPELINE} // ${at}`,
        secrets: { A: `value ${at}` },
      }),
    ),
  )
  const ids = new Set(answers.map(({ status, body }) => (status === 200 ? body['id'] : status)))
  assert.equal(ids.size, 1)
  const scope = `pipeline/${String([...ids][0])}`
  const stored = createSecrets(api.db).find(scope, 'A')
  assert.ok(stored)
  assert.match(decryptSecret(api.secretKey, scope, 'A', stored), /^value \d+$/)
})

test('two pipelines whose names and contents make one text have ids of their own', async (t) => {
  const api = await startTestApi(t)
  const rest = ' for (;;) break\nexport const pipeline = 1'
  const first = await api.set('a', { content: `b:${rest}` })
  const second = await api.set('a:b', { content: rest })
  assert.notEqual(first, second)
})

test('settings of a driver are kept encrypted, never shown, and go with their driver', async (t) => {
  const api = await startTestApi(t)
  const host = 'tcp://build:hunter2@127.0.0.1:2375'
  const stored = (): string[] =>
    api.db
      .prepare<[], string>(
        "select key || length(encrypted_value) from secrets where key = 'driver_config'",
      )
      .pluck()
      .all()
  const set = async (more: Record<string, unknown>) => {
    const answer = await api.call('PUT', '/api/pipelines/p', { content: PIPELINE, ...more })
    assert.equal(answer.status, 200)
    assert.doesNotMatch(JSON.stringify(answer.body), /hunter2/)
  }
  await set({ driver: 'docker', driver_config: { host } })
  const [first] = stored()
  assert.ok(first)
  assert.doesNotMatch(JSON.stringify((await api.call('GET', '/api/pipelines')).body), /hunter2/)
  await set({ driver: 'docker' })
  assert.deepEqual(stored(), [first], 'kept when none are sent')
  await set({ driver: 'docker', driver_config: {} })
  assert.deepEqual(stored(), [], 'taken away by empty ones')
  await set({ driver: 'docker', driver_config: { host } })
  await set({ driver: 'native' })
  assert.deepEqual(stored(), [], 'not handed to another driver')
})
