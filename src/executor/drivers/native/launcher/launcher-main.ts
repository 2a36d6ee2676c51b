import { startProcess } from '../start-process.js'
import { launchSchema, type LaunchEnd } from './messages.js'

/**
 * The entry of the launcher process: it starts what its executor asks for and tells of its end. What
 * it has started goes on without it.
 */
process.title = 'pocketci launcher'
process.on('message', (message) => {
  const { id, spec } = launchSchema.parse(message)
  startProcess(spec, (error) => {
    const end: LaunchEnd = { id, ...(error && { error: error.message }) }
    if (process.connected) process.send?.(end, () => undefined)
  })
})
process.on('disconnect', () => process.exit())
// it ends when its executor does, which may still have runs to bring to their end
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
