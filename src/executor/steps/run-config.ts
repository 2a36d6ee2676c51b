import { z } from 'zod'
import { AppError } from '../../shared/errors.js'
import { parseDuration } from '../../shared/config/duration.js'

/** A volume where a guest names one: the object that `volumes.create` gave it, or its name. */
const volumeRef = z
  .union([z.string(), z.object({ name: z.string() })])
  .transform((volume) => (typeof volume === 'string' ? volume : volume.name))

const duration = z.string().transform((text, context) => {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  context.addIssue(`expected a duration such as "90s" or "1h30m", got "${text.slice(0, 40)}"`)
  return z.NEVER
})

const shared = {
  name: z.string().max(1_000).default(''),
  image: z.string().max(1_000).default(''),
  env: z
    .record(z.string().regex(/^[^=\0]+$/, 'expected a name without = or NUL'), z.string())
    .default({}),
  mounts: z.record(z.string().min(1), volumeRef).default({}),
  workDir: z.string().min(1).optional(),
  privileged: z.boolean().default(false),
}

const command = z.object({
  path: z.string().min(1),
  args: z.array(z.string()).default([]),
  user: z.string().optional(),
})

/** The input of `runtime.run`; unknown members are ignored, as the reference does. */
export const runConfigSchema = z.object({
  ...shared,
  command,
  stdin: z.string().optional(),
  containerLimits: z
    .object({
      cpu: z.number().int().positive().optional(),
      cpuKind: z.enum(['shared', 'performance']).optional(),
      memory: z.number().int().positive().optional(),
    })
    .default({}),
  /** Milliseconds once parsed. */
  timeout: duration.optional(),
  storageKey: z.string().max(2_000).optional(),
})
export type RunConfig = z.infer<typeof runConfigSchema>

/** The input of `runtime.startSandbox`. */
export const sandboxConfigSchema = z.object(shared)
export type SandboxConfig = z.infer<typeof sandboxConfigSchema>

/** The input of a sandbox's `exec`. */
export const execConfigSchema = z.object({
  command,
  env: shared.env,
  workDir: shared.workDir,
  stdin: z.string().optional(),
  timeout: duration.optional(),
})
export type ExecConfig = z.infer<typeof execConfigSchema>

export const volumeConfigSchema = z.object({
  name: z.string().optional(),
  size: z.number().nonnegative().optional(),
})

/** Parses what a guest sent; the error names the field: `invalid input: command.path: …`. */
export function parseGuestInput<Schema extends z.ZodType>(
  schema: Schema,
  what: string,
  value: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path.join('.') ?? ''
  throw new AppError(
    'request_invalid',
    `invalid ${what}: ${path === '' ? '' : `${path}: `}${issue?.message ?? 'it does not fit'}`,
  )
}
