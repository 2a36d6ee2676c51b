import type { Db } from './open.js'

/** What a run waits for without a thread and a slot. */
export type AwaitedThing = { type: 'gate'; number: number } | { type: 'run'; id: string }

/** One wait of a run. */
export interface Wait {
  on: AwaitedThing
  /** For people: why the run waits. */
  reason: string
  /** When it is over in any case, unix milliseconds. */
  dueAt: number | null
}

/**
 * The SQL of runs that wait in the queue for something other than their turn. Triggers of the
 * database wake them when that happens, in its transaction.
 */
export function createSuspensions(db: Db) {
  const mark = db.prepare<[string]>(
    "update runs set suspended = 1 where id = ? and status = 'queued'",
  )
  const wake = db.prepare<[string]>(
    `update runs set suspended = 0, available_at = null, wait_reason = ''
     where id = ? and status = 'queued'`,
  )
  const isGateResolved = db
    .prepare<[string, number], number>(
      `select status <> 'pending' from gates where run_id = ? and number = ?
       order by seq desc limit 1`,
    )
    .pluck()
  const isRunActive = db
    .prepare<[string], number>("select status in ('queued', 'running') from runs where id = ?")
    .pluck()
  const nextDue = db
    .prepare<[number], number | null>(
      "select min(available_at) from runs where status = 'queued' and available_at > ?",
    )
    .pluck()

  const isOver = (runId: string, { on }: Wait): boolean => {
    switch (on.type) {
      case 'gate':
        return isGateResolved.get(runId, on.number) !== 0
      case 'run':
        return isRunActive.get(on.id) !== 1
    }
  }

  return {
    /** A run that was just released waits for these; not when one of them has happened meanwhile. */
    suspend(runId: string, waits: readonly Wait[]): void {
      if (waits.some((wait) => isOver(runId, wait))) wake.run(runId)
      else mark.run(runId)
    },

    /** The next time at which the wait of some run is over; undefined: none is known. */
    findNextDue: (now: number): number | undefined => nextDue.get(now) ?? undefined,
  }
}

/** A run that nothing but an event wakes. */
export const FOREVER = Number.MAX_SAFE_INTEGER

/** Several waits as one: why, and when the first is over. */
export function summarize(waits: readonly Wait[]): { reason: string; availableAt: number } {
  return {
    reason: waits.map(({ reason }) => reason).join('; '),
    availableAt: Math.min(FOREVER, ...waits.flatMap(({ dueAt }) => dueAt ?? [])),
  }
}
