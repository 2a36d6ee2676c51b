import { createAssert } from './assert.js'
import { createConsole } from './console.js'
import { describeError } from './describe-error.js'
import { createHost, type Deliver, type Send } from './host.js'
import {
  apply,
  defineProperty,
  descriptor,
  freeze,
  isObject,
  ownKeys,
  parse,
  TypeErrorIntrinsic,
} from './intrinsics.js'
import { seedRandom } from './random.js'
import { createRuntime } from './runtime.js'
import { createOrchestration } from './stages.js'
import { createStorage } from './storage.js'
import { createTriggerPipeline } from './trigger-pipeline.js'
import { createVolumes } from './volumes.js'
import { createHttp, createWebhookFunctions } from './webhooks.js'
import { createYaml } from './yaml.js'

type Program = (module: { exports: unknown }, exports: unknown) => void

/**
 * Makes the globals of a pipeline and returns what the host drives the guest with. It runs once,
 * before any code of the author.
 */
export function boot(send: Send, settings: string) {
  // written by the host
  const { context, seed } = parse(settings) as { context: object; seed: number }
  const { host, deliver } = createHost(send)
  const orchestration = createOrchestration(host)
  const yaml = createYaml(host)
  const webhooks = createWebhookFunctions(host)

  removeUndocumented()
  seedRandom(seed)
  define('runtime', createRuntime(host))
  define('volumes', createVolumes(host))
  define('assert', createAssert(host))
  define('console', createConsole(host))
  define('storage', createStorage(host))
  define('yaml', yaml)
  define('YAML', yaml)
  define('pipelineContext', freezeAll(context))
  define('triggerPipeline', createTriggerPipeline(host))
  define('http', createHttp(host))
  define('webhookTrigger', webhooks.trigger)
  define('webhookParams', webhooks.params)
  define('webhookDedup', webhooks.dedup)
  define('pipeline', orchestration)
  // the same under a name that an author's own `pipeline` does not hide
  define('orchestration', orchestration)

  return {
    start: (program: Program): Promise<void> => run(send, program),
    deliver: ((kind, call, text) => deliver(kind, call, text)) satisfies Deliver,
  }
}

/** Runs a program and reports how it ended. Rejects only when not even that was possible. */
async function run(send: Send, program: Program): Promise<void> {
  let prefix = 'could not run program: '
  try {
    const module: { exports: unknown } = { exports: {} }
    apply(program, undefined, [module, module.exports])
    const main = (module.exports as Record<string, unknown>)['pipeline']
    if (main === undefined) throw new TypeErrorIntrinsic('nothing is exported as "pipeline"')
    if (typeof main !== 'function') {
      send('rejected', 'pipeline is not a function', '')
      return
    }
    prefix = 'could not run pipeline: '
    const result: unknown = apply(main, undefined, [])
    prefix = 'promise rejected: '
    await result
    send('resolved', '', '')
  } catch (error) {
    const { message, stack } = describeError(error)
    send('rejected', prefix + message, stack)
  }
}

/** Hooks that would hand out the functions of the prelude's own stack frames, and a non-standard global. */
function removeUndocumented(): void {
  const error = Error as unknown as Record<string, unknown>
  delete error['prepareStackTrace']
  delete error['captureStackTrace']
  delete (globalThis as unknown as Record<string, unknown>)['queueMicrotask']
}

function define(name: string, value: unknown): void {
  defineProperty(globalThis, name, descriptor(value, false))
}

function freezeAll(value: unknown): unknown {
  if (!isObject(value)) return value
  const keys = ownKeys(value)
  for (let index = 0; index < keys.length; index++) freezeAll(value[keys[index] as string])
  return freeze(value)
}
