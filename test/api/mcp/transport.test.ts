import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../../helpers/api.js'
import { connectMcp } from '../../helpers/mcp-client.js'

const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

const post = (api: TestApi, body: string, headers: Record<string, string> = {}) =>
  api.fetch('/mcp', { method: 'POST', body, headers: { ...HEADERS, ...headers } })

test('a request needs nothing before it and is answered by one event', async (t) => {
  const api = await startTestApi(t)
  for (const path of ['/mcp', '/mcp/']) {
    const response = await api.fetch(path, { method: 'POST', body: LIST, headers: HEADERS })
    assert.deepEqual(
      [response.status, response.headers.get('content-type')],
      [200, 'text/event-stream'],
    )
    const text = await response.text()
    assert.match(text, /^event: message\ndata: \{.*"id":1.*\}\n\n$/)
    assert.match(text, /"name":"get_run"/)
  }
  const note = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })
  const accepted = await post(api, note)
  assert.deepEqual([accepted.status, await accepted.text()], [202, ''])
})

test('what is no request of the protocol is refused', async (t) => {
  const api = await startTestApi(t, { flags: { 'max-body-mb': ['1'] } })
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const big = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x', params: { a: 'x'.repeat(2e6) } })
  for (const [status, body, headers] of [
    [415, LIST, { 'content-type': 'text/plain' }],
    [406, LIST, { accept: 'application/json' }],
    [400, '', {}],
    [400, '{', {}],
    [400, '{"jsonrpc":"1.0"}', {}],
    [400, deep, {}],
    [400, LIST, { 'mcp-protocol-version': '1999-01-01' }],
    [413, big, {}],
    [403, LIST, { origin: 'http://evil.example' }],
  ] as const)
    assert.equal((await post(api, body, headers)).status, status, `${status} ${body.slice(0, 20)}`)
  for (const method of ['GET', 'DELETE', 'PUT']) {
    const response = await api.fetch('/mcp', { method, headers: HEADERS })
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST'], method)
  }
})

test('an open server on loopback answers to no name but its own', async (t) => {
  const api = await startTestApi(t)
  const statusFor = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request(`${api.url}/mcp`, { method: 'POST', headers: { ...HEADERS, host } })
      sent.on('error', reject).on('response', (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.end(LIST)
    })
  assert.equal(await statusFor('rebound.example:80'), 403)
  assert.equal(await statusFor('localhost:80'), 200)
  assert.equal(await statusFor('[::1]:80'), 200)
})

test('waiting for a run ends with the server', { timeout: 40_000 }, async (t) => {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('p'))
  const { call } = await connectMcp(t, api.url)
  const waiting = call('wait_for_run', { run_id: runId, timeout_seconds: 50 })
  api.closing.abort()
  assert.equal((await waiting)['is_over'], false)
})
