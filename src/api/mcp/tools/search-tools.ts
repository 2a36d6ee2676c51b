import { z } from 'zod'
import type { Task } from '../../../shared/db/tasks.js'
import { AppError } from '../../../shared/errors.js'
import { listPipelines } from '../../auth/visible.js'
import { getPipelineRef, type ApiContext } from '../../context.js'
import { envelope } from '../../read-page.js'
import { toWirePayload } from '../../wire/task.js'
import { clipText } from '../clip.js'
import { readLines } from '../read-output.js'
import { defineTool, type ToolCall } from '../tool.js'
import { pageFields, pipelineKey, queryText, runId, toPage } from '../tool-input.js'
import { describePipelineBriefly } from './pipeline-tools.js'
import { getToolRun, summarizeRun } from './run-tools.js'

/** What one search reads, so that it ends soon: tasks, their output in all and of one. */
const MAX_TASKS = 1_000
const MAX_OUTPUT_BYTES = 16 * 1_048_576
const MAX_TASK_BYTES = 1_048_576
const MAX_MATCHES = 50
const MAX_EXCERPTS = 3
const EXCERPT_CHARS = 300
const TASK_BATCH = 100

/** Looking for tasks, runs and pipelines. */
export const searchTools = [
  defineTool({
    name: 'search_tasks',
    title: 'Search tasks or runs',
    description:
      'With run_id: the steps of that run in whose name, status, error or output all words of the query begin a word, with the lines where they do. With pipeline_id: the runs of that pipeline with the query in id, status, error, trigger or who started them.',
    input: z.strictObject({
      query: queryText,
      run_id: z.union([runId, z.literal('')]).nullish(),
      pipeline_id: z.union([pipelineKey, z.literal('')]).nullish(),
      ...pageFields,
    }),
    action: 'run.read',
    resource: ({ run_id: run, pipeline_id: pipeline }) => {
      if (run) return { kind: 'run', key: run }
      return pipeline ? { kind: 'pipeline', key: pipeline } : { kind: 'server' }
    },
    effect: 'reads',
    async run(call, { query, run_id: run, pipeline_id: pipeline, ...pages }) {
      if (run) return await searchTasks(call, run, query)
      if (pipeline) return { json: searchRuns(call.context, { pipeline, query, pages }) }
      throw new AppError('request_invalid', 'either run_id or pipeline_id must be provided')
    },
  }),

  defineTool({
    name: 'search_pipelines',
    title: 'Search pipelines',
    description:
      'Pipelines with the query in their name or source, newest first; an empty query finds all. Long sources are cut: get_pipeline has them.',
    input: z.strictObject({ query: queryText, ...pageFields }),
    action: 'pipeline.list',
    resource: () => ({ kind: 'server' }),
    effect: 'reads',
    run({ context, request }, { query, ...pages }) {
      const page = toPage(pages)
      const found = listPipelines(context, request, { search: query, page })
      const items = found.items.flatMap(({ id }) => {
        const pipeline = context.pipelines.find(id)
        return pipeline ? [describePipelineBriefly(context, pipeline)] : []
      })
      return { json: { ...envelope(page, found), items } }
    },
  }),
]

function searchRuns(
  context: ApiContext,
  {
    pipeline,
    query,
    pages,
  }: { pipeline: string; query: string; pages: Parameters<typeof toPage>[0] },
) {
  const page = toPage(pages)
  const { id: pipelineId } = getPipelineRef(context, pipeline)
  const found = context.runSearch.search({ pipelineId, text: query }, page)
  const items = found.ids.flatMap((id) => {
    const run = context.runs.find(id)
    return run ? [summarizeRun(context, run)] : []
  })
  return { ...envelope(page, found), items }
}

async function searchTasks({ context, signal }: ToolCall, id: string, query: string) {
  const { stepBase } = getToolRun(context, id)
  const words = toWords(query)
  const matches: unknown[] = []
  let [left, isCut] = [MAX_OUTPUT_BYTES, false]
  if (words.length > 0)
    for (const task of listTasks(context, id)) {
      if (signal.aborted || (isCut = left <= 0 || matches.length >= MAX_MATCHES)) break
      const size = context.logs.sizeOfStep(id, task.step)
      const maxBytes = Math.min(size, MAX_TASK_BYTES, left)
      left -= maxBytes
      const lines = await findLines(context, task, { words, maxBytes })
      if (!lines) continue
      const { status, elapsed, started_at: startedAt } = toWirePayload(task, stepBase)
      const payload = { status, elapsed: elapsed ?? null, started_at: startedAt ?? null }
      matches.push({ id: task.step, path: task.path, payload, lines })
    }
  const note = isCut ? 'There is more than one search looks at: be more specific.' : undefined
  return { json: matches, structured: { tasks: matches }, note }
}

function* listTasks({ tasks }: ApiContext, id: string): Generator<Task> {
  for (let [after, seen] = [0, 0]; seen < MAX_TASKS; seen += TASK_BATCH) {
    const batch = tasks.listAfter(id, after, TASK_BATCH)
    yield* batch
    const last = batch.at(-1)
    if (!last || batch.length < TASK_BATCH) return
    after = last.step
  }
}

/** The first lines of a task's output with one of the words; undefined when a word is nowhere. */
async function findLines(
  { logs }: ApiContext,
  { runId: id, step, name, path, status, errorMessage }: Task,
  { words, maxBytes }: { words: readonly string[]; maxBytes: number },
): Promise<string[] | undefined> {
  const about = toWords(`${name} ${path} ${status} ${errorMessage}`)
  const missing = new Set(words.filter((word) => !about.some((one) => one.startsWith(word))))
  const lines: string[] = []
  for await (const line of readLines(logs, { runId: id, step, maxBytes })) {
    const here = toWords(line)
    const found = words.filter((word) => here.some((one) => one.startsWith(word)))
    for (const word of found) missing.delete(word)
    if (found.length > 0 && lines.length < MAX_EXCERPTS) lines.push(clipText(line, EXCERPT_CHARS))
    if (missing.size === 0 && lines.length === MAX_EXCERPTS) break
  }
  return missing.size === 0 ? lines : undefined
}

/** Letters and digits that stand together, in lower case. */
function toWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}
