import type { Db } from './open.js'

/** What is known of a pipeline's webhooks. */
export interface PipelineWebhooks {
  /** It may answer whoever sends one. */
  responds: boolean
  /** Empty: it takes those of any provider. */
  provider: string
}

/** The SQL of the columns of table `pipelines` that are about webhooks. */
export function createPipelineWebhooks(db: Db) {
  const find = db.prepare<[string], { responds: number; provider: string }>(
    'select webhook_responds as responds, webhook_provider as provider from pipelines where id = ?',
  )
  const set = db.prepare<[Record<string, unknown>]>(
    `update pipelines set webhook_responds = @responds,
       webhook_provider = coalesce(@provider, webhook_provider) where id = @id`,
  )
  return {
    /** By id alone; undefined: there is no such pipeline. */
    find(pipelineId: string): PipelineWebhooks | undefined {
      const row = find.get(pipelineId)
      return row && { responds: row.responds === 1, provider: row.provider }
    },

    /** A provider that is undefined stays as it is. */
    set: (id: string, responds: boolean, provider: string | undefined): void =>
      void set.run({ id, responds: Number(responds), provider: provider ?? null }),
  }
}
