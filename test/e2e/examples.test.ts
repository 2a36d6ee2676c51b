import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { before, test } from 'node:test'
import { DRIVERS } from '../../src/shared/config/config.js'
import { ensureBusybox } from '../helpers/docker-engine.js'
import { runCommand } from '../helpers/process.js'
import { BIN, repoPath } from '../helpers/repo.js'
import { startServer } from '../helpers/server.js'

/** What each example prints, last lines first; npm-package has a test of its own. */
const EXAMPLES: Record<string, RegExp> = {
  'hello-world.ts': /finished: Hello, pocketci!\n$/,
  'stages.ts': /last build: \{ "at": "\d{4}-.*Z", "targets": 2 \}\n$/,
}
const TESTED_ELSEWHERE = ['npm-package.ts', 'workdir.ts', 'tsconfig.json']

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
