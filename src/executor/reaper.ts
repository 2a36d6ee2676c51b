import { DRIVERS, type Config, type DriverName } from '../shared/config/config.js'
import { createKeptVolumes } from '../shared/db/kept-volumes.js'
import type { Db } from '../shared/db/open.js'
import { createRunCleanups } from '../shared/db/run-cleanups.js'
import { createRuns } from '../shared/db/runs.js'
import { isTerminal } from '../shared/contract/statuses.js'
import { createSecrets } from '../shared/db/secrets.js'
import type { WriterClient } from '../shared/db/writer/writer-client.js'
import { hasCode } from '../shared/errors.js'
import type { Logger } from '../shared/logger.js'
import { listPipelinesWithSettings } from '../shared/secrets/driver-config.js'
import { listThings } from './drivers/list-things.js'
import { engineOf } from './drivers/open-driver.js'
import type { OwnedThing } from './drivers/owned-thing.js'
import type { ExecutorWrites } from './writes.js'

/** How often one of the executors looks; at its start each does, unless another has just begun. */
const INTERVAL_MS = 300_000
const START_PAUSE_MS = 5_000
/** Runs that are decided on in one transaction. */
const BATCH = 200

export interface ReaperOptions {
  config: Config
  /** Of the database: only what carries it is looked at. */
  instance: string
  /** Looks up what a pipeline brought for a driver. */
  settingsOf(pipelineId: string): (driver: DriverName) => unknown
  /** Read-only, of the main database. */
  reader: Db
  writer: WriterClient<ExecutorWrites>
  logger: Logger
}

/** Finds what drivers hold and no run owns: a database was restored, or something went wrong before. */
export interface Reaper {
  /** Looks when it is time, reports what it finds, and leaves its removal to `run_cleanups`. */
  reap(): Promise<void>
}

/** Where a driver keeps things. `pipelineId`: whose settings lead there; empty: the server's own. */
interface Place {
  driver: DriverName
  pipelineId: string
  settings: unknown
}

export function createReaper(options: ReaperOptions): Reaper {
  let pauseMs = START_PAUSE_MS
  let nextAt = 0
  return {
    async reap() {
      const now = Date.now()
      if (now < nextAt) return
      const isOurTurn = await options.writer.write('beginSweep', { now, pauseMs }, VOLATILE)
      pauseMs = INTERVAL_MS
      nextAt = now + (isOurTurn ? INTERVAL_MS : INTERVAL_MS / 10)
      if (!isOurTurn) return
      for (const place of listPlaces(options)) await reapPlace(options, place)
    },
  }
}

/** A sweep that a power cut takes back is made once more. */
const VOLATILE = { isDurable: false }

/** The server's own drivers, and each engine that a pipeline's settings lead to once. */
function listPlaces({ config, reader, settingsOf, logger }: ReaperOptions): Place[] {
  const { allowed } = config.drivers
  const drivers = DRIVERS.filter((driver) => allowed.includes('*') || allowed.includes(driver))
  const places = drivers.map((driver): Place => ({ driver, pipelineId: '', settings: {} }))
  if (!drivers.includes('docker')) return places
  const hosts = new Set([engineOf(config, {}).host])
  for (const pipelineId of listPipelinesWithSettings(createSecrets(reader))) {
    try {
      const settings = settingsOf(pipelineId)('docker') ?? {}
      const { host } = engineOf(config, settings)
      if (!hosts.has(host)) places.push({ driver: 'docker', pipelineId, settings })
      hosts.add(host)
    } catch (error) {
      logger.warn({ err: error, pipelineId }, 'the settings of a driver cannot be used')
    }
  }
  return places
}

async function reapPlace(options: ReaperOptions, place: Place): Promise<void> {
  const { config, instance, logger } = options
  const list = (): Promise<OwnedThing[]> =>
    listThings(place.driver, { config, instance, settings: place.settings })
  try {
    // the things first: one that is made later may be of a run that is accepted later
    const suspects = new Map((await list()).map((thing) => [keyOf(thing), thing]))
    for (const [key, { runId }] of suspects) if (isOwned(options, runId)) suspects.delete(key)
    if (suspects.size === 0) return
    // what a run's end was about to remove at the first look is gone by now
    const left = (await list()).filter((thing) => suspects.has(keyOf(thing)))
    await adopt(options, place, left)
  } catch (error) {
    if (!hasCode(error, 'driver_unavailable')) throw error
    // there is no engine here, or not just now: the next look may find one
    logger.debug({ err: error, driver: place.driver }, 'a driver cannot be looked at')
  }
}

/** From a look at the rows: whoever decides looks again. */
function isOwned({ reader }: ReaperOptions, runId: string): boolean {
  const run = createRuns(reader).find(runId)
  if (run && !isTerminal(run.status)) return true
  return createRunCleanups(reader).isPending(runId) || createKeptVolumes(reader).isKept(runId)
}

/** Decides in a transaction, so that no run is resumed meanwhile, and reports each thing once. */
async function adopt(
  { writer, logger }: ReaperOptions,
  { driver, pipelineId }: Place,
  left: readonly OwnedThing[],
): Promise<void> {
  const runIds = [...new Set(left.map(({ runId }) => runId))]
  for (let at = 0; at < runIds.length; at += BATCH) {
    const found = runIds.slice(at, at + BATCH).map((runId) => ({ runId, driver, pipelineId }))
    const adopted = await writer.write('adopt', { found, now: Date.now() })
    const reasons = new Map(adopted.map(({ runId, reason }) => [runId, reason]))
    for (const { runId, kind, name } of left) {
      const reason = reasons.get(runId)
      if (reason) logger.warn({ driver, kind, name, runId, reason }, 'removing what no run owns')
    }
  }
}

function keyOf({ kind, name }: OwnedThing): string {
  return `${kind} ${name}`
}
