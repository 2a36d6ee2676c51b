import { createHash } from 'node:crypto'
import { EARLIER } from '../../shared/db/tasks.js'

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
  /** From 0; counts runs and sandboxes of a run's generation together. */
  callIndex: number
  /** Steps of earlier generations of the run. */
  stepBase: number
  name: string
  /** Replaces the computed path; already confined to the run. */
  path?: string | undefined
}

export function identifyStep({
  runId,
  callIndex,
  stepBase,
  ...named
}: StepIdentityOptions): StepIdentity {
  const { name, path } = named
  const index = stepBase + callIndex
  const stepId = `${index}-${name}`
  const hash = createHash('sha256').update(`ci-${runId}:${runId}:${stepId}:${name}`).digest('hex')
  const containerId = [index, slugOf(name), hash.slice(0, 8)]
    .filter((part) => part !== '')
    .join('-')
  return {
    step: index + 1,
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
 * Undefined when it leads out of the run, or among the steps of its earlier generations.
 */
export function confineStorageKey(runId: string, key: string): string | undefined {
  const root = `/pipeline/${runId}/`
  const path = key.startsWith('/') ? key : root + key
  const hasDots = path.split('/').some((segment) => segment === '..' || segment === '.')
  const isEarlier = path.startsWith(`${root}${EARLIER}/`)
  const isFree = path.length > root.length && !hasDots && !isEarlier
  return path.startsWith(root) && isFree ? path : undefined
}
