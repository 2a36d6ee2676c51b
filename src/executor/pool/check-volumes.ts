import { AppError } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { Logger } from '../../shared/logger.js'
import type { Driver } from '../drivers/driver.js'
import { leaseLost } from '../sandbox/effects.js'
import type { ClaimedRun, ExecutorWrites } from '../writes.js'
import type { Lease } from './lease.js'

export interface CheckOptions {
  claimed: ClaimedRun
  driver: Driver
  lease: Lease
  stateWriter: WriterClient<ExecutorWrites>
  logger: Logger
}

/**
 * A generation that begins looks whether the volumes are there that were kept for it: somebody may have
 * pruned its engine, or named another one. If not all are, it begins as if none had been kept, and a
 * run that was given a working directory ends with `workdir_gone`.
 */
export async function checkVolumes(options: CheckOptions): Promise<void> {
  const { run, isFresh, keptVolumes } = options.claimed
  if (!isFresh || run.generation === 1) return
  if (keptVolumes !== undefined && (await areThere(options, keptVolumes))) return
  if (keptVolumes !== undefined) await forget(options)
  if (run.hasUpload)
    throw new AppError(
      'workdir_gone',
      'the working directory of the run is gone from its driver: start it anew with "pipeline run"',
    )
}

async function areThere(
  { driver, logger }: CheckOptions,
  names: readonly string[],
): Promise<boolean> {
  const there = new Set(await driver.listVolumes())
  const missing = names.filter((name) => !there.has(name))
  if (missing.length > 0)
    logger.warn({ volumes: missing }, 'volumes that were kept for a run are gone')
  return missing.length === 0
}

async function forget({ claimed: { run }, driver, lease, stateWriter }: CheckOptions) {
  // what is left holds what steps have written that are done again
  lease.check()
  await driver.removeAll()
  const claim = { runId: run.id, attempt: run.attempt }
  if (!(await stateWriter.write('forgetVolumes', { claim }))) throw leaseLost(claim)
  faultPoint('run.volumes.forgotten')
}
