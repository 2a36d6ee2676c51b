import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runCli, startCli } from '../../helpers/cli-process.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'
import { tempDir } from '../../helpers/temp-dir.js'

const HELLO = { id: 'id-1', name: 'hello', driver: 'native', paused: false }
const CREATED = { created_at: '2026-02-03T04:05:06Z' }

/** One page with one pipeline. */
const page = (...items: object[]) => ({ items, has_next: false })

describe('pipeline ls', () => {
  it('shows all pages in columns', async (t) => {
    const { url, seen } = await startHttpStandIn(t, (request, response) => {
      const isFirst = request.url.includes('page=1&')
      const items = isFirst
        ? [{ ...HELLO, ...CREATED }]
        : [{ id: 'id-2', name: 'a-longer-name', paused: true, ...CREATED }]
      answerJson(response, 200, { items, has_next: isFirst })
    })
    const { code, stdout } = await runCli(['pipeline', 'ls', '-s', `${url}/`])
    assert.equal(code, 0)
    assert.equal(
      stdout,
      [
        'NAME           DRIVER  PAUSED  CREATED',
        'hello          native  no      Feb 03, 2026 04:05',
        'a-longer-name          yes     Feb 03, 2026 04:05',
        '',
      ].join('\n'),
    )
    assert.equal(seen.length, 2)
  })

  it('writes a long list while it comes', async (t) => {
    let isRead = (): void => undefined
    const read = new Promise<void>((resolve) => (isRead = resolve))
    const { url } = await startHttpStandIn(t, async (request, response) => {
      const at = Number(/page=(\d+)/.exec(request.url)?.[1])
      if (at === 21) await read
      const items = Array.from({ length: 50 }, (_, row) => ({ ...HELLO, name: `p${at}-${row}` }))
      answerJson(response, 200, { items, has_next: at < 22 })
    })
    const cli = startCli(['pipeline', 'ls', '-s', url])
    await cli.says('\np20-49 ')
    isRead()
    const { code, stdout } = await cli.exited
    assert.equal(code, 0)
    assert.equal(stdout.trimEnd().split('\n').length, 1 + 22 * 50)
  })

  it('shows as many as wanted, one page alone, or JSON without the sources', async (t) => {
    const { url, seen } = await startHttpStandIn(t, (_, response) => {
      const items = Array.from({ length: 50 }, () => ({ ...HELLO, content: 'secret source' }))
      answerJson(response, 200, { items, has_next: true })
    })
    const limited = await runCli(['pipeline', 'ls', '--limit', '60', '-s', url])
    assert.equal(limited.stdout.trimEnd().split('\n').length, 61)
    assert.equal(seen.length, 2)
    const { stdout } = await runCli([
      'pipeline',
      'ls',
      '--page=7',
      '--per-page=50',
      '--json',
      '-s',
      url,
    ])
    assert.equal(seen.at(-1)?.url, '/api/pipelines?page=7&per_page=50')
    const items = JSON.parse(stdout) as object[]
    assert.equal(items.length, 50)
    assert.deepEqual(Object.keys(items[0] ?? {}).includes('content'), false)
  })

  it('does not let a name steer the terminal', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, page({ ...HELLO, name: 'a\u001b[31m\u202eb' })),
    )
    const { stdout } = await runCli(['pipeline', 'ls', '-s', url])
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    assert.doesNotMatch(stdout, /[\u001b\u202e]/)
  })

  it('does not let an error of the server steer it either', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      response.writeHead(502).end('bad \u001b]0;gateway')
    })
    const { stderr } = await runCli(['pipeline', 'ls', '-s', url])
    assert.equal(
      stderr,
      'pocketci: error: list pipelines: server returned 502: bad \ufffd]0;gateway\n',
    )
  })

  it('says so when the address is not that of a pocketci server', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => void response.end('<html>'))
    const { code, stderr } = await runCli(['pipeline', 'ls', '-s', url])
    assert.equal(code, 1)
    assert.match(stderr, /is not that of a pocketci server; is the address right\?/)
  })
})

describe('names', () => {
  it('are found on every page of a server that knows only ids', async (t) => {
    const { url, seen } = await startHttpStandIn(t, (request, response) => {
      if (request.method === 'POST') return answerJson(response, 200, {})
      if (!request.url.includes('?')) return answerJson(response, 404, { error: 'not found' })
      const isLast = request.url.includes('page=3&')
      const items = [isLast ? { id: 'id-9', name: 'a b/c' } : HELLO]
      answerJson(response, 200, { items, has_next: !isLast })
    })
    const { code, stdout } = await runCli(['pipeline', 'pause', 'a b/c', '-s', url])
    assert.equal(code, 0)
    assert.equal(stdout, "Pipeline 'a b/c' paused successfully (ID: id-9)\n")
    assert.equal(seen[0]?.url, '/api/pipelines/a%20b%2Fc')
    assert.equal(seen.at(-1)?.url, '/api/pipelines/id-9/pause')
  })

  it('that another pipeline has for an id lose to that', async (t) => {
    const { url, seen } = await startHttpStandIn(t, (request, response) => {
      if (request.method === 'DELETE') return void response.writeHead(204).end()
      if (!request.url.includes('?')) return answerJson(response, 404, { error: 'not found' })
      answerJson(response, 200, page({ id: 'id-2', name: 'id-1' }, HELLO))
    })
    await runCli(['pipeline', 'rm', 'id-1', '-s', url])
    assert.equal(seen.at(-1)?.url, '/api/pipelines/id-1')
  })
})

describe('who the command line says it is', () => {
  const authorizationOf = async (
    t: Parameters<typeof startHttpStandIn>[0],
    args: string[],
    env: Record<string, string> = {},
    userinfo = '',
  ): Promise<string | undefined> => {
    const { url, seen } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, page()),
    )
    const { code, stderr } = await runCli(
      ['pipeline', 'ls', ...args, '-s', url.replace('://', `://${userinfo}`)],
      { env },
    )
    assert.equal(code, 0, stderr)
    return seen[0]?.authorization
  }

  it('nobody, unless told', async (t) => {
    assert.equal(await authorizationOf(t, []), undefined)
  })

  it('the user and password of the URL', async (t) => {
    const header = await authorizationOf(t, [], {}, 'me:p%40ss@')
    assert.equal(header, `Basic ${Buffer.from('me:p@ss').toString('base64')}`)
  })

  it('keeps all of a password from what it shows, also one with an @ that should be escaped', async () => {
    const args = ['pipeline', 'ls', '-s', 'http://me:hun@ter2@127.0.0.1:1/']
    const { stderr } = await runCli(args)
    assert.match(stderr, /could not connect to server: http:\/\/127\.0\.0\.1:1: /)
    assert.doesNotMatch(stderr, /hun|ter2/)
  })

  it('a token, which replaces them', async (t) => {
    assert.equal(await authorizationOf(t, ['-t', 'abc'], {}, 'me:p@'), 'Bearer abc')
    assert.equal(await authorizationOf(t, [], { CI_AUTH_TOKEN: 'def' }), 'Bearer def')
  })

  it('the saved token of that server, from the home folder or a named file', async (t) => {
    const home = tempDir(t)
    mkdirSync(join(home, '.pocketci'))
    const file = join(home, '.pocketci', 'auth.config')
    const { url, seen } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, page()),
    )
    writeFileSync(file, JSON.stringify({ servers: { [`${url}/`]: { token: 'saved' } } }))
    await runCli(['pipeline', 'ls', '-s', url], { env: { HOME: home } })
    await runCli(['pipeline', 'ls', '-s', url.replace('://', '://u:p@'), '-c', file])
    await runCli(['pipeline', 'ls', '-s', url, '-c', join(home, 'none')])
    assert.deepEqual(
      seen.map((request) => request.authorization),
      ['Bearer saved', 'Bearer saved', undefined],
    )
  })
})

describe('refusals', () => {
  const refused = async (
    t: Parameters<typeof startHttpStandIn>[0],
    status: number,
    args: string[] = ['pipeline', 'ls'],
  ) => {
    const { url } = await startHttpStandIn(t, (request, response) =>
      request.method === 'GET' && status !== 401 && status !== 403 && args[1] !== 'ls'
        ? answerJson(response, 200, page(HELLO))
        : answerJson(response, status, { error: 'because' }),
    )
    const { code, stderr } = await runCli([...args, '-s', url])
    assert.equal(code, 1)
    return stderr.replaceAll(url, 'URL')
  }

  it('401 says how to sign in', async (t) => {
    const stderr = await refused(t, 401)
    assert.match(stderr, /authentication required: server URL returned 401 Unauthorized\n/)
    assert.match(stderr, /\n +export CI_AUTH_TOKEN=<token>\n$/)
  })

  it('403 gives the reason of the server', async (t) => {
    const stderr = await refused(t, 403)
    assert.match(stderr, /access denied: server URL returned 403 Forbidden\n/)
    assert.match(stderr, /because\n +Your account does not have permission/)
  })

  it('others give status and body', async (t) => {
    assert.equal(
      await refused(t, 500),
      'pocketci: error: list pipelines: server returned 500: {"error":"because"}\n',
    )
  })

  const trigger: [number, string][] = [
    [404, 'pipeline "id-1" not found'],
    [409, 'pipeline "id-1" is paused'],
    [429, 'max concurrent executions reached'],
  ]
  for (const [status, text] of trigger)
    it(`${status} on a trigger means: ${text}`, async (t) => {
      const stderr = await refused(t, status, ['pipeline', 'trigger', 'hello'])
      assert.equal(stderr, `pocketci: error: trigger pipeline: ${text}\n`)
    })

  it('an unknown name is told from an unreachable server', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, page(HELLO)),
    )
    const { stderr } = await runCli(['pipeline', 'pause', 'nope', '-s', url])
    assert.equal(
      stderr,
      'pocketci: error: find pipeline: no pipeline found with name or ID "nope"\n',
    )
  })
})

describe('pipeline rm, pause, unpause and trigger', () => {
  const start = (t: Parameters<typeof startHttpStandIn>[0]) =>
    startHttpStandIn(t, (request, response) => {
      if (request.method === 'GET') return answerJson(response, 200, page(HELLO))
      if (request.method === 'DELETE') return void response.writeHead(204).end()
      const status = request.url.endsWith('/trigger') ? 202 : 200
      return answerJson(response, status, { run_id: 'run-1' })
    })

  const commands: [string[], string, string, string][] = [
    [['rm', 'hello'], 'DELETE', '', "Pipeline 'hello' deleted successfully (ID: id-1)\n"],
    [['pause', 'id-1'], 'POST', '/pause', "Pipeline 'hello' paused successfully (ID: id-1)\n"],
    [
      ['unpause', 'hello'],
      'POST',
      '/unpause',
      "Pipeline 'hello' unpaused successfully (ID: id-1)\n",
    ],
    [
      ['trigger', 'hello'],
      'POST',
      '/trigger',
      "Pipeline 'hello' triggered successfully (run: run-1)\n",
    ],
  ]
  for (const [args, method, path, output] of commands)
    it(`${args.join(' ')} says what it did`, async (t) => {
      const { url, seen } = await start(t)
      const { code, stdout } = await runCli(['pipeline', ...args, '-s', url])
      assert.equal(code, 0)
      assert.equal(stdout, output)
      assert.equal(seen.at(-1)?.method, method)
      assert.equal(seen.at(-1)?.url, `/api/pipelines/id-1${path}`)
    })

  it('trigger sends arguments and jobs', async (t) => {
    const { url, seen } = await start(t)
    const args = ['--args', 'a,b', '-a', 'c\\,d', '-j', 'build']
    await runCli(['pipeline', 'trigger', 'hello', ...args, '-s', url])
    assert.deepEqual(JSON.parse(seen.at(-1)?.body ?? ''), {
      mode: 'args',
      args: ['a', 'b', 'c,d'],
      jobs: ['build'],
    })
  })

  it('trigger sends inputs as they are given', async (t) => {
    const { url, seen } = await start(t)
    await runCli(['pipeline', 'trigger', 'hello', '-i', 'a=1,2', '--input', 'b=x=y', '-s', url])
    assert.deepEqual(JSON.parse(seen.at(-1)?.body ?? ''), { inputs: { a: '1,2', b: 'x=y' } })
    const { code, stderr } = await runCli(['pipeline', 'trigger', 'hello', '-i', 'a', '-s', url])
    assert.equal(code, 80)
    assert.match(stderr, /--input "a": expected KEY=VALUE/)
  })

  it('trigger prints the answer as JSON for scripts', async (t) => {
    const { url } = await start(t)
    const { stdout } = await runCli(['pipeline', 'trigger', 'hello', '--json', '-s', url])
    assert.deepEqual(JSON.parse(stdout), { run_id: 'run-1' })
  })

  it('trigger sends nothing when it is given nothing', async (t) => {
    const { url, seen } = await start(t)
    await runCli(['pipeline', 'trigger', 'hello', '-s', url])
    assert.equal(seen.at(-1)?.body, '{}')
  })
})

describe('pipeline set', () => {
  const SOURCE = 'const pipeline = async () => {}\nexport { pipeline }\n'

  it('sends a pipeline that compiles, with its secrets, and shows no credentials', async (t) => {
    const dir = tempDir(t)
    const file = join(dir, 'my build.ts')
    writeFileSync(file, SOURCE)
    writeFileSync(join(dir, 'secrets'), '# ours\n\nA=from file\nB=2=2\r\n')
    const { url, seen } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, { id: 'id-9', name: 'my build' }),
    )
    const { code, stdout, stderr } = await runCli([
      'pipeline',
      'set',
      file,
      '--secret=A=1,2',
      '--secret-file',
      join(dir, 'secrets'),
      '-d',
      'native',
      '--server-url',
      url.replace('://', '://me:hunter2@'),
    ])
    assert.equal(code, 0, stderr)
    assert.equal(
      stdout,
      [
        "Pipeline 'my build' uploaded successfully!",
        '  ID: id-9',
        `  URL: ${url}/pipelines/id-9/`,
        `  Server: ${url}`,
        '  Driver: native',
        '  Secrets: 2 key(s) set',
        '',
      ].join('\n'),
    )
    assert.equal(seen[0]?.method, 'PUT')
    assert.equal(seen[0]?.url, '/api/pipelines/my%20build')
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), {
      content: SOURCE,
      content_type: 'ts',
      driver: 'native',
      resume_enabled: false,
      secrets: { A: '1,2', B: '2=2' },
    })
  })

  const bodyOf = async (
    t: Parameters<typeof startHttpStandIn>[0],
    args: string[],
    env: Record<string, string> = {},
  ) => {
    const file = join(tempDir(t), 'p.ts')
    writeFileSync(file, SOURCE)
    const { url, seen } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, { id: 'id-9', name: 'p' }),
    )
    const { code, stdout, stderr } = await runCli(['pipeline', 'set', file, ...args, '-s', url], {
      env,
    })
    assert.equal(code, 0, stderr)
    const body = JSON.parse(seen[0]?.body ?? '') as Record<string, unknown>
    return { body, stdout: stdout.replaceAll(url, 'URL') }
  }

  it('turns resume on, off, or leaves it', async (t) => {
    const resumeOf = async (...args: string[]) => (await bodyOf(t, args)).body['resume_enabled']
    assert.equal(await resumeOf(), false)
    assert.equal(await resumeOf('--resume'), true)
    assert.equal(await resumeOf('--resume=false'), false)
    assert.equal(await resumeOf('--resume=unset'), undefined)
  })

  it('sends the engine of the docker driver, and of no other', async (t) => {
    const host = 'tcp://10.0.0.1:2375'
    const docker = ['--driver', 'docker']
    const configOf = async (args: string[], env = {}) =>
      (await bodyOf(t, args, env)).body['driver_config']
    assert.deepEqual(await configOf([...docker, '--docker-host', host]), { host })
    assert.deepEqual(await configOf(docker, { CI_DOCKER_HOST: host }), { host })
    assert.equal(await configOf(docker), undefined)
    assert.equal(await configOf(['-d', 'native'], { CI_DOCKER_HOST: host }), undefined)
  })

  it('prints JSON for scripts', async (t) => {
    const { stdout } = await bodyOf(t, ['--json', '-e', 'A=hunter2'])
    assert.equal(stdout, '{"id":"id-9","name":"p","url":"URL/pipelines/id-9/"}\n')
  })

  it('gives the reason of a refusal', async (t) => {
    const file = join(tempDir(t), 'p.js')
    writeFileSync(file, SOURCE)
    const { url } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 400, { error: 'driver not allowed' }),
    )
    const { code, stderr } = await runCli(['pipeline', 'set', file, '-s', url])
    assert.equal(code, 1)
    assert.equal(stderr, 'pocketci: error: set pipeline: server returned 400: driver not allowed\n')
  })

  const bad: [string, string, string[], RegExp][] = [
    ['p.ts', 'const =', [], /^pocketci: error: pipeline validation failed: .*1:7/],
    ['p.yml', 'jobs: []', [], /YAML pipelines are not available in this version yet/],
    ['p.py', '', [], /unsupported file extension "\.py": expected \.js, \.ts, \.yml, or \.yaml/],
    ['p.ts', SOURCE, ['--secret', 'driver=x'], /secret key "driver" is reserved for system use/],
    ['p.ts', SOURCE, ['-e', 'hunter2'], /invalid --secret flag "\*\*\*": expected KEY=VALUE/],
    ['p.ts', SOURCE, ['--fly-token', 'x'], /--fly-token is not .* there is no driver fly yet/],
  ]
  for (const [name, content, args, message] of bad)
    it(`refuses ${name} ${args.join(' ')} before anything is sent`, async (t) => {
      const file = join(tempDir(t), name)
      writeFileSync(file, content)
      const { url, seen } = await startHttpStandIn(t, () => undefined)
      const { code, stderr } = await runCli(['pipeline', 'set', file, ...args, '-s', url])
      assert.equal(code, 1)
      assert.match(stderr, message)
      assert.equal(seen.length, 0)
    })

  it('takes --docker-host without its driver for a mistake', async (t) => {
    const file = join(tempDir(t), 'p.ts')
    writeFileSync(file, SOURCE)
    const args = ['pipeline', 'set', file, '--docker-host', 'tcp://x', '-s', 'http://127.0.0.1:1']
    const { code, stderr } = await runCli(args)
    assert.equal(code, 80)
    assert.equal(stderr, 'pocketci: error: --docker-host is for --driver docker alone\n')
  })

  it('names the line of a bad secret file and does not show it', async (t) => {
    const dir = tempDir(t)
    writeFileSync(join(dir, 'p.ts'), SOURCE)
    writeFileSync(join(dir, 's'), 'A=1\nhunter2\n')
    const args = [join(dir, 'p.ts'), '--secret-file', join(dir, 's'), '-s', 'http://127.0.0.1:1']
    const { code, stderr } = await runCli(['pipeline', 'set', ...args])
    assert.equal(code, 1)
    assert.match(stderr, /line 2: expected KEY=VALUE format/)
    assert.doesNotMatch(stderr, /hunter2/)
  })
})
