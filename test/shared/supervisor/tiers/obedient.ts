import { connectToSupervisor } from '../../../../src/shared/supervisor/child.js'
import { note } from './note.js'

/** A tier that does what it is told and notes what that was. */
using link = await connectToSupervisor()
const { start, stopping, closing } = link
note(start, `start ${start.executor?.capacity ?? 0}`)
note(start, `environment ${Object.keys(process.env).toSorted().join(',')}`)
link.ready(
  start.executor ? { executorId: `e${start.executor.index}-${process.pid}` } : { url: 'u' },
)

const alive = setInterval(() => undefined, 60_000)
await aborted(stopping)
note(start, `stopping(${String(stopping.reason)})`)
// an executor has nothing to close; an api stays until it is told
if (!start.executor) await aborted(closing)
note(start, 'end')
clearInterval(alive)

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
