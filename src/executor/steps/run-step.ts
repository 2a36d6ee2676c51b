import { AppError, errorMessage, hasCode } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import type { TaskEnd } from '../../shared/db/tasks.js'
import type { Container, ContainerSpec, Mount } from '../drivers/driver.js'
import { EffectFailure, type Done, type Effect } from '../sandbox/effect.js'
import type { TaskChange } from '../writes.js'
import type { ContainerEnd } from './follow-container.js'
import { resolveEnv } from './resolve-env.js'
import type { RunConfig } from './run-config.js'
import type { RunContext } from './run-context.js'
import { runTries, type Start } from './run-tries.js'
import type { StepIdentity } from './step-identity.js'

/** What the guest gets of a step that could be run. */
export interface RunResult {
  code: number
  stdout: string
  stderr: string
  status: 'complete' | 'abort'
  /** Present when some output is in the log only. */
  truncated?: true
}

/** Exit code of a step that its time-out ended, as timeout(1) has it: never mistaken for success. */
const TIMED_OUT_CODE = 124

/**
 * Runs one step from its start to its end: container, output, task row. A command that fails is a
 * result; what could not be run throws, with the reason in the task row.
 */
export async function runStep(
  context: RunContext,
  identity: StepIdentity,
  config: RunConfig,
  effect: Effect,
  hasOnOutput: boolean,
): Promise<Done<RunResult>> {
  try {
    const end = await runTries({
      ...{ context, identity, timeoutMs: config.timeout, effect, hasOnOutput },
      start: (start) => startContainer(context, identity, config, start),
    })
    return toDone(identity, end)
  } catch (error) {
    throw toFailure(context, identity, error)
  }
}

async function startContainer(
  context: RunContext,
  { name }: StepIdentity,
  config: RunConfig,
  { id, mayBeThere, wasStarted, signal, onProgress }: Start,
): Promise<Container> {
  const there = mayBeThere ? await context.driver.find(id) : undefined
  if (there) return there
  if (wasStarted) throw new AppError('container_not_found', 'the container is not there any more')
  const env = await resolveStepEnv(context, name, config.env)
  const spec = specOf(id, config, env)
  try {
    const beforeStart = (): void => context.checkLease()
    return await context.driver.run({ ...spec, beforeStart, onProgress }, signal)
  } catch (error) {
    throw prefixed(error, 'could not run container: run container: ')
  }
}

/** Resolves secret references and puts what was used on record; the error names the task. */
export async function resolveStepEnv(
  { secrets }: RunContext,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  try {
    const resolved = resolveEnv(env, secrets)
    await secrets.recorded()
    faultPoint('step.secrets.committed')
    return resolved
  } catch (error) {
    throw prefixed(error, `failed to load secrets for task "${name}": `)
  }
}

function specOf(id: string, config: RunConfig, env: Record<string, string>): ContainerSpec {
  const { image, command, workDir, stdin, privileged, containerLimits } = config
  const { cpu, memory } = containerLimits
  return {
    id,
    image,
    command: [command.path, ...command.args],
    env,
    mounts: mountsOf(config.mounts),
    privileged,
    limits: { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) },
    ...(workDir === undefined ? {} : { workDir }),
    // an empty string means no input, as the reference has it
    ...(stdin === undefined || stdin === '' ? {} : { stdin }),
    ...(command.user === undefined ? {} : { user: command.user }),
  }
}

export function mountsOf(mounts: Readonly<Record<string, string>>): Mount[] {
  return Object.entries(mounts).map(([path, volume]) => ({ path, volume }))
}

function toDone({ step }: StepIdentity, end: ContainerEnd): Done<RunResult> {
  const changes: TaskChange[] = [{ type: 'finish', step, end: toTaskEnd(end) }]
  if (end.type === 'lost') throw new EffectFailure(new AppError('container_failed', LOST), changes)
  faultPoint('step.output.complete')
  return { value: toResult(end), changes }
}

export function toResult(end: ContainerEnd): RunResult {
  const { stdout, stderr } = end
  const output = { stdout, stderr, ...(end.isTruncated ? { truncated: true as const } : {}) }
  switch (end.type) {
    case 'exited':
      return { code: end.exitCode, ...output, status: 'complete' }
    case 'timed_out':
    case 'aborted':
      return { code: TIMED_OUT_CODE, ...output, status: 'abort' }
    case 'lost':
      throw new AppError('container_failed', LOST)
  }
}

const LOST =
  'could not get container status: its machine or wrapper died, twice, so nobody knows how it ended'

function toTaskEnd(end: ContainerEnd): TaskEnd {
  switch (end.type) {
    case 'exited': {
      const status = end.exitCode === 0 ? 'success' : 'failure'
      const errorMessage = end.isOutOfMemory ? 'killed: out of memory' : ''
      return { status, code: end.exitCode, errorMessage }
    }
    case 'timed_out':
      return { status: 'abort', code: TIMED_OUT_CODE, errorMessage: 'time-out' }
    case 'aborted':
      return { status: 'aborted', errorMessage: 'Run stopped by user' }
    case 'lost':
      return { status: 'error', errorMessage: LOST }
  }
}

function toFailure(context: RunContext, { step }: StepIdentity, error: unknown): unknown {
  if (hasCode(error, 'lease_lost') || error instanceof EffectFailure) return error
  const errorText = context.redactor.redact(errorMessage(error))
  const end: TaskEnd = {
    status: context.signal.aborted ? 'aborted' : 'error',
    errorMessage: errorText,
  }
  return new EffectFailure(new Error(errorText, { cause: error }), [{ type: 'finish', step, end }])
}

function prefixed(error: unknown, prefix: string): unknown {
  if (error instanceof AppError)
    return new AppError(error.code, prefix + error.message, {
      cause: error,
      details: { ...error.details },
    })
  return new Error(prefix + errorMessage(error), { cause: error })
}
