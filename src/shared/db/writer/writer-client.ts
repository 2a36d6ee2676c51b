import { receiveMessageOnPort, type MessagePort, type Transferable } from 'node:worker_threads'
import { AppError, fromErrorData } from '../../errors.js'
import type { Operations, WriteReply, WriteRequest } from './protocol.js'

export interface WriteOptions {
  /** False lets the commit be lost by a power cut; true (the default) syncs it first. */
  isDurable?: boolean
  transfer?: readonly Transferable[]
}

/** One user's connection to a writer thread. Requests of one client are performed in call order. */
export interface WriterClient<Ops extends Operations> extends Disposable {
  /** Resolves when the change is committed; rejects with what the operation threw, and then it is not. */
  write<Name extends keyof Ops & string>(
    operation: Name,
    input: Parameters<Ops[Name]>[0],
    options?: WriteOptions,
  ): Promise<ReturnType<Ops[Name]>>

  /** The same, while the calling thread sleeps: for synchronous host functions of the sandbox. */
  writeSync<Name extends keyof Ops & string>(
    operation: Name,
    input: Parameters<Ops[Name]>[0],
  ): ReturnType<Ops[Name]>
}

/** Longest sleep of writeSync: far above the busy time-out of a database. */
const SYNC_TIMEOUT_MS = 60_000

export function createWriterClient<Ops extends Operations>(port: MessagePort): WriterClient<Ops> {
  const waiting = new Map<number, (reply: WriteReply) => void>()
  let nextId = 1
  // what one turn of the event loop asks for crosses to the writer as one message
  let outbox: WriteRequest[] = []
  let transfers: Transferable[] = []

  const settle = (reply: WriteReply): void => {
    const resolve = waiting.get(reply.id)
    waiting.delete(reply.id)
    if (waiting.size === 0) port.unref()
    resolve?.(reply)
  }
  const flush = (): void => {
    if (outbox.length === 0) return
    port.postMessage(outbox, transfers)
    outbox = []
    transfers = []
  }
  port.on('message', (replies: WriteReply[]) => replies.forEach(settle))
  port.on('close', () => {
    for (const id of waiting.keys()) settle({ id, ok: false, error: CLOSED })
  })
  port.unref()

  return {
    async write(operation, input, { isDurable = true, transfer = [] } = {}) {
      const request: WriteRequest = { id: nextId++, operation, input, isDurable }
      const reply = await new Promise<WriteReply>((resolve) => {
        waiting.set(request.id, resolve)
        port.ref()
        if (outbox.length === 0) setImmediate(flush)
        outbox.push(request)
        transfers.push(...transfer)
      })
      return valueOf(reply) as ReturnType<Ops[typeof operation]>
    },

    writeSync(operation, input) {
      const wake = new SharedArrayBuffer(4)
      const request: WriteRequest = { id: nextId++, operation, input, isDurable: true, wake }
      outbox.push(request)
      flush()
      if (Atomics.wait(new Int32Array(wake), 0, 0, SYNC_TIMEOUT_MS) === 'timed-out')
        throw new AppError('storage_busy', 'the database did not answer in time')
      for (;;) {
        const received: { message: WriteReply[] } | undefined = receiveMessageOnPort(port)
        if (!received) throw new Error('a writer woke its client without an answer')
        const own = received.message.find(({ id }) => id === request.id)
        for (const reply of received.message) if (reply !== own) settle(reply)
        if (own) return valueOf(own) as ReturnType<Ops[typeof operation]>
      }
    },

    [Symbol.dispose]: () => port.close(),
  }
}

const CLOSED = { code: 'aborted', message: 'the database writer was closed' } as const

/** The writer answers each operation with its own result, so the callers may name its type. */
function valueOf(reply: WriteReply): unknown {
  if (!reply.ok) throw fromErrorData(reply.error)
  return reply.value
}
