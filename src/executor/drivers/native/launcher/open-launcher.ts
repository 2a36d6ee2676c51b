import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { ProcessSpec } from '../start-process.js'
import { launchEndSchema, type Launch, type LaunchEnd } from './messages.js'

/**
 * Starts processes by way of a small one: forking copies the page tables of whoever forks, and an
 * executor with its threads takes three times as long as the launcher. The launcher is started when
 * it is first needed and again when it has died.
 */
export interface Launcher extends Disposable {
  /** For createLauncherClient, in any thread. Closing it abandons no process. */
  connect(): MessagePort
  /** Starts the launcher ahead of its first use. */
  warm(): void
}

type OnEnd = (error?: string) => void

export function openLauncher(): Launcher {
  let child: ChildProcess | undefined
  let count = 0
  const waiting = new Map<number, OnEnd>()

  const settle = ({ id, error }: LaunchEnd): void => {
    const onEnd = waiting.get(id)
    waiting.delete(id)
    onEnd?.(error)
  }
  const running = (): ChildProcess => {
    if (child) return child
    const started = startChild()
    child = started
    started.on('message', (message) => settle(launchEndSchema.parse(message)))
    const lose = (): void => {
      if (child !== started) return
      child = undefined
      for (const id of waiting.keys()) settle({ id, error: 'the process that starts steps died' })
    }
    started.once('error', lose).once('exit', lose)
    return started
  }
  const launch = (spec: ProcessSpec, onEnd: OnEnd): void => {
    const id = ++count
    waiting.set(id, onEnd)
    // a failure to send comes with the child's exit
    running().send({ id, spec } satisfies Launch, () => undefined)
  }

  return {
    connect() {
      const { port1, port2 } = new MessageChannel()
      port1.on('message', ({ id, spec }: Launch) =>
        launch(spec, (error) => port1.postMessage({ id, ...(error !== undefined && { error }) })),
      )
      return port2
    },
    warm: () => void running(),
    [Symbol.dispose]() {
      const ending = child
      child = undefined
      if (ending?.connected) ending.disconnect()
    },
  }
}

function startChild(): ChildProcess {
  const child = fork(fileURLToPath(new URL('./launcher-main.js', import.meta.url)), [], {
    env: {},
    execArgv: ['--enable-source-maps', '--max-semi-space-size=1', '--max-old-space-size=64'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  // it ends with the channel; nothing waits for it
  child.unref()
  child.channel?.unref()
  return child
}
