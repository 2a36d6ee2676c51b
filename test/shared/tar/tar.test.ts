import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readTar } from '../../../src/shared/tar/read-tar.js'
import type { TarEntry, TarHeader } from '../../../src/shared/tar/tar-entry.js'
import { encodeHeader, writeTar } from '../../../src/shared/tar/write-tar.js'
import { runCommand } from '../../helpers/process.js'
import { inPieces, readAll } from '../../helpers/streams.js'
import { tempDir } from '../../helpers/temp-dir.js'

const MIB = 1_048_576
const END = Buffer.alloc(1_024)

/** What an entry is, with its content as text. */
async function list(tar: Uint8Array, pieceBytes = 65_536): Promise<Partial<TarHeader>[]> {
  const found = []
  for await (const { content, ...header } of readTar(inPieces(tar, pieceBytes)))
    found.push({ ...header, text: String(await readAll(content)) })
  return found
}

function entry(path: string, text = '', more: Partial<TarEntry> = {}): TarEntry {
  const bytes = Buffer.from(text)
  const header = {
    path,
    kind: 'file',
    mode: 0o644,
    size: bytes.length,
    mtime: 0,
    target: '',
  } as const
  return { ...header, content: inPieces(bytes, 1_000), ...more }
}

function tar(t: TestContext, args: readonly string[], cwd = tempDir(t)): Buffer {
  const { status, stdout, stderr } = spawnSync('tar', args, { cwd, maxBuffer: 64 * MIB })
  assert.equal(status, 0, String(stderr))
  return stdout
}

const LONG = `${'folder-with-a-name/'.repeat(13)}file.txt`
const USTAR_LONG = `${'folder-with-a-name/'.repeat(8)}file.txt`
const VERY_LONG = Array.from({ length: 50 }, (_, at) => `${at}`.padEnd(99, 'x')).join('/')

describe('reading tar', () => {
  for (const format of ['v7', 'ustar', 'oldgnu', 'gnu', 'pax'])
    test(`what GNU tar writes in the format ${format}`, async (t) => {
      const dir = tempDir(t)
      mkdirSync(join(dir, 'in/empty'), { recursive: true })
      writeFileSync(join(dir, 'in/odd'), 'x'.repeat(1_025), { mode: 0o755 })
      writeFileSync(join(dir, 'in/nothing'), '')
      writeFileSync(join(dir, 'in/block'), 'y'.repeat(512))
      writeFileSync(join(dir, 'in/ümläut 漢 "\n'), 'ü')
      symlinkSync('odd', join(dir, 'in/link'))
      const long = format === 'ustar' ? USTAR_LONG : LONG
      const far = 'y'.repeat(format === 'ustar' ? 90 : 300)
      if (format !== 'v7') {
        mkdirSync(join(dir, 'in', long, '..'), { recursive: true })
        writeFileSync(join(dir, 'in', long), 'long')
        symlinkSync(far, join(dir, 'in/far'))
      }
      const bytes = tar(t, ['-c', `--format=${format}`, '--sort=name', '-C', 'in', '.'], dir)
      for (const size of [1, 511, 512, 1_000_000]) {
        const found = new Map((await list(bytes, size)).map((found) => [found.path, found]))
        const get = (path: string) => found.get(`./${path}`) as TarHeader & { text: string }
        assert.deepEqual([found.get('.')?.kind, get('empty').kind], ['folder', 'folder'])
        assert.equal(get('odd').text, 'x'.repeat(1_025))
        assert.equal(get('odd').mode, 0o755)
        assert.ok(Math.abs(get('odd').mtime - Date.now() / 1_000) < 60)
        assert.equal(get('nothing').text, '')
        assert.equal(get('block').text, 'y'.repeat(512))
        assert.equal(get('ümläut 漢 "\n').text, 'ü')
        assert.deepEqual([get('link').kind, get('link').target], ['symlink', 'odd'])
        if (format === 'v7') continue
        assert.equal(get(long).text, 'long')
        assert.equal(get('far').target, far)
      }
    })

  test('hard links, sparse files, fifos and devices are what they are', async (t) => {
    const dir = tempDir(t)
    writeFileSync(join(dir, 'a'), 'a')
    linkSync(join(dir, 'a'), join(dir, 'b'))
    writeFileSync(join(dir, 's'), 'start')
    truncateSync(join(dir, 's'), 4 * MIB)
    spawnSync('mkfifo', [join(dir, 'f')])
    spawnSync('mknod', [join(dir, 'n'), 'c', '1', '3'])
    for (const format of ['gnu', 'pax']) {
      const args = ['-c', '-S', `--format=${format}`, 'a', 'b', 'f', 'n', 's']
      const kinds = (await list(tar(t, args, dir))).map(({ kind }) => kind)
      assert.deepEqual(kinds, ['file', 'hard link', 'fifo', 'character device', 'sparse file'])
    }
  })

  test('a folder carries type 5 with or without a slash at its end', async () => {
    const block = encodeHeader({ ...entry('dir', '', { kind: 'folder' }) })
    assert.equal(block.toString('latin1', 0, 5), 'dir/\0')
    const plain = rewrite(block, (bytes) => bytes.writeUInt8(0, 3))
    for (const bytes of [block, plain])
      assert.deepEqual(
        (await list(Buffer.concat([bytes, END]))).map(({ path, kind }) => [path, kind]),
        [['dir', 'folder']],
      )
  })

  test('content that nobody reads, or only begins to, is passed over', async () => {
    const bytes = await readAll(writeTar([entry('a', 'x'.repeat(5_000)), entry('b', 'y')]))
    const paths = []
    for await (const { path, content } of readTar(inPieces(bytes, 700))) {
      paths.push(path)
      if (path === 'a') for await (const _ of content) break
    }
    assert.deepEqual(paths, ['a', 'b'])
  })

  test('an end in the middle is noticed wherever it is; one between entries is none', async () => {
    const bytes = await readAll(writeTar([entry('a', 'x'.repeat(700)), entry(LONG, 'y')]))
    const content = bytes.length - END.length
    for (let length = 0; length < content; length += 64) {
      const cut = list(bytes.subarray(0, length))
      if (length === 512 + 1_024) assert.equal((await cut).length, 1)
      else
        await assert.rejects(
          cut,
          {
            code: 'archive_invalid',
            message: 'its tar data is empty, or ends in the middle of an entry',
          },
          `after ${length} bytes`,
        )
    }
    assert.equal((await list(bytes.subarray(0, content))).length, 2)
  })

  test('a header with a wrong checksum is damage', async () => {
    const bytes = await readAll(writeTar([entry('a', 'x'), entry('b', 'y')]))
    bytes.writeUInt8(0x41, 1_024 + 3)
    await assert.rejects(list(bytes), {
      code: 'archive_invalid',
      message: 'its content is not a tar archive, or is damaged',
    })
    await assert.rejects(list(Buffer.from('no tar at all, but long enough. '.repeat(50))), {
      message: 'its content is not a tar archive, or is damaged',
    })
  })

  test('sizes, extended headers and numbers that make no sense are refused', async () => {
    const cases: [Buffer, RegExp][] = [
      [withSize('-0000000001'), /the size of an entry is wrong/],
      [withSize('99999999999'), /the size of an entry is wrong/],
      [pax('17 size=-1\n'), /an extended header in it is damaged/],
      [pax('11 size=-1\n'), /the size of an entry is wrong/],
      [pax('12 size=abc\n'), /a number in it is wrong/],
      [pax('9 path=a\n\0'), /an extended header in it is damaged/],
      [pax('9.5 path=a\n'), /an extended header in it is damaged/],
      [pax('path=a\n'), /an extended header in it is damaged/],
      [extension('L', Buffer.alloc(65_537, 'x')), /longer than 65536 bytes/],
    ]
    for (const [head, message] of cases)
      await assert.rejects(
        list(Buffer.concat([head, encodeHeader(entry('a')), END])),
        { code: 'archive_invalid', message },
        head.toString('latin1', 512, 540),
      )
  })

  test('a pax path and size stand above those of the header', async () => {
    const records = [record('path', 'a/b=c'), record('size', '3'), record('mtime', '12.75')].join(
      '',
    )
    const header = encodeHeader({ ...entry('other'), size: 3 })
    const bytes = Buffer.concat([pax(records), header, Buffer.alloc(512, 'x'), END])
    const [found] = await list(bytes)
    assert.deepEqual(
      [found?.path, found?.size, found?.mtime, (found as { text?: string }).text],
      ['a/b=c', 3, 12, 'xxx'],
    )
  })

  test('names of 65,000 slashes take no time', async () => {
    const name = Buffer.from(`${'/'.repeat(65_000)}x`)
    const one = Buffer.concat([extension('L', name), encodeHeader(entry('a'))])
    const many = Buffer.concat([...Array.from({ length: 200 }, () => one), END])
    const start = performance.now()
    assert.equal((await list(many)).length, 200)
    assert.ok(performance.now() - start < 2_000)
  })

  test('names and headers have a limit in all', async () => {
    const one = extension('g', Buffer.alloc(65_536, 'x'))
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield one
    }
    await assert.rejects(
      async () => {
        for await (const _ of readTar(endless()));
      },
      {
        code: 'archive_invalid',
        message: 'its long names and headers are more than 67108864 bytes in all',
      },
    )
  })

  test('a million entries go by in little memory', async () => {
    const script = fileURLToPath(new URL('./million-entries.js', import.meta.url))
    const { stdout, stderr } = await runCommand(process.execPath, [script])
    assert.equal(stderr, '')
    const { count, grown } = JSON.parse(stdout) as { count: number; grown: number }
    assert.equal(count, 1_000_000)
    assert.ok(grown < 64 * MIB, `${grown / MIB} MiB`)
  })
})

describe('writing tar', () => {
  test('GNU tar reads it: odd sizes, long names, links, modes, times, no owner', async (t) => {
    const dir = tempDir(t)
    const entries = [
      entry('folder', '', { kind: 'folder', mode: 0o750, mtime: 1_600_000_000 }),
      entry('folder/nothing'),
      entry('folder/odd', 'x'.repeat(1_025), { mode: 0o755, mtime: 1_700_000_000 }),
      entry('folder/block', 'y'.repeat(512)),
      entry('folder/large', 'z'.repeat(300_000)),
      ...[99, 100, 101].map((length) => entry('n'.repeat(length), String(length))),
      entry(LONG, 'long'),
      entry('ü漢', 'ü'),
      entry('link', '', { kind: 'symlink', target: 'folder/odd' }),
      entry('far', '', { kind: 'symlink', target: 't'.repeat(300) }),
    ]
    const bytes = await readAll(writeTar(entries))
    assert.equal(bytes.length % 512, 0)
    writeFileSync(join(dir, 'x.tar'), bytes)
    const listing = String(tar(t, ['-tv', '--numeric-owner', '--utc', '-f', 'x.tar'], dir))
    assert.match(listing, /^drwxr-x--- 0\/0 +0 2020-09-13 12:26 folder\/$/m)
    assert.match(listing, /^-rwxr-xr-x 0\/0 +1025 2023-11-14 22:13 folder\/odd$/m)
    mkdirSync(join(dir, 'out'))
    tar(t, ['-x', '-f', '../x.tar'], join(dir, 'out'))
    const read = (path: string) => readFileSync(join(dir, 'out', path), 'utf8')
    assert.equal(read('folder/odd'), 'x'.repeat(1_025))
    assert.equal(read('folder/block'), 'y'.repeat(512))
    assert.equal(read('folder/large'), 'z'.repeat(300_000))
    assert.equal(read('folder/nothing'), '')
    for (const length of [99, 100, 101]) assert.equal(read('n'.repeat(length)), String(length))
    assert.deepEqual([read(LONG), read('ü漢'), read('link')], ['long', 'ü', 'x'.repeat(1_025)])
  })

  test('what it wrote is read back, also names of 5,000 characters', async () => {
    const names = [VERY_LONG, 'ü'.repeat(60), 'ü'.repeat(3_000), 'n'.repeat(5_000)]
    assert.ok(VERY_LONG.length >= 4_999)
    const bytes = await readAll(
      writeTar([
        ...names.map((name, at) => entry(name, String(at))),
        entry('link', '', { kind: 'symlink', target: VERY_LONG }),
        entry('old', 'x', { mtime: -5 }),
      ]),
    )
    const found = await list(bytes, 1_000)
    assert.deepEqual(
      found.map(({ path }) => path),
      [...names, 'link', 'old'],
    )
    assert.equal(found.at(-2)?.target, VERY_LONG)
    assert.equal(found.at(-1)?.mtime, 0)
  })

  test('a file of more than 8 GiB keeps its size', async () => {
    const size = 9 * 1_024 ** 3
    const header = encodeHeader({ ...entry('big'), size })
    for await (const found of readTar(inPieces(header))) {
      assert.equal(found.size, size)
      break
    }
  })

  test('content that is not as long as it says makes no archive', async () => {
    for (const size of [2, 4])
      await assert.rejects(
        readAll(writeTar([entry('a', 'xxx', { size })])),
        new RegExp(`the content of a is not ${size} bytes long`),
      )
  })
})

/** Changes a header and sets its checksum anew. */
function rewrite(header: Buffer, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(header)
  change(bytes)
  bytes.write(' '.repeat(8), 148)
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return bytes
}

function withSize(text: string): Buffer {
  return rewrite(encodeHeader(entry('bad')), (bytes) => bytes.write(`${text}\0`, 124, 'latin1'))
}

function extension(flag: string, bytes: Buffer): Buffer {
  const header = encodeHeader({ ...entry('ext'), size: bytes.length })
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512)
  return Buffer.concat([rewrite(header, (block) => block.write(flag, 156)), bytes, padding])
}

function pax(records: string): Buffer {
  return extension('x', Buffer.from(records))
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = rest.length + 1
  return `${length + (String(length).length - 1)}${rest}`
}
