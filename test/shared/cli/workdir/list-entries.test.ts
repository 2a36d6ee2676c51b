import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import { listEntries } from '../../../../src/shared/cli/workdir/list-entries.js'
import { packWorkdir } from '../../../../src/shared/cli/workdir/pack-workdir.js'
import { showProgress } from '../../../../src/shared/cli/workdir/show-progress.js'
import { WORKDIR_FLAGS } from '../../../../src/shared/cli/workdir/workdir-flags.js'
import { inPieces, readAll } from '../../../helpers/streams.js'
import { tempDir } from '../../../helpers/temp-dir.js'

function folderWith(t: TestContext, files: Record<string, string>): string {
  const dir = tempDir(t)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, dirname(path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  return dir
}

/** What would be packed, folders with a slash behind them, and what was said about it. */
async function list(
  folder: string,
  ignore: readonly string[] = [],
  each: (path: string) => void = () => undefined,
) {
  const paths: string[] = []
  const warnings: string[] = []
  const contents: Record<string, string> = {}
  const options = { folder, ignore, warn: (text: string) => void warnings.push(text) }
  for await (const entry of listEntries(options)) {
    each(entry.path)
    paths.push(entry.kind === 'folder' ? `${entry.path}/` : entry.path)
    if (entry.kind === 'file') contents[entry.path] = String(await readAll(entry.content))
  }
  return { paths, warnings, contents }
}

describe('what is packed', () => {
  test('files and folders in lexical order, without the folder itself', async (t) => {
    const dir = folderWith(t, { 'b/2': '', 'b/10': '', 'b.txt': '', 'b-c': '', a: '', 'Z/x/y': '' })
    mkdirSync(join(dir, 'empty'))
    assert.deepEqual((await list(dir)).paths, [
      'Z/',
      'Z/x/',
      'Z/x/y',
      'a',
      'b/',
      'b/10',
      'b/2',
      'b-c',
      'b.txt',
      'empty/',
    ])
  })

  test('links, pipes, sockets and devices are left out', async (t) => {
    const dir = folderWith(t, { 'real/file': 'x' })
    symlinkSync('real', join(dir, 'linked'))
    symlinkSync('/etc/passwd', join(dir, 'passwd'))
    symlinkSync('nowhere', join(dir, 'dangling'))
    spawnSync('mkfifo', [join(dir, 'pipe')])
    spawnSync('mknod', [join(dir, 'null'), 'c', '1', '3'])
    const server = createServer().listen(join(dir, 'socket'))
    t.after(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    assert.deepEqual((await list(dir)).paths, ['real/', 'real/file'])
  })

  test('modes and times are kept; nothing says whose it was', async (t) => {
    const dir = folderWith(t, { run: '#!/bin/sh\n' })
    chmodSync(join(dir, 'run'), 0o4755)
    for await (const { mode, mtime, size } of listEntries({ folder: dir, ignore: [], warn() {} })) {
      assert.deepEqual([mode, size], [0o755, 10])
      assert.ok(Number.isInteger(mtime) && Math.abs(mtime - Date.now() / 1_000) < 60)
    }
    const signal = new AbortController().signal
    const packed = await readAll(packWorkdir({ folder: dir, ignore: [], warn() {}, signal }))
    writeFileSync(join(dir, 'x.tar.zst'), packed)
    const { stdout } = spawnSync('sh', ['-c', `${UNZSTD} < x.tar.zst | tar -tv --numeric-owner`], {
      cwd: dir,
      env: { ...process.env, NODE: process.execPath },
    })
    assert.match(String(stdout), /^-rwxr-xr-x 0\/0 +10 .* run$/m)
  })

  test('what changes meanwhile: gone is left out, longer is cut, shorter is an error', async (t) => {
    const files = { a: 'x', gone: 'x', grows: 'x', 'lost/x': 'x', z: 'x' }
    const dir = folderWith(t, files)
    const { paths, warnings, contents } = await list(dir, [], (path) => {
      if (path === 'a') unlinkSync(join(dir, 'gone'))
      if (path === 'grows') appendFileSync(join(dir, 'grows'), 'more')
      if (path === 'lost') rmSync(join(dir, 'lost'), { recursive: true })
    })
    assert.deepEqual(paths, ['a', 'grows', 'lost/', 'z'])
    assert.equal(contents['grows'], 'x')
    assert.deepEqual(warnings, [
      'gone is gone: it is left out',
      'grows grew while it was packed: only its first 1 bytes are in it',
    ])
    const shrinking = folderWith(t, { a: 'xxxx' })
    await assert.rejects(
      list(shrinking, [], () => truncateSync(join(shrinking, 'a'), 2)),
      {
        code: 'workdir_unreadable',
        message:
          'cannot pack "a" of the working directory: it became shorter while it was packed; correct it, or leave it out with --ignore',
      },
    )
  })

  test('a name that is not UTF-8 is named, unless it lies in what is ignored', async (t) => {
    const dir = folderWith(t, { 'a/x': '', 'b/x': '' })
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/b/bad-`), Buffer.from([0xff])]), '')
    await assert.rejects(list(dir), {
      code: 'workdir_unreadable',
      message: /cannot pack "b\/bad-\ufffd" of the working directory: its name is not UTF-8/,
    })
    assert.deepEqual((await list(dir, ['b/**/*'])).paths, ['a/', 'a/x'])
  })
})

describe('what is ignored', () => {
  test('by default .git, and nothing else', async (t) => {
    const files = { '.git/config': '', '.gitignore': '', '.github/x': '', 'sub/.git/config': '' }
    const dir = folderWith(t, files)
    const ignore = WORKDIR_FLAGS.ignore.default.split(',')
    assert.deepEqual((await list(dir, ignore)).paths, [
      '.github/',
      '.github/x',
      '.gitignore',
      'sub/',
      'sub/.git/',
      'sub/.git/config',
    ])
  })

  test('an ignored folder is not entered', async (t) => {
    const dir = folderWith(t, { 'dist/a/b': '', 'node_modules/x/y': '', 'src/dist/z': '' })
    // a name that would be an error if it was seen
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/node_modules/x/`), Buffer.from([0xff])]), '')
    const kept = ['src/', 'src/dist/', 'src/dist/z']
    // as itself, as what it would hold, and both
    for (const ignore of [
      ['dist', 'node_modules'],
      ['{dist,node_modules}/*'],
      ['dist/**', 'node*'],
    ])
      assert.deepEqual((await list(dir, ignore)).paths, kept, ignore.join())
  })

  test('globs are those of doublestar', async (t) => {
    const cases: [glob: string, matched: string[], not: string[]][] = [
      ['*.log', ['a.log', '.log'], ['d/a.log']],
      ['**/*.log', ['a.log', 'd/.log', 'd/e/a.log'], ['a.logs']],
      ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['a/zz', 'z']],
      ['**', ['a', 'd/.e'], []],
      ['a?c', ['abc', 'aüc'], ['ac', 'a/c']],
      ['[a-c]x', ['ax', 'cx'], ['dx']],
      ['[!a-c]x', ['dx'], ['ax']],
      ['[^a-c]x', ['dx'], ['ax']],
      ['{a,b*}.txt', ['a.txt', 'bc.txt'], ['c.txt']],
      ['\\*', ['*'], ['a']],
      ['!a', ['!a'], ['a', 'b']],
      ['**/report (1).pdf', ['report (1).pdf', 'd/report (1).pdf'], ['report 1.pdf']],
      ['+(a)', ['+(a)'], ['a', 'aa']],
      ['@(a|b)', ['@(a|b)'], ['a']],
      ['*"a"', ['"a"'], ['a']],
      ['#a*', ['#ab'], ['ab']],
      ['*$^.+', ['x$^.+'], ['x']],
      ['a|b*', ['a|bc'], ['a', 'b', 'bc']],
    ]
    for (const [glob, matched, not] of cases)
      for (const path of [...matched, ...not]) {
        const { paths } = await list(folderWith(t, { [path]: '' }), [glob])
        assert.equal(paths.includes(path), not.includes(path), `${glob} and ${path}`)
      }
  })
})

describe('progress', () => {
  const through = async (isTTY: boolean) => {
    const stderr = Object.assign(new PassThrough(), { isTTY })
    const data = await readAll(showProgress(inPieces(Buffer.alloc(3_000_000)), stderr))
    return { bytes: data.length, said: String(stderr.read() ?? '') }
  }

  test('is shown on a terminal, and gone at the end', async () => {
    const { bytes, said } = await through(true)
    assert.equal(bytes, 3_000_000)
    assert.match(said.slice(4), /^uploading \d\.\d MB/)
    assert.ok(said.endsWith('\r\u001b[K'))
  })

  test('is not shown anywhere else', async () => {
    assert.deepEqual(await through(false), { bytes: 3_000_000, said: '' })
  })
})

const UNZSTD = `"$NODE" -e 'process.stdin.pipe(require("zlib").createZstdDecompress()).pipe(process.stdout)'`
