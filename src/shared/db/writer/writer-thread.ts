import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { hasCode, toErrorData } from '../../errors.js'
import { BUSY_TIMEOUT_MS, openDatabase, storageError, type Db } from '../open.js'
import type {
  ConnectMessage,
  Notes,
  OperationsModule,
  WriteReply,
  WriteRequest,
  WriterData,
} from './protocol.js'

/**
 * The thread that owns a process's writes to one database. It commits in groups: all requests that
 * wait when the lock is taken share one transaction, each in its own savepoint, so one sync of the
 * disk serves many callers and a failing request undoes only itself.
 */

/** Requests in one transaction, about: bounds how long it holds the lock. */
const MAX_GROUP = 256

interface Job {
  port: MessagePort
  request: WriteRequest
}

// a thread entry: parentPort is there, and workerData was made by openWriter
const owner = parentPort as MessagePort
const { path, attach, patienceMs = 0, operations: modulePath } = workerData as WriterData

const operationsModule = (await import(modulePath)) as OperationsModule
const db = openDatabase(path, { mode: 'write', ...(attach === undefined ? {} : { attach }) })
// SQLite's own wait for a lock doubles its pauses up to 100 ms: whoever has waited long is the last to
// look, and under many writers some wait for a second. Ours looks at an even pace: see commitPatiently
db.pragma('busy_timeout = 0')
const operations = operationsModule.createOperations(db)
const ports: MessagePort[] = []
const notes: Notes = new Map()
/** Changes with each commit of another connection, and with none of this one. */
const dataVersion = db.prepare<[], number>('pragma data_version').pluck()
let notesVersion: number | undefined

owner.on('message', ({ connect }: ConnectMessage) => serve(connect))
owner.on('close', () => db.close())
owner.postMessage('ready')

function serve(port: MessagePort): void {
  ports.push(port)
  port.on('message', (requests: WriteRequest[]) => commitAll(toJobs(port, requests)))
  port.on('close', () => ports.splice(ports.indexOf(port), 1))
}

/** Commits the first requests together with all that wait behind them. */
function commitAll(jobs: Job[]): void {
  for (const port of ports) takeWaiting(port, jobs)
  const answers = commitPatiently(jobs)
  for (const [port, own] of Map.groupBy(answers, (one) => one.port)) {
    port.postMessage(own.map(({ reply }) => reply))
    for (const { wake } of own) if (wake) wakeSleeper(wake)
  }
}

function toJobs(port: MessagePort, requests: readonly WriteRequest[]): Job[] {
  return requests.map((request) => ({ port, request }))
}

function takeWaiting(port: MessagePort, jobs: Job[]): void {
  while (jobs.length < MAX_GROUP) {
    const received: { message: WriteRequest[] } | undefined = receiveMessageOnPort(port)
    if (!received) return
    jobs.push(...toJobs(port, received.message))
  }
}

interface Answer {
  port: MessagePort
  reply: WriteReply
  wake: SharedArrayBuffer | undefined
}

/** A lock and a full disk pass: whoever has patience waits, and nothing overtakes it. */
function commitPatiently(jobs: readonly Job[]): Answer[] {
  const start = performance.now()
  for (;;) {
    try {
      return commitGroup(db, jobs)
    } catch (error) {
      const failure = storageError(path, error)
      const isLocked = hasCode(failure, 'storage_busy')
      const isPassing = isLocked || hasCode(failure, 'storage_full')
      const waitedMs = performance.now() - start
      const patience = isLocked ? Math.max(patienceMs, BUSY_TIMEOUT_MS) : patienceMs
      if (!isPassing || waitedMs > patience) return jobs.map((job) => refuse(job, failure))
      const pauseMs = isLocked && waitedMs < BUSY_TIMEOUT_MS ? LOCK_POLL_MS : RETRY_MS
      sleep(pauseMs * (0.5 + Math.random()))
    }
  }
}

function commitGroup(db: Db, jobs: readonly Job[]): Answer[] {
  const isDurable = jobs.some(({ request }) => request.isDurable)
  db.pragma(`synchronous = ${isDurable ? 'FULL' : 'NORMAL'}`)
  const commit = db.transaction(() => {
    forgetOutdated()
    return jobs.map((job) => answer(job, perform(job.request)))
  })
  try {
    return commit.immediate()
  } catch (error) {
    notes.clear()
    throw error
  }
}

/** Once the lock is held nobody else can write: what nobody has changed until then stays true. */
function forgetOutdated(): void {
  const version = dataVersion.get()
  if (version !== notesVersion) notes.clear()
  notesVersion = version
}

function answer({ port, request }: Job, reply: WriteReply): Answer {
  return { port, reply, wake: request.wake }
}

function refuse(job: Job, failure: unknown): Answer {
  return answer(job, { id: job.request.id, ok: false, error: toErrorData(failure) })
}

function perform({ id, operation, input }: WriteRequest): WriteReply {
  try {
    const run = operations[operation]
    if (!run) throw new Error(`the writer has no operation ${operation}`)
    // the client's types tie the input to the operation
    return { id, ok: true, value: db.transaction(() => run(input as never, notes))() }
  } catch (error) {
    notes.clear()
    // a full disk ends the whole transaction: then nobody's change is there
    if (!db.inTransaction) throw error
    return { id, ok: false, error: toErrorData(storageError(path, error)) }
  }
}

/** Pauses between tries, with jitter around them: for a lock of another writer, and for one that stays or a full disk. */
const LOCK_POLL_MS = 1
const RETRY_MS = 200

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function wakeSleeper(wake: SharedArrayBuffer): void {
  const flag = new Int32Array(wake)
  Atomics.store(flag, 0, 1)
  Atomics.notify(flag, 0)
}
