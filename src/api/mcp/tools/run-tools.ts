import { z } from 'zod'
import { isTerminal, RUN_STATUSES } from '../../../shared/contract/statuses.js'
import type { Run } from '../../../shared/db/runs.js'
import { AppError } from '../../../shared/errors.js'
import { getPipelineRef, type ApiContext } from '../../context.js'
import { envelope } from '../../read-page.js'
import { actorOf } from '../../route-table.js'
import { showRun } from '../../routes/runs.js'
import { clipObject, clipText } from '../clip.js'
import { defineTool, type ToolCall } from '../tool.js'
import { pageFields, pipelineKey, runId, toPage } from '../tool-input.js'

const DEFAULT_WAIT_S = 25
/** Clients give up after a minute. */
const MAX_WAIT_S = 50

/** Reading runs and waiting for them. */
export const runTools = [
  defineTool({
    name: 'get_run',
    title: 'Get run',
    description:
      'The state of one run: status, error, what started it and with what, why it waits.',
    input: z.strictObject({ run_id: runId }),
    action: 'run.read',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'reads',
    run: ({ context }, { run_id: id }) => ({ json: describeRun(context, getToolRun(context, id)) }),
  }),

  defineTool({
    name: 'list_runs',
    title: 'List runs',
    description:
      'Runs, newest first; of one pipeline or of all, of one status or of any. Begin here to find the id of a run.',
    input: z.strictObject({
      pipeline: pipelineKey.nullish(),
      status: z.enum(RUN_STATUSES).nullish(),
      ...pageFields,
    }),
    action: 'run.list',
    resource: ({ pipeline: key }) => (key ? { kind: 'pipeline', key } : { kind: 'server' }),
    effect: 'reads',
    run({ context, request }, { pipeline, status, ...pages }) {
      const page = toPage(pages)
      const pipelineId = pipeline ? getPipelineRef(context, pipeline).id : undefined
      const hidden = context.policy.hiddenRules(actorOf(request))
      const wanted = { pipelineId, status: status ?? undefined, hidden }
      const found = context.runSearch.search(wanted, page)
      const items = found.ids.flatMap((id) => {
        const run = context.runs.find(id)
        return run ? [summarizeRun(context, run)] : []
      })
      return { json: { ...envelope(page, found), items } }
    },
  }),

  defineTool({
    name: 'wait_for_run',
    title: 'Wait for run',
    description: `Waits until a run has ended or a gate of it wants a person, at most timeout_seconds (default ${DEFAULT_WAIT_S}). is_over says whether it has ended; when it has not, call again.`,
    input: z.strictObject({
      run_id: runId,
      timeout_seconds: z.int().min(1).max(MAX_WAIT_S).nullish(),
    }),
    action: 'run.read',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'reads',
    async run(call, { run_id: id, timeout_seconds: seconds }) {
      const run = await waitForRun(call, id, (seconds ?? DEFAULT_WAIT_S) * 1_000)
      return { json: { is_over: isTerminal(run.status), run: describeRun(call.context, run) } }
    },
  }),
]

/** A run of which long texts are cut. */
export function describeRun(context: ApiContext, run: Run): Record<string, unknown> {
  return clipObject(showRun(context, run))
}

/** A run in a list: without what it was given. */
export function summarizeRun(context: ApiContext, run: Run): Record<string, unknown> {
  const { trigger_input: _input, error_message: error, ...rest } = showRun(context, run)
  return { ...rest, ...(error && { error_message: clipText(error, MAX_SUMMARY_CHARS) }) }
}

const MAX_SUMMARY_CHARS = 300

/** Throws `run_not_found`. */
export function getToolRun({ runs }: ApiContext, id: string): Run {
  const run = runs.find(id)
  if (!run) throw new AppError('run_not_found', 'could not get run: not found')
  return run
}

async function waitForRun(
  { context, signal }: ToolCall,
  id: string,
  timeoutMs: number,
): Promise<Run> {
  const { changes, waitReasons, now } = context
  const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  for (;;) {
    const seen = changes.version
    const run = getToolRun(context, id)
    const wantsPerson = waitReasons.find(run, now())?.kind === 'gate'
    if (isTerminal(run.status) || wantsPerson || over.aborted) return run
    await changes.changed(seen, over)
  }
}
