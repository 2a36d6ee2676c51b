import { isTerminal } from '../contract/statuses.js'
import type { ChangeSignal } from './change-signal.js'
import type { LogChunk, LogChunks } from './log-chunks.js'
import type { Run, Runs } from './runs.js'
import { describeWait, type WaitReason, type WaitReasons } from './wait-reasons.js'

export type RunEvent =
  | { type: 'output'; chunk: LogChunk }
  /** The run was claimed, asked to stop, …: its row as it is now. */
  | { type: 'status'; run: Run }
  /** Why it waits; once more whenever that changes. */
  | { type: 'waiting'; reason: WaitReason }
  /** Always last; `run` is undefined when the run was deleted. */
  | { type: 'end'; run: Run | undefined }

export interface FollowOptions {
  runs: Runs
  reasons: WaitReasons
  now: () => number
  logs: LogChunks
  changes: ChangeSignal
  runId: string
  /** Ends the walk without an `end` event. */
  signal: AbortSignal
  /** Start behind this chunk id; 0 is the start. */
  afterChunk?: number
}

/** Chunks read at once: at most 64 KiB each. */
const BATCH = 16

/** A run's output and status as they come, from the first byte to its end, at the reader's pace. */
export async function* followRun(
  options: FollowOptions,
): AsyncGenerator<RunEvent, void, undefined> {
  const { runs, logs, changes, runId, reasons, now, signal } = options
  let after = options.afterChunk ?? 0
  let shown = ''
  let said = ''
  while (!signal.aborted) {
    const seen = changes.version
    // the status first: what a run wrote is committed before the run ends
    const run = runs.find(runId)
    for (;;) {
      const chunks = logs.listOfRun(runId, after, BATCH)
      for (const chunk of chunks) yield { type: 'output', chunk }
      after = chunks.at(-1)?.id ?? after
      if (chunks.length < BATCH || signal.aborted) break
    }
    if (!run || isTerminal(run.status)) return yield { type: 'end', run }
    const state = `${run.status} ${run.attempt} ${run.stopRequestedAt}`
    if (state !== shown) yield { type: 'status', run }
    shown = state
    const reason = reasons.find(run, now())
    const text = reason ? describeWait(reason) : ''
    if (reason && text !== said) yield { type: 'waiting', reason }
    said = text
    await changes.changed(seen, signal)
  }
}
