import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../helpers/process.js'
import { repoPath } from '../helpers/repo.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'

const PACKAGE = 'zod@4.1.5'

test('a published npm package is installed, built and tested by a pipeline, from the command line', async (t) => {
  const dir = tempDir(t)
  const packed = await runCommand('npm', ['pack', PACKAGE, '--silent', '--pack-destination', dir], {
    cwd: dir,
  })
  assert.equal(packed.code, 0, packed.stderr)
  const tarball = join(dir, packed.stdout.trim())
  // a native step runs as a user of its own
  chmodSync(dir, 0o755)

  const server = await startServer(t)
  const set = await server.cli('pipeline', 'set', repoPath('examples/npm-package.ts'))
  assert.equal(set.code, 0, set.stderr)
  const run = await server.cli('pipeline', 'run', '--no-workdir', 'npm-package', tarball)
  assert.equal(run.code, 0, `${run.stdout.slice(-3_000)}\n${run.stderr.slice(-3_000)}`)
  // the summaries of both halves of its own test suite, and the count of built files
  assert.equal(
    [...run.stdout.matchAll(/Test Files\s+\d+ passed/g)].length,
    2,
    run.stdout.slice(-3_000),
  )
  assert.match(run.stdout, /built \d{2,} files/)
})
