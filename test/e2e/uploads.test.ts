import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { runCli, startCli } from '../helpers/cli-process.js'
import { rssOf, tiersOf } from '../helpers/processes.js'
import { watchRss } from '../helpers/rss-watch.js'
import { ended, getRun } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tarHeader, toTar, toTarZst } from '../helpers/tar.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'
import { beginForm, sendForm, workdirForm } from '../helpers/upload.js'
import { zstdBomb } from '../helpers/zstd-bomb.js'

const MIB = 1_048_576

/** Lists what the run got, with a hash of all of it. */
const LIST = `export const pipeline = async () => {
  const workdir = await volumes.create({ name: 'workdir' })
  const script = 'cd workdir; find . -mindepth 1 | LC_ALL=C sort; find . -type f -exec cat {} + | wc -c; id -un; stat -c %A run.sh 2>&1'
  await runtime.run({ name: 'list', image: 'busybox', command: { path: 'sh', args: ['-c', script] }, mounts: { workdir } })
}`

const SLEEP = `export const pipeline = async () => {
  await runtime.run({ name: 'wait', image: 'busybox', command: { path: 'sleep', args: ['600'] } })
}`

function folderWith(t: TestContext, files: Record<string, string | Buffer>): string {
  const dir = tempDir(t)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(dir, dirname(path)), { recursive: true })
    writeFileSync(join(dir, path), content, { mode: path.endsWith('.sh') ? 0o755 : 0o644 })
  }
  return dir
}

const spoolOf = ({ storage }: TestServer): string[] =>
  existsSync(`${storage}-spool`) ? readdirSync(`${storage}-spool`) : []

async function runsOf(server: TestServer): Promise<{ id: string; status: string }[]> {
  const response = await server.api('/api/runs')
  return ((await response.json()) as { items: { id: string; status: string }[] }).items
}

test('the folder arrives as it is, less what is ignored, and is gone after the run', async (t) => {
  const server = await startServer(t)
  await server.setPipeline('list', LIST)
  const folder = folderWith(t, {
    'run.sh': '#!/bin/sh\n',
    'src/deep/er/main.c': randomBytes(300_000),
    '.git/config': 'not this',
    'node_modules/x/y': 'nor this',
    'with space/ü漢': 'x',
  })
  mkdirSync(join(folder, 'empty'))
  symlinkSync('/etc/passwd', join(folder, 'link'))
  symlinkSync('../run.sh', join(folder, 'src/tool'))
  const run = (...args: string[]) =>
    runCli(['pipeline', 'run', '-s', server.url, ...args, 'list'], { cwd: folder })
  const names = ['./empty', './run.sh', './src', './src/deep', './src/deep/er']
  const sent = [...names, './src/deep/er/main.c', './src/tool', './with space', './with space/ü漢']
  assert.deepEqual(await run('--ignore', '.git/**/*,node_modules'), {
    code: 0,
    signal: null,
    stdout: [...sent, '300011', 'nobody', '-rwxr-xr-x', ''].join('\n'),
    stderr: 'warning: link: the symlink leads to an absolute path: it is left out\n',
  })
  const byDefault = await run()
  assert.match(byDefault.stdout, /^\.\/node_modules\/x\/y$/m)
  assert.doesNotMatch(byDefault.stdout, /\.git/)
  const nothing = await run('--no-workdir')
  assert.match(nothing.stdout, /^0\nnobody\nstat: /)
  await until('no upload is left', () => spoolOf(server).length === 0)
  await until('no volume is left', () => readdirSync(join(server.dir, 'native')).length === 0)
})

test('a waiting run keeps its upload through SIGKILL of everything', async (t) => {
  const dir = tempDir(t)
  const server = await startServer(t, { dir, args: ['--max-in-flight=1'] })
  await server.setPipeline('sleep', SLEEP)
  await server.setPipeline('list', LIST)
  const blocker = await server.cli('pipeline', 'trigger', 'sleep')
  assert.equal(blocker.code, 0, blocker.stderr)
  const answer = await sendForm(
    `${server.url}/api/pipelines/list/run`,
    workdirForm(toTarZst([{ name: 'kept', content: 'through it all' }])),
  )
  assert.equal(answer.status, 200)
  const runId = String(answer.headers['x-run-id'])
  const gone = answer.text().catch(() => undefined)
  assert.equal((await getRun(server, runId)).status, 'queued')
  await server.killTree()
  await gone
  const again = await startServer(t, { dir, args: ['--max-in-flight=2', '--lease-ttl=2s'] })
  assert.equal((await ended(again, runId)).status, 'success')
  const log = await (await again.api(`/api/runs/${runId}/logs?step=1`)).text()
  assert.match(log, /^\.\/kept\n14\n/)
  await until('its upload is gone', () => spoolOf(again).length === 0)
})

test('2 MB that would be 60 GB are refused within 3 s, in little memory, and leave nothing', async (t) => {
  const server = await startServer(t)
  await server.setPipeline('list', LIST)
  const url = `${server.url}/api/pipelines/list/run`
  assert.equal((await sendForm(url, workdirForm('no zstd'))).status, 400) // warm
  const honest = zstdBomb(
    tarHeader({ name: 'zeros', size: 60_000_000_000, type: '0' }),
    60_000_000_000,
  )
  assert.ok(honest.length < 2 * MIB)
  // an archive that ends early, and then zeros: only counting tells
  const hidden = zstdBomb(toTar([{ name: 'a', content: 'x' }]), 60_000_000_000)
  const tiers = await tiersOf(server)
  const before = tiers.map(({ pid }) => rssOf(pid))
  const watch = watchRss(tiers.map(({ pid }) => pid))
  t.after(() => watch.stop())
  for (const [bomb, withinMs] of [
    [honest, 3_000],
    [hidden, 20_000], // a gigabyte is counted first, and the machine may have other things to do
  ] as const) {
    const start = performance.now()
    const answer = await sendForm(url, workdirForm(bomb))
    const { code, error } = await answer.json()
    const took = performance.now() - start
    assert.deepEqual(
      [answer.status, code, error],
      [
        413,
        'archive_too_large',
        'workdir decompressed size exceeds cap: more than 1024 MB (--max-workdir-mb of the server)',
      ],
    )
    assert.ok(took < withinMs, `${took} ms`)
    assert.deepEqual(spoolOf(server), [])
  }
  const peak = watch.stop()
  tiers.forEach(({ name }, at) => {
    const grown = (peak[at] ?? 0) - (before[at] ?? 0)
    t.diagnostic(`${name} grew by ${(grown / MIB).toFixed(1)} MiB`)
    assert.ok(grown < 64 * MIB, `${name} grew by ${grown / MIB} MiB`)
  })
  assert.deepEqual(await runsOf(server), [])
})

test('a folder that is too large is refused while it is sent, with the limit and its flag', async (t) => {
  const server = await startServer(t, { args: ['--max-workdir-mb=1'] })
  await server.setPipeline('list', LIST)
  const folder = folderWith(t, { noise: randomBytes(40 * MIB) })
  const args = ['pipeline', 'run', '-s', server.url, 'list']
  const { code, stderr } = await runCli(args, { cwd: folder })
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^pocketci: error: run pipeline: server returned 413: .*workdir decompressed size exceeds cap: more than 1 MB \(--max-workdir-mb of the server\)/,
  )
  assert.deepEqual([spoolOf(server), await runsOf(server)], [[], []])
})

test('Ctrl-C during the upload leaves nothing at the server', async (t) => {
  const server = await startServer(t)
  await server.setPipeline('list', LIST)
  const folder = folderWith(t, { noise: randomBytes(8 * MIB) })
  for (let at = 0; at < 300; at++) writeFileSync(join(folder, `more-${at}`), randomBytes(MIB))
  const cli = startCli(['pipeline', 'run', '-s', server.url, 'list'], { cwd: folder })
  await until('it has begun', () => spoolOf(server).length === 1)
  cli.child.kill('SIGINT')
  assert.equal((await cli.exited).code, 130)
  await until('the file is gone', () => spoolOf(server).length === 0)
  assert.deepEqual(await runsOf(server), [])
})

test('what is wrong with a folder is said before anything runs', async (t) => {
  const server = await startServer(t)
  await server.setPipeline('list', LIST)
  const folder = folderWith(t, { a: 'x' })
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x62, 0xff])]), 'x')
  const run = (...args: string[]) =>
    runCli(['pipeline', 'run', '-s', server.url, ...args, 'list'], { cwd: folder })
  assert.deepEqual(await run(), {
    code: 1,
    signal: null,
    stdout: '',
    stderr:
      'pocketci: error: run pipeline: cannot pack "b\ufffd" of the working directory: its name is not UTF-8; correct it, or leave it out with --ignore\n',
  })
  await until('nothing is left', () => spoolOf(server).length === 0)
  assert.deepEqual(await runsOf(server), [])
})

test('a server that stops in the middle of an upload lets go of it', async (t) => {
  const server = await startServer(t, { args: ['--drain-timeout=1s'] })
  await server.setPipeline('list', LIST)
  const { answered } = await beginForm(
    `${server.url}/api/pipelines/list/run`,
    workdirForm(toTarZst([{ name: 'a', content: 'x' }]).subarray(0, 20)),
  )
  await until('it has begun', () => spoolOf(server).length === 1)
  assert.equal(await server.stop(), 0)
  await assert.rejects(answered)
  assert.deepEqual(spoolOf(server), [])
})

test('an upload takes little memory wherever it comes through', async (t) => {
  const server = await startServer(t)
  await server.setPipeline('list', LIST)
  const files = Array.from({ length: 6 }, (_, at) => [`noise-${at}`, randomBytes(32 * MIB)])
  const folder = folderWith(t, Object.fromEntries(files) as Record<string, Buffer>)
  const run = async (...flags: string[]) => {
    const args = ['pipeline', 'run', '-s', server.url, ...flags, 'list']
    const cli = startCli(args, { cwd: folder })
    const watch = watchRss([cli.pid])
    const { code, stdout } = await cli.exited
    assert.equal(code, 0)
    return { stdout, peak: watch.stop()[0] ?? 0 }
  }
  const without = await run('--no-workdir')
  const tiers = await tiersOf(server)
  const before = tiers.map(({ pid }) => rssOf(pid))
  const watch = watchRss(tiers.map(({ pid }) => pid))
  t.after(() => watch.stop())
  const sent = await run()
  assert.match(sent.stdout, new RegExp(`^${6 * 32 * MIB}$`, 'm'))
  const peaks = watch.stop()
  const grown = {
    command: sent.peak - without.peak,
    ...Object.fromEntries(
      tiers.map(({ name }, at) => [name, (peaks[at] ?? 0) - (before[at] ?? 0)]),
    ),
  }
  for (const [name, bytes] of Object.entries(grown)) {
    t.diagnostic(`${name} grew by ${(bytes / MIB).toFixed(1)} MiB`)
    assert.ok(bytes < 64 * MIB, `${name} grew by ${bytes / MIB} MiB`)
  }
})
