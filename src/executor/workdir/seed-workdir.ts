import { AppError } from '../../shared/errors.js'
import { readTar } from '../../shared/tar/read-tar.js'
import { safeEntries } from '../../shared/tar/safe-entries.js'
import { writeTar } from '../../shared/tar/write-tar.js'
import type { Spool } from '../../shared/uploads/spool.js'
import { zlibZstd } from '../../shared/zstd/zlib-zstd.js'
import type { Driver } from '../drivers/driver.js'

/** What a pipeline calls the volume with the folder that it was started from. */
const VOLUME = 'workdir'

export interface SeedOptions {
  driver: Driver
  spool: Spool
  /** The file of the upload. */
  name: string
  /** The most that it may decompress to. */
  maxBytes: number
  /** Throws when the run is no longer this executor's: then nothing more is written. */
  checkLease(): void
  signal: AbortSignal
}

/**
 * Unpacks an upload into the volume that the pipeline will ask for. Nothing of the archive is
 * trusted: it is read, checked and written anew, so that no two programs can read it differently.
 * Throws `archive_invalid`, `archive_too_large`, `upload_missing` and what the driver throws.
 */
export async function seedWorkdir(options: SeedOptions): Promise<void> {
  const { driver, spool, name, maxBytes, checkLease, signal } = options
  await driver.createVolume({ name: VOLUME })
  const tar = zlibZstd.decompress(spool.read(name), { maxBytes, signal })
  try {
    const checked = whileOurs(writeTar(safeEntries(readTar(tar))), checkLease)
    await driver.writeArchive(VOLUME, checked, signal)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { code, message } = error
    throw new AppError(code, `could not unpack the working directory: ${message}`, { cause: error })
  }
}

async function* whileOurs(
  tar: AsyncIterable<Uint8Array>,
  checkLease: () => void,
): AsyncGenerator<Uint8Array> {
  for await (const part of tar) {
    checkLease()
    yield part
  }
}
