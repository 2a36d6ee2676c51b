import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type {
  Container,
  ContainerSpec,
  Driver,
  ExitStatus,
} from '../../../src/executor/drivers/driver.js'
import { readTar } from '../../../src/shared/tar/read-tar.js'
import { inPieces, readAll as all } from '../../helpers/streams.js'
import { toTar } from '../../helpers/tar.js'
import { AppError, hasCode } from '../../../src/shared/errors.js'
import { until } from '../../helpers/until.js'

/** What a driver has to say about itself for its contract to be tested. */
export interface DriverUnderTest {
  name: string
  /** A new instance for a namespace, as another executor would open it. */
  open(t: TestContext, namespace: string): Promise<Driver>
  /** Has `sh` and the usual small programs. */
  image: string
}

const never = new AbortController().signal
const MIB = 1_048_576

/** The contract of driver.ts, the same for every driver. */
export function describeDriverContract({ name, open, image }: DriverUnderTest): void {
  const start = async (t: TestContext) => {
    const namespace = `ci-test-${randomBytes(6).toString('hex')}`
    const driver = await open(t, namespace)
    t.after(async () => {
      await driver.removeAll()
      await driver[Symbol.asyncDispose]()
    })
    const spec = (
      id: string,
      script: string,
      more: Partial<ContainerSpec> = {},
    ): ContainerSpec => ({
      id,
      image,
      command: ['sh', '-c', script],
      env: {},
      mounts: [],
      ...more,
    })
    const sh = async (id: string, script: string, more: Partial<ContainerSpec> = {}) =>
      collect(await driver.run(spec(id, script, more), never))
    return { namespace, driver, spec, sh }
  }

  describe(`the contract of a driver: ${name}`, () => {
    test('output of both streams and exit code 0', async (t) => {
      const { sh } = await start(t)
      const result = await sh('a', 'echo hello; echo oops >&2')
      assert.deepEqual(
        [result.stdout, result.stderr, result.status.exitCode],
        ['hello\n', 'oops\n', 0],
      )
    })

    test('volumes stay when they are to, with what is in them; all else goes', async (t) => {
      const { driver, namespace, sh } = await start(t)
      const mounts = [{ volume: 'made', path: 'v' }]
      assert.deepEqual(await driver.listVolumes(), [])
      await driver.createVolume({ name: 'empty' })
      await sh('a', 'echo kept > v/file; sleep 600 &', { mounts })
      await driver.removeAll({ keepsVolumes: true })
      assert.equal(await driver.find('a'), undefined)
      const other = await open(t, namespace)
      assert.deepEqual((await other.listVolumes()).sort(), ['empty', 'made'])
      assert.equal(
        (
          await collect(
            await other.run({ id: 'a', image, command: ['cat', 'v/file'], env: {}, mounts }, never),
          )
        ).stdout,
        'kept\n',
      )
      await other.removeAll()
      assert.deepEqual(await driver.listVolumes(), [])
    })

    test('an archive becomes the content of a volume, and the content an archive', async (t) => {
      const { driver, sh } = await start(t)
      await driver.createVolume({ name: 'v' })
      const entries = [
        { name: 'dir/sub/file', content: 'x'.repeat(100_000) },
        { name: 'run.sh', content: '#!/bin/sh' },
        { name: 'link', type: '2', target: 'run.sh' },
        { name: 'empty' },
      ]
      await driver.writeArchive('v', inPieces(toTar(entries)), never)
      const mounts = [{ volume: 'v', path: 'v' }]
      const { stdout } = await sh(
        'a',
        'cat v/link; wc -c < v/dir/sub/file; echo new > v/empty/new',
        {
          mounts,
        },
      )
      assert.match(stdout, /^#!\/bin\/sh\s*100000\n$/)
      const found: Record<string, string> = {}
      for await (const { path, kind, target, content } of readTar(driver.readArchive('v', never)))
        found[posix.normalize(path)] =
          kind === 'file' ? String((await all(content)).length) : kind + target
      delete found['.']
      assert.deepEqual(found, {
        dir: 'folder',
        'dir/sub': 'folder',
        'dir/sub/file': '100000',
        'run.sh': '9',
        link: 'symlinkrun.sh',
        empty: 'folder',
        'empty/new': '4',
      })
    })

    test('an archive that breaks off, or has no volume, is an error that says so', async (t) => {
      const { driver } = await start(t)
      await driver.createVolume({ name: 'v' })
      const breaking = async function* (): AsyncGenerator<Uint8Array> {
        yield toTar([{ name: 'a', content: 'x'.repeat(100_000) }]).subarray(0, 10_000)
        throw new AppError('archive_invalid', 'the source is dry')
      }
      await assert.rejects(driver.writeArchive('v', breaking(), never), {
        code: 'archive_invalid',
        message: 'the source is dry',
      })
      const cut = toTar([{ name: 'a', content: 'x'.repeat(100_000) }]).subarray(0, 10_000)
      await assert.rejects(driver.writeArchive('v', inPieces(cut), never), {
        code: 'volume_failed',
      })
      const none = inPieces(toTar([]))
      await assert.rejects(driver.writeArchive('none', none, never), { code: 'volume_failed' })
      await assert.rejects(all(driver.readArchive('none', never)), { code: 'volume_failed' })
    })

    test('a failing command is a result, the same at each look', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(spec('a', 'exit 7'), never)
      for (let look = 0; look < 3; look++) assert.equal((await container.wait()).exitCode, 7)
    })

    test('an end by a signal is 128 and its number', async (t) => {
      const { sh } = await start(t)
      assert.equal((await sh('a', 'sh -c "kill -9 \\$\\$"; exit $?')).status.exitCode, 137)
    })

    test('a command that is not there is an error that names it', async (t) => {
      const { driver, spec } = await start(t)
      const missing = { ...spec('a', ''), command: ['no-such-command'] as const }
      await assert.rejects(driver.run(missing, never), /no-such-command/)
    })

    test('arguments, names and values are data, never code', async (t) => {
      const { driver, spec } = await start(t)
      const evil = `a;$(id)'"\n*`
      const result = await collect(
        await driver.run(
          { ...spec('a', ''), command: ['printf', '%s|', evil, '-n', ''], env: { EVIL: evil } },
          never,
        ),
      )
      assert.equal(result.stdout, `${evil}|-n||`)
      await assert.rejects(driver.run(spec('../x', 'true'), never), /invalid/)
      await assert.rejects(driver.createVolume({ name: '../x' }), /invalid/)
    })

    test('environment: what was given and nothing of the server', async (t) => {
      process.env['IGNORE_THIS'] = 'leak'
      const { sh } = await start(t)
      const { stdout } = await sh('a', 'env; cat /proc/self/environ', {
        env: { HELLO: 'WORLD', MULTI: 'a\nb', EMPTY: '' },
      })
      assert.match(stdout, /^HELLO=WORLD$/m)
      assert.match(stdout, /MULTI=a\nb/)
      assert.match(stdout, /^EMPTY=$/m)
      assert.doesNotMatch(stdout, /IGNORE_THIS|leak/)
    })

    test('input of any size arrives whole, and is empty when there is none', async (t) => {
      const { sh } = await start(t)
      assert.equal((await sh('a', 'cat', { stdin: 'hello' })).stdout, 'hello')
      assert.equal(
        (await sh('b', 'wc -c', { stdin: 'x'.repeat(10 * MIB) })).stdout.trim(),
        String(10 * MIB),
      )
      assert.equal((await sh('c', 'cat; echo end')).stdout, 'end\n')
    })

    test('the same id runs once, however often and from wherever it is asked for', async (t) => {
      const { driver, namespace, spec } = await start(t)
      const once = spec('a', 'echo run >>v/count; sleep 0.2; cat v/count', {
        mounts: [{ volume: 'v', path: 'v' }],
      })
      const many = await Promise.all(Array.from({ length: 20 }, () => driver.run(once, never)))
      for (const container of many) assert.equal((await collect(container)).stdout, 'run\n')
      const other = await open(t, namespace)
      assert.equal((await collect(await other.run(once, never))).stdout, 'run\n')
      assert.equal((await collect((await other.find('a')) ?? assert.fail())).stdout, 'run\n')
      await other[Symbol.asyncDispose]()
    })

    test('whoever asked for a start can call it off in its last moment, and the next one starts it', async (t) => {
      const { driver, namespace, spec } = await start(t)
      const once = spec('a', 'echo run >>v/count; cat v/count', {
        mounts: [{ volume: 'v', path: 'v' }],
      })
      // once more after each place where it is asked, until it gets through
      let passes = 0
      let refusals = 0
      for (let limit = 0; ; limit++) {
        passes = limit
        const other = await open(t, namespace)
        const beforeStart = (): void => {
          if (passes-- === 0) throw new AppError('lease_lost', 'not ours any more')
        }
        const container = await other
          .run({ ...once, beforeStart }, never)
          .catch((error: unknown) => {
            assert.ok(hasCode(error, 'lease_lost'), String(error))
            return undefined
          })
        assert.equal((await driver.find('a')) !== undefined, container !== undefined)
        if (container) assert.equal((await collect(container)).stdout, 'run\n')
        await other[Symbol.asyncDispose]()
        if (container) break
        refusals++
      }
      assert.ok(refusals >= 1)
    })

    test('a driver that is let go in the middle of a start takes nothing away', async (t) => {
      const { driver, namespace, spec } = await start(t)
      const other = await open(t, namespace)
      const starting = other.run(spec('a', 'echo begun; sleep 0.3; echo over'), never)
      const left = starting.catch(() => undefined) // it may have been too early to know
      await other[Symbol.asyncDispose]()
      await left
      const again = await driver.run(spec('a', 'echo begun; sleep 0.3; echo over'), never)
      assert.equal((await collect(again)).stdout, 'begun\nover\n')
    })

    test('another instance attaches in the middle, without a gap and without a repeat', async (t) => {
      const { driver, namespace, spec } = await start(t)
      const slow = spec('a', 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; exit 3')
      const first = await driver.run(slow, never)
      const leaving = new AbortController()
      let seen = ''
      for await (const { bytes } of first.output({ signal: leaving.signal })) {
        seen += bytes.toString()
        if (seen.includes('2')) break
      }
      leaving.abort()
      await driver[Symbol.asyncDispose]()
      const other = await open(t, namespace)
      const container = (await other.find('a')) ?? assert.fail('it is gone')
      const from = { stdout: Buffer.byteLength(seen), stderr: 0 }
      for await (const { bytes } of container.output({ from })) seen += bytes.toString()
      assert.equal(seen, '1\n2\n3\n4\n5\n6\n')
      assert.equal((await container.wait()).exitCode, 3)
      await other[Symbol.asyncDispose]()
    })

    test('find: what was never started is not there', async (t) => {
      const { driver } = await start(t)
      assert.equal(await driver.find('nothing'), undefined)
    })

    test('lines arrive while the command runs', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(
        spec('a', 'echo one; until [ -e v/go ]; do sleep 0.02; done; echo two', {
          mounts: [{ volume: 'v', path: 'v' }],
        }),
        never,
      )
      let seen = ''
      for await (const { bytes } of container.output()) {
        seen += bytes.toString()
        if (seen === 'one\n')
          await collect(
            await driver.run(
              spec('b', 'touch v/go', { mounts: [{ volume: 'v', path: 'v' }] }),
              never,
            ),
          )
      }
      assert.equal(seen, 'one\ntwo\n')
    })

    test('20 MB of output arrive whole, also at a slow reader, at flat memory', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(spec('a', `head -c ${20 * MIB} /dev/zero`), never)
      const before = process.memoryUsage().rss
      let size = 0
      for await (const { bytes } of container.output()) {
        size += bytes.length
        if (size % (4 * MIB) < bytes.length) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      assert.equal(size, 20 * MIB)
      assert.ok(process.memoryUsage().rss - before < 64 * MIB)
    })

    test('output is bytes: binary, invalid UTF-8, no newline at the end', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(
        spec('a', String.raw`printf '\000\377\200é\n\001x'`),
        never,
      )
      const parts: Buffer[] = []
      for await (const { bytes } of container.output()) parts.push(bytes)
      assert.deepEqual(Buffer.concat(parts), Buffer.from([0, 255, 128, 0xc3, 0xa9, 10, 1, 120]))
    })

    test('a kill ends the command with all that it started', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(
        spec('a', '(sleep 600 & sleep 600 & echo started; wait); echo never'),
        never,
      )
      await firstOutput(container)
      await container.kill(1_000)
      const status = await container.wait()
      assert.ok([137, 143].includes(status.exitCode), String(status.exitCode))
      assert.equal((await collect(container)).stdout, 'started\n')
    })

    test('a kill reaches a command that ignores SIGTERM', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(
        spec('a', 'trap "" TERM; echo ready; while :; do sleep 1; done'),
        never,
      )
      await firstOutput(container)
      await container.kill(100)
      assert.equal((await container.wait()).exitCode, 137)
    })

    test('a start that is aborted leaves nothing', async (t) => {
      const { driver, spec } = await start(t)
      const aborted = AbortSignal.abort()
      await assert.rejects(driver.run(spec('a', 'sleep 600'), aborted), { code: 'aborted' })
      assert.equal(await driver.find('a'), undefined)
    })

    test('remove is safe to repeat, and so is removeAll', async (t) => {
      const { driver, spec } = await start(t)
      const container = await driver.run(spec('a', 'sleep 600'), never)
      await container.remove()
      await container.remove()
      assert.equal(await driver.find('a'), undefined)
      await driver.removeAll()
      await driver.removeAll()
    })

    test('a fresh instance removes all that one left which was killed', async (t) => {
      const { driver, namespace, spec } = await start(t)
      const container = await driver.run(
        spec('a', 'echo $$; mkdir d; touch d/f; chmod 500 d; sleep 600', {
          mounts: [{ volume: 'v', path: 'v' }],
        }),
        never,
      )
      await firstOutput(container)
      const other = await open(t, namespace)
      await other.removeAll()
      assert.equal(await other.find('a'), undefined)
      await assert.rejects(readAll(other, 'v', ['.']))
      await other[Symbol.asyncDispose]()
    })

    test('a volume carries files from one container to another', async (t) => {
      const { driver, sh } = await start(t)
      await driver.createVolume({ name: 'data' })
      await sh('a', 'mkdir data/sub; echo A >data/a.txt; echo B >data/sub/b.txt', {
        mounts: [{ volume: 'data', path: './data' }],
      })
      const { stdout } = await sh('b', 'cat deep/er/a.txt deep/er/sub/b.txt', {
        mounts: [{ volume: 'data', path: 'deep/er' }],
      })
      assert.equal(stdout, 'A\nB\n')
      assert.deepEqual(await readAll(driver, 'data', ['a.txt', 'sub']), {
        'a.txt': 'A\n',
        'sub/b.txt': 'B\n',
      })
    })

    test('a file that is missing rejects; no path and no link leads out of a volume', async (t) => {
      const { driver, sh } = await start(t)
      await sh('a', 'ln -s /etc/passwd v/link; ln -s / v/root; echo x >v/x', {
        mounts: [{ volume: 'v', path: 'v' }],
      })
      await assert.rejects(readAll(driver, 'v', ['no']), { code: 'volume_file_missing' })
      for (const path of ['../x', 'link', 'root/etc/passwd'])
        await assert.rejects(readAll(driver, 'v', [path]), /volume/)
      assert.deepEqual(await readAll(driver, 'v', ['/x']), { x: 'x\n' })
    })

    test('a mount inside a mount', async (t) => {
      const { sh } = await start(t)
      const mounts = [
        { volume: 'git', path: 'repo/.git' },
        { volume: 'repo', path: 'repo' },
      ]
      await sh('a', 'echo file >repo/file; echo head >repo/.git/HEAD', { mounts })
      const { stdout } = await sh('b', 'cat g/HEAD; ls g', {
        mounts: [{ volume: 'git', path: 'g' }],
      })
      assert.equal(stdout, 'head\nHEAD\n')
    })

    test('a work dir below the default one, and mounts that do not follow it', async (t) => {
      const { sh } = await start(t)
      const mounts = [{ volume: 'src', path: 'src' }]
      await sh('a', 'echo here >src/f', { mounts })
      assert.equal((await sh('b', 'cat f', { mounts, workDir: 'src' })).stdout, 'here\n')
    })

    test('thirty containers at once, two of the same name', async (t) => {
      const { sh } = await start(t)
      const ids = Array.from({ length: 30 }, (_, at) => `n-${at}`)
      const results = await Promise.all(ids.map((id) => sh(id, `echo ${id}`)))
      assert.deepEqual(
        results.map(({ stdout }) => stdout.trim()),
        ids,
      )
    })

    test('a sandbox keeps its files between commands, its variables do not leak into each other', async (t) => {
      const { driver, spec } = await start(t)
      const { command: _, ...base } = spec('box', '')
      const sandbox = await driver.startSandbox({ ...base, env: { BASE: 'b' } }, never)
      const exec = async (id: string, script: string, more = {}) =>
        collect(await sandbox.exec({ id, command: ['sh', '-c', script], env: {}, ...more }, never))
      assert.equal((await exec('1', 'echo state >file')).status.exitCode, 0)
      assert.equal((await exec('2', 'cat file; exit 42')).stdout, 'state\n')
      assert.equal((await exec('3', 'exit 42')).status.exitCode, 42)
      const with_ = await exec('4', 'echo $BASE $GREET; pwd', {
        env: { GREET: 'hi' },
        workDir: '/tmp',
      })
      assert.equal(with_.stdout, 'b hi\n/tmp\n')
      assert.equal((await exec('5', 'echo "[$GREET]"')).stdout, '[]\n')
      assert.equal((await exec('6', 'cat', { stdin: 'in' })).stdout, 'in')
      const both = await Promise.all([exec('7', 'sleep 0.1; echo 7'), exec('8', 'echo 8')])
      assert.deepEqual(
        both.map(({ stdout }) => stdout),
        ['7\n', '8\n'],
      )
      const hanging = await sandbox.exec({ id: '9', command: ['sleep', '600'], env: {} }, never)
      await hanging.kill(500)
      assert.ok((await hanging.wait()).exitCode > 128)
      await sandbox.remove()
      await sandbox.remove()
    })
  })
}

export interface Collected {
  stdout: string
  stderr: string
  status: ExitStatus
}

/** All output of a container and its end; for tests with little output. */
export async function collect(container: Container): Promise<Collected> {
  const parts: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
  for await (const { stream, bytes } of container.output()) parts[stream].push(bytes)
  const status = await container.wait()
  const [stdout, stderr] = [Buffer.concat(parts.stdout), Buffer.concat(parts.stderr)]
  return { stdout: stdout.toString(), stderr: stderr.toString(), status }
}

/** Waits until a container has written something. */
export async function firstOutput(container: Container): Promise<string> {
  const leaving = new AbortController()
  return until('the container writes', async () => {
    for await (const { bytes } of container.output({ signal: leaving.signal }))
      return bytes.toString()
    return undefined
  })
}

async function readAll(
  driver: Driver,
  volume: string,
  paths: readonly string[],
): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for await (const { path, content } of driver.readFiles(volume, paths)) {
    files[path] = ''
    for await (const part of content) files[path] += part.toString()
  }
  return files
}
