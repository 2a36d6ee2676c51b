import { loadConfig } from '../../../../src/shared/config/load-config.js'
import type { TierProcess } from '../../../../src/shared/supervisor/supervise.js'

export interface FakeTier {
  /** A file of this folder, without extension. */
  entry: string
  /** Not opened: a place for the notes of the tiers. */
  storage: string
  kind: TierProcess['kind']
}

/** A tiny process in the place of a tier, told and forked as a real one. */
export function fakeTier({ entry, storage, kind }: FakeTier): TierProcess {
  const config = loadConfig({ 'storage-sqlite-path': [storage], 'drain-timeout': ['0'] }, {})
  const name = kind === 'api' ? 'api' : 'executor 1'
  return {
    kind,
    name,
    entry: new URL(`./${entry}.js`, import.meta.url),
    start: {
      type: 'start',
      title: `pocketci ${name}`,
      config,
      secretKey: Buffer.alloc(32).toString('base64'),
      ...(kind === 'executor'
        ? { executor: { index: 1, capacity: 4, runsAtStop: 'hand_over' as const } }
        : {}),
    },
  }
}
