import { readFile, stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { AppError, errorMessage } from '../errors.js'
import { usageError } from './report-error.js'

/** The server's own limit on a body is below that. */
const MAX_BYTES = 64 * 1_048_576

/** A usage error unless the path is that of a regular file. */
export async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw usageError(`${path}: no such file`)
  if (!found.isFile()) throw usageError(`${path}: not a regular file`)
}

/** The text of a file that was checked. Throws with `purpose` as its beginning. */
export async function readTextFile(path: string, purpose: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new AppError('request_invalid', `${purpose}: ${errorMessage(error)}`, { cause: error })
  }
}

/** What a file holds, by its extension. */
export function contentTypeOf(path: string): 'ts' | 'js' {
  const extension = extname(path).toLowerCase()
  switch (extension) {
    case '.ts':
      return 'ts'
    case '.js':
      return 'js'
    case '.yml':
    case '.yaml':
      throw new AppError(
        'not_supported_yet',
        'YAML pipelines are not available in this version yet: write it as .ts or .js',
      )
    default:
      throw new AppError(
        'request_invalid',
        `unsupported file extension "${extname(path)}": expected .js, .ts, .yml, or .yaml`,
      )
  }
}

/** The file's name without its last extension. */
export function pipelineNameOf(path: string): string {
  return basename(path, extname(path))
}
