import { z } from 'zod'
import { givenInputsSchema } from '../../../shared/contract/inputs.js'
import { isTerminal } from '../../../shared/contract/statuses.js'
import { argsSchema } from '../../../shared/contract/trigger-args.js'
import { AppError, errorMessage } from '../../../shared/errors.js'
import { newRunId } from '../../../shared/ids.js'
import { parseGuestInput } from '../../steps/run-config.js'
import type { RunContext } from '../../steps/run-context.js'
import type { Effect } from '../effect.js'
import { LEFT } from '../parking.js'
import type { AsyncFunction } from './async-functions.js'

/** How the run ended that somebody waited for; a run that fails is a result. */
interface TriggerResult {
  runID: string
  status?: 'success' | 'failed' | 'skipped'
  error?: string
}

/**
 * `triggerPipeline`. The new run, or the reason why there is none, is committed together with the
 * intent: whoever replays the caller reads the same answer.
 */
export function createTriggerFunction(context: RunContext): AsyncFunction {
  let count = 0
  return ([target, optionsInput]) => {
    const number = ++count
    if (context.runsAlone)
      throw new AppError(
        'not_supported_yet',
        'triggerPipeline is not available in this execution context',
      )
    const options = parse(z.record(z.string(), z.unknown()), 'options', optionsInput ?? {})
    const name = parse(z.string().min(1).max(255), 'name', target)
    const args = parse(argsSchema, 'args', options['args'] ?? [])
    const jobs = parse(argsSchema, 'jobs', options['jobs'] ?? [])
    const inputs = parse(givenInputsSchema, 'inputs', options['inputs'] ?? {})
    const isAwaited = parse(z.boolean(), 'wait', options['wait'] ?? false)
    return {
      begin: [
        {
          type: 'trigger',
          call: {
            ...{ number, target: name, isAwaited, childId: newRunId(), inputs },
            input: {
              ...(args.length > 0 ? { args } : {}),
              ...(jobs.length > 0 ? { jobs } : {}),
            },
            maxQueueSize: context.maxQueueSize,
          },
        },
      ],
      async action(effect) {
        const { childId, error } = context.triggers.get(number)
        if (childId === null) throw new Error(error)
        const value = isAwaited ? await waitForRun(context, childId, effect) : { runID: childId }
        return { value }
      },
    }
  }
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  what: string,
  value: unknown,
): z.infer<Schema> {
  try {
    return parseGuestInput(schema, what, value)
  } catch (error) {
    throw new AppError('request_invalid', `triggerPipeline: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}

async function waitForRun(
  { triggers }: RunContext,
  id: string,
  effect: Effect,
): Promise<TriggerResult> {
  const wait = { on: { type: 'run' as const, id }, reason: `run ${id} has not ended`, dueAt: null }
  const ended = await effect
    .wait(wait, () => {
      const run = triggers.findRun(id)
      if (!run) throw new AppError('run_not_found', `run ${id} was deleted`)
      return isTerminal(run.status) ? run : undefined
    })
    .catch((error: unknown) => {
      if (error === LEFT) throw error
      throw new Error(`triggerPipeline: ${errorMessage(error)}`, { cause: error })
    })
  return {
    runID: id,
    status: endStatusSchema.parse(ended.status),
    ...(ended.errorMessage && { error: ended.errorMessage }),
  }
}

const endStatusSchema = z.enum(['success', 'failed', 'skipped'])
