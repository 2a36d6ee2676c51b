import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { parseDuration } from '../../../shared/config/duration.js'
import type { Gate } from '../../../shared/db/gates.js'
import { AppError, errorMessage } from '../../../shared/errors.js'
import { parseGuestInput } from '../../steps/run-config.js'
import type { RunContext } from '../../steps/run-context.js'
import type { Effect } from '../effect.js'
import { LEFT } from '../parking.js'
import type { AsyncFunction } from './async-functions.js'

const nameSchema = z.string().min(1).max(200)

const optionsSchema = z.object({
  message: z.string().max(4_000).default(''),
  timeout: z.string().optional(),
  approvers: z.array(z.string().min(1).max(200)).max(100).default([]),
})

/**
 * `pipeline.gate`. The gate's row is committed together with the intent, and what becomes of the row
 * is final: whoever replays the run reads the same end from it.
 */
export function createGateFunction(context: RunContext): AsyncFunction {
  let count = 0
  return ([nameInput, optionsInput]) => {
    const number = ++count
    const name = parseGuestInput(nameSchema, 'gate name', nameInput)
    const fail = (reason: string, cause?: unknown): Error =>
      new Error(`pipeline.gate ${JSON.stringify(name)}: ${reason}`, { cause })
    if (!context.features.includes('gates')) throw fail('gates feature is not enabled')
    if (context.runsAlone) throw fail('nobody can approve it: run the pipeline on a server')
    const options = parseOptions(optionsInput)
    const timeoutMs = parseTimeout(options.timeout, fail)
    const { redact } = context.redactor
    return {
      begin: [
        {
          type: 'gate',
          gate: {
            id: randomUUID(),
            number,
            name: redact(name),
            message: redact(options.message),
            approvers: options.approvers,
            timeoutMs,
          },
        },
      ],
      async action(effect) {
        const gate = await waitForGate(context, number, effect).catch((error: unknown) => {
          if (error === LEFT) throw error
          throw fail(`wait for gate: ${errorMessage(error)}`, error)
        })
        if (gate.status === 'approved') return { value: null }
        const comment = gate.comment === '' ? '' : `: ${gate.comment}`
        throw fail(
          gate.status === 'timed_out' ? 'timed out' : `rejected by ${gate.approvedBy}${comment}`,
        )
      },
    }
  }
}

function parseOptions(input: unknown): z.infer<typeof optionsSchema> {
  try {
    return parseGuestInput(optionsSchema, 'options', input ?? {})
  } catch (error) {
    throw new AppError('request_invalid', `pipeline.gate ${errorMessage(error)}`, { cause: error })
  }
}

function parseTimeout(text: string | undefined, fail: (reason: string) => Error): number | null {
  if (text === undefined || text === '') return null
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  throw fail(
    `invalid timeout ${JSON.stringify(text.slice(0, 40))}: expected a duration such as "90s" or "1h30m"`,
  )
}

async function waitForGate(
  { gates, now }: RunContext,
  number: number,
  effect: Effect,
): Promise<Gate> {
  const { name, deadlineAt } = gates.get(number)
  const wait = {
    on: { type: 'gate' as const, number },
    reason: `gate ${JSON.stringify(name)} waits for approval`,
    dueAt: deadlineAt,
  }
  return await effect.wait(wait, async () => {
    const gate = gates.get(number)
    if (gate.status !== 'pending') return gate
    if (deadlineAt === null || now() < deadlineAt) return undefined
    await gates.expire()
    return gates.get(number)
  })
}
