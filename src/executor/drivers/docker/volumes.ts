import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { AppError } from '../../../shared/errors.js'
import { readTar } from '../../../shared/tar/read-tar.js'
import type { Volume, VolumeFile, VolumeSpec } from '../driver.js'
import { removeContainer } from './docker-container.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'
import { ensureHelperImage, HELPER_IMAGE } from './helper-image.js'
import { NAMESPACE_LABEL } from './names.js'
import type { DockerHost } from './start-container.js'

/** Where a helper container has the volume. */
const ROOT = '/volume'
/** The most files that one call reads. */
const MAX_FILES = 10_000

export async function createVolume(
  { docker, names }: DockerHost,
  { name }: VolumeSpec,
): Promise<Volume> {
  try {
    await docker.createVolume({ Name: names.volume(name), Labels: names.labels })
    return { name, path: `/${name}` }
  } catch (error) {
    throw toDriverError(error, 'volume_failed', `create volume "${name}"`)
  }
}

/** See Driver. */
export async function listVolumes({ docker, names }: DockerHost): Promise<string[]> {
  const filters = { label: [`${NAMESPACE_LABEL}=${names.namespace}`] }
  try {
    const { Volumes: volumes } = await docker.listVolumes({ filters })
    const prefix = `${names.namespace}-`
    return (volumes ?? []).flatMap(({ Name: name }) =>
      name.startsWith(prefix) ? [name.slice(prefix.length)] : [],
    )
  } catch (error) {
    throw toDriverError(error, 'volume_failed', 'listing volumes')
  }
}

/** See Driver. What a path leads to is asked of the engine, link by link, before it is read. */
export async function* readVolumeFiles(
  host: DockerHost,
  volume: string,
  paths: readonly string[],
): AsyncGenerator<VolumeFile> {
  await using helper = await openHelper(host, volume)
  const budget = { left: MAX_FILES }
  for (const path of paths) {
    const asked = posix.normalize(`/${path}`)
    if (posix.normalize(path).startsWith('..')) throw outside(path)
    const place = await resolvePlace(helper, asked, path)
    yield* readPlace(helper, { place, shown: asked.slice(1), budget })
  }
}

/** See Driver. */
export async function writeArchive(
  host: DockerHost,
  volume: string,
  tar: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await using helper = await openHelper(host, volume)
  try {
    const body = Readable.from(tar, { objectMode: false, highWaterMark: 262_144 })
    let failure: unknown
    body.once('error', (error) => (failure = error))
    await helper.container
      .putArchive(body, { path: ROOT, abortSignal: signal })
      .catch((error: unknown) => {
        // what broke the archive says more than that it broke
        throw failure ?? error
      })
  } catch (error) {
    throw archiveError(error, signal)
  }
}

/** See Driver. */
export async function* readArchive(
  host: DockerHost,
  volume: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  await using helper = await openHelper(host, volume)
  try {
    const options = { path: `${ROOT}/.`, abortSignal: signal }
    const stream = await helper.container.getArchive(options)
    for await (const bytes of stream as AsyncIterable<Buffer>) yield bytes
  } catch (error) {
    throw archiveError(error, signal)
  }
}

function archiveError(error: unknown, signal: AbortSignal): AppError {
  if (signal.aborted)
    return new AppError('aborted', 'working on an archive was aborted', { cause: error })
  return toDriverError(error, 'volume_failed', 'the archive of a volume')
}

type Helper = Awaited<ReturnType<typeof openHelper>>

/** A container that is never started: the engine reads and writes files through it. */
async function openHelper({ docker, names }: DockerHost, volume: string) {
  const source = names.volume(volume)
  try {
    // mounting would make one that is not there
    await docker.getVolume(source).inspect()
    await ensureHelperImage(docker)
    const container = await docker.createContainer({
      name: names.helper(volume),
      Image: HELPER_IMAGE,
      Cmd: ['none'],
      Labels: names.labels,
      NetworkDisabled: true,
      HostConfig: { Mounts: [{ Type: 'volume', Source: source, Target: ROOT }] },
    })
    return { container, [Symbol.asyncDispose]: () => removeContainer(container) }
  } catch (error) {
    if (statusOf(error) === 404)
      throw new AppError('volume_failed', `there is no volume "${volume}"`, { cause: error })
    throw toDriverError(error, 'volume_failed', `opening volume "${volume}"`)
  }
}

const statSchema = z.object({ mode: z.number(), linkTarget: z.string() })
/** Of Go's file modes. */
const GO_SYMLINK = 2 ** 27

/** The path in the volume with every link followed; one that leads out is refused. */
async function resolvePlace(helper: Helper, asked: string, shown: string): Promise<string> {
  let place = '/'
  for (const part of asked.split('/').filter(Boolean)) {
    const { mode, linkTarget } = await statOf(helper, posix.join(place, part), shown)
    if ((mode & GO_SYMLINK) === 0) place = posix.join(place, part)
    else if (linkTarget === ROOT || linkTarget.startsWith(`${ROOT}/`))
      // the engine has followed the whole chain
      place = linkTarget.slice(ROOT.length) || '/'
    else throw outside(shown)
  }
  return place
}

async function statOf({ container }: Helper, place: string, shown: string) {
  try {
    const answer = await container.infoArchive({ path: ROOT + place })
    // all is in the header; an answer that nobody reads keeps its connection
    answer.resume()
    const header = Buffer.from(String(answer.headers['x-docker-container-path-stat']), 'base64')
    return statSchema.parse(JSON.parse(header.toString()))
  } catch (error) {
    if (statusOf(error) === 404)
      throw new AppError('volume_file_missing', `no such file in the volume: ${shown}`)
    throw toDriverError(error, 'volume_failed', `cannot read ${shown} of the volume`)
  }
}

interface ReadOptions {
  place: string
  /** What the caller calls it. */
  shown: string
  budget: { left: number }
}

async function* readPlace(
  { container }: Helper,
  { place, shown, budget }: ReadOptions,
): AsyncGenerator<VolumeFile> {
  const stream = await container.getArchive({ path: ROOT + place })
  for await (const entry of readTar(stream as AsyncIterable<Uint8Array>)) {
    if (entry.kind !== 'file') continue
    if (budget.left-- === 0)
      throw new AppError('volume_failed', `more than ${MAX_FILES} files are asked for at once`)
    // the first part is the base name of what was asked for
    const below = entry.path.split('/').slice(1).join('/')
    yield {
      path: posix.join(shown, below),
      size: entry.size,
      content: entry.content as AsyncIterable<Buffer>,
    }
  }
}

function outside(path: string): AppError {
  return new AppError('volume_failed', `the path leads out of the volume: ${path.slice(0, 200)}`)
}
