import { existsSync, writeFileSync } from 'node:fs'
import { connectToSupervisor } from '../../../../src/shared/supervisor/child.js'
import { note } from './note.js'

/** A tier that something kills at its first start; at its second it cannot start; then it can. */
using link = await connectToSupervisor()
const { start, stopping } = link
const marks = ['killed', 'fatal'].map((name) => `${start.config.storage.path}.${name}`)
const mark = marks.find((path) => !existsSync(path))
note(start, 'start')
if (mark) writeFileSync(mark, '')
if (mark === marks[0]) {
  link.ready({ executorId: 'first' })
  process.kill(process.pid, 'SIGKILL')
}
if (mark === marks[1]) {
  await link.fatal(new Error('not yet'))
  process.exitCode = 1
} else {
  link.ready({ executorId: 'third' })
  const alive = setInterval(() => undefined, 60_000)
  stopping.addEventListener('abort', () => {
    clearInterval(alive)
    link[Symbol.dispose]()
  })
  await new Promise((resolve) => stopping.addEventListener('abort', resolve, { once: true }))
}
