import type { MessagePort } from 'node:worker_threads'
import type { StartProcess } from '../start-process.js'
import type { Launch, LaunchEnd } from './messages.js'

/** A thread's way to the launcher. Closes the port when it is disposed. */
export function createLauncherClient(
  port: MessagePort,
): Disposable & { startProcess: StartProcess } {
  const waiting = new Map<number, (error?: Error) => void>()
  let count = 0
  port.on('message', ({ id, error }: LaunchEnd) => {
    const onEnd = waiting.get(id)
    waiting.delete(id)
    onEnd?.(error === undefined ? undefined : new Error(error))
  })
  return {
    startProcess(spec, onEnd) {
      const id = ++count
      waiting.set(id, onEnd)
      port.postMessage({ id, spec } satisfies Launch)
    },
    [Symbol.dispose]: () => port.close(),
  }
}
