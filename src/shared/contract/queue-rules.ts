import { z } from 'zod'

/** Which runs go first; they are served by this and then by their age. */
export const PRIORITIES = ['low', 'normal', 'high'] as const
export type Priority = (typeof PRIORITIES)[number]

/** A priority as a number that sorts: -1, 0, 1. */
export function toLevel(priority: Priority): number {
  return PRIORITIES.indexOf(priority) - 1
}

export function fromLevel(level: number): Priority {
  const priority = PRIORITIES[level + 1]
  if (priority === undefined) throw new Error(`there is no priority ${level}`)
  return priority
}

const LABEL = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/
const MAX_LABELS = 20

/** What is wrong with some labels; undefined: nothing. */
export function findLabelFault(labels: readonly string[]): string | undefined {
  const bad = labels.find((label) => !LABEL.test(label))
  if (bad !== undefined)
    return `${JSON.stringify(bad.slice(0, 80))} is no label: expected up to 63 letters, digits, "_", "." and "-", not one of the last three first`
  if (labels.length > MAX_LABELS) return `there are ${labels.length} labels; at most ${MAX_LABELS}`
  return undefined
}

/** The same text for the same labels, whatever their order. */
export function toStoredLabels(labels: readonly string[]): string {
  return JSON.stringify([...new Set(labels)].toSorted())
}

export function fromStoredLabels(text: string): string[] {
  return z.array(z.string()).parse(JSON.parse(text))
}

export const CONCURRENCY_MODES = ['', 'serial', 'group', 'skip-if-running'] as const
export type ConcurrencyMode = (typeof CONCURRENCY_MODES)[number]

/** Which runs of a pipeline may run beside which. */
export interface ConcurrencyRule {
  mode: ConcurrencyMode
  /** Of mode `group`: a template that names a run's group. */
  template: string
  /** Of mode `group`: a new run supersedes the others of its group. */
  cancelsRunning: boolean
}

export const NO_RULE: ConcurrencyRule = { mode: '', template: '', cancelsRunning: false }

/** What is wrong with a rule; undefined: nothing. The texts are those of the wire. */
export function findRuleFault(rule: ConcurrencyRule): string | undefined {
  const { mode, template, cancelsRunning } = rule
  if (mode === 'group')
    return template === ''
      ? 'concurrency_mode="group" requires a non-empty concurrency_group_template'
      : undefined
  if (template !== '')
    return 'concurrency_group_template is only valid when concurrency_mode is "group"'
  if (cancelsRunning)
    return 'concurrency_cancel_running is only valid when concurrency_mode is "group"'
  return undefined
}
