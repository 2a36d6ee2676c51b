import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../../helpers/api.js'
import { runCli } from '../../helpers/cli-process.js'
import { until } from '../../helpers/until.js'
import { startServer } from '../../helpers/server.js'

const FLAGS = { 'basic-auth': ['admin:a:b@c'] }

test('the command line has user and password in its address, and shows neither', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  const address = api.url.replace('//', '//admin:a%3Ab%40c@')
  const right = await runCli(['pipeline', 'ls'], { env: { CI_SERVER_URL: address } })
  assert.deepEqual([right.code, right.stderr], [0, ''])
  const wrong = await runCli(['pipeline', 'ls', '-s', address.replace('admin', 'root')])
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /authentication required: server http:\/\/127\.[^@]* returned 401/)
  assert.doesNotMatch(wrong.stderr, /a%3Ab|a:b@c/)
})

test('a server with a password listens where it is told, without a warning', async (t) => {
  const server = await startServer(t, { args: ['--host=0.0.0.0'], env: { CI_BASIC_AUTH: 'a:b' } })
  assert.equal((await server.api('/api/pipelines')).status, 401)
  assert.equal((await fetch(`${server.url}/ready`)).status, 200)
  assert.doesNotMatch(server.log(), /no sign-in is set up/)
})

test('a server without one says what that means', async (t) => {
  const server = await startServer(t, { args: ['--host=0.0.0.0'] })
  await until('the warning is there', () => server.log().includes('no sign-in is set up'))
})
