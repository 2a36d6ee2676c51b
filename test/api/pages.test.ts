import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../helpers/api.js'

const EVIL = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`

test('the list is there, empty at first, then with pipelines, their latest runs and a trigger', async (t) => {
  const api = await startTestApi(t)
  const root = await api.call('GET', '/')
  assert.deepEqual([root.status, root.headers.get('location')], [301, '/pipelines/'])
  assert.match(await page(api, '/pipelines/'), /No pipelines found\.[\s\S]*pocketci pipeline set/)

  const id = await api.set('build')
  const runId = await api.trigger(id)
  const list = await page(api, '/pipelines/')
  assert.match(list, new RegExp(`href="/pipelines/${id}/">build</a>`))
  assert.match(list, new RegExp(`href="/runs/${runId}/tasks"`))
  assert.match(list, /data-refresh="active"/)
  assert.match(await page(api, '/pipelines/?q=nothing'), /No pipelines match/)
  const css = /href="(\/static\/pocketci\.css[^"]*)"/.exec(list)?.[1] ?? ''
  assert.match(css, /^\/static\/pocketci\.css/)
})

test('long lists have pages that keep the search', async (t) => {
  const api = await startTestApi(t)
  for (let at = 0; at < 3; at++) await api.set(`p${at}`)
  const list = await page(api, '/pipelines/?q=p&per_page=1&page=2')
  assert.match(list, /Page 2 of 3/)
  assert.match(list, /page=3&amp;per_page=1&amp;q=p/)
})

test('no text of others becomes markup', async (t) => {
  const api = await startTestApi(t)
  const name = EVIL.replaceAll('/', '')
  const id = await api.set(name, { content: `// ${EVIL}\nexport const pipeline = 1` })
  const { body } = await api.call('POST', `/api/pipelines/${id}/trigger`, {
    mode: 'args',
    args: [EVIL],
  })
  const runId = String(body['run_id'])
  api.claim()
  const claim = { runId, attempt: 1 }
  api.tasks.insert(claim, { step: 1, path: `/pipeline/${runId}/tasks/0`, name: EVIL })
  api.tasks.finish(claim, 1, { status: 'error', errorMessage: EVIL }, Date.now())
  api.print(runId, 1, EVIL)
  api.runs.finish(claim, { status: 'failed', errorCode: 'x', errorMessage: EVIL }, Date.now())
  for (const path of [
    '/pipelines/',
    `/pipelines/?q=${encodeURIComponent(EVIL)}`,
    `/pipelines/${id}/`,
    `/runs/${runId}/tasks`,
  ]) {
    const html = await page(api, path)
    assert.match(html, /&lt;script/, path)
    assert.doesNotMatch(html, /<img|<script>|<script(?! type="module" src="\/static)/, path)
    assert.doesNotMatch(html, /<[^>]* on\w+=|<[^>]* style=/, path)
  }
})

test('a run shows its steps with the beginning of their output, inert', async (t) => {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('p'))
  api.claim()
  const claim = { runId, attempt: 1 }
  api.tasks.insert(claim, { step: 1, path: `/pipeline/${runId}/tasks/0`, name: 'compile' })
  api.print(
    runId,
    1,
    '\u001b[31mred\u001b[0m \u001b]8;;http://evil\u0007link\u001b]8;;\u0007 \u0000 \u202eabc',
  )
  api.print(runId, 1, Buffer.from([0x0a, 0xff, 0xfe]))
  api.print(runId, 1, 'x'.repeat(20_000))
  const html = await page(api, `/runs/${runId}/tasks`)
  assert.match(html, /id="step-1"[\s\S]*compile/)
  assert.match(html, />red link ␀ \[U\+202E\]abc\n\ufffd\ufffdx/)
  // oxlint-disable-next-line no-control-regex -- what must not be there
  assert.doesNotMatch(html, /[\u0000\u001b\u202e]/)
  assert.match(html, /Only the beginning is shown; there are 20052 bytes\./)
  assert.match(html, new RegExp(`href="/api/runs/${runId}/logs\\?step=1"`))
  assert.match(html, /data-run-active="true"/)
})

test('the buttons work without script', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const triggered = await api.call('POST', `/pipelines/${id}/trigger`)
  assert.equal(triggered.status, 303)
  const target = triggered.headers.get('location') ?? ''
  const runId = /^\/runs\/([\w-]{21})\/tasks$/.exec(target)?.[1] ?? ''
  const stopped = await api.call('POST', `/runs/${runId}/stop`)
  assert.deepEqual([stopped.status, stopped.headers.get('location')], [303, target])
  assert.match(await page(api, target), /Run stopped by user/)
  await api.call('POST', `/pipelines/${id}/pause`)
  assert.match(await page(api, `/pipelines/${id}/`), /This pipeline is paused\./)
  await api.call('POST', `/pipelines/${id}/unpause`)
  assert.doesNotMatch(await page(api, `/pipelines/${id}/`), /This pipeline is paused\./)
  const short = await api.call('GET', `/runs/${runId}`)
  assert.deepEqual([short.status, short.headers.get('location')], [302, target])
})

test('who opens a page gets errors as a page, everybody else JSON', async (t) => {
  const api = await startTestApi(t)
  const html = { headers: { accept: 'text/html' } }
  const missing = await api.fetch('/runs/nope/tasks', html)
  assert.equal(missing.status, 404)
  assert.match(await missing.text(), /<h1>run not found<\/h1>/)
  assert.match(await (await api.fetch('/nowhere', html)).text(), /<h1>Not Found<\/h1>/)
  const json = await api.fetch('/api/runs/nope/status', html)
  assert.equal(json.headers.get('content-type'), 'application/json')
  await json.text()
})

test('assets never change under their address, and nothing else is served', async (t) => {
  const bytes = Buffer.from('body{}')
  const assets = new Map([['a.css', { bytes, type: 'text/css; charset=UTF-8', hash: 'h1' }]])
  const api = await startTestApi(t, { deps: { assets } })
  const versioned = await api.fetch('/static/a.css?v=h1')
  assert.equal(versioned.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  assert.equal(versioned.headers.get('content-type'), 'text/css; charset=UTF-8')
  assert.equal(await versioned.text(), 'body{}')
  const plain = await api.fetch('/static/a.css')
  assert.equal(plain.headers.get('cache-control'), 'no-cache')
  await plain.text()
  const known = await api.fetch('/static/a.css', { headers: { 'if-none-match': '"h1"' } })
  assert.deepEqual([known.status, await known.text()], [304, ''])
  for (const path of ['/static/', '/static/b.css', '/static/..%2Fmain.js', '/static/__proto__'])
    assert.equal((await api.call('GET', path)).status, 404, path)
})

async function page({ fetch }: TestApi, path: string): Promise<string> {
  const response = await fetch(path, { headers: { accept: 'text/html' } })
  assert.equal(response.status, 200, path)
  assert.equal(response.headers.get('content-type'), 'text/html; charset=UTF-8')
  return response.text()
}
