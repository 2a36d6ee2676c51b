import { append, apply, ErrorIntrinsic, freeze, join } from './intrinsics.js'
import { reasonOf } from './describe-error.js'
import { listOf, type Host } from './host.js'
import { argsOf } from './tasks.js'

type Callback = (...args: unknown[]) => unknown

interface Job {
  name: string
  run: Callback
}

/** The `pipeline` global: jobs of a stage run in parallel, and all of them are awaited. */
export function createOrchestration(host: Host) {
  return freeze({
    async gate(name: unknown, options: unknown): Promise<void> {
      if (typeof name !== 'string' || name === '')
        throw new ErrorIntrinsic('pipeline.gate requires (name[, options])')
      const args = argsOf('options', () => listOf(name, options === undefined ? {} : options))
      await host.callAsync('pipeline.gate', args)
    },

    async stage(name: unknown, callback: unknown): Promise<void> {
      if (typeof name !== 'string' || callback === undefined)
        throw new ErrorIntrinsic('pipeline.stage requires (name, callback)')
      if (typeof callback !== 'function')
        throw new ErrorIntrinsic('pipeline.stage callback must be a function')

      const jobs = await collectJobs(name, callback as Callback)
      if (jobs.length === 0) throw new ErrorIntrinsic(`pipeline.stage "${name}" has no jobs`)
      const failures = await runJobs(name, jobs)
      if (failures.length > 0) throw new ErrorIntrinsic(join(failures, '\n'))
    },
  })
}

async function collectJobs(stageName: string, callback: Callback): Promise<Job[]> {
  const jobs: Job[] = []
  let isOpen = true
  const stage = freeze({
    job(name: unknown, run: unknown): void {
      if (!isOpen) throw new ErrorIntrinsic('stage.job: the stage has been started')
      if (typeof name !== 'string' || run === undefined)
        throw new ErrorIntrinsic('stage.job requires (name, callback)')
      if (typeof run !== 'function')
        throw new ErrorIntrinsic('stage.job callback must be a function')
      append(jobs, { name, run: run as Callback })
    },
  })
  try {
    await apply(callback, undefined, [stage])
  } catch (error) {
    throw new ErrorIntrinsic(`pipeline.stage "${stageName}" callback failed: ${reasonOf(error)}`)
  } finally {
    isOpen = false
  }
  return jobs
}

/** Starts all jobs before it waits for any; the failures are in the order of the jobs. */
async function runJobs(stageName: string, jobs: readonly Job[]): Promise<string[]> {
  const running: Promise<string | undefined>[] = []
  for (let index = 0; index < jobs.length; index++)
    append(running, runJob(stageName, jobs[index] as Job))
  const failures: string[] = []
  for (let index = 0; index < running.length; index++) {
    const failure = await running[index]
    if (failure !== undefined) append(failures, failure)
  }
  return failures
}

async function runJob(stageName: string, { name, run }: Job): Promise<string | undefined> {
  const label = `stage "${stageName}" job "${name}"`
  let result: unknown
  try {
    result = apply(run, undefined, [])
  } catch (error) {
    return `${label} failed: ${reasonOf(error)}`
  }
  try {
    await result
    return undefined
  } catch (error) {
    return `${label} promise rejected: ${reasonOf(error)}`
  }
}
