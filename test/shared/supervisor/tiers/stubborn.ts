import { connectToSupervisor } from '../../../../src/shared/supervisor/child.js'
import { note } from './note.js'

/** A tier that hears nothing. */
using link = await connectToSupervisor()
note(link.start, 'start')
link.ready({ executorId: 'stubborn' })
await new Promise(() => setInterval(() => undefined, 60_000))
