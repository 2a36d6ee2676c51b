import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { loadAssets } from '../../src/api/assets.js'
import type { ApiDeps } from '../../src/api/context.js'
import { listen } from '../../src/api/listen.js'
import type { RouteTable } from '../../src/api/route-table.js'
import { createApi } from '../../src/api/server.js'
import type { ApiWrites } from '../../src/api/writes.js'
import type { GivenFlags } from '../../src/shared/config/flag.js'
import { loadConfig } from '../../src/shared/config/load-config.js'
import { watchDatabases } from '../../src/shared/db/change-signal.js'
import { createExecutors } from '../../src/shared/db/executors.js'
import { createLogChunks } from '../../src/shared/db/log-chunks.js'
import { migrateStorage } from '../../src/shared/db/migrate.js'
import { logsPathOf, openDatabase, type Db } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { createTasks } from '../../src/shared/db/tasks.js'
import { openWriter } from '../../src/shared/db/writer/open-writer.js'
import type { WriterClient } from '../../src/shared/db/writer/writer-client.js'
import { compilePipeline, stopCompiler } from '../../src/shared/pipeline/compile.js'
import { tempDir } from './temp-dir.js'
import { CLAIMER } from './storage.js'

/** The real app on real databases and a real port, in this process. */
export interface TestApi {
  url: string
  table: RouteTable
  app: ReturnType<typeof createApi>['app']
  /** Connections of the test's own, as an executor would have. */
  db: Db
  runs: ReturnType<typeof createRuns>
  tasks: ReturnType<typeof createTasks>
  logs: ReturnType<typeof createLogChunks>
  secretKey: Buffer
  /** The api's. */
  writer: WriterClient<ApiWrites>
  /** What was logged so far, as JSON lines. */
  logLines(): string[]
  stopping: AbortController
  closing: AbortController
  fetch: (path: string, init?: RequestInit) => Promise<Response>
  /** JSON in, status and JSON (or undefined) out. */
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Answer>
  /** Stores a pipeline and answers its id. */
  set(name: string, more?: Record<string, unknown>): Promise<string>
  /** Starts a run and answers its id. */
  trigger(pipeline: string): Promise<string>
  /** Claims all queued runs for an executor of the test's. */
  claim(): string[]
  /** Appends output to a step of a run. */
  print(runId: string, step: number, bytes: string | Uint8Array, stream?: 'stdout' | 'stderr'): void
}

export interface Answer {
  status: number
  headers: Headers
  // answers have many shapes; assertions look at them
  body: Record<string, unknown>
}

export const PIPELINE = 'export const pipeline = async () => {}'

export interface TestApiOptions {
  flags?: GivenFlags
  deps?: Partial<ApiDeps>
  /** Slots of the living executor; 0: there is none. */
  capacity?: number
}

export async function startTestApi(
  t: Pick<TestContext, 'after'>,
  { flags = {}, deps = {}, capacity = 2 }: TestApiOptions = {},
): Promise<TestApi> {
  const path = join(tempDir(t), 'pocketci.db')
  migrateStorage({ storage: path, secrets: path })
  const config = loadConfig(
    {
      'storage-sqlite-path': [path],
      port: ['0'],
      'drain-timeout': ['1s'],
      driver: ['native'],
      ...flags,
    },
    {},
  )
  const stack = new AsyncDisposableStack()
  t.after(() => stack.disposeAsync())
  const open = (file: string, mode: 'read' | 'write'): Db =>
    stack.adopt(openDatabase(file, { mode }), (db) => void db.close())
  const reader = open(path, 'read')
  const logsReader = open(logsPathOf(path), 'read')
  const writer = stack.use(
    await openWriter<ApiWrites>({
      path,
      operations: new URL('../../src/api/writes.js', import.meta.url),
    }),
  )
  const changes = stack.use(watchDatabases([reader, logsReader]))
  stack.defer(stopCompiler)
  const stopping = new AbortController()
  const closing = new AbortController()
  const lines: string[] = []
  const secretKey = Buffer.alloc(32, 7)

  const { app, table } = createApi({
    config,
    reader,
    logsReader,
    writer: writer.client,
    changes,
    secretKey,
    logger: pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }),
    now: Date.now,
    compile: compilePipeline,
    assets: loadAssets(new URL('../../src/api/static/', import.meta.url)),
    stopping: stopping.signal,
    closing: closing.signal,
    ...deps,
  })
  const server = stack.use(await listen(app, config))
  stack.defer(() => closing.abort())

  const db = open(path, 'write')
  const runs = createRuns(db)
  const logs = createLogChunks(open(logsPathOf(path), 'write'))
  if (capacity > 0)
    createExecutors(db).register(
      { id: 'executor', pid: 1, host: 'test', capacity, labels: [] },
      Date.now(),
      Date.now() + 3_600_000,
    )
  const seqs = new Map<string, number>()
  const call = async (
    method: string,
    route: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(`${server.url}${route}`, {
      method,
      redirect: 'manual',
      ...(body === undefined
        ? { headers }
        : {
            body: JSON.stringify(body),
            headers: { 'content-type': 'application/json', ...headers },
          }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : { text }) as Record<string, unknown>,
    }
  }

  return {
    url: server.url,
    table,
    app,
    db,
    runs,
    tasks: createTasks(db),
    logs,
    secretKey,
    writer: writer.client,
    logLines: () => lines,
    stopping,
    closing,
    fetch: (route, init) => fetch(`${server.url}${route}`, init),
    call,
    async set(name, more = {}) {
      const { status, body } = await call('PUT', `/api/pipelines/${encodeURIComponent(name)}`, {
        content: PIPELINE,
        content_type: 'ts',
        ...more,
      })
      if (status !== 200) throw new Error(`set ${name}: ${status} ${JSON.stringify(body)}`)
      return String(body['id'])
    },
    async trigger(pipeline) {
      const { status, body } = await call('POST', `/api/pipelines/${pipeline}/trigger`)
      if (status !== 202) throw new Error(`trigger: ${status} ${JSON.stringify(body)}`)
      return String(body['run_id'])
    },
    claim: () =>
      runs
        .claim({
          executorId: 'executor',
          limit: 1_000,
          now: Date.now(),
          leaseTtlMs: 3_600_000,
          ...CLAIMER,
        })
        .map(({ id }) => id),
    print(runId, step, bytes, stream = 'stdout') {
      const key = `${runId} ${step}`
      const seq = (seqs.get(key) ?? 0) + 1
      seqs.set(key, seq)
      logs.insert({ runId, step, seq, stream, at: Date.now(), bytes: Buffer.from(bytes) })
    },
  }
}

/** The `data:` lines of an event stream, parsed, with what else an event had; comments as strings. */
export async function* readEvents(
  response: Response,
): AsyncGenerator<{ data: Record<string, unknown>; id?: string; event?: string } | string> {
  let rest = ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const part of response.body ?? []) {
    const blocks = (rest + decoder.decode(part, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) yield parseBlock(block)
  }
  if (rest !== '') throw new Error(`the stream ends inside an event: ${rest}`)
}

function parseBlock(block: string):
  | {
      data: Record<string, unknown>
      id?: string
      event?: string
    }
  | string {
  if (block.startsWith(': ')) return block
  const fields = new Map(block.split('\n').map((line) => splitField(line)))
  const id = fields.get('id')
  const event = fields.get('event')
  return {
    data: JSON.parse(fields.get('data') ?? '') as Record<string, unknown>,
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
  }
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(': ')
  return [line.slice(0, at), line.slice(at + 2)]
}
