import type { Db } from './open.js'
import { createRuns } from './runs.js'

/** A process that claims runs. */
export interface Executor {
  id: string
  pid: number
  host: string
  /** Runs that it executes at once. */
  capacity: number
}

export type Executors = ReturnType<typeof createExecutors>

/** The SQL of table `executors`. */
export function createExecutors(db: Db) {
  const runs = createRuns(db)
  const register = db.prepare<[Record<string, unknown>]>(
    `insert into executors (id, pid, host, capacity, started_at, lease_expires_at)
     values (@id, @pid, @host, @capacity, @now, @leaseExpiresAt)`,
  )
  const renew = db.prepare<[number, string]>(
    'update executors set lease_expires_at = ? where id = ?',
  )
  const remove = db.prepare<[string]>('delete from executors where id = ?')
  const prune = db.prepare<[number]>('delete from executors where lease_expires_at < ?')
  const capacity = db
    .prepare<[number], number>(
      'select coalesce(sum(capacity), 0) from executors where lease_expires_at > ?',
    )
    .pluck()

  return {
    register: (executor: Executor, now: number, leaseExpiresAt: number): void =>
      void register.run({ ...executor, now, leaseExpiresAt }),

    /** False: it was taken for dead and removed; register it again. */
    renew: (id: string, leaseExpiresAt: number): boolean =>
      renew.run(leaseExpiresAt, id).changes === 1,

    remove: (id: string): void => void remove.run(id),

    /** A dead executor: forgets it and makes its runs claimable at once. Answers how many they are. */
    expire: db.transaction((id: string, now: number): number => {
      remove.run(id)
      return runs.expireLeases(id, now)
    }),

    /** Forgets the executors that died before `before`. */
    prune: (before: number): void => void prune.run(before),

    /** Runs that all living executors can execute at once. */
    totalCapacity: (now: number): number => capacity.get(now) ?? 0,
  }
}
