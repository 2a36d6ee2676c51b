import { createLogger } from '../shared/logger.js'
import { connectToSupervisor } from '../shared/supervisor/child.js'
import { runExecutor } from './start-executor.js'

/** The entry of an executor process; its configuration comes over the channel to its supervisor. */
using link = await connectToSupervisor()
const { config, secretKey, executor } = link.start
const logger = createLogger(config.log, 'executor')
try {
  if (!executor) throw new Error('an executor was started without its capacity')
  await runExecutor({
    config,
    capacity: executor.capacity,
    masterKey: Buffer.from(secretKey, 'base64'),
    logger,
    stopping: link.stopping,
    runsAtStop: executor.runsAtStop,
    onReady: (executorId) => link.ready({ executorId }),
  })
} catch (error) {
  logger.fatal({ err: error }, 'the executor ends')
  await link.fatal(error)
  process.exitCode = 1
}
