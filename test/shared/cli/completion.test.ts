import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { startTestApi } from '../../helpers/api.js'
import { BIN, runCli } from '../../helpers/cli-process.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'
import { collect, runCommand } from '../../helpers/process.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'

const DEAD_SERVER = 'http://127.0.0.1:1'

/** What shells get as candidates, without their descriptions; the first line is their kind. */
async function complete(words: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli(['__complete', '--', ...words], { env })
  assert.deepEqual([code, stderr], [0, ''])
  const [kind, ...lines] = stdout.trimEnd().split('\n')
  return { kind, values: lines.map((line) => line.split('\t')[0]) }
}

describe('what can be completed', () => {
  const cases: [string[], string[]][] = [
    [['pipel'], ['pipeline']],
    [['pipeline', 'un'], ['unpause']],
    [['pipeline', 'sch'], ['schedule']],
    [['pipeline', 'schedule', 'un'], ['unpause']],
    [['pipeline', 'ls', ''], []],
    [['nonsense', ''], []],
    [['server', '--log-f'], ['--log-format']],
    [
      ['server', '--log-format', ''],
      ['text', 'json'],
    ],
    [['server', '--log-format=t'], ['--log-format=text']],
    [['server', '--log-level', 'w'], ['warn']],
    [
      ['server', '--add-source='],
      ['--add-source=true', '--add-source=false'],
    ],
    [['--log-format', 'json', 'pipeline', 'pa'], ['pause']],
    [['help', 'pipeline', 'unp'], ['unpause']],
    [['run', 'list', '--lim'], ['--limit']],
    [
      ['run', 'ls', '--color='],
      ['--color=auto', '--color=always', '--color=never'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    // a flag of a feature that comes later would be refused
    [['pipeline', 'set', '--fly'], []],
    // what follows belongs to the pipeline
    [['pipeline', 'run', 'hello', '--no-w'], []],
    [['pipeline', 'show', '--', '--so'], []],
    [['pipeline', 'run', '--no-w'], ['--no-workdir']],
  ]
  for (const [words, values] of cases)
    it(words.join(' '), async () => {
      const found = await complete(words)
      assert.deepEqual(found.values, values)
    })

  it('files, where a command wants one', async () => {
    for (const words of [
      ['pipeline', 'set', 'x'],
      ['execute', ''],
      ['server', '--storage-sqlite-path', ''],
      ['pipeline', 'set', '--secret-file='],
    ])
      assert.deepEqual(await complete(words), { kind: 'files', values: [] })
  })

  it('all commands, but for those that only programs call', async () => {
    const { values } = await complete([''])
    assert(values.includes('server') && values.includes('run'))
    assert(!values.includes('__complete'))
    assert.doesNotMatch((await runCli(['--help'])).stdout, /__complete/)
  })

  it('the names of pipelines and runs, at the server of the variable or the flag', async (t) => {
    const api = await startTestApi(t)
    for (const name of ['hello', 'help me', 'other']) await api.set(name)
    const runId = await api.trigger('hello')
    const env = { CI_SERVER_URL: api.url }
    assert.deepEqual((await complete(['pipeline', 'rm', 'hel'], env)).values, ['help me', 'hello'])
    for (const flag of [['-s', api.url], [`-s${api.url}`], [`--server-url=${api.url}`]])
      assert.deepEqual(
        (await complete(['run', 'logs', ...flag, ''], { CI_SERVER_URL: DEAD_SERVER })).values,
        [runId],
      )
  })

  it('nothing, and no error, when no server is there or it is another one', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => answerJson(response, 500, {}))
    for (const CI_SERVER_URL of [DEAD_SERVER, url, 'nonsense', ''])
      assert.deepEqual((await complete(['pipeline', 'rm', ''], { CI_SERVER_URL })).values, [])
  })

  it('nothing soon, when the server does not answer', async (t) => {
    const { url } = await startHttpStandIn(t, () => undefined)
    assert.deepEqual((await complete(['pipeline', 'rm', ''], { CI_SERVER_URL: url })).values, [])
  })

  it('no name that would steer the terminal', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, {
        items: [
          { id: '1', name: 'a\u001b]0;x' },
          { id: '2', name: 'fine' },
        ],
      }),
    )
    assert.deepEqual((await complete(['pipeline', 'rm', ''], { CI_SERVER_URL: url })).values, [
      'fine',
    ])
  })
})

/** A server with a pipeline "my build", and an environment in which `pocketci` is a program. */
async function startShellHost(t: TestContext) {
  const api = await startTestApi(t)
  await api.set('my build')
  const dir = tempDir(t)
  mkdirSync(join(dir, 'bin'))
  const program = join(dir, 'bin', 'pocketci')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`)
  chmodSync(program, 0o755)
  writeFileSync(join(dir, 'notes.ts'), 'const =')
  const env = {
    PATH: `${join(dir, 'bin')}:${process.env['PATH']}`,
    HOME: dir,
    CI_SERVER_URL: api.url,
    TERM: 'dumb',
  }
  return { api, dir, env }
}

/** What programs run that are typed at a terminal, with tabs. */
async function typeInto(
  shell: string,
  lines: readonly string[],
  { dir, env }: { dir: string; env: NodeJS.ProcessEnv },
): Promise<string> {
  const child = spawn('script', ['-qec', shell, '/dev/null'], { cwd: dir, env, stdio: 'pipe' })
  const shown = collect(child, 'stdout')
  const ended = once(child, 'exit')
  const prompts = (): number => shown().split('READY').length - 1
  // what is typed before the shell has its terminal may be lost; the echo of this has no READY
  const prepare = `PS1="REA""DY "; PROMPT=$PS1\n`
  await until('the shell shows something', () => shown() !== '')
  child.stdin.write(prepare)
  for (const [at, line] of lines.entries()) {
    await until(`prompt ${at + 1} of ${shell}`, () => prompts() > at, 60_000)
    child.stdin.write(`${line}\n`)
  }
  await until(`the last prompt of ${shell}`, () => prompts() > lines.length, 60_000)
  child.stdin.end('exit\n')
  await ended
  return shown()
}

describe('the script of', () => {
  for (const [name, shell] of [
    ['bash', 'bash --norc --noprofile -i'],
    ['zsh', 'zsh -f -i'],
  ] as const)
    it(`${name} completes what is typed at a terminal`, async (t) => {
      const host = await startShellHost(t)
      const shown = await typeInto(
        shell,
        [
          `source <(pocketci completion ${name})`,
          // the name has a space, so it is quoted
          'pocketci pipeline sho\tmy\t--sour\t',
          'pocketci pipeline rm --log-format=te\t nope',
          'pocketci pipeline set --name x no\t',
          'pocketci pipeline ls --config-file=no\t --page=x',
        ],
        host,
      )
      assert.match(shown, /export const pipeline = async/)
      assert.match(shown, /--log-format=text\b/)
      assert.match(shown, /no pipeline found with name or ID "nope"/)
      assert.match(
        shown,
        /notes\.ts has no pipeline|pipeline validation failed|content is required/,
      )
      assert.match(shown, /--config-file=notes\.ts/)
    })

  it('fish completes command lines', async (t) => {
    const { dir, env } = await startShellHost(t)
    const candidates = async (line: string): Promise<string[]> => {
      const script = `source (pocketci completion fish | psub); complete -C '${line}'`
      const { code, stdout, stderr } = await runCommand('fish', ['--no-config', '-c', script], {
        env,
        cwd: dir,
      })
      assert.equal(code, 0, stderr)
      return stdout.split('\n').filter(Boolean)
    }
    assert.deepEqual(await candidates('pocketci pipeline sho'), [
      'show\tshow a pipeline, or its source',
    ])
    assert.deepEqual(await candidates('pocketci pipeline show m'), ['my build'])
    assert.deepEqual(await candidates('pocketci server --log-format=te'), ['--log-format=text'])
    assert.deepEqual(await candidates('pocketci pipeline set no'), ['notes.ts'])
    assert.deepEqual(await candidates('pocketci pipeline set --secret-file=no'), [
      '--secret-file=notes.ts',
    ])
  })

  it('another shell is not there', async () => {
    const { code, stderr } = await runCli(['completion', 'tcsh'])
    assert.equal(code, 80)
    assert.equal(stderr, 'pocketci: error: unknown shell "tcsh"; known shells: bash, zsh, fish\n')
  })
})
