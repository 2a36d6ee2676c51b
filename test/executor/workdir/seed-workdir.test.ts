import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test, type TestContext } from 'node:test'
import { pino } from 'pino'
import { openDockerDriver } from '../../../src/executor/drivers/docker/open-docker-driver.js'
import type { Driver } from '../../../src/executor/drivers/driver.js'
import { openNativeDriver } from '../../../src/executor/drivers/native/open-native-driver.js'
import { seedWorkdir } from '../../../src/executor/workdir/seed-workdir.js'
import { openSpool, type Spool } from '../../../src/shared/uploads/spool.js'
import { BUSYBOX_IMAGE, DOCKER_HOST, ensureBusybox } from '../../helpers/docker-engine.js'
import { inPieces } from '../../helpers/streams.js'
import { tarHeader, toTarZst, type Entry } from '../../helpers/tar.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'
import { zstdBomb } from '../../helpers/zstd-bomb.js'
import { collect } from '../drivers/driver-contract.js'

const MIB = 1_048_576
/** The lease of a run that nobody takes away. */
const held = { checkLease: () => undefined }
const never = new AbortController().signal

before(ensureBusybox)

describeSeeding('docker', BUSYBOX_IMAGE, async (_, namespace) =>
  openDockerDriver({ host: DOCKER_HOST, namespace, instance: 'test', allowsPrivileged: false }),
)
describeSeeding('native', '', async (t, namespace) => {
  const dir = tempDir(t)
  chmodSync(dir, 0o711)
  return openNativeDriver({
    root: join(dir, 'native'),
    namespace,
    instance: 'test',
    user: 'nobody',
    outputBytes: MIB,
    logger: pino({ level: 'silent' }),
  })
})

/** An upload in the volume of a run: the same with every driver. */
function describeSeeding(
  name: string,
  image: string,
  open: (t: TestContext, namespace: string) => Promise<Driver>,
): void {
  const start = async (t: TestContext) => {
    const driver = await open(t, `ci-seed-${randomBytes(6).toString('hex')}`)
    t.after(async () => {
      await driver.removeAll()
      await driver[Symbol.asyncDispose]()
    })
    const spool = openSpool(join(tempDir(t), 'pocketci.db'))
    const seed = async (archive: Uint8Array, { maxBytes = 100 * MIB, signal = never } = {}) =>
      seedWorkdir({ ...held, driver, spool, name: await store(spool, archive), maxBytes, signal })
    const sh = async (script: string) =>
      collect(
        await driver.run(
          {
            id: randomBytes(4).toString('hex'),
            image,
            command: ['sh', '-c', script],
            env: {},
            mounts: [{ volume: 'workdir', path: 'workdir' }],
          },
          never,
        ),
      )
    return { driver, spool, seed, sh }
  }

  describe(`an upload on ${name}`, () => {
    test('becomes the volume workdir, which steps can read and change', async (t) => {
      const { seed, sh } = await start(t)
      const long = `${'folder-with-a-name/'.repeat(20)}file`
      await seed(
        toTarZst([
          { name: 'src' },
          { name: 'src/main.c', content: 'int main;' },
          { name: 'no/folder/before/it', content: 'x' },
          { name: 'link', type: '2', target: 'src/main.c' },
          { name: long, content: 'long' },
          { name: '-rf', content: 'dash' },
          { name: 'ü "漢\n', content: 'ü' },
          { name: 'empty' },
        ]),
      )
      const read = await sh(
        `cd workdir && cat src/main.c no/folder/before/it link ${long} ./-rf ü* && ls -d empty && touch src/new src/main.c && rm -r src && ls -A`,
      )
      assert.equal(read.stderr, '')
      assert.match(read.stdout, /^int main;xint main;longdashüempty\n/)
      assert.doesNotMatch(read.stdout, /src/)
      assert.equal(read.status.exitCode, 0)
    })

    test('is refused by name for what leads out, and nothing is outside', async (t) => {
      const { seed } = await start(t)
      const evil = `/tmp/pocketci-evil-${randomBytes(6).toString('hex')}`
      const cases: [Entry[], RegExp][] = [
        [[{ name: `../../../../..${evil}`, content: 'x' }], /its path contains "\.\."$/],
        [[{ name: evil, content: 'x' }], /its path is absolute$/],
        [
          [
            { name: 'a', type: '2', target: '/tmp' },
            { name: `a/${evil.slice(5)}`, content: 'x' },
          ],
          /the symlink leads to an absolute path$/,
        ],
        [[{ name: 'a', type: '1', target: '/etc/passwd' }], /cannot be uploaded: hard link$/],
        [[{ name: 'a', type: '3' }], /cannot be uploaded: character device$/],
      ]
      for (const [entries, message] of cases) {
        await assert.rejects(
          seed(toTarZst([{ name: 'good', content: 'x' }, ...entries])),
          (error: Error & { code?: string }) => {
            assert.equal(error.code, 'archive_invalid')
            assert.match(error.message, /^could not unpack the working directory: "/)
            assert.match(error.message, message)
            return true
          },
        )
        assert.ok(!existsSync(evil))
      }
    })

    test('is held to the cap once more', async (t) => {
      const { seed } = await start(t)
      const archive = zstdBomb(toTarHead(60_000_000_000), 60_000_000_000)
      await assert.rejects(seed(archive, { maxBytes: 20 * MIB }), {
        code: 'archive_too_large',
        message: `could not unpack the working directory: decompressed size exceeds cap: more than ${20 * MIB} bytes`,
      })
    })

    test('that is gone or damaged says so', async (t) => {
      const { driver, spool, seed } = await start(t)
      await assert.rejects(
        seedWorkdir({ ...held, driver, spool, name: 'gone', maxBytes: MIB, signal: never }),
        {
          code: 'upload_missing',
          message: 'could not unpack the working directory: the uploaded working directory is gone',
        },
      )
      await assert.rejects(seed(toTarZst([{ name: 'a', content: 'x' }]).subarray(0, -2)), {
        code: 'archive_invalid',
        message: 'could not unpack the working directory: it is truncated',
      })
    })

    test('stops when its run is stopped', async (t) => {
      const { driver, spool } = await start(t)
      const stopping = new AbortController()
      const head = toTarZst([{ name: 'a', content: randomBytes(MIB).toString('latin1') }])
      let isWaiting = false
      const hanging: Spool = {
        ...spool,
        async *read() {
          yield head.subarray(0, -5)
          isWaiting = true
          await new Promise(() => undefined)
        },
      }
      const options = { ...held, driver, spool: hanging, name: 'x', maxBytes: 100 * MIB }
      const seeding = seedWorkdir({ ...options, signal: stopping.signal })
      const refused = assert.rejects(seeding, { code: 'aborted' })
      await until('it has begun', () => isWaiting)
      stopping.abort('stop')
      await refused
    })
  })
}

async function store(spool: Spool, archive: Uint8Array): Promise<string> {
  await using file = await spool.create()
  for await (const piece of inPieces(archive)) await file.write(piece)
  await file.sync()
  file.keep()
  return file.name
}

/** The header of a file of that size. */
function toTarHead(size: number): Buffer {
  return tarHeader({ name: 'zeros', size, type: '0' })
}
