import busboy from 'busboy'
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { AppError } from '../shared/errors.js'
import { invalidBody, mediaType, parseBody, readJsonBody, tooLarge } from './request-body.js'
import { argsSchema } from './trigger-args.js'

const bodySchema = z.strictObject({ args: argsSchema.nullish() })

/**
 * The arguments of a synchronous run: from a JSON body, or from the part `args` of a multipart
 * one. A working directory is refused as soon as its part begins.
 */
export async function readRunArgs(request: IncomingMessage, maxBytes: number): Promise<string[]> {
  if (mediaType(request) === 'multipart/form-data') {
    const text = await readArgsPart(request, maxBytes)
    return parseBody(argsSchema.nullish(), text === undefined ? null : parseArgs(text)) ?? []
  }
  const body = await readJsonBody(request, { maxBytes })
  return parseBody(bodySchema, body ?? {}).args ?? []
}

/** Reads on past an error as little as it can: the answer follows at once. */
function readArgsPart(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parser = openParser(request, maxBytes)
    let size = 0
    let args: string | undefined

    const count = (chunk: Buffer): void => {
      size += chunk.length
      if (size > maxBytes) finish(() => reject(tooLarge()))
    }
    const cutOff = (): void => finish(() => reject(invalidBody('it was cut off')))
    const finish = (settle: () => void): void => {
      request.unpipe(parser)
      request.off('data', count).off('aborted', cutOff).off('error', cutOff)
      request.on('error', () => undefined) // after the answer it is of no interest
      request.resume()
      parser.removeAllListeners()
      parser.on('error', () => undefined) // nor is the rest of what it was fed
      settle()
    }

    parser.on('field', (name, value, { valueTruncated }) => {
      if (name !== 'args') return
      if (valueTruncated) finish(() => reject(tooLarge()))
      args ??= value
    })
    parser.on('file', (name, stream) => {
      stream.resume()
      if (name === 'workdir') finish(() => reject(noWorkdir()))
    })
    parser.on('error', () => finish(() => reject(invalidBody('its multipart form is damaged'))))
    parser.on('close', () => finish(() => resolve(args)))
    request.on('data', count).on('aborted', cutOff).on('error', cutOff)
    request.pipe(parser)
  })
}

function openParser(request: IncomingMessage, maxBytes: number): busboy.Busboy {
  try {
    return busboy({
      headers: request.headers,
      limits: { fieldSize: maxBytes, fields: 100, files: 100, parts: 200, headerPairs: 20 },
    })
  } catch {
    throw invalidBody('its multipart form has no boundary')
  }
}

function parseArgs(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidBody('args: expected a JSON array of strings')
  }
}

function noWorkdir(): AppError {
  return new AppError(
    'not_supported_yet',
    'uploading a working directory is not available in this version yet: run with --no-workdir',
  )
}
