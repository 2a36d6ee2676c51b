import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { runCli, startCli, type CliResult } from '../../helpers/cli-process.js'
import { startTestApi, type TestApi } from '../../helpers/api.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'

interface Started {
  api: TestApi
  runId: string
  /** The command line against it. */
  run(...args: string[]): Promise<CliResult>
  addStep(step: number, name: string): void
  end(status: 'success' | 'failed', message?: string): void
}

/** A run that an executor has claimed, of a pipeline "hello". */
async function start(t: TestContext): Promise<Started> {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('hello'))
  assert.deepEqual(api.claim(), [runId])
  const attempt = { runId, attempt: 1 }
  return {
    api,
    runId,
    run: (...args) => runCli(['run', ...args], { env: { CI_SERVER_URL: api.url } }),
    addStep(step, name) {
      const path = `/pipeline/${runId}/tasks/${step - 1}-${name}`
      assert.ok(api.tasks.insert(attempt, { step, path, name }))
    },
    end: (status, message = '') => {
      const outcome =
        status === 'failed'
          ? { status, errorCode: 'run_failed', errorMessage: message }
          : { status }
      assert.ok(api.runs.finish(attempt, outcome, Date.now()))
    },
  }
}

describe('run ls', () => {
  it('shows the newest runs with the names of their pipelines', async (t) => {
    const { api, runId, run } = await start(t)
    const other = await api.trigger(await api.set('a longer name'))
    const { code, stdout, stderr } = await run('ls')
    assert.equal(code, 0, stderr)
    const [head = '', ...rows] = stdout.trimEnd().split('\n')
    assert.match(head, /^ID +PIPELINE +STATUS +TRIGGER +CREATED +TIME$/)
    assert.equal(rows.length, 2)
    assert.match(rows[0] ?? '', new RegExp(`^${other} +a longer name +queued +manual +\\w{3} `))
    assert.match(rows[1] ?? '', new RegExp(`^${runId} +hello +running +manual +\\w{3} `))
    assert.equal(head.indexOf('STATUS'), rows[1]?.indexOf('running'))
  })

  it('shows those of one pipeline, as many as wanted, page by page', async (t) => {
    const { api, run } = await start(t)
    const id = await api.set('many')
    const ids: string[] = []
    for (let at = 0; at < 60; at++) ids.unshift(await api.trigger(id))
    const listed = async (...args: string[]): Promise<string[]> => {
      const { code, stdout, stderr } = await run('ls', 'many', '--json', ...args)
      assert.equal(code, 0, stderr)
      return (JSON.parse(stdout) as { id: string }[]).map((one) => one.id)
    }
    const all = await listed('--limit', '0')
    assert.deepEqual(new Set(all), new Set(ids))
    assert.equal(all.length, 60)
    assert.deepEqual(await listed(), all.slice(0, 20))
    assert.deepEqual(await listed('-L', '55'), all.slice(0, 55))
    assert.deepEqual(await listed('--page', '2', '--per-page', '7'), all.slice(7, 14))
    assert.deepEqual(await listed('--page', '9'), [])
  })
})

describe('run show', () => {
  it('shows a run and its steps, as text and as JSON', async (t) => {
    const { api, runId, run, addStep, end } = await start(t)
    addStep(1, 'build')
    addStep(2, 'test\u001b[31m')
    api.tasks.start({ runId, attempt: 1 }, 1, 1_000)
    api.tasks.finish({ runId, attempt: 1 }, 1, { status: 'failure', code: 2 }, 63_000)
    end('failed', 'build failed\nbadly')
    const { code, stdout, stderr } = await run('show', runId)
    assert.equal(code, 0, stderr)
    assert.match(stdout, new RegExp(`^Run +${runId}\\n`))
    assert.match(stdout, /^Pipeline +hello \([0-9a-f]{32}\)$/m)
    assert.match(stdout, /^Status +failed$/m)
    assert.match(stdout, /^Error +build failed\n +badly$/m)
    assert.match(stdout, /^1 +build +failure +2 +1m 2s$/m)
    assert(!stdout.includes('\u001b'))

    const json = JSON.parse((await run('show', runId, '--json')).stdout) as {
      id: string
      error_message: string
      tasks: { step: number; name: string; payload: Record<string, unknown> }[]
    }
    assert.equal(json.id, runId)
    assert.equal(json.error_message, 'build failed\nbadly')
    assert.deepEqual(
      json.tasks.map(({ step, payload }) => [step, payload['status'], payload['logs']]),
      [
        [1, 'failure', undefined],
        [2, 'pending', undefined],
      ],
    )
  })

  it('says that there is no such run', async (t) => {
    const { run } = await start(t)
    for (const verb of ['show', 'stop', 'logs']) {
      const { code, stdout, stderr } = await run(verb, 'nope/../x')
      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(stderr, /^pocketci: error: .*: run "nope\/\.\.\/x" not found\n$/)
    }
  })
})

describe('run logs', () => {
  it('prints the output of a run, or of one step by number or name, byte for byte', async (t) => {
    const { api, runId, run, addStep } = await start(t)
    addStep(1, 'build')
    addStep(2, 'test')
    api.print(runId, 0, 'console\n')
    api.print(runId, 1, '\u001b[32mgreen\r\n')
    api.print(runId, 2, 'tested\n', 'stderr')
    const outputOf = async (...args: string[]) => (await run('logs', runId, ...args)).stdout
    assert.equal(await outputOf(), 'console\n\u001b[32mgreen\r\ntested\n')
    assert.equal(await outputOf('--step', '1'), '\u001b[32mgreen\r\n')
    assert.equal(await outputOf('--step=test'), 'tested\n')
    assert.equal(await outputOf('--step=0'), 'console\n')
    const { code, stderr } = await run('logs', runId, '--step', 'deploy')
    assert.equal(code, 1)
    assert.equal(stderr, `pocketci: error: run logs: run "${runId}" has no step "deploy"\n`)
  })

  for (const [status, code] of [
    ['success', 0],
    ['failed', 1],
  ] as const)
    it(`follows a run to its end and exits with ${code} after ${status}`, async (t) => {
      const { api, runId, addStep, end } = await start(t)
      addStep(1, 'build')
      api.print(runId, 1, 'first\n')
      const cli = startCli(['run', 'logs', runId, '-f', '-s', api.url])
      await cli.says('first\n')
      api.print(runId, 1, 'second\n', 'stderr')
      await cli.says('second\n')
      end(status, status === 'failed' ? 'no luck' : '')
      const result = await cli.exited
      assert.equal(result.code, code, result.stderr)
      assert.equal(result.stdout, 'first\nsecond\n')
      assert.equal(result.stderr, status === 'failed' ? 'no luck\n' : '')
    })

  it('follows one step alone, and says what of it is not shown', async (t) => {
    const { api, runId, run, addStep, end } = await start(t)
    addStep(1, 'loud')
    addStep(2, 'quiet')
    for (let at = 0; at < 40; at++) api.print(runId, 1, `${'x'.repeat(65_535)}\n`)
    api.print(runId, 2, 'quiet\n')
    end('success')
    assert.equal((await run('logs', runId, '-f', '--step=quiet')).stdout, 'quiet\n')
    const { stdout, stderr } = await run('logs', runId, '-f', '--step=1')
    const [, bytes] = /^note: the first (\d+) bytes of step 1 are not shown/.exec(stderr) ?? []
    assert(Number(bytes) > 1_000_000, stderr)
    assert(stdout.length > 1_000_000 && stdout.length < 2_000_000)
  })

  it('takes a stream that ends before the run for a failure', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('data: {"type":"output","step":1,"stream":"stdout","text":"one\\n"}\n\n')
    })
    const { code, stdout, stderr } = await runCli(['run', 'logs', 'r', '-f', '-s', url])
    assert.equal(code, 1)
    assert.equal(stdout, 'one\n')
    assert.match(stderr, /run logs: the server ended the stream before the run/)
  })
})

describe('run stop', () => {
  it('stops a queued run, asks for the end of a running one, and says when it is over', async (t) => {
    const { api, runId, run, end } = await start(t)
    const queued = await api.trigger('hello')
    assert.equal((await run('stop', queued)).stdout, `Run '${queued}' stopped\n`)
    assert.equal((await run('stop', runId)).stdout, `Run '${runId}' is stopping\n`)
    assert(api.runs.find(runId)?.stopRequestedAt)
    end('failed')
    const { code, stderr } = await run('stop', runId)
    assert.equal(code, 1)
    assert.equal(
      stderr,
      `pocketci: error: could not stop run "${runId}": run "${runId}" is not in flight\n`,
    )
  })
})

describe('drivers and features', () => {
  it('list what a server has, one a line or as JSON', async (t) => {
    const { api } = await start(t)
    const env = { CI_SERVER_URL: api.url }
    assert.match((await runCli(['drivers'], { env })).stdout, /^native$/m)
    assert.match((await runCli(['features'], { env })).stdout, /^secrets$/m)
    const features: unknown = JSON.parse((await runCli(['features', '--json'], { env })).stdout)
    assert(Array.isArray(features) && features.includes('webhooks'))
  })

  it('say so when the server is another one', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => answerJson(response, 200, {}))
    const { code, stderr } = await runCli(['drivers', '-s', url])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^pocketci: error: list drivers: the answer of .* is not that of a pocketci/,
    )
  })
})

describe('run resume, rerun and retrigger', () => {
  it('puts a failed run into the queue again', async (t) => {
    const { runId, run, end } = await start(t)
    const early = await run('resume', runId)
    assert.equal(early.code, 1)
    assert.match(early.stderr, /only failed runs can be resumed/)
    end('failed', 'why')
    const { code, stdout, stderr } = await run('resume', runId)
    assert.deepEqual([code, stdout], [0, `Run '${runId}' is resuming\n`], stderr)
    assert.match((await run('show', runId)).stdout, /^Generation +2$/m)
  })

  it('runs one again from a step that it names', async (t) => {
    const { api, runId, run, end } = await start(t)
    const path = `/pipeline/${runId}/tasks/0-build`
    api.tasks.insert({ runId, attempt: 1 }, { step: 1, path, name: 'build', effect: 1 })
    end('success')
    assert.match((await run('rerun', runId)).stderr, /--from is needed/)
    const { code, stdout, stderr } = await run('rerun', runId, '--from', 'build')
    assert.deepEqual([code, stdout], [0, `Run '${runId}' runs again from step 'build'\n`], stderr)
    assert.match((await run('show', runId)).stdout, /build +\S+ \(earlier\)/)
  })

  it('starts a new run with the same input', async (t) => {
    const { api, runId, run } = await start(t)
    const { code, stdout } = await run('retrigger', runId)
    assert.equal(code, 0)
    const [, newId = ''] = /triggered again \(run: (\S+)\)/.exec(stdout) ?? []
    assert.equal(api.runs.find(newId)?.status, 'queued')
  })
})

describe('run share', () => {
  it('prints a link that works until it is revoked by the id that the list has', async (t) => {
    const { api, runId, run } = await start(t)
    const shared = await run('share', runId, '--expires', '2h')
    assert.equal(shared.code, 0, shared.stderr)
    const link = shared.stdout.trimEnd()
    assert.ok(link.startsWith(`${api.url}/share/`))
    assert.equal((await fetch(link)).status, 200)

    const listed = await run('shares', runId, '--json')
    const [{ id = '' } = {}] = JSON.parse(listed.stdout) as { id?: string }[]
    assert.match((await run('shares', runId)).stdout, new RegExp(`^ID +BY +CREATED +UNTIL\n${id} `))
    const revoked = await run('unshare', runId, id)
    assert.deepEqual([revoked.code, revoked.stdout], [0, `Link '${id}' is revoked\n`])
    assert.equal((await fetch(link)).status, 404)
    const again = await run('unshare', runId, id)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /the run has no link/)
  })

  it('says that a run is not there', async (t) => {
    const { run } = await start(t)
    const { code, stderr } = await run('share', 'none')
    assert.equal(code, 1)
    assert.match(stderr, /could not share run "none": run "none" not found/)
  })
})
