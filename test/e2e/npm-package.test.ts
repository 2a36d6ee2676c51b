import assert from 'node:assert/strict'
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { runCli } from '../helpers/cli-process.js'
import { ensureNodeImage } from '../helpers/docker-engine.js'
import { runCommand } from '../helpers/process.js'
import { BIN, repoPath } from '../helpers/repo.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'

const PACKAGE = 'zod@4.1.5'
const EXAMPLE = repoPath('examples/npm-package.ts')

interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

test('a published npm package is installed, built and tested by a pipeline, from the command line', async (t) => {
  const tarball = await packPackage(t)
  const server = await startServer(t)
  const set = await server.cli('pipeline', 'set', EXAMPLE)
  assert.equal(set.code, 0, set.stderr)
  assertTested(await server.cli('pipeline', 'run', '--no-workdir', 'npm-package', tarball))
})

test('the same without a server', async (t) => {
  const tarball = await packPackage(t)
  assertTested(await runCommand(process.execPath, [BIN, 'execute', EXAMPLE, tarball]))
})

test('the same in containers, from an upload of a working copy', async (t) => {
  await ensureNodeImage()
  const folder = await makeWorkingCopy(t)
  const server = await startServer(t, { args: ['--driver=docker'] })
  const set = await server.cli('pipeline', 'set', EXAMPLE)
  assert.equal(set.code, 0, set.stderr)
  assertTested(await runCli(['pipeline', 'run', '-s', server.url, 'npm-package'], { cwd: folder }))
})

/** The summaries of both halves of its own test suite, and the count of built files. */
function assertTested({ code, stdout, stderr }: Outcome): void {
  assert.equal(code, 0, `${stdout.slice(-3_000)}\n${stderr.slice(-3_000)}`)
  assert.equal([...stdout.matchAll(/Test Files\s+\d+ passed/g)].length, 2, stdout.slice(-3_000))
  assert.match(stdout, /built \d{2,} files/)
}

async function packPackage(t: TestContext): Promise<string> {
  const dir = tempDir(t)
  const args = ['pack', PACKAGE, '--silent', '--pack-destination', dir]
  const packed = await runCommand('npm', args, { cwd: dir })
  assert.equal(packed.code, 0, packed.stderr)
  // a native step runs as a user of its own
  chmodSync(dir, 0o755)
  return join(dir, packed.stdout.trim())
}

/** The unpacked package with the tools that its tests need, as a developer has it. */
async function makeWorkingCopy(t: TestContext): Promise<string> {
  const tarball = await packPackage(t)
  const folder = join(tarball, '..')
  const unpacked = await runCommand('tar', ['-xzf', tarball, '--strip-components=1'], {
    cwd: folder,
  })
  assert.equal(unpacked.code, 0, unpacked.stderr)
  rmSync(tarball)
  const tools = ['vitest@3', 'recheck@4', 'typescript@5', '@types/node@22', '@web-std/file@3']
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--ignore-scripts']
  const installed = await runCommand(
    'npm',
    [...args, ...tools, '@seriousme/openapi-schema-validator@2'],
    { cwd: folder },
  )
  assert.equal(installed.code, 0, installed.stderr)
  return folder
}
