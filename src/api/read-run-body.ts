import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import type { SpoolFile } from '../shared/uploads/spool.js'
import type { ApiContext } from './context.js'
import { readParts, type Part } from './multipart.js'
import { receiveUpload } from './receive-upload.js'
import { invalidBody, mediaType, parseBody, readJsonBody } from './request-body.js'
import { givenInputsSchema, type GivenInputs } from '../shared/contract/inputs.js'
import { argsSchema } from '../shared/contract/trigger-args.js'
import { startUploadClock } from './upload-clock.js'

const bodySchema = z.strictObject({
  args: argsSchema.nullish(),
  inputs: givenInputsSchema.nullish(),
})

/** What a synchronous run starts with. Disposing it removes the upload unless that was kept. */
export interface RunBody extends AsyncDisposable {
  args: string[]
  inputs: GivenInputs
  /** A working directory, synced to disk. */
  upload: SpoolFile | undefined
}

/**
 * The arguments and inputs of a synchronous run: from a JSON body, or from the parts `args` and `inputs`
 * of a multipart one, in which the part `workdir` may follow. Other parts are skipped; one of these in a place or form
 * in which it would not count is refused. Whatever goes wrong leaves no file behind.
 */
export async function readRunBody(request: IncomingMessage, context: ApiContext): Promise<RunBody> {
  if (mediaType(request) === 'multipart/form-data') return await readForm(request, context)
  const body = await readJsonBody(request, { maxBytes: context.config.limits.bodyBytes })
  const { args, inputs } = parseBody(bodySchema, body ?? {})
  return toRunBody({ args: args ?? [], inputs: inputs ?? {}, upload: undefined })
}

async function readForm(
  request: IncomingMessage,
  { config: { limits }, spool, timings }: ApiContext,
): Promise<RunBody> {
  const times = { totalMs: limits.uploadTimeoutMs, pauseMs: timings.uploadPauseMs }
  using clock = startUploadClock(request, times)
  const { signal } = clock
  let args: string[] | undefined
  let inputs: GivenInputs | undefined
  let upload: SpoolFile | undefined
  try {
    for await (const part of readParts(request, { maxBytes: limits.bodyBytes, signal })) {
      checkPart(part, { args, inputs, workdir: upload })
      if (part.kind === 'field' && part.name === 'args') args = parseArgs(part.text)
      if (part.kind === 'field' && part.name === 'inputs') inputs = parseInputs(part.text)
      if (part.kind === 'file' && part.name === 'workdir')
        upload = await receiveUpload(part.content, { spool, maxBytes: limits.workdirBytes, signal })
    }
    return toRunBody({ args: args ?? [], inputs: inputs ?? {}, upload })
  } catch (error) {
    await upload?.[Symbol.asyncDispose]()
    throw error
  }
}

/** Where the parts that count may stand; `seen` are those that were read. */
function checkPart(
  { kind, name }: Part,
  seen: Record<'args' | 'inputs' | 'workdir', unknown>,
): void {
  if (name !== 'args' && name !== 'inputs' && name !== 'workdir') return
  if (name !== 'workdir' && kind !== 'field')
    throw invalidBody(`${name}: expected a field, not a file`)
  if (name === 'workdir' && kind !== 'file') throw invalidBody('workdir: expected a file')
  if (name !== 'workdir' && seen.workdir !== undefined)
    throw invalidBody(`${name}: has to come before workdir`)
  if (seen[name] !== undefined) throw invalidBody(`${name}: sent twice`)
}

function toRunBody(body: Omit<RunBody, typeof Symbol.asyncDispose>): RunBody {
  return { ...body, [Symbol.asyncDispose]: async () => body.upload?.[Symbol.asyncDispose]() }
}

function parseArgs(text: string): string[] {
  const json = parseJson(text, 'args: expected a JSON array of strings')
  return parseBody(argsSchema.nullish(), json) ?? []
}

function parseInputs(text: string): GivenInputs {
  const json = parseJson(text, 'inputs: expected a JSON object')
  return parseBody(z.object({ inputs: givenInputsSchema.nullish() }), { inputs: json }).inputs ?? {}
}

function parseJson(text: string, fault: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidBody(fault)
  }
}
