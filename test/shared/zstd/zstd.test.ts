import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { openCommandZstd } from '../../../src/shared/zstd/command-zstd.js'
import { zlibZstd } from '../../../src/shared/zstd/zlib-zstd.js'
import type { Zstd } from '../../../src/shared/zstd/zstd.js'
import { digest, inPieces, memoryOver, readAll } from '../../helpers/streams.js'
import { until } from '../../helpers/until.js'
import { zstdBomb } from '../../helpers/zstd-bomb.js'

const MIB = 1_048_576
const never = new AbortController().signal
const command = openCommandZstd()
assert.ok(command, 'the program of node-zstandard runs on this platform')

/** Text that shrinks and noise that does not. */
const SAMPLE = Buffer.concat([
  Buffer.from('a line of source, like many others\n'.repeat(40_000)),
  randomBytes(300_000),
])
const NOTHING = Buffer.alloc(0)

describeContract(zlibZstd, command)
describeContract(command, zlibZstd)

/** The contract of zstd.ts, the same for both. */
function describeContract(zstd: Zstd, other: Zstd): void {
  const compress = (bytes: Uint8Array): Promise<Buffer> =>
    readAll(zstd.compress(inPieces(bytes), never))
  const decompress = (bytes: Uint8Array, maxBytes = 64 * MIB, pieceBytes = 65_536) =>
    readAll(zstd.decompress(inPieces(bytes, pieceBytes), { maxBytes, signal: never }))

  describe(`zstd by ${zstd.name}`, () => {
    test('what was compressed comes back, however it is cut', async () => {
      for (const bytes of [NOTHING, Buffer.from('x'), SAMPLE]) {
        const packed = await compress(bytes)
        for (const size of [1_000, 65_536, 1_000_000])
          assert.ok((await decompress(packed, 64 * MIB, size)).equals(bytes), `${bytes.length}`)
      }
      assert.ok((await compress(SAMPLE)).length < SAMPLE.length / 3)
    })

    test('reads frames that the other one wrote', async () => {
      for (const bytes of [NOTHING, SAMPLE]) {
        const packed = await readAll(other.compress(inPieces(bytes), never))
        assert.ok((await decompress(packed)).equals(bytes))
      }
    })

    test('reads frames one after the other, wherever they are cut', async () => {
      const noise = SAMPLE.subarray(-2_000)
      const one = await compress(Buffer.from('one,'))
      const all = Buffer.concat([one, await compress(noise), await compress(NOTHING), one, one])
      const expected = Buffer.concat([Buffer.from('one,'), noise, Buffer.from('one,one,')])
      for (const size of [1, 2, 3, one.length - 1, one.length, one.length + 1, all.length])
        assert.ok((await decompress(all, MIB, size)).equals(expected), `in pieces of ${size}`)
    })

    test('lets through exactly as much as the cap, and not one byte more', async () => {
      const packed = await compress(SAMPLE)
      assert.equal((await decompress(packed, SAMPLE.length)).length, SAMPLE.length)
      assert.equal((await decompress(packed, SAMPLE.length + 1)).length, SAMPLE.length)
      await assert.rejects(decompress(packed, SAMPLE.length - 1), {
        code: 'archive_too_large',
        message: `decompressed size exceeds cap: more than ${SAMPLE.length - 1} bytes`,
      })
    })

    test('refuses data that ends too early, wherever', async () => {
      const packed = await compress(SAMPLE)
      for (const length of [1, 3, 4, 7, 20, packed.length >> 1, packed.length - 1])
        await assert.rejects(
          decompress(packed.subarray(0, length)),
          { code: 'archive_invalid' },
          `after ${length} bytes`,
        )
    })

    test('refuses data in which a bit is wrong, also where only the checksum tells', async () => {
      const packed = await compress(SAMPLE)
      for (const at of [0, 12, packed.length >> 1, packed.length - 5_000, packed.length - 1]) {
        const damaged = Buffer.from(packed)
        damaged[at] = (damaged[at] ?? 0) ^ 0x10
        await assert.rejects(decompress(damaged), { code: 'archive_invalid' }, `at ${at}`)
      }
    })

    test('refuses what is not zstd, or has something else behind it', async () => {
      const garbage = Buffer.from('PK\u0003\u0004 this is a zip archive, honestly')
      const packed = await compress(Buffer.from('x'))
      const withTail = Buffer.concat([packed, garbage])
      for (const bytes of [garbage, withTail])
        for (const size of [packed.length, 65_536])
          await assert.rejects(decompress(bytes, MIB, size), { code: 'archive_invalid' })
    })

    test('refuses nothing at all: not even an empty frame', async () => {
      await assert.rejects(decompress(NOTHING), { code: 'archive_invalid' })
    })

    test('stops at the cap of a bomb, in little memory', async () => {
      const bomb = zstdBomb(Buffer.from('head'), 60_000_000_000)
      assert.ok(bomb.length < 2 * MIB)
      const grown = await memoryOver(() =>
        assert.rejects(
          digest(zstd.decompress(inPieces(bomb), { maxBytes: 100 * MIB, signal: never })),
          { code: 'archive_too_large' },
        ),
      )
      assert.ok(grown < 64 * MIB, `${grown / MIB} MiB`)
    })

    test('an abort ends both directions with its reason, and lets go of the input', async () => {
      for (const direction of ['compress', 'decompress'] as const) {
        const aborting = new AbortController()
        const source = endless()
        const { signal } = aborting
        const output =
          direction === 'compress'
            ? zstd.compress(source.bytes, signal)
            : zstd.decompress(other.compress(source.bytes, never), { maxBytes: Infinity, signal })
        await assert.rejects(
          async () => {
            for await (const _ of output) aborting.abort(new Error('enough'))
          },
          { message: 'enough' },
          direction,
        )
        await until(`${direction} lets go`, () => source.isReleased())
      }
    })

    test('a signal that is aborted already starts nothing', async () => {
      const signal = AbortSignal.abort(new Error('never mind'))
      await assert.rejects(readAll(zstd.compress(inPieces(SAMPLE), signal)), /never mind/)
      const packed = inPieces(await compress(SAMPLE))
      const options = { maxBytes: MIB, signal }
      await assert.rejects(readAll(zstd.decompress(packed, options)), /never mind/)
    })

    test('a reader that leaves early ends everything', async () => {
      const source = endless()
      for await (const _ of zstd.compress(source.bytes, never)) break
      await until('the input is let go', () => source.isReleased())
      const packed = endless()
      const compressed = other.compress(packed.bytes, never)
      for await (const _ of zstd.decompress(compressed, { maxBytes: Infinity, signal: never }))
        break
      await until('the input is let go', () => packed.isReleased())
    })

    test('what the input throws comes through as it is', async () => {
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield SAMPLE.subarray(0, 1_000)
        throw new RangeError('the disk fell off')
      }
      await assert.rejects(readAll(zstd.compress(failing(), never)), {
        name: 'RangeError',
        message: 'the disk fell off',
      })
      const packed = await compress(SAMPLE)
      const cut = async function* (): AsyncGenerator<Uint8Array> {
        yield packed.subarray(0, 5_000)
        throw new RangeError('the line is dead')
      }
      await assert.rejects(readAll(zstd.decompress(cut(), { maxBytes: 64 * MIB, signal: never })), {
        name: 'RangeError',
        message: 'the line is dead',
      })
    })

    test('500 MB go through in little memory, and come back', async () => {
      const block = Buffer.concat([SAMPLE, randomBytes(500_000)])
      const rounds = Math.ceil(500_000_000 / block.length)
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (let round = 0; round < rounds; round++) yield* inPieces(block)
      }
      const expected = await digest(source())
      const grown = await memoryOver(async () => {
        const packed = zstd.compress(source(), never)
        const unpacked = zstd.decompress(packed, { maxBytes: 600_000_000, signal: never })
        assert.deepEqual(await digest(unpacked), expected)
      })
      assert.ok(grown < 96 * MIB, `${grown / MIB} MiB`)
    })
  })
}

test('a frame that asks for a huge window is refused with what to do', async () => {
  // magic, no content size, a window of 2^27
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00])
  const output = zlibZstd.decompress(inPieces(frame), { maxBytes: MIB, signal: never })
  await assert.rejects(readAll(output), {
    code: 'archive_invalid',
    message:
      'it needs a window of more than 8 MiB; compress it with level 19 or less and without --long',
  })
})

test('frames of nothing do not go on for ever', async () => {
  const empty = await readAll(zlibZstd.compress(inPieces(NOTHING), never))
  const many = Buffer.concat(Array.from({ length: 10_001 }, () => empty))
  const output = zlibZstd.decompress(inPieces(many), { maxBytes: MIB, signal: never })
  await assert.rejects(readAll(output), {
    code: 'archive_invalid',
    message: 'it has more than 10000 frames',
  })
})

/** Input without an end that knows whether somebody still wants it. */
function endless(): { bytes: AsyncGenerator<Uint8Array>; isReleased(): boolean } {
  let isReleased = false
  const generate = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        yield SAMPLE
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      isReleased = true
    }
  }
  return { bytes: generate(), isReleased: () => isReleased }
}
