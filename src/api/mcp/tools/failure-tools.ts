import { z } from 'zod'
import type { Run } from '../../../shared/db/runs.js'
import type { Task } from '../../../shared/db/tasks.js'
import type { ApiContext } from '../../context.js'
import { toWireInput } from '../../wire/run.js'
import { toWirePayload } from '../../wire/task.js'
import { formatTime } from '../../wire/time.js'
import { clip, clipObject, clipText } from '../clip.js'
import { lastLines, readLines, readTail, type Source } from '../read-output.js'
import { defineTool } from '../tool.js'
import { runId } from '../tool-input.js'
import { describeRun, getToolRun } from './run-tools.js'

const MAX_FAILED = 10
/** Of a step's output: what is searched for errors, and what is shown of its end. */
const SEARCHED_BYTES = 1_048_576
const TAIL_BYTES = 4_096
const TAIL_LINES = 40
const MAX_ERROR_LINES = 10
const LINE_CHARS = 500

/** What lines about an error say in most tools. */
const ERROR_LINE =
  /\b(?:error|errors|fail|failed|failure|fatal|panic|exception|traceback|assertion|assertionerror|denied|refused|not found|cannot|undefined reference|segmentation fault)\b|error:|^not ok\b|^E {2,}|[✖✗✘]/i

/** Explaining why a run failed. */
export const failureTools = [
  defineTool({
    name: 'get_failed_tasks',
    title: 'Why did it fail',
    description:
      'Why a run failed: its failing steps with the first lines that tell of errors and the end of their output, and what is different from the last successful run of the pipeline before it. is_new marks lines that the same step did not print there.',
    input: z.strictObject({ run_id: runId }),
    action: 'run.read',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'reads',
    async run({ context }, { run_id: id }) {
      const run = getToolRun(context, id)
      const greenId = context.runSearch.findLastGreen(id)
      const green = greenId === undefined ? undefined : context.runs.find(greenId)
      const failed = context.tasks.listFailed(id, MAX_FAILED + 1)
      const tasks: unknown[] = []
      for (const task of failed.slice(0, MAX_FAILED))
        tasks.push(await explainTask(context, task, { run, green }))
      return {
        json: {
          run: describeRun(context, run),
          failed_tasks: tasks,
          // what the pipeline itself has printed, when no step says why
          ...(failed.length === 0 && { console: describeTail(context, { runId: id, step: 0 }) }),
          ...(failed.length > MAX_FAILED && { more_failed: true }),
          last_green_run: green ? compareRuns(run, green) : null,
        },
      }
    },
  }),
]

interface Pair {
  run: Run
  green: Run | undefined
}

async function explainTask(context: ApiContext, task: Task, { run, green }: Pair) {
  const { runId: id, step, path, name } = task
  const before = green && context.tasks.find(green.id, path.replace(id, green.id))
  const seen = before && (await collectLines(context, before))
  return {
    ...{ id: step, path, name },
    ...clipObject(toWirePayload(task, run.stepBase)),
    error_lines: await findErrorLines(context, { runId: id, step }, seen),
    ...describeTail(context, { runId: id, step }),
    last_green: before ? describeBefore(before, green) : null,
  }
}

function describeBefore(task: Task, green: Run | undefined) {
  const { status, elapsed } = toWirePayload(task, green?.stepBase ?? 0)
  return { status, ...(elapsed !== undefined && { elapsed }) }
}

/** The first different lines that look like errors; without a green run none is known to be new. */
async function findErrorLines(
  { logs }: ApiContext,
  source: Source,
  seen: ReadonlySet<string> | undefined,
) {
  const found = new Map<string, { text: string; is_new?: boolean }>()
  for await (const line of readLines(logs, { ...source, maxBytes: SEARCHED_BYTES })) {
    const shape = shapeOf(line)
    if (!ERROR_LINE.test(line) || found.has(shape)) continue
    found.set(shape, {
      text: clipText(line, LINE_CHARS),
      ...(seen && { is_new: !seen.has(shape) }),
    })
    if (found.size === MAX_ERROR_LINES) break
  }
  return [...found.values()]
}

async function collectLines({ logs }: ApiContext, task: Task): Promise<Set<string>> {
  const lines = new Set<string>()
  for await (const line of readLines(logs, { ...task, maxBytes: SEARCHED_BYTES }))
    lines.add(shapeOf(line))
  return lines
}

/** Lines that differ in times, ids and counts alone are the same. */
function shapeOf(line: string): string {
  return line.replaceAll(/\d+/g, '0').trim()
}

function describeTail({ logs }: ApiContext, source: Source) {
  const { entries, bytes } = readTail(logs, { ...source, maxBytes: TAIL_BYTES })
  return { logs: lastLines(entries, TAIL_LINES), log_bytes: bytes }
}

/** What was different when it worked. */
function compareRuns(run: Run, green: Run) {
  const [before, now] = [toWireInput(green.triggerInput), toWireInput(run.triggerInput)]
  const isSameInput = JSON.stringify(before) === JSON.stringify(now)
  return {
    id: green.id,
    created_at: formatTime(green.createdAt),
    pipeline_changed: run.programVersion !== green.programVersion,
    ...(!isSameInput && { trigger_input: { before: clip(before), now: clip(now) } }),
    ...(run.driver !== green.driver && { driver: { before: green.driver, now: run.driver } }),
  }
}
