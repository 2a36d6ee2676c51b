import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultPoint } from '../../../src/shared/faults.js'
import type { Random } from '../../helpers/random.js'

/** The points that runs of scenarios pass; those of stops, uploads and lost steps have tests of their own. */
const POINTS: Record<string, FaultPoint[]> = {
  executor: [
    'effect.intent.committed',
    'effect.output.committed',
    'effect.action.done',
    'effect.result.committed',
    'step.secrets.committed',
    'step.container.started',
    'step.output.stored',
    'step.output.complete',
    'run.claimed',
    'run.replay.over',
    'run.finish.committed',
    'run.removed',
    'run.cleaned',
  ],
  api: ['api.run.admitted'],
}

/** Arms one point of each server that is started, one after the other, and knows which were passed. */
export interface FaultPoints {
  /** The environment of the next server. */
  arm(): NodeJS.ProcessEnv
  passed(): string[]
}

export function createFaultPoints(dir: string, random: Random): FaultPoints {
  const armed: { point: string; mark: string }[] = []
  let left: string[] = []
  return {
    arm() {
      if (left.length === 0) left = random.shuffle(Object.values(POINTS).flat())
      const name = left.pop() ?? ''
      // a thread dies alone where it has passed the point itself
      const isThread = /^(effect|step)/.test(name) && random.chance(0.3)
      const point = isThread ? `thread/${name}` : name
      const mark = join(dir, `passed-${armed.length}`)
      armed.push({ point, mark })
      const passes = name.startsWith('effect') ? 1 + random.int(12) : 1 + random.int(4)
      return { POCKETCI_FAULT: `${point}:${passes}:${mark}` }
    },
    passed: () => armed.filter(({ mark }) => existsSync(mark)).map(({ point }) => point),
  }
}
