import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { AppError } from '../errors.js'
import { pipeThrough } from '../pipe-through.js'
import { limitSize } from './limit-size.js'
import { zlibZstd } from './zlib-zstd.js'
import type { Zstd } from './zstd.js'

/** The programs in the package node-zstandard, by platform and processor. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'linux-x64': 'zstd.linux64',
  'darwin-x64': 'zstd.darwin',
  'darwin-arm64': 'zstd.darwin',
  'win32-x64': 'zstd64.exe',
  'win32-ia32': 'zstd32.exe',
}

/**
 * For data of our own: the program of node-zstandard where it runs, since it is faster and on
 * another core, else Node's zstd.
 */
export function findPacker(): Zstd {
  return openCommandZstd() ?? zlibZstd
}

/**
 * The program of node-zstandard, from stream to stream: the package's own functions go by way of a
 * file and can set no level. Undefined where it does not run: another processor, another libc.
 */
export function openCommandZstd(): Zstd | undefined {
  const name = PROGRAMS[`${process.platform}-${process.arch}`]
  if (name === undefined) return undefined
  const program = createRequire(import.meta.url).resolve(`node-zstandard/bin/${name}`)
  if (spawnSync(program, ['-V'], { env: {} }).status !== 0) return undefined
  return {
    name: 'node-zstandard',
    compress: (input, signal) =>
      pipeThrough([program, '-q', '-1', '-c'], { input, signal, env: {}, onFailure: failed }),
    decompress: (input, { maxBytes, signal }) =>
      limitSize(
        pipeThrough([program, '-q', '-d', '-c'], { input, signal, env: {}, onFailure: invalid }),
        maxBytes,
      ),
  }
}

function failed(reason: string): Error {
  return new Error(`compressing failed: ${reason}`)
}

function invalid(reason: string): AppError {
  return new AppError('archive_invalid', reason)
}
