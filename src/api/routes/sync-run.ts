import type { Request, Response } from 'express'
import type { OutputStream } from '../../shared/contract/statuses.js'
import { followRun } from '../../shared/db/follow-run.js'
import type { Run } from '../../shared/db/runs.js'
import { describeWait } from '../../shared/db/wait-reasons.js'
import { AppError } from '../../shared/errors.js'
import { lingerAfterAnswer, limitBodyTime } from '../body-time.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { openEventStream, splitForLine } from '../event-stream.js'
import { createOutputDecoder } from '../output-decoder.js'
import { readRunBody } from '../read-run-body.js'
import { mediaType } from '../request-body.js'
import { pathParam, type RouteTable } from '../route-table.js'
import { admitRun, checkWouldAdmit } from './triggers.js'

/** What a synchronous run says, each a line of JSON. `exit` or `error` comes once and last. */
type RunEvent =
  | { stream: OutputStream; data: string }
  | { event: 'exit'; code: 0 | 1; run_id: string; message?: string }
  | { event: 'error'; message: string }

/**
 * A run that is queued like any other and followed to its end. Whoever leaves does not stop it.
 */
export function addSyncRunRoute({ route }: RouteTable, context: ApiContext): void {
  const { runs, logs, changes, closing, timings, now } = context
  const reasons = context.waitReasons
  route(
    'POST',
    '/api/pipelines/:name/run',
    {
      action: 'pipeline.run',
      resource: { kind: 'pipeline', param: 'name' },
      // a working directory has limits of its own
      limitsOwnBody: true,
    },
    async (request, response) => {
      lingerAfterAnswer(request, response)
      const run = await startRun(context, request, response)

      using stream = openEventStream(response, {
        heartbeatMs: timings.heartbeatMs,
        headers: { 'X-Run-Id': run.id },
      })
      const signal = AbortSignal.any([stream.gone, closing])
      const decoder = createOutputDecoder()
      const send = (data: RunEvent): Promise<void> => stream.send({ data })
      const sendOutput = async (name: OutputStream, text: string): Promise<void> => {
        for (const data of splitForLine(text)) await send({ stream: name, data })
      }

      const follow = { runs, logs, changes, reasons, now, runId: run.id, signal }
      for await (const event of followRun(follow)) {
        // a comment, since clients know only the events above; a moment is not worth one
        if (event.type === 'waiting' && event.reason.kind !== 'turn')
          await stream.comment(`waiting: ${describeWait(event.reason)}`)
        if (event.type === 'output')
          await sendOutput(event.chunk.stream, decoder.decode(event.chunk))
        if (event.type === 'end') {
          for (const rest of decoder.endAll()) await sendOutput(rest.stream, rest.text)
          return send(event.run ? toExit(event.run) : DELETED)
        }
      }
      if (!stream.gone.aborted) await send(STOPPING)
    },
  )
}

/** What can be refused is refused before the body is read. */
async function startRun(context: ApiContext, request: Request, response: Response): Promise<Run> {
  const { id } = getPipelineRef(context, pathParam(request, 'name'))
  checkWouldAdmit(context, id)
  if (mediaType(request) !== 'multipart/form-data') limitBodyTime(request, response)
  await using body = await readRunBody(request, context)
  const { args, inputs, upload } = body
  const input = args.length > 0 ? { args } : {}
  const run = await admitRun(context, request, {
    pipelineId: id,
    type: 'cli',
    input,
    inputs,
    upload,
  })
  if (run.status !== 'queued')
    throw new AppError(
      'run_rejected',
      `run ${run.id} rejected by concurrency rules: ${run.errorMessage}`,
    )
  return run
}

const DELETED: RunEvent = { event: 'error', message: 'the run was deleted' }
const STOPPING: RunEvent = {
  event: 'error',
  message: 'the server is stopping; how the run ends is to be seen when it is back',
}

function toExit({ id, status, errorMessage }: Run): RunEvent {
  return {
    event: 'exit',
    code: status === 'failed' ? 1 : 0,
    run_id: id,
    ...(errorMessage && { message: errorMessage }),
  }
}
