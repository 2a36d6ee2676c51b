import { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { encodeHeader } from '../../../shared/tar/write-tar.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'

/**
 * An image without any program, for containers that are never started: they only give access to
 * the files of a volume. It is made here, so that nothing has to be pulled for it.
 */
export const HELPER_IMAGE = 'pocketci/volume-files:1'

export async function ensureHelperImage(docker: Docker): Promise<void> {
  try {
    await docker.getImage(HELPER_IMAGE).inspect()
  } catch (error) {
    if (statusOf(error) !== 404) throw toDriverError(error, 'volume_failed', 'looking for an image')
    const [repo, tag] = HELPER_IMAGE.split(':')
    const stream = await docker.importImage(Readable.from([archive()]), { repo, tag })
    // the engine is done when its answer ends
    for await (const _ of stream as AsyncIterable<Uint8Array>);
  }
}

/** One folder: where the volume is mounted. */
function archive(): Buffer {
  const folder = {
    path: 'volume',
    kind: 'folder',
    mode: 0o755,
    size: 0,
    mtime: 0,
    target: '',
  } as const
  return Buffer.concat([encodeHeader(folder), Buffer.alloc(1024)])
}
