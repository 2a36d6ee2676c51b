import { join } from 'node:path'
import { createLogger } from '../../../../src/shared/logger.js'
import { abortOnSignals } from '../../../../src/shared/signals.js'
import { supervise } from '../../../../src/shared/supervisor/supervise.js'
import { fakeTier } from './fake-tier.js'

/** A whole supervisor with obedient tiers, for tests that send real signals: `<folder> <entry>...`. */
const [folder = '', ...entries] = process.argv.slice(2)
using signals = abortOnSignals(['SIGINT', 'SIGTERM'])
process.exitCode = await supervise({
  tiers: entries.map((entry, at) =>
    fakeTier({ entry, storage: join(folder, 'ci.db'), kind: at === 0 ? 'api' : 'executor' }),
  ),
  env: process.env,
  logger: createLogger({ level: 'error', format: 'json', addSource: false }, 'supervisor'),
  stopping: signals.stopping,
  forced: signals.forced,
  drainTimeoutMs: 60_000,
  onReady: () => console.log('ready'),
  onExecutorExit: () => undefined,
})
