import { createHash } from 'node:crypto'

/** Longest part of a container's name that shows the step's. */
const SLUG_CHARS = 40

/** How one call of `runtime.run` or `startSandbox` is known everywhere. */
export interface StepIdentity {
  /** `tasks.step`, and the key of its output: from 1 in call order. */
  step: number
  /** In the task tree. */
  path: string
  name: string
  /** Exact name of its container in the run's namespace; the same at each try, so it is never run twice. */
  containerId: string
}

export interface StepIdentityOptions {
  runId: string
  /** From 0; counts runs and sandboxes of a run together. */
  callIndex: number
  name: string
  /** Replaces the computed path; already confined to the run. */
  path?: string | undefined
}

export function identifyStep({ runId, callIndex, name, path }: StepIdentityOptions): StepIdentity {
  const stepId = `${callIndex}-${name}`
  const hash = createHash('sha256').update(`ci-${runId}:${runId}:${stepId}:${name}`).digest('hex')
  const containerId = [callIndex, slugOf(name), hash.slice(0, 8)]
    .filter((part) => part !== '')
    .join('-')
  return {
    step: callIndex + 1,
    path: path ?? `/pipeline/${runId}/tasks/${callIndex}-${segmentOf(name)}`,
    name,
    containerId,
  }
}

/** The characters that every engine takes in a container's name. */
function slugOf(name: string): string {
  return name
    .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
    .slice(0, SLUG_CHARS)
}

/** One segment of a path: a name may hold anything, a segment no separators or control characters. */
function segmentOf(name: string): string {
  return name.replaceAll(/[/\p{Cc}]+/gu, '-')
}

/**
 * The path that a `storageKey` stands for: relative keys are below the run, absolute ones must be.
 * Undefined when it leads out of the run.
 */
export function confineStorageKey(runId: string, key: string): string | undefined {
  const root = `/pipeline/${runId}/`
  const path = key.startsWith('/') ? key : root + key
  const hasDots = path.split('/').some((segment) => segment === '..' || segment === '.')
  return path.startsWith(root) && path.length > root.length && !hasDots ? path : undefined
}
