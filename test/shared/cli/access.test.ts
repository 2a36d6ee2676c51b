import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { startTestApi } from '../../helpers/api.js'
import { startSignInWorld } from '../../helpers/sign-in-world.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { runCli, startCli } from '../../helpers/cli-process.js'
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

test('login prints a code, waits for the browser, and keeps the token beside others', async (t) => {
  const { api, browser, signIn } = await startSignInWorld(t, 'github')
  await signIn()
  const file = join(tempDir(t), 'deep', 'auth.config')
  mkdirSync(dirname(file))
  writeFileSync(file, '{"servers":{"http://other":{"token":"kept"}}}', { mode: 0o644 })
  const login = startCli(['login', '-s', `${api.url}/`, '-c', file], { env: { PATH: '' } })
  let output = ''
  login.child.stdout.on('data', (text: string) => (output += text))
  await login.says('Waiting for authentication...')
  const [, code = ''] = /Your device code: (\w+)/.exec(output) ?? []
  assert.ok(output.includes(`  ${api.url}/auth/cli/approve?code=${code}\n`))
  const body = new URLSearchParams({ code })
  await browser.open(`${api.url}/auth/cli/approve`, { method: 'POST', body })
  const done = await login.exited
  assert.equal(done.code, 0, done.stderr)
  assert.match(
    done.stdout,
    /authenticated!\nToken saved to .*auth\.config\nexport CI_AUTH_TOKEN=ey/,
  )
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const saved = JSON.parse(readFileSync(file, 'utf8')) as { servers: object }
  assert.deepEqual(Object.keys(saved.servers), ['http://other', api.url])
  assert.equal((await runCli(['pipeline', 'ls', '-s', api.url, '-c', file])).code, 0)
  const refused = await runCli(['pipeline', 'ls', '-s', api.url])
  assert.match(refused.stderr, /Please log in first:\n +pocketci login -s http:/)
})

test('a server without a provider says so to login', async (t) => {
  const { url } = await startTestApi(t)
  const { code, stderr } = await runCli(['login', '-s', url])
  assert.equal(code, 1)
  assert.match(stderr, /begin device flow: the server does not sign people in/)
})

test('tokens are made, listed, used and revoked', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  const env = { CI_SERVER_URL: api.url.replace('//', '//admin:a%3Ab%40c@') }
  const run = (...args: string[]) => runCli(['token', ...args], { env })
  const made = await run('create', 'bot', '--scope', 'ci:read')
  assert.equal(made.code, 0, made.stderr)
  const token = made.stdout.trim()
  const asBot = { CI_SERVER_URL: api.url, CI_AUTH_TOKEN: token }
  assert.equal((await runCli(['pipeline', 'ls'], { env: asBot })).code, 0)
  const refused = await runCli(['token', 'ls'], { env: asBot })
  assert.match(refused.stderr, /the token is not good for ci:admin/)
  const listed = await run('ls')
  const [head = '', row = ''] = listed.stdout.split('\n')
  assert.match(head, /^ID +KIND +NAME +SCOPES +CREATED +UNTIL +USED$/)
  const [, id = ''] = /^(\S+) +api +bot +ci:read /.exec(row) ?? []
  assert.deepEqual((await run('rm', id)).stdout, `Token '${id}' is revoked\n`)
  assert.match((await run('rm', id)).stderr, /you have no token/)
  assert.equal((await runCli(['pipeline', 'ls'], { env: asBot })).code, 1)
  const wrong = await run('create', 'bot', '--scope', 'root')
  assert.deepEqual([wrong.code, wrong.stdout], [80, ''])
})

test('the audit log is listed with filters, and exported', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  const env = { CI_SERVER_URL: api.url.replace('//', '//admin:a%3Ab%40c@') }
  const run = (...args: string[]) => runCli(args, { env })
  await run('token', 'create', 'bot', '--scope', 'ci:read')
  const listed = await run('audit', 'ls', '--action', 'token.create', '--by', 'basic:admin')
  assert.equal(listed.code, 0, listed.stderr)
  const [head = '', row = '', ...more] = listed.stdout.trimEnd().split('\n')
  assert.match(head, /^AT +BY +ACTION +OUTCOME +PIPELINE +TARGET +FROM$/)
  assert.match(row, /basic:admin +token\.create +success .* 127\.0\.0\.1$/)
  assert.deepEqual(more, [])
  assert.equal((await run('audit', 'ls', '--outcome', 'denied', '--json')).stdout, '[]\n')
  const exported = await run('audit', 'export', '--since', '2020-01-01')
  assert.equal((JSON.parse(exported.stdout) as { action: string }).action, 'token.create')
  assert.match((await run('audit', 'ls', '--since', 'x')).stderr, /since: expected a time/)
})
