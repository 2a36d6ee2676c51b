import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import type { SpoolFile } from '../shared/uploads/spool.js'
import type { ApiContext } from './context.js'
import { readParts, type Part } from './multipart.js'
import { receiveUpload } from './receive-upload.js'
import { invalidBody, mediaType, parseBody, readJsonBody } from './request-body.js'
import { argsSchema } from '../shared/contract/trigger-args.js'
import { startUploadClock } from './upload-clock.js'

const bodySchema = z.strictObject({ args: argsSchema.nullish() })

/** What a synchronous run starts with. Disposing it removes the upload unless that was kept. */
export interface RunBody extends AsyncDisposable {
  args: string[]
  /** A working directory, synced to disk. */
  upload: SpoolFile | undefined
}

/**
 * The arguments of a synchronous run: from a JSON body, or from the part `args` of a multipart one,
 * in which the part `workdir` may follow. Other parts are skipped; one of these two in a place or form
 * in which it would not count is refused. Whatever goes wrong leaves no file behind.
 */
export async function readRunBody(request: IncomingMessage, context: ApiContext): Promise<RunBody> {
  if (mediaType(request) === 'multipart/form-data') return await readForm(request, context)
  const body = await readJsonBody(request, { maxBytes: context.config.limits.bodyBytes })
  return toRunBody(parseBody(bodySchema, body ?? {}).args ?? [], undefined)
}

async function readForm(
  request: IncomingMessage,
  { config: { limits }, spool, timings }: ApiContext,
): Promise<RunBody> {
  const times = { totalMs: limits.uploadTimeoutMs, pauseMs: timings.uploadPauseMs }
  using clock = startUploadClock(request, times)
  const { signal } = clock
  let args: string[] | undefined
  let upload: SpoolFile | undefined
  try {
    for await (const part of readParts(request, { maxBytes: limits.bodyBytes, signal })) {
      checkPart(part, { hasArgs: args !== undefined, hasUpload: upload !== undefined })
      if (part.kind === 'field' && part.name === 'args') args = parseArgs(part.text)
      if (part.kind === 'file' && part.name === 'workdir')
        upload = await receiveUpload(part.content, { spool, maxBytes: limits.workdirBytes, signal })
    }
    return toRunBody(args ?? [], upload)
  } catch (error) {
    await upload?.[Symbol.asyncDispose]()
    throw error
  }
}

function checkPart(part: Part, seen: { hasArgs: boolean; hasUpload: boolean }): void {
  const { kind, name } = part
  if (name !== 'args' && name !== 'workdir') return
  if (name === 'args' && kind !== 'field') throw invalidBody('args: expected a field, not a file')
  if (name === 'workdir' && kind !== 'file') throw invalidBody('workdir: expected a file')
  if (name === 'args' && seen.hasUpload) throw invalidBody('args: has to come before workdir')
  if (name === 'args' ? seen.hasArgs : seen.hasUpload) throw invalidBody(`${name}: sent twice`)
}

function toRunBody(args: string[], upload: SpoolFile | undefined): RunBody {
  return { args, upload, [Symbol.asyncDispose]: async () => upload?.[Symbol.asyncDispose]() }
}

function parseArgs(text: string): string[] {
  return parseBody(argsSchema.nullish(), parseJson(text)) ?? []
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidBody('args: expected a JSON array of strings')
  }
}
