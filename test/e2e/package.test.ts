import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { OLD_NODE } from '../helpers/old-node.js'
import { collect, runCommand, type Finished } from '../helpers/process.js'
import { repoPath } from '../helpers/repo.js'
import { until } from '../helpers/until.js'

const HELLO = `/// <reference types="pocketci" />
const pipeline = async () => {
  const name: string = pipelineContext.args[0] ?? 'nobody'
  await runtime.run({ name: 'greet', command: { path: 'sh', args: ['-c', \`echo "Hello, \${name}!"\`] } })
}
export { pipeline }
`

let tarball = ''
/** The empty folder that the package was installed in, as a person would do it. */
let app = ''

before(async () => {
  app = await mkdtemp(join(tmpdir(), 'pocketci-package-'))
  // native steps run as a user of their own, who has to get to their folders
  chmodSync(app, 0o755)
  // the build is there already; prepack would take it from under the other tests
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', app]
  const packed = await runCommand('npm', pack, { cwd: repoPath('.') })
  assert.equal(packed.code, 0, packed.stderr)
  const [{ filename = '' } = {}] = JSON.parse(packed.stdout) as { filename?: string }[]
  tarball = join(app, filename)
  const install = ['install', '--no-audit', '--no-fund', '--prefix', app, tarball]
  const installed = await runCommand('npm', install, { cwd: app, timeoutMs: 300_000 })
  assert.equal(installed.code, 0, installed.stderr)
  writeFileSync(join(app, 'hello.ts'), HELLO)
})

after(() => rmSync(app, { recursive: true, force: true }))

/** An environment in which `node` is this one, with nothing of the repository. */
function envOf(node: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const path = [dirname(node), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter)
  return { PATH: path, HOME: app, ...more }
}

/** What was installed as a command, in the folder. */
function pocketci(args: readonly string[], env = envOf(process.execPath)): Promise<Finished> {
  return runCommand(join(app, 'node_modules', '.bin', 'pocketci'), args, { cwd: app, env })
}

async function startServer(t: TestContext): Promise<string> {
  const command = join(app, 'node_modules', '.bin', 'pocketci')
  const args = ['server', '--port=0', '--driver=native', `--native-root=${join(app, 'native')}`]
  const child = spawn(command, args, { cwd: app, env: envOf(process.execPath), stdio: 'pipe' })
  const [stdout, stderr] = [collect(child, 'stdout'), collect(child, 'stderr')]
  const exited = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGTERM')
    await exited
  })
  return await until('the server says its address', () => {
    if (child.exitCode !== null) throw new Error(`the server ended: ${stdout()}${stderr()}`)
    return /http:\/\/[\d.]+:\d+/.exec(stdout())?.[0]
  })
}

describe('the package', () => {
  it('has what is needed, and no more', async () => {
    const { stdout } = await runCommand('tar', ['tzf', tarball])
    const files = stdout
      .trimEnd()
      .split('\n')
      .map((file) => file.replace('package/', ''))
    for (const file of [
      'LICENSE',
      'README.md',
      'docs/cli.md',
      'examples/hello-world.ts',
      'migrations/main/000001_pipelines_and_runs.sql',
      'src/shared/typings/global.d.ts',
      'src/shared/cli/completion/scripts/pocketci.bash',
      'dist/src/shared/cli/bin.js',
      'dist/src/api/static/pocketci.css',
      'dist/src/executor/main.js',
    ])
      assert(files.includes(file), file)
    const known =
      /^(LICENSE|README\.md|package\.json|(docs|examples|migrations|dist\/src)\/.*|src\/shared\/(typings|cli\/completion\/scripts)\/.*)$/
    assert.deepEqual(
      files.filter((file) => !known.test(file)),
      [],
    )
    const source = /^dist\/.*\.tsx?$/
    assert.deepEqual(
      files.filter((file) => source.test(file)),
      [],
    )
  })

  it('tells its version, completes, and finds the machine fit', async () => {
    const { version } = JSON.parse(readFileSync(repoPath('package.json'), 'utf8')) as {
      version: string
    }
    assert.equal((await pocketci(['--version'])).stdout, `${version} (none)\n`)
    assert.match(
      (await pocketci(['completion', 'bash'])).stdout,
      /^complete -F _pocketci pocketci$/m,
    )
    const doctor = await pocketci(['doctor', '--port=0', '--driver=native'])
    assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr)
  })

  it('runs a server that takes a pipeline and runs it', async (t) => {
    const env = envOf(process.execPath, { CI_SERVER_URL: await startServer(t) })
    const set = await pocketci(['pipeline', 'set', 'hello.ts'], env)
    assert.equal(set.code, 0, set.stderr)
    const run = await pocketci(['pipeline', 'run', '--no-workdir', 'hello', 'package'], env)
    assert.deepEqual([run.code, run.stdout], [0, 'Hello, package!\n'], run.stderr)
    const runs = await pocketci(['run', 'ls', '--json'], env)
    const [{ status = '' } = {}] = JSON.parse(runs.stdout) as { status?: string }[]
    assert.equal(status, 'success')
  })

  it('runs a pipeline without a server', async () => {
    const { code, stdout, stderr } = await pocketci(['execute', 'hello.ts', 'you'])
    assert.deepEqual([code, stdout], [0, 'Hello, you!\n'], stderr)
  })

  it('has the types of pipelines for editors', async () => {
    const args = ['--noEmit', '--strict', '--ignoreConfig', '--types', 'pocketci', 'hello.ts']
    const checked = await runCommand(repoPath('node_modules/.bin/tsc'), args, {
      cwd: app,
      env: envOf(process.execPath),
    })
    assert.equal(checked.code, 0, checked.stdout)
    writeFileSync(join(app, 'wrong.ts'), HELLO.replace('path:', 'pth:'))
    const wrong = await runCommand(
      repoPath('node_modules/.bin/tsc'),
      args.map((arg) => arg.replace('hello', 'wrong')),
      { cwd: app, env: envOf(process.execPath) },
    )
    assert.match(wrong.stdout, /'pth' does not exist/)
  })
})

describe(
  'the package on a Node that is too old',
  { skip: OLD_NODE ? false : 'no such Node here' },
  () => {
    const env = () => envOf(OLD_NODE ?? '')

    it('says in one sentence what it needs', async () => {
      const { code, stdout, stderr } = await pocketci(['execute', 'hello.ts'], env())
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(
        stderr,
        /^pocketci: error: pocketci needs Node.js 24 or newer, and this is v\d+\.[^\n]*: install it, or add the npm package "node" beside pocketci\n$/,
      )
    })

    it('goes on with the npm package "node" that is beside it', async () => {
      symlinkSync(repoPath('node_modules/node'), join(app, 'node_modules', 'node'))
      const { code, stdout, stderr } = await pocketci(['execute', 'hello.ts', 'old'], env())
      assert.deepEqual([code, stdout], [0, 'Hello, old!\n'], stderr)
    })
  },
)
