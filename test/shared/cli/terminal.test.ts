import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { BIN, runCli } from '../../helpers/cli-process.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'
import { runCommand } from '../../helpers/process.js'

const LONG = 'a-pipeline-with-a-name-that-no-terminal-has-the-room-for'
const RUN = { id: 'V1StGXR8_Z5jdHi6B-myT', pipeline_id: 'id-1', status: 'failed' }

async function startList(t: TestContext): Promise<string> {
  const { url } = await startHttpStandIn(t, (request, response) => {
    const item = { id: 'id-1', name: LONG }
    if (request.url.startsWith('/api/runs')) answerJson(response, 200, { items: [RUN] })
    else answerJson(response, 200, request.url.includes('?') ? { items: [item] } : item)
  })
  return url
}

/** The command on a terminal of so many columns; what that shows. */
async function onTerminal(
  args: readonly string[],
  { columns = 200, env = {} }: { columns?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const command = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ')
  const { code, stdout, stderr } = await runCommand(
    'script',
    ['-qec', `stty cols ${columns}; ${command}`, '/dev/null'],
    { env: { PATH: process.env['PATH'], HOME: '/nonexistent', TERM: 'xterm', ...env } },
  )
  assert.equal(code, 0, stdout + stderr)
  return stdout.replaceAll('\r\n', '\n')
}

const RED = '\u001b[31mfailed\u001b[39m'

describe('colors', () => {
  const onPipe = async (t: TestContext, args: string[], env: Record<string, string> = {}) =>
    (await runCli(['run', 'ls', '-s', await startList(t), ...args], { env })).stdout

  it('are on a terminal, and not elsewhere', async (t) => {
    const url = await startList(t)
    assert(await onTerminal(['run', 'ls', '-s', url]).then((text) => text.includes(RED)))
    assert(!(await onPipe(t, [])).includes('\u001b'))
  })

  it('are not where NO_COLOR is set or the terminal has none', async (t) => {
    const args = ['run', 'ls', '-s', await startList(t)]
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { FORCE_COLOR: '0' }])
      assert(!(await onTerminal(args, { env })).includes('\u001b'), JSON.stringify(env))
    assert(!(await onTerminal([...args, '--color=never'])).includes('\u001b'))
    // as no-color.org has it
    assert((await onTerminal(args, { env: { NO_COLOR: '' } })).includes(RED))
  })

  it('are where they are asked for', async (t) => {
    assert((await onPipe(t, ['--color'])).includes(RED))
    assert((await onPipe(t, ['--color=always'], { NO_COLOR: '1' })).includes(RED))
    assert((await onPipe(t, [], { FORCE_COLOR: '1', NO_COLOR: '1' })).includes(RED))
    assert(!(await onPipe(t, ['--color=auto'])).includes('\u001b'))
    const { code, stderr } = await runCli(['run', 'ls', '-s', 'http://x', '--color=red'])
    assert.equal(code, 80)
    assert.equal(stderr, 'pocketci: error: --color: expected auto, always or never, got "red"\n')
  })
})

describe('tables', () => {
  it('fit the terminal', async (t) => {
    const url = await startList(t)
    const text = stripVTControlCharacters(
      await onTerminal(['run', 'ls', '-s', url], { columns: 60 }),
    )
    for (const line of text.trimEnd().split('\n')) assert(line.length <= 60, line)
    assert.match(text, /a-pipel\S*… +failed/)
    assert.match(await onTerminal(['pipeline', 'ls', '-s', url]), new RegExp(`^${LONG} `, 'm'))
  })

  it('are whole where they go elsewhere', async (t) => {
    const { stdout } = await runCli(['pipeline', 'ls', '-s', await startList(t)], {
      env: { COLUMNS: '40' },
    })
    assert(stdout.includes(LONG))
  })
})
