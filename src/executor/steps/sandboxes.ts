import { AppError, errorMessage } from '../../shared/errors.js'
import type { Sandbox } from '../drivers/driver.js'
import { EffectFailure, type Done, type Effect } from '../sandbox/effects.js'
import { followContainer, startTimeout } from './follow-container.js'
import type { ExecConfig, SandboxConfig } from './run-config.js'
import type { RunContext } from './run-context.js'
import { mountsOf, resolveStepEnv, toResult, type RunResult } from './run-step.js'
import type { StepIdentity } from './step-identity.js'

/** The sandboxes of one run that are open, by the id that the guest holds. */
export interface Sandboxes {
  start(
    identity: StepIdentity,
    config: SandboxConfig,
    effect: Effect,
  ): Promise<Done<{ id: string }>>
  /** Runs a command in it; its output is a step of its own in the tree. */
  exec(
    id: string,
    identity: StepIdentity,
    config: ExecConfig,
    run: ExecRun,
  ): Promise<Done<RunResult>>
  close(id: string): Promise<Done<null>>
  /** The effect that started it, 0 for an unknown id: the parent of its execs. */
  effectOf(id: string): number
}

export interface ExecRun {
  effect: Effect
  hasOnOutput: boolean
}

export function createSandboxes(context: RunContext): Sandboxes {
  const open = new Map<string, { sandbox: Sandbox; step: number; effect: number }>()

  const get = (id: string) => {
    const entry = open.get(id)
    if (!entry)
      throw new AppError(
        'container_not_found',
        `sandbox "${id.slice(0, 100)}" is closed or was never started`,
      )
    return entry
  }

  return {
    async start(identity, config, effect) {
      const { step, name, containerId } = identity
      try {
        const sandbox = await context.driver.startSandbox(
          {
            id: containerId,
            image: config.image,
            env: resolveStepEnv(context, name, config.env),
            mounts: mountsOf(config.mounts),
            privileged: config.privileged,
            ...(config.workDir === undefined ? {} : { workDir: config.workDir }),
          },
          context.signal,
        )
        open.set(sandbox.id, { sandbox, step, effect: effect.number })
        return { value: { id: sandbox.id }, changes: [{ type: 'start', step }] }
      } catch (error) {
        throw failed(context, step, `failed to start sandbox: ${errorMessage(error)}`, error)
      }
    },

    async exec(id, identity, config, { effect, hasOnOutput }) {
      const { step, name, containerId } = identity
      using timeout = startTimeout(config.timeout)
      try {
        const { sandbox } = get(id)
        const env = resolveStepEnv(context, name, config.env)
        const container = await sandbox.exec(
          {
            id: containerId,
            command: [config.command.path, ...config.command.args],
            env,
            ...(config.workDir === undefined ? {} : { workDir: config.workDir }),
            ...(config.stdin === undefined || config.stdin === '' ? {} : { stdin: config.stdin }),
          },
          context.signal,
        )
        context.effects.commit([], [{ type: 'start', step }])
        const end = await followContainer({
          context,
          step,
          container,
          timeout: timeout.signal,
          effect: hasOnOutput ? effect : undefined,
        })
        const result = toResult(end)
        const status =
          result.status === 'abort' ? 'abort' : result.code === 0 ? 'success' : 'failure'
        return {
          value: result,
          changes: [{ type: 'finish', step, end: { status, code: result.code } }],
        }
      } catch (error) {
        throw failed(context, step, `sandbox exec: ${errorMessage(error)}`, error)
      }
    },

    async close(id) {
      const { sandbox, step } = get(id)
      open.delete(id)
      try {
        await sandbox.remove()
        return { value: null, changes: [{ type: 'finish', step, end: { status: 'success' } }] }
      } catch (error) {
        throw failed(context, step, `cleanup: ${errorMessage(error)}`, error)
      }
    },

    effectOf: (id) => open.get(id)?.effect ?? 0,
  }
}

function failed(context: RunContext, step: number, message: string, cause: unknown): unknown {
  if (cause instanceof AppError && cause.code === 'lease_lost') return cause
  const text = context.redactor.redact(message)
  const status = context.signal.aborted ? 'aborted' : 'error'
  return new EffectFailure(new Error(text, { cause }), [
    { type: 'finish', step, end: { status, errorMessage: text } },
  ])
}
