import { setTimeout as sleep } from 'node:timers/promises'
import type { Scenario } from './scenario.js'

/** Asks for runs of the scenarios in turn, of a server that may be away or refuse. */
export interface Triggers {
  /** Runs that a 202 has promised. */
  accepted: string[]
  /** Asks until so many runs are under way. */
  keepActive(active: () => number, wanted: number): Promise<void>
}

const PAUSE_MS = 100

export function openTriggers(
  url: () => string,
  scenarios: ReadonlyMap<string, Scenario>,
): Triggers {
  const ids = [...scenarios.keys()]
  const accepted: string[] = []
  let next = 0
  return {
    accepted,
    async keepActive(active, wanted) {
      while (active() < wanted) {
        const id = await ask(url(), ids[next++ % ids.length] ?? '')
        if (id === undefined) await sleep(PAUSE_MS)
        else accepted.push(id)
      }
    },
  }
}

/** The id of an accepted run; undefined when there was no answer or another one. */
async function ask(url: string, pipelineId: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(10_000)
    const response = await fetch(`${url}/api/pipelines/${pipelineId}/trigger`, {
      method: 'POST',
      signal,
    })
    if (response.status !== 202) return undefined
    return ((await response.json()) as { run_id: string }).run_id
  } catch {
    return undefined // whether it was accepted nobody knows: such a run has to end as well
  }
}
