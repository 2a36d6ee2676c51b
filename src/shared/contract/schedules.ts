import { z } from 'zod'
import { AppError } from '../errors.js'
import { checkTime, type ScheduleTime } from '../schedules/next-run.js'
import { describeIssue } from './describe-issue.js'
import { givenInputsSchema, resolveInputs, type InputDeclarations } from './inputs.js'
import { argsSchema } from './trigger-args.js'
import type { TriggerInput } from './trigger-input.js'

const MAX_SCHEDULES = 50

const scheduleSchema = z.strictObject({
  cron: z.string().max(200).optional(),
  timezone: z.string().max(64).optional(),
  every: z.string().max(64).optional(),
  args: argsSchema.optional(),
  jobs: argsSchema.optional(),
  inputs: givenInputsSchema.optional(),
})
type Declaration = z.infer<typeof scheduleSchema>

const schedulesSchema = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z][\w-]{0,63}$/,
        'a name begins with a letter and has letters, digits, _ and -',
      ),
    scheduleSchema,
  )
  .refine(
    (schedules) => Object.keys(schedules).length <= MAX_SCHEDULES,
    `at most ${MAX_SCHEDULES} schedules`,
  )

/** A schedule of a pipeline, as its runs need it. */
export interface DeclaredSchedule extends ScheduleTime {
  /** The one job that it is for; empty: several, or all. */
  jobName: string
  triggerInput: TriggerInput
}
export type DeclaredSchedules = Record<string, DeclaredSchedule>

/**
 * Checks the `schedules` export of a pipeline with these inputs; `pipeline_invalid` names the schedule
 * that is wrong.
 */
export function parseSchedules(value: unknown, inputs: InputDeclarations): DeclaredSchedules {
  const result = schedulesSchema.safeParse(value)
  if (!result.success)
    throw new AppError('pipeline_invalid', describeIssue('schedules', result.error))
  return Object.fromEntries(
    Object.entries(result.data).map(([name, declaration]) => [
      name,
      toSchedule(`schedules.${name}`, declaration, inputs),
    ]),
  )
}

function toSchedule(
  path: string,
  declaration: Declaration,
  inputs: InputDeclarations,
): DeclaredSchedule {
  const { args = [], jobs = [], inputs: given = {} } = declaration
  const time = toTime(path, declaration)
  within(`${path}.${time.type === 'cron' ? 'cron' : 'every'}: `, () => checkTime(time))
  const values = within(`${path}.`, () => resolveInputs(inputs, given))
  const [jobName = '', ...others] = jobs
  return {
    ...time,
    jobName: others.length === 0 ? jobName : '',
    triggerInput: {
      ...(args.length > 0 && { args }),
      ...(jobs.length > 0 && { jobs }),
      ...(Object.keys(values).length > 0 && { inputs: values }),
    },
  }
}

function toTime(path: string, { cron, timezone, every }: Declaration): ScheduleTime {
  if ((cron === undefined) === (every === undefined))
    throw invalid(path, 'it has to have either cron or every')
  if (every !== undefined) {
    if (timezone !== undefined) throw invalid(path, 'a timezone goes with cron alone')
    return { type: 'interval', expr: every }
  }
  const expr = (cron ?? '').trim()
  if (timezone === undefined) return { type: 'cron', expr }
  if (/^(?:CRON_)?TZ=/.test(expr)) throw invalid(path, 'its time zone is there twice')
  return { type: 'cron', expr: `CRON_TZ=${timezone} ${expr}` }
}

/** Puts what is checked before what is wrong with it. */
function within<T>(prefix: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError('pipeline_invalid', `${prefix}${error.message}`)
  }
}

function invalid(path: string, reason: string): AppError {
  return new AppError('pipeline_invalid', `${path}: ${reason}`)
}
