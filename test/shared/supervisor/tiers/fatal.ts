import { AppError } from '../../../../src/shared/errors.js'
import { connectToSupervisor } from '../../../../src/shared/supervisor/child.js'
import { note } from './note.js'

/** A tier that says why it cannot start. */
using link = await connectToSupervisor()
note(link.start, 'start')
await link.fatal(
  new AppError('port_in_use', '--port 8080 is in use by another program', {
    details: { port: 8080 },
  }),
)
process.exitCode = 1
