import { AppError, errorMessage, hasCode } from '../../shared/errors.js'
import type { Container, Sandbox } from '../drivers/driver.js'
import { EffectFailure, type Done, type Effect } from '../sandbox/effect.js'
import { patiently } from './infrastructure.js'
import type { ExecConfig, SandboxConfig } from './run-config.js'
import { killSignal, unlessDetached, type RunContext } from './run-context.js'
import { mountsOf, resolveStepEnv, toResult, type RunResult } from './run-step.js'
import { runTries, type Start } from './run-tries.js'
import type { StepIdentity } from './step-identity.js'

/**
 * The sandboxes of one run, by the id that the guest holds. One that an earlier attempt has started
 * is found again when it is next needed: starting it is repeatable by its id.
 */
export interface Sandboxes {
  start(
    identity: StepIdentity,
    config: SandboxConfig,
    effect: Effect,
  ): Promise<Done<{ id: string }>>
  /** The guest knows of it from now on. */
  known(identity: StepIdentity, config: SandboxConfig, effect: number): void
  /** Runs a command in it; its output is a step of its own in the tree. */
  exec(
    id: string,
    identity: StepIdentity,
    config: ExecConfig,
    run: ExecRun,
  ): Promise<Done<RunResult>>
  close(id: string): Promise<Done<null>>
  /** The guest knows that it is closed. */
  closed(id: string): void
  /** The effect that started it, 0 for an unknown id: the parent of its execs. */
  effectOf(id: string): number
}

export interface ExecRun {
  effect: Effect
  hasOnOutput: boolean
}

interface Known {
  identity: StepIdentity
  config: SandboxConfig
  effect: number
  isClosed: boolean
}

export function createSandboxes(context: RunContext): Sandboxes {
  const handles = new Map<string, Promise<Sandbox>>()
  const all = new Map<string, Known>()

  const open = async ({ name, containerId }: StepIdentity, config: SandboxConfig) => {
    const started = context.driver.startSandbox(
      {
        id: containerId,
        image: config.image,
        env: await resolveStepEnv(context, name, config.env),
        mounts: mountsOf(config.mounts),
        privileged: config.privileged,
        ...(config.workDir === undefined ? {} : { workDir: config.workDir }),
        beforeStart: () => context.checkLease(),
      },
      killSignal(context.signal),
    )
    context.starting.add(started)
    void started.catch(() => undefined).finally(() => context.starting.delete(started))
    return unlessDetached(started, context.signal)
  }

  const get = (id: string): Known => {
    const known = all.get(id)
    if (known && !known.isClosed) return known
    throw new AppError(
      'container_not_found',
      `sandbox "${id.slice(0, 100)}" is closed or was never started`,
    )
  }

  const handleOf = (id: string): Promise<Sandbox> => {
    const known = get(id)
    const handle = handles.get(id) ?? open(known.identity, known.config)
    handles.set(id, handle)
    handle.catch(() => handles.delete(id)) // the caller gets the error
    return handle
  }

  return {
    async start(identity, config) {
      const { step } = identity
      try {
        const sandbox = await patiently(context, step, () => open(identity, config))
        handles.set(sandbox.id, Promise.resolve(sandbox))
        return { value: { id: sandbox.id }, changes: [{ type: 'start', step }] }
      } catch (error) {
        throw failed(context, step, `failed to start sandbox: ${errorMessage(error)}`, error)
      }
    },

    known: (identity, config, effect) =>
      void all.set(identity.containerId, { identity, config, effect, isClosed: false }),

    async exec(id, identity, config, { effect, hasOnOutput }) {
      const { step, name } = identity
      const start = async ({ id: execId, mayBeThere, signal }: Start): Promise<Container> => {
        // one that cannot be followed any more is looked for anew
        if (mayBeThere) handles.delete(id)
        const sandbox = await handleOf(id)
        return sandbox.exec(
          {
            id: execId,
            command: [config.command.path, ...config.command.args],
            env: await resolveStepEnv(context, name, config.env),
            ...(config.workDir === undefined ? {} : { workDir: config.workDir }),
            ...(config.stdin === undefined || config.stdin === '' ? {} : { stdin: config.stdin }),
            beforeStart: () => context.checkLease(),
          },
          signal,
        )
      }
      try {
        get(id)
        const timeoutMs = config.timeout
        const end = await runTries({ context, identity, timeoutMs, effect, hasOnOutput, start })
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
      const { identity } = get(id)
      const { step } = identity
      try {
        await patiently(context, step, async () => {
          const sandbox = await handleOf(id)
          context.checkLease()
          await sandbox.remove()
        })
        return { value: null, changes: [{ type: 'finish', step, end: { status: 'success' } }] }
      } catch (error) {
        throw failed(context, step, `cleanup: ${errorMessage(error)}`, error)
      }
    },

    closed(id) {
      const known = all.get(id)
      if (known) known.isClosed = true
    },

    effectOf: (id) => all.get(id)?.effect ?? 0,
  }
}

function failed(context: RunContext, step: number, message: string, cause: unknown): unknown {
  if (hasCode(cause, 'lease_lost')) return cause
  const text = context.redactor.redact(message)
  const status = context.signal.aborted ? 'aborted' : 'error'
  return new EffectFailure(new Error(text, { cause }), [
    { type: 'finish', step, end: { status, errorMessage: text } },
  ])
}
