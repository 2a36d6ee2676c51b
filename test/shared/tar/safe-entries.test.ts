import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTar } from '../../../src/shared/tar/read-tar.js'
import { safeEntries } from '../../../src/shared/tar/safe-entries.js'
import { inPieces } from '../../helpers/streams.js'
import { toTar, type Entry } from '../../helpers/tar.js'

const file = (name: string): Entry => ({ name, content: 'x' })
const folder = (name: string): Entry => ({ name })
const link = (name: string, target: string): Entry => ({ name, type: '2', target })

async function pathsOf(entries: readonly Entry[]): Promise<string[]> {
  const paths = []
  for await (const { path, target } of safeEntries(readTar(inPieces(toTar(entries)))))
    paths.push(target === '' ? path : `${path} -> ${target}`)
  return paths
}

test('files, folders and links that stay inside pass; links come last', async () => {
  const entries = [
    folder('.'),
    folder('./bin'),
    link('bin/up', '../lib/x'),
    link('bin/side', './tool'),
    link('here', '.'),
    file('./bin//tool'),
    file('..a/b..'),
    folder('a...'),
    link('c/d/e', '../..'),
    link('dangling', 'nowhere/at/all'),
  ]
  assert.deepEqual(await pathsOf(entries), [
    'bin',
    'bin/tool',
    '..a/b..',
    'a...',
    'bin/up -> ../lib/x',
    'bin/side -> ./tool',
    'here -> .',
    'c/d/e -> ../..',
    'dangling -> nowhere/at/all',
  ])
})

test('folders can be entered and emptied whatever their mode was', async () => {
  const modes = []
  for await (const { mode } of safeEntries(readTar(inPieces(toTar([folder('a')])))))
    modes.push(mode & 0o700)
  assert.deepEqual(modes, [0o700])
})

test('the last one of a name counts: a file in the place of a link', async () => {
  assert.deepEqual(await pathsOf([link('a', 'b'), file('a')]), ['a'])
})

/** What is refused, and what is said about it. */
const REFUSED: [what: string, entries: Entry[], message: string][] = [
  ['a way out', [file('../x')], '"../x": its path contains ".."'],
  ['a way out and in', [file('a/../../b')], '"a/../../b": its path contains ".."'],
  ['a way around', [file('a/../b')], '"a/../b": its path contains ".."'],
  ['a folder outside', [folder('..')], '"..": its path contains ".."'],
  ['an absolute path', [file('/etc/passwd')], '"/etc/passwd": its path is absolute'],
  ['two slashes', [file('//etc/passwd')], '"//etc/passwd": its path is absolute'],
  [
    'a link to an absolute path',
    [link('a', '/etc/passwd')],
    '"a": the symlink leads to an absolute path',
  ],
  ['a link out', [link('a', '..')], '"a": the symlink leads out of the working directory: ".."'],
  [
    'a link out of a folder',
    [link('a/b', '../../x')],
    '"a/b": the symlink leads out of the working directory: "../../x"',
  ],
  [
    'a link that goes down and up',
    [link('a/b', 'c/../x')],
    '"a/b": the symlink leads out of the working directory: "c/../x"',
  ],
  ['a link to nowhere', [link('a', '')], '"a": the symlink has no target'],
  [
    'a file through a link',
    [link('a', 'b'), file('a/x')],
    '"a": it is both a folder and a symlink',
  ],
  [
    'a file through a link that comes later',
    [file('a/x'), link('a', 'b')],
    '"a": it is both a folder and a symlink',
  ],
  [
    'a file deep below a link',
    [link('a', 'b'), file('a-b'), file('a.b/c'), file('a/b/c/x')],
    '"a/b/c": it lies below the symlink "a"',
  ],
  [
    'a link through a link',
    [link('a', '.'), link('a/b', '../c')],
    '"a": it is both a folder and a symlink',
  ],
  [
    'a folder that is a link as well',
    [folder('a'), link('a', '.')],
    '"a": it is both a folder and a symlink',
  ],
  [
    'a hard link',
    [{ name: 'a', type: '1', target: '/etc/passwd' }],
    '"a": this kind of entry cannot be uploaded: hard link',
  ],
  [
    'a chain of hard links',
    [file('a'), { name: 'b', type: '1', target: 'a' }, { name: 'c', type: '1', target: 'b' }],
    '"b": this kind of entry cannot be uploaded: hard link',
  ],
  [
    'a device',
    [{ name: 'null', type: '3' }],
    '"null": this kind of entry cannot be uploaded: character device',
  ],
  [
    'a disk',
    [{ name: 'sda', type: '4' }],
    '"sda": this kind of entry cannot be uploaded: block device',
  ],
  ['a fifo', [{ name: 'pipe', type: '6' }], '"pipe": this kind of entry cannot be uploaded: fifo'],
  [
    'a sparse file',
    [{ name: 's', type: 'S' }],
    '"s": this kind of entry cannot be uploaded: sparse file',
  ],
  [
    'what nobody knows',
    [{ name: 'z', type: 'Z' }],
    '"z": this kind of entry cannot be uploaded: entry of an unknown type',
  ],
  [
    'a name of 5,000 characters',
    [file('n'.repeat(5_000))],
    `"${'n'.repeat(200)}…": its path is longer than 4095 bytes`,
  ],
  [
    'a part of 256 bytes',
    [file(`a/${'ü'.repeat(128)}`)],
    `"a/${'ü'.repeat(128)}": a name in its path is longer than 255 bytes`,
  ],
  [
    'a target of 5,000 characters',
    [link('a', 't'.repeat(5_000))],
    '"a": the target of the symlink is longer than 4095 bytes',
  ],
]

for (const [what, entries, message] of REFUSED)
  test(`refuses ${what}`, async () => {
    await assert.rejects(pathsOf(entries), { code: 'archive_invalid', message })
  })

test('refuses names that are not UTF-8', async () => {
  const tar = toTar([file('aXb')])
  tar.writeUInt8(0xff, 1)
  tar.writeUInt32BE(0, 148)
  tar.write(' '.repeat(8), 148)
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  await assert.rejects(
    async () => {
      for await (const _ of safeEntries(readTar(inPieces(tar))));
    },
    { code: 'archive_invalid', message: '"a\ufffdb": its path is not UTF-8' },
  )
})

test('many links at the end of deep paths take no time', async () => {
  const deep = 'd/'.repeat(1_900)
  const entries = Array.from({ length: 1_000 }, (_, at) => link(`${deep}${at}`, 'x'))
  const start = performance.now()
  assert.equal((await pathsOf(entries)).length, 1_000)
  assert.ok(performance.now() - start < 5_000)
})

test('what has to be remembered has a limit', async () => {
  const deep = 'd'.repeat(200)
  const target = 't'.repeat(4_000)
  const entries = Array.from({ length: 4_500 }, (_, at) => link(`${deep}${at}`, target))
  await assert.rejects(pathsOf(entries), {
    code: 'archive_invalid',
    message: 'its folders and symlinks are too many',
  })
})
