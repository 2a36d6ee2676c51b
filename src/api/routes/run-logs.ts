import type { LogChunk } from '../../shared/db/log-chunks.js'
import { AppError } from '../../shared/errors.js'
import { openBodyStream } from '../body-stream.js'
import { getRun, type ApiContext } from '../context.js'
import { pathParam, queryOf, type RouteTable } from '../route-table.js'

/** Log chunks that are read at once. */
const BATCH = 16

/** The output of a step, or of a whole run, byte for byte as it is stored. */
export function addRunLogRoutes({ route }: RouteTable, context: ApiContext): void {
  const { logs } = context
  route(
    'GET',
    '/api/runs/:run_id/logs',
    { action: 'run.read', resource: { kind: 'run', param: 'run_id' } },
    async (request, response) => {
      const runId = pathParam(request, 'run_id')
      getRun(context, runId)
      const query = queryOf(request)
      const step = readNumber(query, 'step')
      let after = readNumber(query, 'after') ?? 0

      const body = openBodyStream(response, { 'Content-Type': 'text/plain; charset=UTF-8' })
      while (!body.gone.aborted) {
        const chunks: LogChunk[] =
          step === undefined
            ? logs.listOfRun(runId, after, BATCH)
            : logs.listOfStep(runId, step, after, BATCH)
        for (const { bytes } of chunks) await body.write(bytes)
        const last = chunks.at(-1)
        if (!last || chunks.length < BATCH) return body.end()
        after = step === undefined ? last.id : last.seq
      }
    },
  )
}

/** A number of up to 15 digits is a safe integer. */
export function readNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,15}$/.test(text))
    throw new AppError('request_invalid', `${name}: expected a whole number, 0 or more`)
  return Number(text)
}
