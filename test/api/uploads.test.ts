import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { constants, zstdCompressSync } from 'node:zlib'
import { createUploads } from '../../src/shared/db/uploads.js'
import { startTestApi, type TestApiOptions } from '../helpers/api.js'
import { inPieces } from '../helpers/streams.js'
import { manyFiles, toTar, toTarZst, type Entry } from '../helpers/tar.js'
import { until } from '../helpers/until.js'
import { beginForm, sendForm, workdirForm, workdirPart, type FormPart } from '../helpers/upload.js'

const MIB = 1_048_576
const GOOD = toTarZst([{ name: 'src' }, { name: 'src/main.c', content: 'int main;' }])

async function start(t: TestContext, options: TestApiOptions = {}) {
  const api = await startTestApi(t, options)
  await api.set('p')
  const url = `${api.url}/api/pipelines/p/run`
  const spool = (): string[] => {
    try {
      return readdirSync(`${api.db.name}-spool`)
    } catch {
      return [] // nothing was ever uploaded
    }
  }
  /** Nothing may be left of an upload that was refused. */
  const assertNothing = (what: string): void => {
    assert.equal(api.runs.countQueued(100), 0, `a run is left: ${what}`)
    assert.deepEqual(spool(), [], `a file is left: ${what}`)
  }
  const refused = async (parts: FormPart[], what = 'upload') => {
    const answer = await sendForm(url, parts)
    assert.notEqual(answer.status, 200, `${what} was accepted`)
    const { error, code } = await answer.json()
    assertNothing(what)
    return [answer.status, code, error]
  }
  return { api, url, spool, assertNothing, refused, uploads: createUploads(api.db) }
}

describe('an upload', () => {
  test('becomes the file of its run, byte for byte, until that has ended', async (t) => {
    const { api, url, spool, uploads } = await start(t)
    const answer = await sendForm(url, [
      { name: 'note', content: 'what nobody knows is skipped' },
      { name: 'picture', filename: 'x.png', content: randomBytes(100_000) },
      ...workdirForm(inPieces(GOOD, 7), '["a","b c"]'),
      { name: 'after', content: 'this too' },
    ])
    assert.equal(answer.status, 200)
    answer.destroy()
    const runId = String(answer.headers['x-run-id'])
    assert.deepEqual(api.runs.find(runId)?.triggerInput, { args: ['a', 'b c'] })
    const name = uploads.findName(runId) ?? ''
    assert.deepEqual(spool(), [name])
    assert.ok(readFileSync(join(`${api.db.name}-spool`, name)).equals(GOOD))
    api.claim()
    api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
    assert.equal(uploads.findName(runId), undefined)
  })

  test('has a limit of its own, which is not that of other bodies', async (t) => {
    const { api, url } = await start(t, { flags: { 'max-body-mb': ['1'] } })
    const noise = randomBytes(3 * MIB).toString('latin1')
    const answer = await sendForm(url, workdirForm(toTarZst([{ name: 'noise', content: noise }])))
    assert.equal(answer.status, 200)
    answer.destroy()
    assert.equal(api.runs.countQueued(100), 1)
  })

  test('passes at exactly the cap, and not one byte above it', async (t) => {
    const { api, url } = await start(t, { flags: { 'max-workdir-mb': ['1'] } })
    for (const bytes of [MIB - 1, MIB]) {
      const answer = await sendForm(url, workdirForm(tarOf(bytes)))
      assert.equal(answer.status, 200, String(bytes))
      answer.destroy()
    }
    assert.equal(api.runs.countQueued(100), 2)
    const { refused } = await start(t, { flags: { 'max-workdir-mb': ['1'] } })
    assert.deepEqual(await refused(workdirForm(tarOf(MIB + 1))), [
      413,
      'archive_too_large',
      'workdir decompressed size exceeds cap: more than 1 MB (--max-workdir-mb of the server)',
    ])
  })

  test('of frames of nothing ends as well', async (t) => {
    const { refused } = await start(t, { flags: { 'max-workdir-mb': ['1'] } })
    // a skippable block of nothing, over and over, in one frame
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield frame
      for (let at = 0; at < 100; at++) yield Buffer.alloc(66_000, Buffer.from([0, 0, 0]))
    }
    assert.deepEqual((await refused(workdirForm(endless()))).slice(0, 2), [
      413,
      'archive_too_large',
    ])
  })
})

describe('an upload is refused before there is a run', () => {
  const file = (name: string): Entry => ({ name, content: 'x' })
  const hardLink = (name: string, target: string): Entry => ({ name, type: '1', target })
  const ARCHIVES: [what: string, entries: Entry[], message: string][] = [
    ['..', [file('ok'), file('../evil')], '"../evil": its path contains ".."'],
    ['an absolute path', [file('/evil')], '"/evil": its path is absolute'],
    [
      'a link out',
      [{ name: 'a', type: '2', target: '../evil' }],
      '"a": the symlink leads out of the working directory: "../evil"',
    ],
    [
      'an absolute link',
      [{ name: 'a', type: '2', target: '/etc' }],
      '"a": the symlink leads to an absolute path',
    ],
    [
      'a file through a link',
      [{ name: 'a', type: '2', target: '.' }, file('a/evil')],
      '"a": it is both a folder and a symlink',
    ],
    [
      'a chain of hard links',
      [hardLink('a', '/etc/passwd'), hardLink('b', 'a'), file('b')],
      '"a": this kind of entry cannot be uploaded: hard link',
    ],
    [
      'a device',
      [{ name: 'sda', type: '4' }],
      '"sda": this kind of entry cannot be uploaded: block device',
    ],
    ['a fifo', [{ name: 'f', type: '6' }], '"f": this kind of entry cannot be uploaded: fifo'],
    [
      'a name of 5,000 characters',
      [file('n'.repeat(5_000))],
      `"${'n'.repeat(200)}…": its path is longer than 4095 bytes`,
    ],
    [
      'a file that is shorter than it says',
      [{ name: 'a', content: 'x', size: 5_000 }],
      'its tar data is empty, or ends in the middle of an entry',
    ],
  ]

  test('for what is in it', async (t) => {
    const { refused } = await start(t)
    for (const [what, entries, message] of ARCHIVES)
      assert.deepEqual(
        await refused(workdirForm(toTarZst(entries)), what),
        [400, 'archive_invalid', `workdir: ${message}`],
        what,
      )
  })

  test('for a million entries', async (t) => {
    const { refused } = await start(t)
    assert.deepEqual(await refused(workdirForm(manyFiles(1_000_000))), [
      400,
      'archive_invalid',
      'workdir: it has more than 200000 entries',
    ])
  })

  test('for damage of every kind', async (t) => {
    const { refused } = await start(t)
    const noise = randomBytes(100_000).toString('latin1')
    // as the command line and zstd(1) do it; without a checksum this damage could not be seen
    const params = { [constants.ZSTD_c_checksumFlag]: 1 }
    const long = zstdCompressSync(toTar([{ name: 'a', content: noise }]), { params })
    const flipped = Buffer.from(long)
    flipped.writeUInt8((flipped[50_000] ?? 0) ^ 1, 50_000)
    const cases: [string, Buffer, RegExp][] = [
      ['truncated', long.subarray(0, 70_000), /^workdir: it is truncated$/],
      ['one byte short', long.subarray(0, -1), /^workdir: it is truncated$/],
      ['corrupt', flipped, /^workdir: (it is damaged|its content is not a tar archive)/],
      ['not zstd', Buffer.from('PK\u0003\u0004 a zip'), /^workdir: it is not zstd data$/],
      [
        'garbage behind it',
        Buffer.concat([long, randomBytes(99)]),
        /^workdir: it is not zstd data$/,
      ],
      ['nothing', Buffer.alloc(0), /^workdir: it is truncated$/],
      [
        'not tar',
        zstdCompressSync('text '.repeat(999)),
        /^workdir: its content is not a tar archive/,
      ],
      ['empty', zstdCompressSync(''), /^workdir: its tar data is empty/],
    ]
    for (const [what, bytes, message] of cases) {
      const [status, code, error] = await refused(workdirForm(bytes), what)
      assert.deepEqual([status, code], [400, 'archive_invalid'], what)
      assert.match(String(error), message, what)
    }
  })

  test('for parts that would not count', async (t) => {
    const { refused } = await start(t, { flags: { 'max-body-mb': ['1'] } })
    const args: FormPart = { name: 'args', content: '["x"]' }
    const cases: [FormPart[], string][] = [
      [[workdirPart(GOOD), args], 'args: has to come before workdir'],
      [[args, args], 'args: sent twice'],
      [[workdirPart(GOOD), workdirPart(GOOD)], 'workdir: sent twice'],
      [[{ ...args, filename: 'args.json' }], 'args: expected a field, not a file'],
      [[{ name: 'workdir', content: GOOD }], 'workdir: expected a file'],
      [[{ name: 'args', content: '{' }], 'args: expected a JSON array of strings'],
      [[{ name: 'args', content: '[1]' }], '0: Invalid input: expected string, received number'],
    ]
    for (const [parts, message] of cases)
      assert.deepEqual(
        await refused(parts, message),
        [400, 'request_invalid', `invalid request body: ${message}`],
        message,
      )
    const junk = { name: 'junk', filename: 'junk', content: randomBytes(2 * MIB) }
    const tooLarge = [413, 'body_too_large', 'Request Entity Too Large']
    assert.deepEqual(await refused([junk, workdirPart(GOOD)]), tooLarge)
    assert.deepEqual(await refused([workdirPart(GOOD), junk]), tooLarge)
  })

  test('for a form that has no end', async (t) => {
    const { url, assertNothing } = await start(t)
    const { outgoing, answered } = await beginForm(url, workdirForm(GOOD))
    outgoing.end()
    const answer = await answered
    assert.deepEqual(
      [answer.status, (await answer.json()).error],
      [400, 'invalid request body: its multipart form is damaged'],
    )
    assertNothing('no end')
  })

  test('for a sender that says nothing any more', async (t) => {
    const { url, spool, assertNothing } = await start(t, {
      deps: { timings: { uploadPauseMs: 300 } },
    })
    const { answered } = await beginForm(url, workdirForm(GOOD.subarray(0, 40)))
    await until('it has begun', () => spool().length === 1)
    const answer = await answered
    assert.equal(answer.status, 408)
    const { code, error } = await answer.json()
    assert.deepEqual([code, error], ['upload_too_slow', 'the request body paused for 0.3 s'])
    assertNothing('a pause')
  })

  test('for one that never stops, but is slow', async (t) => {
    const { url, assertNothing } = await start(t, { flags: { 'upload-timeout': ['1s'] } })
    const noise = toTarZst([{ name: 'a', content: randomBytes(MIB).toString('latin1') }])
    const { outgoing, answered } = await beginForm(url, workdirForm(''))
    let at = 0
    const dripping = setInterval(() => outgoing.write(noise.subarray(at, (at += 100))), 20)
    t.after(() => clearInterval(dripping))
    const answer = await answered
    clearInterval(dripping)
    assert.equal(answer.status, 408)
    assert.equal(
      (await answer.json()).error,
      'the request body took longer than 1 s (--upload-timeout of the server)',
    )
    assertNothing('a slow body')
  })

  test('for one that leaves in the middle', async (t) => {
    const { api, url, spool, assertNothing } = await start(t)
    const { outgoing } = await beginForm(url, workdirForm(GOOD.subarray(0, 40)))
    await until('it has begun', () => spool().length === 1)
    outgoing.destroy()
    await until('its file is gone', () => spool().length === 0)
    await until('the log says so', () =>
      api.logLines().some((line) => /client left|400/.test(line)),
    )
    assertNothing('gone')
  })

  test('when no run would be accepted, and then nothing of it is read', async (t) => {
    const { api, url, assertNothing } = await start(t, { flags: { 'max-queue-size': ['0'] } })
    await api.call('POST', '/api/pipelines/p/pause')
    // a form that never ends
    const paused = await (await beginForm(url, workdirForm(GOOD.subarray(0, 40)))).answered
    assert.deepEqual([paused.status, (await paused.json()).code], [409, 'pipeline_paused'])
    await api.call('POST', '/api/pipelines/p/unpause')
    assertNothing('paused')
    for (let slot = 0; slot < 2; slot++) await api.trigger('p')
    const full = await (await beginForm(url, workdirForm(GOOD.subarray(0, 40)))).answered
    assert.deepEqual([full.status, (await full.json()).code], [429, 'queue_full'])
    const nobody = `${api.url}/api/pipelines/nobody/run`
    assert.equal((await (await beginForm(nobody, workdirForm(GOOD))).answered).status, 404)
  })

  test('when no run is accepted any more at its end', async (t) => {
    const { api, url, spool, assertNothing } = await start(t)
    const { outgoing, answered } = await beginForm(url, workdirForm(GOOD.subarray(0, 40)))
    await until('it has begun', () => spool().length === 1)
    await api.call('POST', '/api/pipelines/p/pause')
    outgoing.end(
      Buffer.concat([GOOD.subarray(40), Buffer.from('\r\n--a-boundary-of-the-test--\r\n')]),
    )
    const answer = await answered
    assert.deepEqual([answer.status, (await answer.json()).code], [409, 'pipeline_paused'])
    assertNothing('paused meanwhile')
  })
})

/** An archive of exactly so many bytes before it is compressed. */
function tarOf(bytes: number): Buffer {
  const tar = toTar([{ name: 'a', content: 'x'.repeat(1_000) }])
  return zstdCompressSync(Buffer.concat([tar, Buffer.alloc(bytes - tar.length)]))
}
