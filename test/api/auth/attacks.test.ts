import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { nextPath } from '../../../src/api/auth/next-path.js'
import { compileAccessRule } from '../../../src/shared/access-rule.js'
import type { User } from '../../../src/shared/db/users.js'
import { hasCode } from '../../../src/shared/errors.js'
import { PIPELINE, startTestApi, type TestApi } from '../../helpers/api.js'
import { startPeopleApi } from '../../helpers/people.js'

/** Headers that fetch does not let a program set. */
async function send(
  { url }: TestApi,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Record<string, unknown> }> {
  const sent = request(`${url}${path}`, { method, headers })
  sent.end()
  const [response] = await once(sent, 'response')
  response.resume()
  return { status: response.statusCode, headers: response.headers }
}

/** What a server answers to bytes that no client would send. */
async function sendRaw({ url }: TestApi, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(lines.join('\r\n'))
  const parts: Buffer[] = []
  for await (const part of socket) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

test('no route takes a change from a page of another site, whoever is signed in', async (t) => {
  const api = await startPeopleApi(t)
  const admin = api.add({ email: 'admin@x' })
  // a webhook is believed for its signature alone
  const routes = api.table
    .listRoutes()
    .filter(
      ({ method, path }) => !['GET', 'OPTIONS'].includes(method) && !path.includes('webhooks'),
    )
  assert.ok(routes.length > 20)
  for (const { method, path } of routes)
    for (const forged of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const { status } = await send(api, method, path.replace(/:\w+/g, 'x'), {
        ...admin,
        ...forged,
      })
      assert.equal(status, 403, `${method} ${path} ${JSON.stringify(forged)}`)
    }
})

test('a name that somebody has point to this machine is not this server', async (t) => {
  const open = await startTestApi(t)
  const statusFor = async (api: TestApi, host: string) =>
    (await send(api, 'GET', '/api/pipelines', { host })).status
  for (const host of [
    'evil.example',
    'evil.example:80',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
  ])
    assert.equal(await statusFor(open, host), 403, host)
  for (const host of ['localhost', 'localhost:80', '127.0.0.1', '[::1]:80', 'ci.localhost'])
    assert.equal(await statusFor(open, host), 200, host)
  const proxied = await startTestApi(t, { flags: { 'trusted-proxies': ['loopback'] } })
  assert.equal(await statusFor(proxied, 'ci.example.com'), 200)
})

test('a request that two servers would cut differently is refused', async (t) => {
  const api = await startTestApi(t)
  const head = ['POST /api/pipelines/x/pause HTTP/1.1', 'Host: localhost', 'Connection: close']
  for (const [what, lines] of [
    [
      'two ways to tell its length',
      ['Content-Length: 4', 'Transfer-Encoding: chunked', '', '0', '', ''],
    ],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5', '', 'abcd']],
    ['a length that is none', ['Content-Length: 4x', '', 'abcd']],
    ['an encoding that is none', ['Transfer-Encoding: xchunked', '', '0', '', '']],
    ['a header in two lines', ['X-A: b', ' c', '', '']],
    ['a bare line feed', ['X-A: b\nX-B: c', '', '']],
    ['a space before a colon', ['Content-Length : 4', '', 'abcd']],
  ] as const)
    assert.match(await sendRaw(api, [...head, ...lines]), /^HTTP\/1\.1 400 /, what)
})

test('a head that is too large is refused', async (t) => {
  const api = await startTestApi(t)
  const lines = ['GET /health HTTP/1.1', 'Host: localhost', `X-A: ${'a'.repeat(20_000)}`, '', '']
  assert.match(await sendRaw(api, lines), /^HTTP\/1\.1 431 /)
})

test('nothing of a request gets into the head of the answer', async (t) => {
  const api = await startPeopleApi(t)
  for (const evil of ['%0d%0aX-Evil:%20yes', '%0aX-Evil: yes', '%E5%98%8A%E5%98%8DX-Evil:yes'])
    for (const path of [
      `/pipelines/${evil}/`,
      `/auth/login?next=/${evil}`,
      `/auth/github?next=/${evil}`,
      `/runs/${evil}`,
    ]) {
      const { headers } = await send(api, 'GET', path.replaceAll(' ', '%20'), {})
      assert.equal(headers['x-evil'], undefined, path)
    }
})

test('paths that lead elsewhere lead nowhere', async (t) => {
  const api = await startTestApi(t)
  const way = [
    '..%2f..%2f..%2fetc%2fpasswd',
    '%2e%2e%2f%2e%2e%2fpackage.json',
    '..%5c..%5cpackage.json',
    '....//package.json',
  ]
  for (const { method, path } of api.table.listRoutes())
    for (const evil of way) {
      if (method !== 'GET' || !path.includes(':')) continue
      const response = await api.fetch(path.replace(/:\w+/, evil).replace(/:\w+/g, 'x'))
      const text = await response.text()
      assert.ok(response.status >= 400, `${path} ${response.status}`)
      assert.doesNotMatch(text, /root:|"dependencies"/)
    }
})

/** Every route that reads JSON, for whoever may do everything. */
const JSON_ROUTES = [
  ['PUT', '/api/pipelines/p'],
  ['POST', '/api/pipelines/p/trigger'],
  ['POST', '/api/pipelines/p/run'],
  ['POST', '/api/runs/x/rerun'],
  ['POST', '/api/runs/x/share'],
  ['POST', '/api/tokens'],
  ['POST', '/auth/cli/begin'],
] as const

test('no body changes what all objects have, and none takes long', async (t) => {
  const api = await startPeopleApi(t)
  const admin = api.add({ email: 'admin@x' })
  const set = { content: PIPELINE, content_type: 'ts' }
  assert.equal((await api.as(admin, 'PUT', '/api/pipelines/p', set)).status, 200)
  const bombs = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"inputs":{"__proto__":{"polluted":1}},"secrets":{"__proto__":"x"}}',
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    `{${Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join(',')}}`,
    `{"name":"${'\\u0000'.repeat(100_000)}"}`,
    '1e999999',
  ]
  for (const [method, path] of JSON_ROUTES)
    for (const body of bombs) {
      const started = performance.now()
      const response = await api.fetch(path, {
        method,
        body,
        headers: { ...admin, 'content-type': 'application/json' },
      })
      await response.body?.cancel()
      const took = performance.now() - started
      assert.ok(response.status < 500, `${path} ${response.status} ${body.slice(0, 40)}`)
      assert.ok(took < 5_000, `${path} took ${took} ms for ${body.slice(0, 40)}`)
    }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('no text in a header, a cookie or a query takes long', async (t) => {
  const api = await startPeopleApi(t)
  const long = 12_000
  const texts = ['a', ' ', '=', ';', '%', '.', '/', '\\', '-', 'Basic ', ',', ':'].map((text) =>
    text.repeat(Math.floor(long / text.length)),
  )
  for (const text of texts)
    for (const headers of [
      { authorization: `Basic ${text}` },
      { authorization: `Bearer pci_${text}` },
      { authorization: `Bearer ${text}.${text}`.slice(0, long) },
      { cookie: `pocketci_session=${text}` },
      { cookie: text },
      { 'x-request-id': text },
      { 'x-forwarded-for': text },
      { 'user-agent': text, origin: text },
    ]) {
      const started = performance.now()
      await send(
        api,
        'GET',
        `/api/pipelines?q=${encodeURIComponent(text).slice(0, 3_000)}`,
        headers,
      )
      assert.ok(performance.now() - started < 2_000, JSON.stringify(headers).slice(0, 60))
    }
})

test('no path that anybody makes up leads to another server after a sign-in', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.stringMatching(/^[/\\.@:?#a\t\n\r%2f0 ]{0,20}$/),
  )
  fc.assert(
    fc.property(texts, (text) => {
      for (const base of ['http://ci.example.com', 'https://ci.example.com/auth/github/callback']) {
        const { origin } = new URL(nextPath(text), base)
        assert.equal(origin, new URL(base).origin)
      }
      assert.match(nextPath(text), /^\/(?![/\\])[\x21-\x7e]*$/)
    }),
    { interruptAfterTimeLimit: 5_000, numRuns: 50_000 },
  )
})

test('no rule that anybody makes up does more than say yes or no, in little time', () => {
  const user: User = {
    ...{ id: 1, provider: 'github', userId: '1', email: 'a@b', name: 'a', nickName: 'a' },
    ...{ avatarUrl: '', organizations: ['acme'], groups: [], rawData: { __proto__: null, a: [1] } },
  }
  const parts = fc.constantFrom(
    ...[
      'Email',
      'Organizations',
      'RawData',
      'Scopes',
      '"a"',
      '1',
      '..',
      '.',
      '?.',
      '[',
      ']',
      '(',
      ')',
    ],
    ...[
      'in',
      'not',
      'matches',
      'any(',
      'all(',
      '#',
      '==',
      '??',
      '+',
      '&&',
      '|',
      'let x =',
      ';',
      '{',
      '}',
    ],
    ...[
      'constructor',
      '__proto__',
      'toString',
      'process',
      '1..100000',
      '"(a+)+$"',
      'repeat',
      'true',
    ],
  )
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (tokens) => {
      const started = performance.now()
      try {
        const answer = compileAccessRule(tokens.join(' ')).admits(user, ['ci:read'])
        assert.equal(typeof answer, 'boolean')
      } catch (error) {
        assert.ok(hasCode(error, 'expression_invalid'), String(error))
      }
      assert.ok(performance.now() - started < 2_000, tokens.join(' '))
    }),
    { interruptAfterTimeLimit: 5_000, numRuns: 50_000 },
  )
})

test('a failure shows no stack, on no route', async (t) => {
  const api = await startTestApi(t, { deps: { compile: () => Promise.reject(new Error('boom')) } })
  const { status, body } = await api.call('PUT', '/api/pipelines/p', { content: 'x' })
  assert.equal(status, 500)
  assert.doesNotMatch(JSON.stringify(body), /boom|\.js|\.ts| at /)
  const page = await api.fetch('/runs/none/tasks', { headers: { accept: 'text/html' } })
  assert.doesNotMatch(await page.text(), /node_modules|\.js:\d+/)
})
