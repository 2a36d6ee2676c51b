import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEvents, startTestApi, type TestApi } from '../helpers/api.js'
import { toTarZst } from '../helpers/tar.js'
import { until } from '../helpers/until.js'

test('a run streams its output from the queue to its end', async (t) => {
  const api = await startTestApi(t, { deps: { timings: { heartbeatMs: 20 } } })
  await api.set('p')
  const response = await api.fetch('/api/pipelines/p/run', {
    method: 'POST',
    body: '{"args":["a","b"]}',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  assert.equal(response.headers.get('cache-control'), 'no-cache')
  const runId = response.headers.get('x-run-id') ?? ''
  const run = api.runs.find(runId)
  assert.deepEqual(
    [run?.status, run?.triggerType, run?.triggerInput],
    ['queued', 'cli', { args: ['a', 'b'] }],
  )

  const seen: unknown[] = []
  let pings = 0
  for await (const event of readEvents(response)) {
    if (typeof event === 'string') {
      assert.equal(event, ': ping')
      // it waits in the queue: only now somebody takes it
      if (++pings === 2) runToEnd(api, runId)
      continue
    }
    assert.deepEqual(Object.keys(event), ['data'])
    seen.push(event.data)
  }
  assert.deepEqual(seen, [
    { stream: 'stdout', data: 'hello\n' },
    { stream: 'stderr', data: 'oh' },
    { stream: 'stdout', data: 'ä' },
    { stream: 'stdout', data: '\ufffd' },
    { event: 'exit', code: 0, run_id: runId },
  ])
})

test('lines stay under 64 KiB whatever the output is, and lose nothing', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const response = await api.fetch('/api/pipelines/p/run', { method: 'POST' })
  const runId = response.headers.get('x-run-id') ?? ''
  api.claim()
  const outputs = [
    '\u0001'.repeat(65_536),
    '🚀'.repeat(16_000),
    'x'.repeat(65_536),
    '漢'.repeat(21_000),
  ]
  for (const output of outputs) api.print(runId, 1, output)
  api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
  const text = await response.text()
  let output = ''
  for (const line of text.split('\n')) {
    assert.ok(Buffer.byteLength(line) < 60_000, `${Buffer.byteLength(line)} bytes`)
    if (!line.startsWith('data: ')) continue
    const event = JSON.parse(line.slice(6)) as { data?: string }
    output += event.data ?? ''
  }
  assert.equal(output, outputs.join(''))
})

test('a run that fails or is stopped ends the stream with code 1 and its message', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const lastEvent = async (act: (runId: string) => unknown) => {
    const response = await api.fetch('/api/pipelines/p/run', { method: 'POST' })
    const runId = response.headers.get('x-run-id') ?? ''
    await act(runId)
    let last
    for await (const event of readEvents(response)) last = event
    return [last && typeof last === 'object' && last.data, runId]
  }
  const [failed, failedId] = await lastEvent((runId) => {
    api.claim()
    const outcome = { status: 'failed', errorCode: 'x', errorMessage: 'boom' } as const
    api.runs.finish({ runId, attempt: 1 }, outcome, Date.now())
  })
  assert.deepEqual(failed, { event: 'exit', code: 1, run_id: failedId, message: 'boom' })
  const [stopped, stoppedId] = await lastEvent((runId) =>
    api.call('POST', `/api/runs/${runId}/stop`),
  )
  assert.deepEqual(stopped, {
    event: 'exit',
    code: 1,
    run_id: stoppedId,
    message: 'Run stopped by user',
  })
  const [deleted] = await lastEvent(() => api.call('DELETE', '/api/pipelines/p'))
  assert.deepEqual(deleted, { event: 'error', message: 'the run was deleted' })
})

test('a client that leaves does not stop its run', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const leaving = new AbortController()
  const response = await api.fetch('/api/pipelines/p/run', {
    method: 'POST',
    signal: leaving.signal,
  })
  const runId = response.headers.get('x-run-id') ?? ''
  api.claim()
  leaving.abort()
  await assert.rejects(response.text())
  await until('the server noticed', () =>
    api.logLines().some((line) => line.includes('client left')),
  )
  assert.deepEqual(
    [api.runs.find(runId)?.status, api.runs.find(runId)?.stopRequestedAt],
    ['running', null],
  )
})

test('a multipart body brings arguments, with or without a working directory', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const post = (parts: [name: string, value: string | Blob][]) => {
    const form = new FormData()
    for (const [name, value] of parts)
      if (typeof value === 'string') form.set(name, value)
      else form.set(name, value, `${name}.tar.zst`)
    return api.fetch('/api/pipelines/p/run', { method: 'POST', body: form })
  }
  const argsOf = async (response: Response) => {
    assert.equal(response.status, 200)
    await response.body?.cancel()
    return api.runs.find(response.headers.get('x-run-id') ?? '')?.triggerInput
  }
  assert.deepEqual(await argsOf(await post([['args', '["x","y"]']])), { args: ['x', 'y'] })
  assert.deepEqual(await argsOf(await post([['args', 'null']])), {})
  assert.deepEqual(await argsOf(await post([['other', 'x']])), {})

  const withWorkdir = new Blob([new Uint8Array(toTarZst([{ name: 'a', content: 'x' }]))])
  const both: [string, string | Blob][] = [
    ['args', '["z"]'],
    ['workdir', withWorkdir],
  ]
  assert.deepEqual(await argsOf(await post(both)), { args: ['z'] })

  const queued = api.runs.countQueued(100)
  const errorOf = async (response: Response) => [
    response.status,
    ((await response.json()) as { error: string }).error,
  ]
  assert.deepEqual(await errorOf(await post([['args', '{']])), [
    400,
    'invalid request body: args: expected a JSON array of strings',
  ])
  assert.deepEqual(await errorOf(await post([['args', '[1]']])), [
    400,
    'invalid request body: 0: Invalid input: expected string, received number',
  ])
  const damaged = await api.fetch('/api/pipelines/p/run', {
    method: 'POST',
    body: 'no form at all',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  })
  assert.deepEqual(await errorOf(damaged), [
    400,
    'invalid request body: its multipart form is damaged',
  ])
  const unbounded = await api.fetch('/api/pipelines/p/run', {
    method: 'POST',
    body: 'x',
    headers: { 'content-type': 'multipart/form-data' },
  })
  assert.deepEqual(await errorOf(unbounded), [
    400,
    'invalid request body: its multipart form has no boundary',
  ])
  assert.equal(api.runs.countQueued(100), queued)
})

test('a server that closes ends its streams and says so', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const response = await api.fetch('/api/pipelines/p/run', { method: 'POST' })
  api.closing.abort()
  const events = []
  for await (const event of readEvents(response)) events.push(event)
  assert.equal(events.length, 1)
  assert.match(JSON.stringify(events), /"event":"error","message":"the server is stopping/)
})

function runToEnd(api: TestApi, runId: string): void {
  api.claim()
  api.print(runId, 1, 'hello\n')
  api.print(runId, 1, 'oh', 'stderr')
  const umlaut = Buffer.from('ä')
  api.print(runId, 2, umlaut.subarray(0, 1))
  api.print(runId, 1, umlaut.subarray(0, 1))
  api.print(runId, 2, umlaut.subarray(1))
  api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
}
