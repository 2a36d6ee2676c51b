import { AppError } from '../../../shared/errors.js'
import { pipeThrough } from '../../../shared/pipe-through.js'
import type { NativeHost } from './host.js'
import { dropArgs } from './launch.js'

/**
 * Both run tar(1) as the step's user, with the volume as its folder: whatever an archive or a step
 * that runs meanwhile may try with links, the kernel allows it no more than it allows a step.
 */

/** Modes are kept, owners are not. */
export async function writeArchive(
  host: NativeHost,
  folder: string,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const _ of tar(host, ['-x', '-p', '-o', '-f', '-'], { folder, input, signal }));
}

export function readArchive(
  host: NativeHost,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  return tar(host, ['-c', '-f', '-', '.'], { folder, signal })
}

interface TarOptions {
  folder: string
  input?: AsyncIterable<Uint8Array>
  signal: AbortSignal
}

async function* tar(
  host: NativeHost,
  args: readonly string[],
  { folder, ...options }: TarOptions,
): AsyncGenerator<Buffer> {
  const { tar: program, sh } = host.tools
  if (program === undefined)
    throw new AppError(
      'driver_unavailable',
      'the native driver needs the program tar for working directories and caches',
    )
  // the volume is the step's user's alone, so that the folder is entered as that user
  const enter = [sh, '-c', 'cd -- "$1" && shift && exec "$@"', 'pocketci', folder]
  const [first = sh, ...rest] = [...dropArgs(host), ...enter, program, ...args]
  try {
    yield* pipeThrough([first, ...rest], {
      ...options,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
      onFailure: (reason) => new AppError('volume_failed', `tar: ${reason.slice(0, 500)}`),
    })
  } catch (error) {
    if (!options.signal.aborted) throw error
    throw new AppError('aborted', 'working on an archive was aborted', { cause: error })
  }
}
