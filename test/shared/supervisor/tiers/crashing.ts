import { connectToSupervisor } from '../../../../src/shared/supervisor/child.js'
import { note } from './note.js'

/** A tier with a bug: it ends before it serves and says nothing. */
using link = await connectToSupervisor()
note(link.start, 'start')
process.exitCode = 3
