import { createLogger } from '../shared/logger.js'
import { connectToSupervisor } from '../shared/supervisor/child.js'
import { runApi } from './start-api.js'

/** The entry of the api process; its configuration comes over the channel to its supervisor. */
using link = await connectToSupervisor()
const { config, secretKey } = link.start
const logger = createLogger(config.log, 'api')
try {
  await runApi({
    config,
    secretKey: Buffer.from(secretKey, 'base64'),
    logger,
    stopping: link.stopping,
    closing: link.closing,
    onReady: (url) => link.ready({ url }),
  })
} catch (error) {
  logger.fatal({ err: error }, 'the api ends')
  await link.fatal(error)
  process.exitCode = 1
}
