import { readTar } from '../../../src/shared/tar/read-tar.js'
import { encodeHeader } from '../../../src/shared/tar/write-tar.js'
import { memoryOver } from '../../helpers/streams.js'

/**
 * Reads an archive with a million entries and prints how many there were, and by how many bytes the
 * memory grew. A process of its own: the test runner follows every promise, and remembers many.
 */
const path = 'some/folder/with/a/file.txt'
const header = encodeHeader({ path, kind: 'file', mode: 0o644, size: 10, mtime: 0, target: '' })
const one = Buffer.concat([header, Buffer.alloc(512, 'x')])
const block = Buffer.concat(Array.from({ length: 100 }, () => one))

async function* archive(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < 10_000; at++) yield block
  yield Buffer.alloc(1_024)
}

let count = 0
const grown = await memoryOver(async () => {
  for await (const _ of readTar(archive())) count++
})
console.log(JSON.stringify({ count, grown }))
