import { posix } from 'node:path'
import type { Response } from 'express'
import type { Task } from '../../shared/db/tasks.js'
import { AppError } from '../../shared/errors.js'
import { openBodyStream, type BodyStream } from '../body-stream.js'
import { getRun, type ApiContext } from '../context.js'
import { createOutputDecoder } from '../output-decoder.js'
import { envelope, readPage } from '../read-page.js'
import { pathParam, queryOf, type RouteTable } from '../route-table.js'
import { toWirePayload } from '../wire/task.js'

/** Tasks and log chunks that are read at once. */
const TASK_BATCH = 100
const CHUNK_BATCH = 16
/** Text this small dies young: larger strings would pile up until the collector takes everything. */
const PIECE_BYTES = 8_192

/** The tasks of a run with all their output, streamed from the tables; `output=false` is without it. */
export function addTaskRoutes({ route }: RouteTable, context: ApiContext): void {
  const { tasks } = context
  route(
    'GET',
    '/api/runs/:run_id/tasks',
    { action: 'run.read', resource: { kind: 'run', param: 'run_id' } },
    async (request, response) => {
      const runId = pathParam(request, 'run_id')
      const { stepBase } = getRun(context, runId)
      const query = queryOf(request)
      const path = query.get('path')
      const withOutput = query.get('output') !== 'false'
      if (path !== null) {
        const task = tasks.find(runId, absolutePath(runId, path))
        if (!task) throw new AppError('task_not_found', 'task not found')
        return sendTasks(context, response, [task], { withOutput, stepBase })
      }
      if (!query.has('page') && !query.has('per_page'))
        return sendTasks(context, response, listAll(context, runId), { withOutput, stepBase })
      const page = readPage(query)
      const found = tasks.listPage(runId, page)
      const head = `${JSON.stringify(envelope(page, found)).slice(0, -1)},"items":`
      await sendTasks(context, response, found.items, { withOutput, stepBase, head, tail: '}' })
    },
  )
}

/** A task's path as it is stored; relative ones begin at the run. None leaves it. */
export function absolutePath(runId: string, path: string): string {
  const root = `/pipeline/${runId}/`
  const resolved = posix.normalize(path.startsWith('/') ? path : `${root}${path}`)
  if (!resolved.startsWith(root))
    throw new AppError('request_invalid', 'task path must be scoped to the run')
  return resolved
}

function* listAll({ tasks }: ApiContext, runId: string): Generator<Task> {
  for (let after = 0; ;) {
    const batch = tasks.listAfter(runId, after, TASK_BATCH)
    yield* batch
    const last = batch.at(-1)
    if (!last || batch.length < TASK_BATCH) return
    after = last.step
  }
}

interface SendOptions {
  withOutput: boolean
  /** Of the run. */
  stepBase: number
  head?: string
  tail?: string
}

async function sendTasks(
  context: ApiContext,
  response: Response,
  tasks: Iterable<Task>,
  { withOutput, stepBase, head = '', tail = '' }: SendOptions,
): Promise<void> {
  const body = openBodyStream(response, { 'Content-Type': 'application/json' })
  await body.write(`${head}[`)
  let separator = ''
  for (const task of tasks) {
    const { step, name, path } = task
    // left open: the output is the payload's last field
    const entry = JSON.stringify({
      step,
      name,
      path,
      payload: toWirePayload(task, stepBase),
    }).slice(0, -2)
    await body.write(`${separator}${entry}`)
    if (withOutput) {
      await body.write(',"logs":[')
      await writeLogs(context, body, task)
      await body.write(']')
    }
    if (body.gone.aborted) return
    await body.write('}}')
    separator = ','
  }
  await body.write(`]${tail}`)
  body.end()
}

/** Neighbours of one stream become one entry, written while they come. */
async function writeLogs({ logs }: ApiContext, body: BodyStream, task: Task): Promise<void> {
  const decoder = createOutputDecoder()
  let open = ''
  const append = async (stream: string, text: string): Promise<void> => {
    if (text === '') return
    const head = open === '' ? '' : '"},'
    const start = stream === open ? '' : `${head}{"type":"${stream}","content":"`
    open = stream
    await body.write(start + JSON.stringify(text).slice(1, -1))
  }

  for (let after = 0; !body.gone.aborted;) {
    const chunks = logs.listOfStep(task.runId, task.step, after, CHUNK_BATCH)
    for (const chunk of chunks)
      for (const bytes of piecesOf(chunk.bytes))
        await append(chunk.stream, decoder.decode({ ...chunk, bytes }))
    const last = chunks.at(-1)
    if (!last || chunks.length < CHUNK_BATCH) break
    after = last.seq
  }
  for (const { stream, text } of decoder.end(task.step)) await append(stream, text)
  if (open !== '') await body.write('"}')
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}
