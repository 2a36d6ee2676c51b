import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startTestApi } from '../../helpers/api.js'
import { runCli } from '../../helpers/cli-process.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'

const CONTENT = `export const schedules = {
  nightly: { cron: '0 3 * * *' },
  'a-name-of-more-than-twenty-letters': { cron: '0 9 * * MON', timezone: 'Europe/Berlin' },
  often: { every: '30m' },
}
export const pipeline = async () => {}`

async function start(t: TestContext) {
  const now = (): number => Date.parse('2026-01-01T12:00:00.123Z')
  const api = await startTestApi(t, { deps: { now } })
  await api.set('build', { content: CONTENT })
  const schedule = (...args: string[]) =>
    runCli(['pipeline', 'schedule', ...args], { env: { CI_SERVER_URL: api.url } })
  return { api, schedule }
}

test('pipeline schedule ls shows a line a schedule, with its next time', async (t) => {
  const { api, schedule } = await start(t)
  assert.equal((await schedule('pause', 'build', 'often')).code, 0)
  const { code, stdout, stderr } = await schedule('ls', 'build')
  assert.equal(code, 0, stderr)
  assert.equal(
    stdout,
    [
      'a-name-of-more-than-twenty-letters cron       CRON_TZ=Europe/Berlin 0 9 * * MON enabled  next: 2026-01-05T08:00:00Z',
      'nightly              cron       0 3 * * *    enabled  next: 2026-01-02T03:00:00Z',
      'often                interval   30m          paused   next: never',
      '',
    ].join('\n'),
  )
  const [first] = JSON.parse((await schedule('list', 'build', '--json')).stdout)
  assert.equal(first.next_run_at, '2026-01-05T08:00:00.000Z')

  await api.set('plain')
  assert.equal((await schedule('ls', 'plain')).stdout, "No schedules for pipeline 'plain'\n")
  assert.match((await schedule('ls', 'none')).stderr, /find pipeline: no pipeline found with/)
})

test('pipeline schedule pause and unpause say what they did', async (t) => {
  const { schedule } = await start(t)
  const paused = await schedule('pause', 'build', 'often')
  assert.deepEqual(
    [paused.code, paused.stdout],
    [0, "Schedule 'often' paused for pipeline 'build'\n"],
  )
  assert.match((await schedule('ls', 'build')).stdout, /^often .* paused +next: never$/m)
  const unpaused = await schedule('unpause', 'build', 'often')
  assert.deepEqual(
    [unpaused.code, unpaused.stdout],
    [0, "Schedule 'often' unpaused for pipeline 'build'\n"],
  )
  assert.match((await schedule('ls', 'build')).stdout, /^often .*next: 2026-01-01T12:30:00Z$/m)
  const missing = await schedule('pause', 'build', 'none')
  assert.deepEqual(
    [missing.code, missing.stderr],
    [1, 'pocketci: error: schedule "none" not found for pipeline "build"\n'],
  )
})

test('what a server calls a schedule does not steer the terminal', async (t) => {
  const { url } = await startHttpStandIn(t, (request, response) => {
    if (request.url.endsWith('/schedules'))
      return answerJson(response, 200, [
        { id: 's', name: 'a\u001b[31m', schedule_expr: '\u009b2J' },
      ])
    answerJson(response, 200, { id: 'p', name: 'p' })
  })
  const { stdout } = await runCli(['pipeline', 'schedule', 'ls', 'p', '-s', url])
  // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
  assert.doesNotMatch(stdout, /[\u001b\u009b]/)
  assert.match(stdout, /next: never/)
})
