import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { SERVER_FLAGS } from '../../../src/shared/config/server-flags.js'
import { runCli, startCli } from '../../helpers/cli-process.js'
import { startHttpStandIn } from '../../helpers/http-stand-in.js'
import { until } from '../../helpers/until.js'

const S = ['-s', 'http://127.0.0.1:1']

describe('the command line', () => {
  const wrong: [string[], string | RegExp][] = [
    [['servr'], "unknown command 'servr'; did you mean server?"],
    [['server', '--prot', '1'], "unknown option '--prot'; did you mean --port?"],
    [['pipeline', 'lst'], "unknown command 'lst'; did you mean one of list, ls?"],
    [['server', 'extra'], /^too many arguments/],
    [['server', '--port'], /^option '--port <INT>' argument missing/],
    [['server', '--port', 'x'], '--port: expected a whole number from 0 to 65535, got "x"'],
    [['server', '--log-format=xml'], /^--log-format: expected one of "text", "json"/],
    [['server', '--add-source=maybe'], '--add-source: expected true or false, got "maybe"'],
    [['pipeline', 'ls'], 'missing flags: --server-url=STRING'],
    [['pipeline', 'rm', ...S], "missing required argument 'name-or-id'"],
    [['pipeline', 'set', ...S, '/nowhere/x.ts'], '/nowhere/x.ts: no such file'],
    [['pipeline', 'set', ...S, '/tmp'], '/tmp: not a regular file'],
    [['pipeline', 'ls', '-s', 'ftp://u:hunter2@x'], /^--server-url: expected an http/],
    [['execute', '/nowhere/x.ts'], '/nowhere/x.ts: no such file'],
  ]
  for (const [args, message] of wrong)
    it(`refuses \`${args.join(' ')}\` with exit code 80`, async () => {
      const { code, stdout, stderr } = await runCli(args)
      assert.equal(code, 80)
      assert.equal(stdout, '')
      const [, text = ''] = /^pocketci: error: (.*)\n$/s.exec(stderr) ?? []
      if (typeof message === 'string') assert.equal(text, message)
      else assert.match(text, message)
    })

  it('reports faults of meaning with exit code 1, all of them, indented to the message', async () => {
    const args = ['--allowed-features', 'x', '--basic-auth', 'hunter2', '--secret', 'hunter2']
    const { code, stderr } = await runCli(['server', ...args])
    assert.equal(code, 1)
    const lines = stderr.trimEnd().split('\n')
    assert.equal(lines[0], 'pocketci: error: 3 settings are not valid:')
    assert(lines.slice(1).every((line) => line.startsWith(' '.repeat(17))))
    assert.doesNotMatch(stderr, /hunter2/)
  })

  it('names the variable that a value came from', async () => {
    const { code, stderr } = await runCli(['server'], { env: { CI_PORT: 'x' } })
    assert.equal(code, 80)
    assert.match(stderr, /--port: .* \(from CI_PORT\)/)
  })

  it('shows help of each level on stdout with exit code 0', async () => {
    for (const args of [
      ['--help'],
      ['help'],
      ['help', 'server'],
      ['pipeline', '-h'],
      ['pipeline', 'set', '--help'],
    ]) {
      const { code, stdout, stderr } = await runCli(args)
      assert.equal(code, 0)
      assert.match(stdout, /^Usage: pocketci/)
      assert.equal(stderr, '')
    }
  })

  it('shows every flag of the server with its variable, and what is not there yet', async () => {
    const { stdout } = await runCli(['server', '--help'])
    const help = stdout.replaceAll(/\s+/g, ' ')
    for (const [name, flag] of Object.entries(SERVER_FLAGS)) {
      assert(help.includes(`--${name}`), name)
      if ('env' in flag && flag.env) assert(help.includes(flag.env), flag.env)
      if ('default' in flag && flag.default && flag.default !== 'false')
        assert(help.includes(`default: ${flag.default}`), name)
    }
    assert(help.includes('CI_CACHE_S3_BUCKET, not yet'))
  })

  it('shows help on stderr with exit code 80 when a group stands alone', async () => {
    for (const args of [[], ['pipeline']]) {
      const { code, stdout, stderr } = await runCli(args)
      assert.equal(code, 80)
      assert.equal(stdout, '')
      assert.match(stderr, /^Usage: pocketci/)
    }
  })

  it('tells its version and commit', async () => {
    for (const flag of ['--version', '-V']) {
      const { code, stdout } = await runCli([flag])
      assert.equal(code, 0)
      assert.match(stdout, /^\d+\.\d+\.\d+ \(\w+\)\n$/)
    }
  })

  it('takes global flags before and after the command, and booleans with a value', async () => {
    for (const args of [
      ['--log-format=xml', 'pipeline', 'ls', ...S],
      ['pipeline', '--log-format', 'xml', 'ls', ...S],
      ['pipeline', 'ls', ...S, '--log-format=xml'],
    ]) {
      const { code, stderr } = await runCli(args)
      assert.equal(code, 80)
      assert.match(stderr, /--log-format: expected one of/)
    }
    const { code } = await runCli(['server', '--add-source=false', '--port=x'])
    assert.equal(code, 80)
  })

  it('takes a short flag with its value in one piece', async () => {
    const { code, stderr } = await runCli(['pipeline', 'ls', '-shttp://127.0.0.1:1'])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^pocketci: error: list pipelines: could not connect to server: http:\/\/127.0.0.1:1: /,
    )
  })

  it('keeps its arguments from ps', async (t) => {
    // a server that never answers: the command is there to be looked at
    const { url } = await startHttpStandIn(t, () => undefined)
    const cli = startCli(['pipeline', 'ls', '-s', url, '--auth-token', 'hunter2'])
    const cmdline = await until('the title is set', () => {
      const text = readFileSync(`/proc/${cli.pid}/cmdline`, 'utf8')
      return text.startsWith('pocketci') ? text : undefined
    })
    assert.doesNotMatch(cmdline, /hunter2/)
    cli.child.kill('SIGKILL')
    await cli.exited
  })
})
