import { createAccessRules } from '../shared/db/access-rules.js'
import { createExecutors } from '../shared/db/executors.js'
import type { ChangeSignal } from '../shared/db/change-signal.js'
import { createLogChunks } from '../shared/db/log-chunks.js'
import { createGates } from '../shared/db/gates.js'
import { createKeptVolumes } from '../shared/db/kept-volumes.js'
import type { Db } from '../shared/db/open.js'
import { createPipelines, type PipelineRef } from '../shared/db/pipelines.js'
import { createPipelineWebhooks } from '../shared/db/pipeline-webhooks.js'
import { createWebhookDeliveries } from '../shared/db/webhook-deliveries.js'
import { createPipelineInputs } from '../shared/db/pipeline-inputs.js'
import { createRunSearch } from '../shared/db/run-search.js'
import { createRuns, type Run } from '../shared/db/runs.js'
import { createSchedules } from '../shared/db/schedules.js'
import { createSecrets } from '../shared/db/secrets.js'
import { createShareLinks } from '../shared/db/share-links.js'
import { createTasks } from '../shared/db/tasks.js'
import { createWaitReasons } from '../shared/db/wait-reasons.js'
import type { WriterClient } from '../shared/db/writer/writer-client.js'
import type { Config } from '../shared/config/config.js'
import { AppError } from '../shared/errors.js'
import type { Logger } from '../shared/logger.js'
import type { CompiledPipeline } from '../shared/pipeline/program.js'
import { openSpool } from '../shared/uploads/spool.js'
import type { Assets } from './assets.js'
import type { Authorize } from '../shared/authorize.js'
import { createSite } from './pages/site.js'
import { createAuditLog } from '../shared/db/audit-log.js'
import { createAudit } from './auth/audit.js'
import { createPolicy } from './auth/policy.js'
import { createSignIn } from './auth/sign-in.js'
import { createTokens } from '../shared/db/tokens.js'
import { createDeviceLogins } from '../shared/db/device-logins.js'
import { createTokenReader } from './auth/tokens.js'
import { createUsers } from '../shared/db/users.js'
import type { ApiWrites } from './writes.js'

/** What the api is made of; all of it stays the caller's to close. */
export interface ApiDeps {
  config: Config
  /** Read-only, of the main database with the secrets attached. */
  reader: Db
  /** Read-only, of the log database. */
  logsReader: Db
  writer: WriterClient<ApiWrites>
  /** Of both databases. */
  changes: ChangeSignal
  secretKey: Buffer
  logger: Logger
  now: () => number
  compile: (source: string, options: { contentType: 'ts' | 'js' }) => Promise<CompiledPipeline>
  assets: Assets
  /** Aborts: take on no new runs. */
  stopping: AbortSignal
  /** Aborts: end all streams. */
  closing: AbortSignal
  /** In place of the policy. */
  authorize?: Authorize
  timings?: Partial<Timings>
}

export interface Timings {
  /** Pause between the comments that keep an event stream open. */
  heartbeatMs: number
  /** How long a deletion waits for runs that stop. */
  deletionMs: number
  /** How long nothing may come of an upload. */
  uploadPauseMs: number
}

const TIMINGS: Timings = { heartbeatMs: 10_000, deletionMs: 15_000, uploadPauseMs: 30_000 }

/** What handlers work with. Handlers read through the tables and write through `writer` alone. */
export type ApiContext = ReturnType<typeof createContext>

export function createContext(deps: ApiDeps) {
  const { reader, logsReader } = deps
  const users = createUsers(reader)
  const accessRules = createAccessRules(reader)
  const policy = createPolicy({ ...deps.config.auth, rules: accessRules })
  const tokens = createTokens(reader)
  const signIn = createSignIn({ ...deps, users })
  return {
    ...deps,
    site: createSite(deps.assets, deps.config),
    timings: { ...TIMINGS, ...deps.timings },
    pipelines: createPipelines(reader),
    runs: createRuns(reader),
    runSearch: createRunSearch(reader),
    waitReasons: createWaitReasons(reader),
    keptVolumes: createKeptVolumes(reader),
    tasks: createTasks(reader),
    gates: createGates(reader),
    pipelineInputs: createPipelineInputs(reader),
    pipelineWebhooks: createPipelineWebhooks(reader),
    deliveries: createWebhookDeliveries(reader),
    schedules: createSchedules(reader),
    executors: createExecutors(reader),
    secrets: createSecrets(reader),
    shareLinks: createShareLinks(reader),
    users,
    tokens,
    auditLog: createAuditLog(reader),
    audit: createAudit({
      ...deps,
      rules: accessRules,
      retentionMs: deps.config.auth.auditRetentionMs,
    }),
    accessRules,
    policy,
    authorize: deps.authorize ?? policy.authorize,
    deviceLogins: createDeviceLogins(reader),
    signIn,
    tokenReader: createTokenReader({ ...deps, tokens, users, key: signIn?.keys.tokens }),
    logs: createLogChunks(logsReader),
    spool: openSpool(deps.config.storage.path),
  }
}

/** The pipeline of an id or a name; throws `pipeline_not_found`. */
export function getPipelineRef({ pipelines }: ApiContext, key: string): PipelineRef {
  const ref = pipelines.findRef(key)
  if (!ref) throw new AppError('pipeline_not_found', 'pipeline not found')
  return ref
}

/** Throws `run_not_found`. */
export function getRun({ runs }: ApiContext, id: string): Run {
  const run = runs.find(id)
  if (!run) throw new AppError('run_not_found', 'run not found')
  return run
}
