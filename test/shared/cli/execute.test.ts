import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { runCli, startCli } from '../../helpers/cli-process.js'
import { tempDir } from '../../helpers/temp-dir.js'

/** A pipeline file, and a folder that the command takes for the system's temporary one. */
function write(
  t: TestContext,
  source: string,
): { file: string; env: { TMPDIR: string }; dir: string } {
  const dir = tempDir(t)
  const tmp = join(dir, 'tmp')
  mkdirSync(tmp)
  const file = join(dir, 'main.ts')
  writeFileSync(file, source)
  return { file, env: { TMPDIR: tmp }, dir }
}

const shell = (script: string, more = ''): string =>
  `await runtime.run({ name: 'step', command: { path: 'sh', args: ['-c', ${JSON.stringify(script)}] } ${more} })`

describe('execute', () => {
  it('runs a file with its imports and arguments and leaves nothing behind', async (t) => {
    const { file, env, dir } = write(
      t,
      `import { greet } from './greet.js'
       const pipeline = async () => {
         console.log(greet(pipelineContext.args.join('|')))
         ${shell('echo out; echo err >&2')}
       }
       export { pipeline }`,
    )
    writeFileSync(join(dir, 'greet.ts'), 'export const greet = (name: string) => `hello ${name}`\n')
    const { code, stdout, stderr } = await runCli(['execute', file, 'a b', '--', '--c'], { env })
    assert.equal(code, 0, stderr)
    assert.equal(stdout, 'hello a b|--c\nout\n')
    assert.equal(stderr, 'err\n')
    assert.deepEqual(readdirSync(env.TMPDIR), [])
  })

  it('is also called runner, and hands secrets to steps', async (t) => {
    const { file, env } = write(
      t,
      `const pipeline = async () => {
         const { stdout } = ${shell('printf %s "$TOKEN" | wc -c', ", env: { TOKEN: 'secret:TOKEN' }")}
         console.log('length', stdout.trim())
       }
       export { pipeline }`,
    )
    const { code, stdout } = await runCli(['runner', '-e', 'TOKEN=hunter2', file], { env })
    assert.equal(code, 0)
    assert.match(stdout, /length 7\n/)
  })

  it('knows --global-secret as --secret, and says which flags a run without a server has not', async (t) => {
    const { file, env } = write(
      t,
      `const pipeline = async () => {
         const read = async (name: string) => (${shell('printf %s "$TOKEN" | wc -c', ', env: { TOKEN: `secret:${name}` }')}).stdout.trim()
         console.log('lengths', await read('A'), await read('B'))
       }
       export { pipeline }`,
    )
    const args = ['--global-secret', 'A=1234', '--global-secret=B=x', '-e', 'B=123456']
    const { stdout, stderr } = await runCli(['execute', ...args, file], { env })
    assert.match(stdout, /lengths 4 6\n/, stderr)
    const refused = await runCli(['execute', '--storage-sqlite-path', 'x.db', '--resume', file])
    assert.equal(refused.code, 1)
    assert.match(
      refused.stderr,
      /--storage-sqlite-path is not .* the database of execute is temporary/,
    )
    assert.match(refused.stderr, /--resume is not available/)
  })

  it('fails with the error of the pipeline and its position', async (t) => {
    const { file, env } = write(
      t,
      `const pipeline = async () => {\n  throw new Error('no luck')\n}\nexport { pipeline }\n`,
    )
    const { code, stderr } = await runCli(['execute', file], { env })
    assert.equal(code, 1)
    assert.match(stderr, /pocketci: error: could not execute pipeline: [^]*no luck[^]*main\.ts:2:/)
    assert.deepEqual(readdirSync(env.TMPDIR), [])
  })

  it('refuses a file that does not compile', async (t) => {
    const { file, env } = write(t, 'const =')
    const { code, stderr } = await runCli(['execute', file], { env })
    assert.equal(code, 1)
    assert.match(stderr, /pocketci: error: could not bundle pipeline: main\.ts:1:7/)
  })

  it('stops the run at Ctrl-C', async (t) => {
    const { file, env } = write(
      t,
      `const pipeline = async () => { ${shell('echo working; sleep 60')} }\nexport { pipeline }\n`,
    )
    const cli = startCli(['execute', file], { env })
    await cli.says('working')
    cli.child.kill('SIGINT')
    const { code, stderr } = await cli.exited
    assert.equal(code, 1)
    assert.match(stderr, /pocketci: error: execution cancelled: SIGINT\n$/)
    assert.deepEqual(readdirSync(env.TMPDIR), [])
  })

  it('stops the run after its time-out', async (t) => {
    const { file, env } = write(
      t,
      `const pipeline = async () => { ${shell('sleep 60')} }\nexport { pipeline }\n`,
    )
    const { code, stderr } = await runCli(['execute', '--timeout', '1s', file], { env })
    assert.equal(code, 1)
    assert.match(stderr, /execution cancelled: timed out after 1 s/)
  })
})
