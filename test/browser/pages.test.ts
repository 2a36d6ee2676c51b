import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { openBrowser } from '../helpers/browser.js'
import { ended, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'
import { until } from '../helpers/until.js'

const LIVE = `export const pipeline = async () => {
  console.log('the console')
  await runtime.run({ name: 'unit tests', command: { path: 'sh', args: ['-c',
    'echo one; until [ -e "$GO" ]; do sleep 0.05; done; printf "<b>two</b>\\\\033[31m\\\\n"; exit 3'] },
    env: { GO: pipelineContext.args[0] } })
  throw new Error('tests failed')
}`

test('a person watches a run live, from the list to its end, in a real browser', async (t) => {
  const server = await startServer(t)
  const browser = await openBrowser(t)
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })

  await page.goto(`${server.url}/`)
  await page.getByText('No pipelines found.').waitFor()
  const id = await server.setPipeline('live', LIVE)
  await page.reload()
  await page.getByRole('link', { name: 'live' }).waitFor()
  const go = `${server.dir}/go`
  const runId = await trigger(server, id, [go])

  await page.goto(`${server.url}/runs/${runId}/tasks`)
  await page.getByText('unit tests').waitFor()
  await page.getByText('one', { exact: true }).waitFor()
  await page.getByText('the console').waitFor()
  assert.match(await page.textContent('#run-status-badge').then(String), /Running/)
  writeFileSync(go, '')
  // without a reload: output, exit code, status and error arrive as they come
  await page.getByText('<b>two</b>').waitFor()
  await page.getByText('exit 3').waitFor()
  await page.getByText(/promise rejected: Error: tests failed/).waitFor()
  await page.locator('#run-status-badge', { hasText: 'Failed' }).waitFor()
  assert.deepEqual(problems, [])
})

test('a run is triggered and stopped from the page', async (t) => {
  const server = await startServer(t)
  await server.setPipeline(
    'slow',
    `export const pipeline = async () => {
      await runtime.run({ name: 'sleep', command: { path: 'sleep', args: ['600'] } })
    }`,
  )
  const page = await (await openBrowser(t)).newPage()
  await page.goto(`${server.url}/pipelines/`)
  await page.getByRole('button', { name: 'Trigger' }).click()
  await page
    .getByRole('link', { name: /Running|Queued/ })
    .first()
    .click()
  await page.getByRole('button', { name: 'Stop Run' }).click()
  await page.locator('#run-error-alert', { hasText: 'Run stopped by user' }).waitFor()
  await page.locator('#run-status-badge', { hasText: 'Failed' }).waitFor()
})

const GATED = `export const pipeline = async () => {
  await orchestration.gate(pipelineContext.args[0], { message: 'to production?' })
  console.log('deployed')
}`

for (const javaScriptEnabled of [true, false])
  test(`a gate is decided on the page of its run, ${javaScriptEnabled ? 'with' : 'without'} script`, async (t) => {
    const server = await startServer(t)
    const page = await (await openBrowser(t)).newPage({ javaScriptEnabled })
    const id = await server.setPipeline('gated', GATED)
    for (const [button, shown] of [
      ['Approve', 'approved by unknown: ticket 42'],
      ['Reject', 'rejected by unknown: ticket 42'],
    ] as const) {
      const runId = await trigger(server, id, ['deploy'])
      const url = `${server.url}/runs/${runId}/tasks`
      await page.goto(url)
      if (!javaScriptEnabled)
        await until('the gate is there', async () => {
          await page.goto(url)
          return (await page.getByText('to production?').count()) > 0
        })
      await page.getByLabel('Comment').fill('ticket 42')
      await page.getByRole('button', { name: button }).click()
      await page.getByText(`Gate deploy: ${shown}`).waitFor()
      const run = await ended(server, runId)
      assert.equal(run.status, button === 'Approve' ? 'success' : 'failed')
    }
  })

test('a schedule is paused and goes on from the page', async (t) => {
  const server = await startServer(t)
  const id = await server.setPipeline(
    'timed',
    "export const schedules = { often: { every: '30m' } }\nexport const pipeline = async () => {}",
  )
  const page = await (await openBrowser(t)).newPage()
  await page.goto(`${server.url}/pipelines/${id}/`)
  await page.getByRole('button', { name: 'Pause schedule often' }).click()
  await page.getByRole('cell', { name: 'Paused' }).waitFor()
  await page.getByRole('button', { name: 'Unpause schedule often' }).click()
  await page.getByRole('button', { name: 'Pause schedule often' }).waitFor()
})

for (const colorScheme of ['light', 'dark'] as const)
  for (const width of [390, 1280])
    test(`pages fit ${width} px, ${colorScheme}`, async (t) => {
      const server = await startServer(t)
      const id = await server.setPipeline(
        'a-pipeline-with-a-rather-long-name-that-has-to-fit',
        `export const schedules = { nightly: { cron: '0 3 * * *', timezone: 'America/Argentina/Buenos_Aires' } }\n${LIVE}`,
      )
      const runId = await trigger(server, id, ['/dev/null'])
      const browser = await openBrowser(t)
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
      await server.api(`/api/pipelines/${id}/trigger`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ mode: 'webhook', webhook: { body: '{}' } }),
      })
      const paths = ['/pipelines/', `/pipelines/${id}/`, `/pipelines/${id}/deliveries`]
      for (const path of [...paths, `/runs/${runId}/tasks`]) {
        await page.goto(server.url + path)
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        )
        assert.equal(overflow, 0, `${path} is ${overflow} px too wide`)
      }
    })
