import type { Db } from './open.js'

/** The SQL of table `instance`, which has one row since its migration. */
export function createInstance(db: Db) {
  const id = db.prepare<[], string>('select id from instance').pluck()
  const sweep = db.prepare<[{ now: number; pauseMs: number }]>(
    // a clock that was set back holds nobody up
    'update instance set swept_at = @now where swept_at <= @now - @pauseMs or swept_at > @now',
  )

  return {
    /** Tells the things of this database from those of others. */
    getId(): string {
      const found = id.get()
      if (found === undefined) throw new Error('the database has no instance id')
      return found
    },

    /** True for one caller within the pause: it is the one to look for what no run owns. */
    beginSweep: (now: number, pauseMs: number): boolean =>
      sweep.run({ now, pauseMs }).changes === 1,
  }
}
