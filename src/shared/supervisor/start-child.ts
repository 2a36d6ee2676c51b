import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  reportSchema,
  type Order,
  type ReadyInfo,
  type StartMessage,
} from '../contract/supervision.js'
import type { Environment } from '../config/flag.js'
import { fromErrorData } from '../errors.js'

/** A tier as a process. */
export interface Child {
  readonly pid: number | undefined
  /** Settles once: with what the tier says when it serves, or with undefined when it ended before. */
  readonly ready: Promise<ReadyInfo | undefined>
  readonly exited: Promise<ChildExit>
  order(type: Order['type']): void
  kill(signal: NodeJS.Signals): void
}

export interface ChildExit {
  code: number | null
  signal: NodeJS.Signals | null
  /** Set when the tier said that it cannot start. */
  fatal?: Error
}

export interface ChildOptions {
  /** The tier's entry file: started by its path, never imported. */
  entry: URL
  start: StartMessage
  /** What the child may see of the environment is picked from this. */
  env: Environment
}

/** Everything else would be readable in /proc by processes of the same user. */
const PASSED_ON = [
  ...['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_EXTRA_CA_CERTS'],
  'POCKETCI_FAULT', // of tests: see faults.ts
]

/** Forks a tier and hands it its configuration over the IPC channel. */
export function startChild({ entry, start, env }: ChildOptions): Child {
  const child = fork(fileURLToPath(entry), [], {
    env: Object.fromEntries(PASSED_ON.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
    // a small nursery: buffers that passed through are given back soon, so that memory stays flat
    execArgv: ['--enable-source-maps', '--max-semi-space-size=4', '--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ready = Promise.withResolvers<ReadyInfo | undefined>()
  const exited = Promise.withResolvers<ChildExit>()
  let fatal: Error | undefined

  const end = (exit: ChildExit): void => {
    ready.resolve(undefined)
    exited.resolve(fatal ? { ...exit, fatal } : exit)
  }
  child.on('message', (message) => {
    const { data: report } = reportSchema.safeParse(message)
    switch (report?.type) {
      case 'ready':
        return ready.resolve(report)
      case 'fatal':
        fatal = fromErrorData(report.error)
        break
      case undefined: // not ours
    }
  })
  child.on('exit', (code, signal) => end({ code, signal }))
  child.on('error', (error) => {
    // it was not started at all; a failed kill or send of a running one comes with its exit
    if (child.pid === undefined) {
      fatal = error
      end({ code: null, signal: null })
    }
  })
  child.send(start, () => undefined)

  return {
    pid: child.pid,
    ready: ready.promise,
    exited: exited.promise,
    order: (type) => {
      // one that is already gone needs no word
      if (child.connected) child.send({ type }, () => undefined)
    },
    kill: (signal) => void child.kill(signal),
  }
}
