import {
  ErrorIntrinsic,
  isObject,
  ownKeys,
  getOwnPropertyDescriptor,
  setOwn,
} from './intrinsics.js'
import { listOf, type Host, type OutputCallback } from './host.js'

/** A config as it crosses: JSON text, and the callback that stays behind. */
interface CrossingConfig {
  config: unknown
  onOutput: OutputCallback | undefined
}

/** Starts a task of `runtime.run` or of a sandbox's `exec`; a config that is no object rejects. */
export async function callTask(
  host: Host,
  name: string,
  input: unknown,
  what: { requires: string; label: string },
  sandboxId?: string,
): Promise<unknown> {
  if (!isObject(input)) throw new ErrorIntrinsic(what.requires)
  const { config, onOutput } = crossing(input, what.label)
  const hasOnOutput = onOutput !== undefined
  const args = argsOf(what.label, () =>
    sandboxId === undefined ? listOf(config, hasOnOutput) : listOf(sandboxId, config, hasOnOutput),
  )
  return host.callAsync(name, args, onOutput)
}

/** The JSON text of arguments; an input without one, such as a cycle, is invalid. */
export function argsOf(label: string, make: () => string): string {
  try {
    return make()
  } catch (error) {
    throw new ErrorIntrinsic(`invalid ${label}: ${reasonOf(error)}`)
  }
}

/** A config without its callback, and with volumes by their names alone. */
export function crossing(input: Record<string, unknown>, label: string): CrossingConfig {
  const { onOutput, ...config } = input
  if (onOutput !== undefined && onOutput !== null && typeof onOutput !== 'function')
    throw new ErrorIntrinsic(`invalid ${label}: onOutput must be a function`)
  const mounts = getOwnPropertyDescriptor(config, 'mounts')?.value
  if (isObject(mounts)) setOwn(config, 'mounts', volumeNames(mounts))
  return {
    config,
    onOutput: typeof onOutput === 'function' ? (onOutput as OutputCallback) : undefined,
  }
}

function volumeNames(mounts: Record<string, unknown>): object {
  const names = { __proto__: null }
  const paths = ownKeys(mounts)
  for (let index = 0; index < paths.length; index++) {
    const path = paths[index]
    if (typeof path !== 'string') continue
    const volume = mounts[path]
    setOwn(names, path, isObject(volume) ? { name: volume['name'] } : volume)
  }
  return names
}

function reasonOf(error: unknown): string {
  const message = isObject(error) ? error['message'] : error
  return typeof message === 'string' ? message : 'it cannot be sent'
}
