import type { Config } from '../config/config.js'
import type { Environment } from '../config/flag.js'
import type { ReadyInfo, StartMessage } from '../contract/supervision.js'
import { createExecutors } from '../db/executors.js'
import { migrateStorage } from '../db/migrate.js'
import { openDatabase } from '../db/open.js'
import type { Logger } from '../logger.js'
import { deriveMasterKey } from '../secrets/master-key.js'
import { storeGlobalSecrets } from '../secrets/store-global.js'
import type { StopSignals } from '../signals.js'
import { splitCapacity } from './split-capacity.js'
import { supervise, type TierProcess } from './supervise.js'

/** Where the tiers are: files that are started, not imported. */
export const TIER_ENTRIES = {
  api: new URL('../../api/main.js', import.meta.url),
  executor: new URL('../../executor/main.js', import.meta.url),
}

export interface ServerOptions {
  config: Config
  /** What is started: both for `pocketci server`, one for `pocketci api` and `pocketci executor`. */
  kinds: readonly ('api' | 'executor')[]
  entries: typeof TIER_ENTRIES
  env: Environment
  logger: Logger
  signals: Pick<StopSignals, 'stopping' | 'forced'>
  onReady: (infos: readonly ReadyInfo[]) => void
}

/** Brings the databases up to date and runs the tiers on them until it is told to stop. See supervise. */
export async function runServer(options: ServerOptions): Promise<number> {
  const { config, env, logger, signals, onReady } = options
  const { storage, secrets } = config
  migrateStorage({ storage: storage.path, secrets: secrets.path })
  const masterKey = await deriveMasterKey(secrets)
  storeGlobalSecrets(secrets.path, masterKey, secrets.global, Date.now())

  return await supervise({
    tiers: listTiers(options, masterKey.toString('base64')),
    env,
    logger,
    stopping: signals.stopping,
    forced: signals.forced,
    drainTimeoutMs: config.drainTimeoutMs,
    onReady,
    onExecutorExit: (id) => expireLeases(storage.path, id, logger),
  })
}

function listTiers({ config, kinds, entries }: ServerOptions, secretKey: string): TierProcess[] {
  // the children need neither the passphrase nor the values: they have the key and the table
  const secrets = { path: config.secrets.path, global: [] }
  const start = (name: string): StartMessage => ({
    type: 'start',
    title: `pocketci ${name}`,
    config: { ...config, secrets },
    secretKey,
  })
  const { maxInFlight, executors } = config.queue
  // alone, an executor brings the whole of --max-in-flight
  const shares = splitCapacity(maxInFlight, kinds.includes('api') ? executors : 1)
  return kinds.flatMap((kind): TierProcess[] => {
    const entry = entries[kind]
    if (kind === 'api') return [{ kind, name: 'api', entry, start: start('api') }]
    return shares.map((capacity, at) => {
      const index = at + 1
      const name = `executor ${index}`
      return {
        kind,
        name,
        entry,
        start: {
          ...withoutAuth(start(name)),
          executor: { index, capacity, runsAtStop: 'hand_over' },
        },
      }
    })
  })
}

/** Pipelines run beside it, and it signs nobody in. */
function withoutAuth(start: StartMessage): StartMessage {
  const auth = { serverRule: '', auditRule: '', auditRetentionMs: 0 }
  return { ...start, config: { ...start.config, auth } }
}

/** Its runs go on at once; should this fail, they go on when their leases run out. */
function expireLeases(path: string, executorId: string, logger: Logger): void {
  try {
    const db = openDatabase(path, { mode: 'write' })
    try {
      const runs = createExecutors(db).expire(executorId, Date.now())
      if (runs > 0) logger.warn({ executorId, runs }, 'runs of a dead executor are free again')
    } finally {
      db.close()
    }
  } catch (error) {
    logger.error({ err: error, executorId }, 'could not expire the leases of a dead executor')
  }
}
