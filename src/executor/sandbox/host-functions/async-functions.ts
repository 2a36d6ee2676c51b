import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AppError, errorMessage } from '../../../shared/errors.js'
import { confineStorageKey, identifyStep, type StepIdentity } from '../../steps/step-identity.js'
import {
  execConfigSchema,
  parseGuestInput,
  runConfigSchema,
  sandboxConfigSchema,
  volumeConfigSchema,
} from '../../steps/run-config.js'
import { patiently } from '../../steps/infrastructure.js'
import type { RunContext } from '../../steps/run-context.js'
import { runStep } from '../../steps/run-step.js'
import { createReusedSteps, reuseStep } from '../../steps/reuse-steps.js'
import { createSandboxes } from '../../steps/sandboxes.js'
import type { TaskChange } from '../../writes.js'
import type { EffectRequest } from '../effect.js'
import { createGateFunction } from './gates.js'
import { createTriggerFunction } from './triggers.js'
import { readVolumeFiles } from './read-volume-files.js'

/** Longest sleep of one call; the guest asks again. */
const MAX_SLEEP_MS = 60_000

/** What an asynchronous host function is to the journal, short of its call and arguments. */
type Plan = Omit<EffectRequest<unknown>, 'call' | 'name' | 'args'>
export type AsyncFunction = (args: readonly unknown[]) => Plan

/**
 * The asynchronous host functions of one run. Each takes the guest's arguments, parses them, and
 * says what to do; the caller hands the plan to `effects.perform`. A throw rejects the promise.
 */
export function createAsyncFunctions(context: RunContext): Map<string, AsyncFunction> {
  const sandboxes = createSandboxes(context)
  const reused = createReusedSteps(context)
  const { stepBase } = context
  const { runId } = context.claim
  let callIndex = 0
  let unnamedVolumes = 0

  const identify = (name: string, storageKey?: string): StepIdentity => {
    const path = storageKey === undefined ? undefined : confineStorageKey(runId, storageKey)
    if (storageKey !== undefined && path === undefined)
      throw new AppError(
        'request_invalid',
        `invalid input: storageKey: it must stay below /pipeline/${runId}/`,
      )
    return identifyStep({ runId, callIndex: callIndex++, stepBase, name, path })
  }
  const begin = ({ step, path, name }: StepIdentity, hasMounts = false): TaskChange[] => [
    { type: 'insert', task: { step, path, name, hasMounts } },
  ]

  return new Map<string, AsyncFunction>([
    [
      'runtime.run',
      (args) => {
        const [input, hasOnOutput] = args
        requireObject(input, 'run requires an input object')
        const config = parseGuestInput(runConfigSchema, 'input', input)
        const identity = identify(config.name, config.storageKey)
        const volumes = Object.values(config.mounts)
        const earlier = reused.take(args, volumes)
        if (earlier)
          return {
            step: earlier.step,
            begin: [{ type: 'reuse', task: { step: earlier.step, path: identity.path } }],
            action: (effect) => reuseStep(context, earlier, effect, hasOnOutput === true),
          }
        return {
          step: identity.step,
          begin: begin(identity, volumes.length > 0),
          action: (effect) => runStep(context, identity, config, effect, hasOnOutput === true),
          onEnded: () => reused.changed(volumes),
        }
      },
    ],
    [
      'runtime.startSandbox',
      ([input]) => {
        requireObject(input, 'startSandbox requires an input object')
        const config = parseGuestInput(sandboxConfigSchema, 'startSandbox input', input)
        const identity = identify(`${config.name}-sandbox`)
        // its commands may do so at any time
        reused.changed(Object.values(config.mounts))
        return {
          begin: begin(identity),
          action: (effect) => sandboxes.start(identity, config, effect),
          onResolved: (_value, effect) => sandboxes.known(identity, config, effect),
        }
      },
    ],
    [
      'sandbox.exec',
      ([id, input, hasOnOutput]) => {
        requireObject(input, 'exec requires an input object')
        const config = parseGuestInput(execConfigSchema, 'exec input', input)
        const sandboxId = z.string().parse(id)
        const identity = identify(`exec ${config.command.path}`)
        return {
          parent: sandboxes.effectOf(sandboxId),
          step: identity.step,
          begin: begin(identity),
          action: (effect) =>
            sandboxes.exec(sandboxId, identity, config, {
              effect,
              hasOnOutput: hasOnOutput === true,
            }),
        }
      },
    ],
    [
      'sandbox.close',
      ([id]) => {
        const sandboxId = z.string().parse(id)
        return {
          parent: sandboxes.effectOf(sandboxId),
          action: () => sandboxes.close(sandboxId),
          onResolved: () => sandboxes.closed(sandboxId),
        }
      },
    ],
    [
      'volumes.create',
      ([input]) => {
        const { name, size } = parseGuestInput(volumeConfigSchema, 'volume input', input ?? {})
        const volume =
          name === undefined || name === '' ? unnamedVolume(runId, unnamedVolumes++) : name
        return {
          async action() {
            try {
              const spec = { name: volume, ...(size === undefined ? {} : { size }) }
              const created = await patiently(context, undefined, () =>
                context.driver.createVolume(spec),
              )
              return { value: { name: created.name, path: created.path } }
            } catch (error) {
              throw new Error(`could not create volume: ${errorMessage(error)}`, { cause: error })
            }
          },
        }
      },
    ],
    [
      'volumes.readFiles',
      ([volume, paths]) => {
        const name = parseGuestInput(z.string().min(1), 'volume name', volume)
        const files = parseGuestInput(z.array(z.string()).max(10_000), 'file paths', paths)
        return {
          async action() {
            try {
              const value = await patiently(context, undefined, () =>
                readVolumeFiles(context.driver, name, files, context.messageBytes),
              )
              return { value }
            } catch (error) {
              throw new Error(
                `could not read files from volume "${name}": ${errorMessage(error)}`,
                { cause: error },
              )
            }
          },
        }
      },
    ],
    ['pipeline.gate', createGateFunction(context)],
    ['triggerPipeline', createTriggerFunction(context)],
    [
      'sleep',
      ([ms]) => {
        const delayMs = parseGuestInput(z.number().min(0).max(MAX_SLEEP_MS), 'delay', ms)
        return {
          async action({ askedAt }) {
            const leftMs = Math.max(0, askedAt + delayMs - context.now())
            await sleep(Math.min(leftMs, delayMs), undefined, { signal: context.signal })
            return { value: null }
          },
        }
      },
    ],
  ])
}

function requireObject(input: unknown, message: string): void {
  if (typeof input !== 'object' || input === null) throw new AppError('request_invalid', message)
}

/** The same names at each execution of a run, so that a later attempt finds its volumes. */
function unnamedVolume(runId: string, count: number): string {
  return createHash('sha256').update(`ci-${runId}:${runId}-vol-${count}`).digest('hex').slice(0, 8)
}
