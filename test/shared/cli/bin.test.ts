import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { BIN, runCli, startCli } from '../../helpers/cli-process.js'
import { startHttpStandIn } from '../../helpers/http-stand-in.js'
import { OLD_NODE } from '../../helpers/old-node.js'
import { isAlive, runCommand } from '../../helpers/process.js'
import { childrenOf } from '../../helpers/server.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'

describe(
  'the bin on a Node that is too old',
  { skip: OLD_NODE ? false : 'no such Node here' },
  () => {
    const node = OLD_NODE ?? ''

    it('runs on the Node that was installed with it and passes on the exit code', async () => {
      const { code, stdout } = await runCli(['--version'], { node })
      assert.equal(code, 0)
      assert.match(stdout, /^\d+\.\d+\.\d+ /)
      assert.equal((await runCli(['nonsense'], { node })).code, 80)
    })

    it('passes on signals, and shows no arguments in ps', async (t) => {
      const { url, seen } = await startHttpStandIn(t, () => undefined)
      const args = ['pipeline', 'run', '--no-workdir', '-s', url, '-t', 'hunter2', 'hello']
      const cli = startCli(args, { node })
      await until('the request is there', () => seen.length === 1)
      const shown = execFileSync('ps', ['-o', 'args=', '-p', String(cli.pid)], { encoding: 'utf8' })
      assert.equal(shown.trim(), 'pocketci')
      cli.child.kill('SIGTERM')
      assert.equal((await cli.exited).code, 143)
    })

    it('does not stay behind when it is killed', async (t) => {
      const { url, seen } = await startHttpStandIn(t, () => undefined)
      const cli = startCli(['pipeline', 'run', '--no-workdir', '-s', url, 'hello'], { node })
      await until('the request is there', () => seen.length === 1)
      const [pid = 0] = await childrenOf(cli.pid)
      assert(isAlive(pid))
      cli.child.kill('SIGKILL')
      await until('the other process is gone', () => !isAlive(pid))
      await cli.exited
    })

    it('says what it needs when there is no other Node', async (t) => {
      const dir = tempDir(t)
      mkdirSync(join(dir, 'node_modules', 'node'), { recursive: true })
      writeFileSync(join(dir, 'node_modules', 'node', 'package.json'), '{"version":"18.0.0"}')
      writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
      cpSync(BIN, join(dir, 'bin.js'))
      const { code, stdout, stderr } = await runCommand(node, [join(dir, 'bin.js'), 'server'])
      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(
        stderr,
        /^pocketci: error: pocketci needs Node.js 24 or newer, and this is v\d+\.[^\n]*\n$/,
      )
    })
  },
)
