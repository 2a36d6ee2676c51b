import { once } from 'node:events'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import type { Operations, WriterData } from './protocol.js'
import { createWriterClient, type WriterClient } from './writer-client.js'

/** A writer thread with its first client. Await your writes before you dispose it: the rest is rejected. */
export interface Writer<Ops extends Operations> extends AsyncDisposable {
  readonly client: WriterClient<Ops>
  /** A port for createWriterClient in another thread; hand it over with its transfer list. */
  connect(): MessagePort
  /** Rejects when the thread dies: then no write can succeed and the process has to end. */
  readonly failed: Promise<never>
}

export interface WriterOptions {
  path: string
  /** See OpenOptions. */
  attach?: string
  /** How long writes wait for a database that is locked or out of space; 0 (default): they fail. */
  patienceMs?: number
  /** File URL of an OperationsModule. */
  operations: URL
}

/** Starts a thread that owns this process's writes to a migrated database. */
export async function openWriter<Ops extends Operations>(
  options: WriterOptions,
): Promise<Writer<Ops>> {
  const data: WriterData = { ...options, operations: options.operations.href }
  const worker = new Worker(new URL('./writer-thread.js', import.meta.url), { workerData: data })
  await once(worker, 'message') // 'ready', or it rejects with what opening the database threw

  let isClosing = false
  const failed = new Promise<never>((_, reject) => {
    worker.on('error', reject)
    worker.on('exit', (code) => {
      if (!isClosing) reject(new Error(`the database writer ended with code ${code}`))
    })
  })
  failed.catch(() => undefined) // whoever does not wait for it must not crash by it
  worker.unref()

  const connect = (): MessagePort => {
    const { port1, port2 } = new MessageChannel()
    worker.postMessage({ connect: port1 }, [port1])
    return port2
  }
  const client = createWriterClient<Ops>(connect())

  return {
    client,
    connect,
    failed,
    async [Symbol.asyncDispose]() {
      if (isClosing) return
      isClosing = true
      client[Symbol.dispose]()
      await worker.terminate()
    },
  }
}
