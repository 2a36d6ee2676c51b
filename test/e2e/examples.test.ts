import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { DRIVERS } from '../../src/shared/config/config.js'
import { runCli } from '../helpers/cli-process.js'
import { ensureBusybox } from '../helpers/docker-engine.js'
import { runCommand } from '../helpers/process.js'
import { BIN, repoPath } from '../helpers/repo.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'

/** What each example prints, last lines first; the others have tests of their own. */
const EXAMPLES: Record<string, RegExp> = {
  'inputs.ts': /deployed to: staging x 1\n$/,
  'hello-world.ts': /finished: Hello, pocketci!\n$/,
  'stages.ts': /last build: \{ "at": "\d{4}-.*Z", "targets": 2 \}\n$/,
}
const TESTED_ELSEWHERE = [
  'gate.ts',
  'npm-package.ts',
  'schedule.ts',
  'webhook.ts',
  'workdir.ts',
  'tsconfig.json',
]

test('every example has a test', () => {
  const files = readdirSync(repoPath('examples'))
  const known = [...Object.keys(EXAMPLES), ...TESTED_ELSEWHERE]
  assert.deepEqual(
    files.filter((file) => !known.includes(file)),
    [],
  )
})

const CASES = DRIVERS.flatMap((driver) =>
  Object.entries(EXAMPLES).map(([file, output]) => ({ driver, file, output })),
)

before(ensureBusybox)

for (const { driver, file, output } of CASES)
  test(`the example ${file} runs on a server and without one (${driver})`, async (t) => {
    const server = await startServer(t, { args: [`--driver=${driver}`] })
    const name = file.replace('.ts', '')
    const set = await server.cli('pipeline', 'set', repoPath(`examples/${file}`))
    assert.equal(set.code, 0, set.stderr)
    const run = await server.cli('pipeline', 'run', '--no-workdir', name)
    assert.equal(run.code, 0, run.stderr)
    assert.match(run.stdout, output)
    const local = await runCommand(process.execPath, [
      BIN,
      'execute',
      `--driver=${driver}`,
      repoPath(`examples/${file}`),
    ])
    assert.equal(local.code, 0, local.stderr)
    assert.match(local.stdout, output)
  })

for (const driver of DRIVERS)
  test(`the example workdir.ts works on the folder that it is started in (${driver})`, async (t) => {
    const server = await startServer(t, { args: [`--driver=${driver}`] })
    const folder = tempDir(t)
    mkdirSync(join(folder, 'src'))
    writeFileSync(join(folder, 'src/main.c'), 'int main;')
    writeFileSync(join(folder, 'greeting.txt'), 'Hello from here\n')
    const set = await server.cli('pipeline', 'set', repoPath('examples/workdir.ts'))
    assert.equal(set.code, 0, set.stderr)
    const args = ['pipeline', 'run', '-s', server.url, 'workdir', 'greeting.txt']
    const run = await runCli(args, { cwd: folder })
    assert.deepEqual(run, {
      code: 0,
      signal: null,
      stdout: '2\ngreeting.txt of 2 files: Hello from here\n',
      stderr: '',
    })
  })
