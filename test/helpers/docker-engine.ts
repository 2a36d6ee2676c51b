import { execFile, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './until.js'

const run = promisify(execFile)

/** The engine of this machine, as the command line finds it. */
export const DOCKER_HOST = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock'

/** Busybox with all its programs, a root and a nobody. */
export const BUSYBOX_IMAGE = 'pocketci-test/busybox:1'

/** Busybox with the Node and npm of this machine. */
export const NODE_IMAGE = 'pocketci-test/node:1'

/** Runs the docker command line; answers what it prints. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { maxBuffer: 16 * 1_048_576 })
  return stdout.trim()
}

/** Starts an engine when none answers; one that cannot be started fails the test. */
export async function ensureEngine(): Promise<void> {
  if (await isUp()) return
  const log = openSync(join(tmpdir(), 'pocketci-test-dockerd.log'), 'a')
  spawn('dockerd', [], { detached: true, stdio: ['ignore', log, log] })
    .on('error', () => undefined) // what follows fails
    .unref()
  await until('the Docker engine answers (see pocketci-test-dockerd.log)', isUp, 60_000)
}

async function isUp(): Promise<boolean> {
  return docker('version', '--format', '{{.Server.Version}}').then(
    () => true,
    () => false,
  )
}

/** The engine is up and has the test image: no image can be pulled where tests run. */
export async function ensureBusybox(): Promise<string> {
  await ensureEngine()
  const images = await docker('image', 'ls', '-q', BUSYBOX_IMAGE)
  if (images === '') await importImage(BUSYBOX_IMAGE, makeBusyboxRoot)
  // what the examples call it
  await docker('tag', BUSYBOX_IMAGE, 'busybox:latest')
  return BUSYBOX_IMAGE
}

/** The engine has an image in which a package of npm can be built and tested. */
export async function ensureNodeImage(): Promise<string> {
  await ensureBusybox()
  const images = await docker('image', 'ls', '-q', NODE_IMAGE)
  if (images === '') await importImage(NODE_IMAGE, makeNodeRoot)
  // what the examples call it
  await docker('tag', NODE_IMAGE, 'node:24')
  return NODE_IMAGE
}

/** Makes an image of a folder that `fill` fills. */
async function importImage(tag: string, fill: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'pocketci-image-'))
  try {
    chmodSync(root, 0o755)
    await fill(root)
    const archive = `${root}.tar`
    await run('tar', ['-C', root, '-cf', archive, '.'])
    await docker('import', '-c', 'ENV PATH=/bin', archive, tag)
    await rm(archive)
  } finally {
    await rm(root, { recursive: true })
  }
}

async function makeBusyboxRoot(root: string): Promise<void> {
  for (const folder of ['bin', 'etc', 'root']) mkdirSync(join(root, folder))
  mkdirSync(join(root, 'tmp'))
  chmodSync(join(root, 'tmp'), 0o1777)
  copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'))
  const { stdout } = await run('/bin/busybox', ['--list'])
  for (const name of stdout.trim().split('\n'))
    if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name))
  writeFileSync(
    join(root, 'etc', 'passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  )
  writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n')
}

async function makeNodeRoot(root: string): Promise<void> {
  await makeBusyboxRoot(root)
  await run('cp', ['-L', process.execPath, join(root, 'bin', 'node')])
  // its libraries, at the places where its loader looks for them
  const { stdout } = await run('ldd', [process.execPath])
  for (const [, library = ''] of stdout.matchAll(/(\/\S+) \(0x/g))
    await run('cp', ['-L', '--parents', library, root])
  const { stdout: modules } = await run('npm', ['root', '-g'])
  mkdirSync(join(root, 'usr', 'lib'), { recursive: true })
  await run('cp', ['-R', join(modules.trim(), 'npm'), join(root, 'usr', 'lib', 'npm')])
  for (const name of ['npm', 'npx'])
    symlinkSync(`../usr/lib/npm/bin/${name}-cli.js`, join(root, 'bin', name))
  // where the scripts of npm look for env
  mkdirSync(join(root, 'usr', 'bin'), { recursive: true })
  symlinkSync('../../bin/busybox', join(root, 'usr', 'bin', 'env'))
}
