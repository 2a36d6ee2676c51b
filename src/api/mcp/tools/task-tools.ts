import { z } from 'zod'
import type { Task } from '../../../shared/db/tasks.js'
import { AppError } from '../../../shared/errors.js'
import type { ApiContext } from '../../context.js'
import { absolutePath } from '../../routes/tasks.js'
import { toWirePayload } from '../../wire/task.js'
import { clipObject } from '../clip.js'
import { lastLines, readNext, readTail } from '../read-output.js'
import { defineTool } from '../tool.js'
import { runId } from '../tool-input.js'
import { getToolRun } from './run-tools.js'

/** Tasks of one answer, and what it has of their output. */
const PER_PAGE = 50
const LIST_OUTPUT_BYTES = 32_768
const LISTED_TAIL_BYTES = 2_048
const DEFAULT_BYTES = 16_384
const MAX_BYTES = 65_536
const MAX_LINES = 1_000

const path = z.string().max(4_096).describe('Path of a task: absolute, or relative to its run')
const maxBytes = z.int().min(256).max(MAX_BYTES).nullish()

/** Reading the steps of a run and their output. */
export const taskTools = [
  defineTool({
    name: 'list_run_tasks',
    title: 'List tasks of a run',
    description:
      'The steps of a run in order of creation, with the end of their output. get_run_task and read_log have more of one.',
    input: z.strictObject({
      run_id: runId,
      cursor: z.int().min(0).nullish().describe('Id of the last task that you have'),
    }),
    action: 'run.read',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'reads',
    run({ context }, { run_id: id, cursor }) {
      const stepBase = context.runs.find(id)?.stepBase ?? 0
      const listed = context.tasks.listAfter(id, cursor ?? 0, PER_PAGE + 1)
      let left = LIST_OUTPUT_BYTES
      const tasks = listed.slice(0, PER_PAGE).map((task) => {
        const tail = describeOutput(context, task, Math.min(left, LISTED_TAIL_BYTES))
        left -= Math.min(left, tail.log_bytes, LISTED_TAIL_BYTES)
        const payload = { ...EMPTY_PAYLOAD, ...describePayload(task, stepBase), ...tail }
        return { id: task.step, path: task.path, payload }
      })
      const next = listed.length > PER_PAGE ? tasks.at(-1)?.id : undefined
      return {
        json: tasks,
        structured: { tasks, ...(next !== undefined && { next_cursor: next }) },
        note:
          next === undefined ? undefined : `There are more tasks: call again with cursor ${next}.`,
      }
    },
  }),

  defineTool({
    name: 'get_run_task',
    title: 'Get task of a run',
    description: 'One step of a run with the end of its output; read_log has what comes before.',
    input: z.strictObject({
      run_id: runId,
      path,
      tail_lines: z.int().min(1).max(MAX_LINES).nullish(),
      max_bytes: maxBytes,
    }),
    action: 'run.read',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'reads',
    run({ context }, { run_id: id, path: given, tail_lines: lines, max_bytes: bytes }) {
      const task = getTask(context, id, given)
      const tail = describeOutput(context, task, bytes ?? DEFAULT_BYTES, lines ?? MAX_LINES)
      const { stepBase } = getToolRun(context, id)
      const payload = { ...describePayload(task, stepBase), ...tail }
      const tasks = [{ id: 0, path: task.path, payload }]
      return { json: tasks, structured: { task: tasks[0] } }
    },
  }),

  defineTool({
    name: 'read_log',
    title: 'Read output',
    description:
      'Output of a step, or of the pipeline itself when there is no path. Without a cursor its last lines; "0.0" is its beginning, and the cursor of an answer goes on from there, also while the step still runs.',
    input: z.strictObject({
      run_id: runId,
      path: path.nullish(),
      cursor: z.string().max(30).nullish(),
      tail_lines: z.int().min(1).max(MAX_LINES).nullish(),
      max_bytes: maxBytes,
    }),
    action: 'run.read',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'reads',
    run({ context }, { run_id: id, path: given, cursor, tail_lines: lines, max_bytes: bytes }) {
      const step = given ? getTask(context, id, given).step : 0
      getToolRun(context, id)
      const source = { runId: id, step, maxBytes: bytes ?? DEFAULT_BYTES }
      if (cursor === null || cursor === undefined) {
        const tail = readTail(context.logs, source)
        const logs = lastLines(tail.entries, lines ?? MAX_LINES)
        return { json: { logs, log_bytes: tail.bytes, cursor: tail.cursor, has_more: false } }
      }
      const part = readNext(context.logs, { ...source, cursor })
      if (!part) throw new AppError('request_invalid', 'invalid arguments: cursor: not one of ours')
      return { json: { logs: part.entries, cursor: part.cursor, has_more: part.hasMore } }
    },
  }),
]

/** What clients of other servers look for; null where a task has none. */
const EMPTY_PAYLOAD = {
  status: null,
  elapsed: null,
  started_at: null,
  type: null,
  text: null,
  tokensUsed: null,
  duration: null,
  logs: null,
  dependsOn: null,
}

/** Throws `request_invalid`, `run_not_found` or `task_not_found`. */
function getTask(context: ApiContext, id: string, given: string): Task {
  if (given === '') throw new AppError('request_invalid', 'path is required')
  const absolute = absolutePath(id, given)
  getToolRun(context, id)
  const task = context.tasks.find(id, absolute)
  if (!task) throw new AppError('task_not_found', 'could not get task: not found')
  return task
}

function describePayload(task: Task, stepBase: number): Record<string, unknown> {
  return clipObject(toWirePayload(task, stepBase))
}

function describeOutput(
  { logs }: ApiContext,
  { runId: id, step }: Task,
  bytes: number,
  lines = Infinity,
) {
  const { entries, bytes: size, isWhole } = readTail(logs, { runId: id, step, maxBytes: bytes })
  return {
    logs: lastLines(entries, lines),
    log_bytes: size,
    ...(!isWhole && { logs_cut: 'only the end is here: read_log has all of it' }),
  }
}
