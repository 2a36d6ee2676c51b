import { fromStoredLabels, toStoredLabels } from '../contract/queue-rules.js'
import type { Db } from './open.js'
import { createRuns } from './runs.js'

/** A process that claims runs. */
export interface Executor {
  id: string
  pid: number
  host: string
  /** Runs that it executes at once. */
  capacity: number
  /** What runs may require of it. */
  labels: readonly string[]
}

export type Executors = ReturnType<typeof createExecutors>

/** The SQL of table `executors`. */
export function createExecutors(db: Db) {
  const runs = createRuns(db)
  const register = db.prepare<[Record<string, unknown>]>(
    `insert into executors (id, pid, host, capacity, labels, started_at, lease_expires_at)
     values (@id, @pid, @host, @capacity, @labels, @now, @leaseExpiresAt)`,
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

  const alive = db.prepare<[number], AliveRow>(
    `select id, pid, host, capacity, labels, (
       select count(*) from runs where status = 'running' and executor_id = executors.id) as inFlight
     from executors where lease_expires_at > ? order by started_at, id`,
  )

  return {
    register: (executor: Executor, now: number, leaseExpiresAt: number): void =>
      void register.run({
        ...executor,
        labels: toStoredLabels(executor.labels),
        now,
        leaseExpiresAt,
      }),

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

    /** The living ones, with how many runs each has. */
    listAlive: (now: number) =>
      alive.all(now).map((row) => ({ ...row, labels: fromStoredLabels(row.labels) })),
  }
}

type AliveRow = Omit<Executor, 'labels'> & { labels: string; inFlight: number }
