import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../../helpers/api.js'
import { runCli } from '../../helpers/cli-process.js'

test('pipeline seed-passed says which run records it', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('release')
  const seed = (...args: string[]) =>
    runCli(['pipeline', 'seed-passed', ...args], { env: { CI_SERVER_URL: api.url } })

  const seeded = await seed('release', 'unit tests')
  const [run] = api.runs.list({ page: 1, perPage: 1 }).items
  assert.equal(
    seeded.stdout,
    `Seeded passed status for job 'unit tests' in pipeline 'release' (run: ${run?.id})\n`,
  )
  assert.equal(seeded.code, 0, seeded.stderr)
  assert.equal(api.tasks.findLatestJobStatus(id, 'unit tests'), 'success')

  const { job, pipeline_id: pipelineId } = JSON.parse((await seed(id, 'build', '--json')).stdout)
  assert.deepEqual([job, pipelineId], ['build', id])
  assert.match(
    (await seed('none', 'build')).stderr,
    /find pipeline: no pipeline found with name or ID "none"/,
  )
  const refused = await seed('release', 'a/b')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /seed job passed: server returned 400: .*invalid job name/)
  assert.equal((await seed('release')).code, 80)
})
