import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { PIPELINE, startTestApi, type TestApi } from '../helpers/api.js'

const MB = 1_048_576

test('every answer has the security headers and a request id', async (t) => {
  const api = await startTestApi(t)
  for (const path of [
    '/health',
    '/api/pipelines',
    '/pipelines/',
    '/no-such-page',
    '/api/runs/x/status',
  ]) {
    const { headers } = await api.call('GET', path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(headers.get('x-frame-options'), 'DENY')
    assert.equal(headers.get('x-xss-protection'), '1; mode=block')
    assert.match(
      headers.get('content-security-policy') ?? '',
      /default-src 'none'.*frame-ancestors 'none'/,
    )
    assert.doesNotMatch(headers.get('content-security-policy') ?? '', /unsafe/)
    assert.match(headers.get('x-request-id') ?? '', /^[A-Za-z]{32}$/)
    assert.equal(headers.get('x-powered-by'), null)
  }
})

test('a harmless request id is echoed, any other replaced', async (t) => {
  const api = await startTestApi(t)
  const idFor = async (given: string) =>
    (await api.fetch('/health', { headers: { 'x-request-id': given } })).headers.get('x-request-id')
  assert.equal(await idFor('abc-123'), 'abc-123')
  assert.equal(await idFor('x'.repeat(128)), 'x'.repeat(128))
  assert.match((await idFor('x'.repeat(129))) ?? '', /^[A-Za-z]{32}$/)
  assert.match((await idFor('two words')) ?? '', /^[A-Za-z]{32}$/)
})

test('an unknown path is 404, a wrong method 405 with Allow, OPTIONS 204; HEAD is not implied', async (t) => {
  const api = await startTestApi(t)
  const unknown = await api.call('GET', '/api/nothing')
  assert.equal(unknown.status, 404)
  assert.deepEqual(unknown.body, {
    error: 'Not Found',
    message: 'Not Found',
    code: 'not_found',
    request_id: unknown.headers.get('x-request-id'),
  })
  assert.equal((await api.call('GET', '/api/pipelines/')).status, 404)

  const wrong = await api.call('DELETE', '/api/pipelines')
  assert.equal(wrong.status, 405)
  assert.equal(wrong.body['message'], 'Method Not Allowed')
  assert.equal(wrong.headers.get('allow'), 'GET')
  const options = await api.call('OPTIONS', '/api/pipelines/x')
  assert.equal(options.status, 204)
  assert.equal(options.headers.get('allow'), 'GET, DELETE, PUT')
  assert.equal((await api.fetch('/api/pipelines', { method: 'HEAD' })).status, 405)
})

test('a path that does not decode is 400', async (t) => {
  const api = await startTestApi(t)
  for (const path of ['/api/pipelines/%E0%A4%A', '/%zz', '/runs/%ff/tasks']) {
    const { status, body } = await api.call('GET', path)
    assert.equal(status, 400, path)
    assert.equal(body['code'], 'request_invalid')
  }
})

test('changes asked for by another site are refused, those of the own page and of the command line pass', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const post = async (headers: Record<string, string>): Promise<number> => {
    // fetch does not let a program set these headers
    const sent = request(`${api.url}/api/pipelines/${id}/pause`, { method: 'POST', headers })
    sent.end()
    const [response] = await once(sent, 'response')
    response.resume()
    return response.statusCode
  }
  const own = new URL(api.url).host
  assert.equal(await post({}), 200)
  assert.equal(await post({ 'sec-fetch-site': 'same-origin', origin: api.url }), 200)
  assert.equal(await post({ 'sec-fetch-site': 'none' }), 200)
  assert.equal(await post({ origin: `http://${own}` }), 200)
  assert.equal(await post({ 'sec-fetch-site': 'cross-site' }), 403)
  assert.equal(await post({ 'sec-fetch-site': 'same-site' }), 403)
  assert.equal(await post({ origin: 'http://evil.example' }), 403)
  assert.equal(await post({ origin: 'null' }), 403)
  assert.equal(await post({ origin: 'http://127.0.0.1:1' }), 403)
  assert.equal(
    (await api.fetch('/api/pipelines', { headers: { 'sec-fetch-site': 'cross-site' } })).status,
    200,
  )
})

test('a body over the limit is 413, also without its length, and nothing is stored', async (t) => {
  const api = await startTestApi(t, { flags: { 'max-body-mb': ['1'] } })
  const large = JSON.stringify({ content: `${PIPELINE}//${'x'.repeat(MB)}` })
  const declared = await put(api, large)
  const chunked = await put(api, new Blob([large]).stream())
  for (const { status, body } of [declared, chunked]) {
    assert.equal(status, 413)
    assert.equal(body['message'], 'Request Entity Too Large')
    assert.equal(body['code'], 'body_too_large')
  }
  assert.equal((await api.call('GET', '/api/pipelines')).body['total_items'], 0)
})

test('a client that never stops sending gets its 413 at once', async (t) => {
  const api = await startTestApi(t, { flags: { 'max-body-mb': ['1'] } })
  const { hostname, port } = new URL(api.url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  socket.write(
    'PUT /api/pipelines/p HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  )
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
  const feed = (): void => {
    while (socket.write(chunk));
  }
  socket.on('drain', feed).on('error', () => undefined)
  feed()
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 413 /)
})

test('bodies that are no JSON object of known fields are 400 and say what is wrong', async (t) => {
  const api = await startTestApi(t)
  const cases: [body: string, type: string, text: string][] = [
    ['{"content":', 'application/json', 'invalid request body'],
    ['{}', 'text/plain', 'invalid request body'],
    ['\xff', 'application/json', 'invalid request body'],
    ['', 'application/json', 'content is required'],
    ['content=x', 'application/x-www-form-urlencoded', 'content is required'],
    ['--x--', 'multipart/form-data; boundary=x', 'content is required'],
    [
      '{"content":5}',
      'application/json',
      'invalid request body: content: Invalid input: expected string, received number',
    ],
    [
      '[]',
      'application/json',
      'invalid request body: Invalid input: expected object, received array',
    ],
    ['null', 'application/json', 'content is required'],
    [
      '{"content":"x","colour":1}',
      'application/json',
      'invalid request body: unknown field "colour"',
    ],
    [
      '{"content":"x","__proto__":{"a":1}}',
      'application/json',
      'invalid request body: unknown field "__proto__"',
    ],
    [
      '{"content":"x","secrets":{"A":1}}',
      'application/json',
      'invalid request body: secrets.A: every value must be a string',
    ],
    [
      '{"content":"x","secrets":{"__proto__":"x"}}',
      'application/json',
      'invalid request body: secrets: "__proto__" is not a key',
    ],
    ['['.repeat(10_000), 'application/json', 'invalid request body'],
    [
      `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
      'application/json',
      'invalid request body: Invalid input: expected object, received array',
    ],
  ]
  for (const [body, type, text] of cases) {
    const answer = await put(api, Buffer.from(body, 'latin1'), type)
    assert.deepEqual([answer.status, answer.body['error']], [400, text], body.slice(0, 50))
    assert.equal(answer.body['message'], answer.body['error'])
    assert.ok(Object.values(answer.body).every((value) => typeof value === 'string'))
  }
  assert.equal(({} as { a?: number }).a, undefined)
})

test('the access log has neither queries nor headers, and the stack of what nobody foresaw', async (t) => {
  const api = await startTestApi(t, {
    deps: { compile: () => Promise.reject(new Error('boom')) },
  })
  await api.fetch('/api/pipelines?token=hush', {
    headers: { authorization: 'Bearer hush', cookie: 'a=hush' },
  })
  const { status, body } = await api.call('PUT', '/api/pipelines/p', { content: 'x' })
  assert.deepEqual(
    [status, body['error'], body['code']],
    [500, 'internal server error', 'internal'],
  )
  const log = api.logLines().join('')
  assert.doesNotMatch(log, /hush/)
  assert.equal(log.match(/boom.*http\.test/g)?.length, 1)
})

test('probes answer, and readiness ends when the server stops', async (t) => {
  const api = await startTestApi(t)
  for (const path of ['/health', '/health/', '/ready']) {
    const { status, body } = await api.call('GET', path)
    assert.deepEqual([status, body['text']], [200, 'OK'], path)
  }
  api.stopping.abort()
  assert.equal((await api.call('GET', '/ready')).status, 503)
  assert.equal((await api.call('GET', '/health')).status, 200)
})

test('drivers and features are plain lists', async (t) => {
  const api = await startTestApi(t, { flags: { 'allowed-features': ['secrets,fetch'] } })
  assert.deepEqual((await api.call('GET', '/api/drivers')).body, { drivers: ['docker', 'native'] })
  assert.deepEqual((await api.call('GET', '/api/features')).body, {
    features: ['secrets', 'fetch'],
  })
})

async function put(
  { url }: TestApi,
  body: BodyInit,
  type = 'application/json',
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/api/pipelines/p`, {
    method: 'PUT',
    body,
    headers: { 'content-type': type },
    // needed for a stream as the body; the types do not know it
    ...({ duplex: 'half' } as object),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
