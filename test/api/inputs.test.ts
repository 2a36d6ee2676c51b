import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startTestApi } from '../helpers/api.js'

const SOURCE = `export const inputs = {
  env: { type: 'choice', choices: ['staging', 'production'], required: true, description: '<where>' },
  count: { type: 'number', default: 2 },
  fast: { type: 'boolean' },
}
export const pipeline = async () => {}`

async function start(t: TestContext) {
  const api = await startTestApi(t)
  const id = await api.set('deploy', { content: SOURCE })
  const form = (fields: Record<string, string>) =>
    api.fetch(`/pipelines/${id}/trigger`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams(fields),
    })
  return { api, id, form }
}

test('a pipeline shows what its runs may be given', async (t) => {
  const { api, id } = await start(t)
  const { body } = await api.call('GET', `/api/pipelines/${id}`)
  assert.deepEqual(Object.keys(body['inputs'] as object), ['env', 'count', 'fast'])
  const plain = await api.call('GET', `/api/pipelines/${await api.set('plain')}`)
  assert.equal(plain.body['inputs'], undefined)
  await api.set('deploy')
  assert.equal((await api.call('GET', `/api/pipelines/${id}`)).body['inputs'], undefined)
})

test('a declaration that is wrong is refused when it is set, and nothing is stored', async (t) => {
  const { api } = await start(t)
  const content = `export const inputs = { a: { type: 'date' } }\n${SOURCE.split('\n').at(-1)}`
  const { status, body } = await api.call('PUT', '/api/pipelines/wrong', { content })
  assert.equal(status, 400)
  assert.match(String(body['error']), /^inputs\.a\.type: /)
  assert.equal((await api.call('GET', '/api/pipelines/wrong')).status, 404)
})

test('a trigger gives inputs; the run has them with the defaults', async (t) => {
  const { api, id } = await start(t)
  const { status, body } = await api.call('POST', `/api/pipelines/${id}/trigger`, {
    inputs: { env: 'staging', fast: 'true' },
  })
  assert.equal(status, 202)
  const expected = { inputs: { env: 'staging', count: 2, fast: true } }
  assert.deepEqual(body['trigger_input'], expected)
  const run = await api.call('GET', `/api/runs/${String(body['run_id'])}/status`)
  assert.deepEqual(run.body['trigger_input'], expected)
})

test('inputs that do not fit are refused before there is a run', async (t) => {
  const { api, id } = await start(t)
  for (const [inputs, error] of [
    [{}, 'inputs.env: it is required'],
    [{ env: 'prod' }, 'inputs.env: expected one of staging, production, got "prod"'],
    [
      { env: 'staging', evn: 'x' },
      'inputs.evn: there is no such input; there are: env, count, fast',
    ],
  ] as const)
    for (const route of ['trigger', 'run']) {
      const { status, body } = await api.call('POST', `/api/pipelines/${id}/${route}`, { inputs })
      assert.deepEqual([status, body['error']], [400, error])
    }
  const bad = await api.call('POST', `/api/pipelines/${id}/trigger`, { inputs: { env: null } })
  assert.equal(bad.status, 400)
  assert.equal(api.runs.list({ page: 1, perPage: 1 }).totalItems, 0)
})

test('a form has inputs before its working directory', async (t) => {
  const { api, id } = await start(t)
  const send = async (...parts: [string, string | Blob][]) => {
    const body = new FormData()
    for (const [name, value] of parts) body.append(name, value)
    return api.fetch(`/api/pipelines/${id}/run`, { method: 'POST', body })
  }
  for (const [parts, error] of [
    [[['inputs', '{']], 'invalid request body: inputs: expected a JSON object'],
    [[['inputs', '[]']], /invalid request body: inputs: /],
    [
      [
        ['inputs', '{}'],
        ['inputs', '{}'],
      ],
      'invalid request body: inputs: sent twice',
    ],
    [[['inputs', new Blob(['{}'])]], 'invalid request body: inputs: expected a field, not a file'],
    [[['inputs', '{"env":"x"}']], /inputs\.env: expected one of/],
  ] as [[string, string | Blob][], string | RegExp][]) {
    const response = await send(...parts)
    assert.equal(response.status, 400)
    const text = ((await response.json()) as { error: string }).error
    if (typeof error === 'string') assert.equal(text, error)
    else assert.match(text, error)
  }
  const accepted = await send(['args', '["one"]'], ['inputs', '{"env":"production"}'])
  assert.equal(accepted.status, 200)
  await accepted.body?.cancel()
  const [run] = api.runs.list({ page: 1, perPage: 1 }).items
  assert.deepEqual(run?.triggerInput, {
    args: ['one'],
    inputs: { env: 'production', count: 2 },
  })
})

test('the page of a pipeline has a form that works without script', async (t) => {
  const { api, id, form } = await start(t)
  const page = await (await api.fetch(`/pipelines/${id}/`)).text()
  assert.match(page, /<label for="input\.env">/)
  assert.match(page, /<select[^>]* name="input\.env"[^>]* required/)
  assert.match(page, /<option value="staging">/)
  assert.match(page, /<input[^>]* name="input\.count"[^>]* type="number"[^>]* value="2"/)
  assert.match(page, /&lt;where>|&lt;where&gt;/)
  const list = await (await api.fetch('/pipelines/')).text()
  assert.match(list, new RegExp(`href="/pipelines/${id}/#trigger"`))

  const started = await form({ 'input.env': 'staging', 'input.count': '3', 'input.fast': '' })
  assert.equal(started.status, 303)
  const [run] = api.runs.list({ page: 1, perPage: 1 }).items
  assert.deepEqual(run?.triggerInput, { inputs: { env: 'staging', count: 3 } })
  const refused = await form({ 'input.env': '' })
  assert.equal(refused.status, 400)
  assert.match(await refused.text(), /inputs\.env: it is required/)
})
