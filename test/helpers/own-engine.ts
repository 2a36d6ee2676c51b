import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { BUSYBOX_IMAGE, docker, ensureBusybox } from './docker-engine.js'
import { runCommand } from './process.js'
import { until } from './until.js'

/** A Docker engine of a test's own, for tests that stop it; its containers have no network. */
export interface OwnEngine {
  host: string
  /** Where it keeps its volumes. */
  root: string
  docker(...args: string[]): Promise<string>
  stop(signal?: NodeJS.Signals): Promise<void>
  start(): Promise<void>
}

/** Starts one that has the busybox image; it is gone when the test ends. */
export async function startOwnEngine(t: Pick<TestContext, 'after'>): Promise<OwnEngine> {
  await ensureBusybox()
  const dir = await mkdtemp(join(tmpdir(), 'pocketci-engine-'))
  const host = `unix://${join(dir, 'docker.sock')}`
  const own = (...args: string[]) => docker('-H', host, ...args)
  let engine: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const log = openSync(join(dir, 'log'), 'a')
    // in a network of its own: without a bridge it would remove that of the machine's engine
    const args = ['--net', 'dockerd', ...argumentsOf(dir, host)]
    engine = spawn('unshare', args, { stdio: ['ignore', log, log] })
    await until('the engine answers', () => own('version').catch(() => undefined), 60_000)
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (!engine || engine.exitCode !== null || engine.signalCode !== null) return
    engine.kill(signal)
    await once(engine, 'exit')
  }

  t.after(async () => {
    await stop()
    // what a killed engine leaves: its containerd and what that runs
    await runCommand('pkill', ['-KILL', '-f', dir])
    await unmountBelow(dir)
    rmSync(dir, { recursive: true, force: true })
  })
  await start()
  const archive = join(dir, 'busybox.tar')
  await docker('save', '-o', archive, BUSYBOX_IMAGE)
  await own('load', '-i', archive)
  return { host, root: join(dir, 'data'), docker: own, stop, start }
}

function argumentsOf(dir: string, host: string): string[] {
  return [
    ...['--host', host, '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')],
    ...['--pidfile', join(dir, 'pid'), '--bridge=none', '--iptables=false'],
    ...['--shutdown-timeout', '2'],
  ]
}

async function unmountBelow(dir: string): Promise<void> {
  const { stdout } = await runCommand('findmnt', ['-rno', 'TARGET'])
  const mounts = stdout.split('\n').filter((target) => target.startsWith(dir))
  for (const target of mounts.toReversed()) await runCommand('umount', ['-l', target])
}
