import type { Task } from '../../shared/db/tasks.js'
import { getRun, type ApiContext } from '../context.js'
import { openEventStream, splitForLine, type EventStream } from '../event-stream.js'
import { followRunView, type RunViewEvent } from '../follow-run-view.js'
import { createOutputDecoder, type OutputDecoder } from '../output-decoder.js'
import { pathParam, type RouteTable } from '../route-table.js'
import { formatTime } from '../wire/time.js'
import { toWireRun } from '../wire/run.js'

/**
 * A run for its page: `id` is the chunk that was sent last, so a browser that lost the connection
 * goes on behind it. A character that a chunk cuts there is lost to it; the log has it.
 */
export function addRunEventRoutes({ route }: RouteTable, context: ApiContext): void {
  const { closing, timings } = context
  route(
    'GET',
    '/api/runs/:run_id/events',
    { action: 'run.read', resource: { kind: 'run', param: 'run_id' } },
    async (request, response) => {
      const runId = pathParam(request, 'run_id')
      getRun(context, runId)
      const lastId = String(request.headers['last-event-id'] ?? '')
      const afterChunk = /^\d{1,15}$/.test(lastId) ? Number(lastId) : 0

      using stream = openEventStream(response, { heartbeatMs: timings.heartbeatMs })
      const signal = AbortSignal.any([stream.gone, closing])
      const decoder = createOutputDecoder()
      for await (const event of followRunView(context, { runId, signal, afterChunk }))
        await send(stream, event, decoder)
    },
  )
}

async function send(
  stream: EventStream,
  event: RunViewEvent,
  decoder: OutputDecoder,
): Promise<void> {
  switch (event.type) {
    case 'run':
      return stream.send({ data: { type: 'run', ...toWireRun(event.run, event.reason) } })
    case 'task':
      await stream.send({ data: { type: 'task', ...toWireTask(event.task) } })
      return
    case 'skipped':
      return stream.send({ data: event })
    case 'output': {
      const { id, step, stream: name } = event.chunk
      const parts = [...splitForLine(decoder.decode(event.chunk))]
      for (const [at, text] of parts.entries()) {
        const data = { type: 'output', step, stream: name, text }
        // only the last part stands for the whole chunk
        await stream.send(at === parts.length - 1 ? { id, data } : { data })
      }
      return
    }
    case 'end':
      for (const { step, stream: name, text } of decoder.endAll())
        await stream.send({ data: { type: 'output', step, stream: name, text } })
      return stream.send({
        event: 'end',
        data: event.run ? { type: 'run', ...toWireRun(event.run, undefined) } : { type: 'deleted' },
      })
  }
}

function toWireTask({
  step,
  path,
  name,
  status,
  code,
  startedAt,
  completedAt,
  errorMessage,
}: Task) {
  return {
    step,
    path,
    name,
    status,
    ...(code !== null && { code }),
    ...(startedAt !== null && { started_at: formatTime(startedAt) }),
    ...(completedAt !== null && { completed_at: formatTime(completedAt) }),
    ...(errorMessage && { error_message: errorMessage }),
  }
}
