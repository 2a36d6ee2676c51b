import { z } from 'zod'

/** Far beyond any command line; all of it lies in the run's row and goes into the sandbox. */
const MAX_ARGS = 1_000
const MAX_ARGS_CHARS = 262_144

/** Arguments, or job names, of a run. */
export const argsSchema = z
  .array(z.string())
  .max(MAX_ARGS, `at most ${MAX_ARGS} entries`)
  .refine((args) => args.reduce((sum, { length }) => sum + length, 0) <= MAX_ARGS_CHARS, {
    message: `at most ${MAX_ARGS_CHARS} characters in all`,
  })
