import { z } from 'zod'

/** The feature gates of `--allowed-features`. */
export const FEATURES = [
  'webhooks',
  'secrets',
  'notifications',
  'fetch',
  'resume',
  'schedules',
  'gates',
] as const
export type Feature = (typeof FEATURES)[number]

/** The drivers that this version can run. */
export const DRIVERS = ['docker', 'native'] as const
export type DriverName = (typeof DRIVERS)[number]

/** This server, as a provider knows it. */
const clientSchema = z.object({ clientId: z.string(), clientSecret: z.string() })

/**
 * The whole configuration of every tier: plain JSON, so that the supervisor can hand it to its
 * children over a pipe (never by environment, which any process of the same user can read).
 * Units end the names. `loadConfig` makes it from flags and environment; children parse it again.
 */
export const configSchema = z.object({
  http: z.object({
    host: z.string(),
    /** 0 picks a free port. */
    port: z.number().int().min(0).max(65535),
    /** Peers whose X-Forwarded-For is believed. */
    trustedProxies: z.array(z.string()),
  }),
  /** Who may use the server; everybody when there is nothing. Executors are told nothing of it. */
  auth: z.object({
    basic: z.object({ user: z.string(), password: z.string() }).optional(),
    /** Never together with `basic`; it has at least one provider. URLs end without a slash. */
    oauth: z
      .object({
        github: clientSchema.extend({ url: z.string() }).optional(),
        gitlab: clientSchema.extend({ url: z.string() }).optional(),
        microsoft: clientSchema.extend({ tenant: z.string(), authority: z.string() }).optional(),
        sessionSecret: z.string(),
        /** The server's own address. */
        callbackUrl: z.string(),
        /** Cookies over TLS alone. */
        isSecure: z.boolean(),
      })
      .optional(),
    /** An expression that admits people to the server; empty: all who sign in. */
    serverRule: z.string(),
    /** One that says who reads the whole audit log. */
    auditRule: z.string(),
    auditRetentionMs: z.number().int(),
  }),
  log: z.object({
    level: z.enum(['debug', 'info', 'warn', 'error']),
    format: z.enum(['text', 'json']),
    addSource: z.boolean(),
  }),
  storage: z.object({
    /** Absolute path of the main database; log chunks live beside it in `<path>-logs`. */
    path: z.string(),
  }),
  queue: z.object({
    maxInFlight: z.number().int().min(1),
    /** Runs waiting for a slot; 0 disables waiting. */
    maxQueueSize: z.number().int().min(0),
    leaseTtlMs: z.number().int().min(100),
    /** Executor processes under `pocketci server`. */
    executors: z.number().int().min(1),
    /** What the executors have, for pipelines that require it. */
    labels: z.array(z.string()),
  }),
  drivers: z.object({
    /** The driver of pipelines that name none. Empty until one is chosen: see chooseDriver. */
    default: z.enum(['', ...DRIVERS]),
    /** Nobody asked for `native`: it was chosen since no Docker engine answered at the start. */
    isFallback: z.boolean(),
    /** `['*']` allows all of DRIVERS. */
    allowed: z.array(z.string()),
    /** The user that native steps run as when the executor is root; ignored otherwise. */
    nativeUser: z.string(),
    /** Absolute path of the folder that holds the workspaces and volumes of native runs. */
    nativeRoot: z.string(),
    docker: z.object({
      /** `unix:///path`, `tcp://host:port`, `http(s)://host:port` or `ssh://user@host`. */
      host: z.string(),
      /** Folder with ca.pem, cert.pem and key.pem: tcp:// is spoken with TLS. */
      certPath: z.string().optional(),
      allowsPrivileged: z.boolean(),
    }),
  }),
  /** See db/kept-volumes.ts. */
  volumes: z.object({
    /** How long those of a run that has ended stay; 0: not at all. */
    keepMs: z.number().int().min(0),
    /** Of how many runs. */
    maxRuns: z.number().int().min(1),
  }),
  features: z.array(z.enum(FEATURES)),
  webhooks: z.object({
    /** How long a caller waits for `http.respond()`. */
    timeoutMs: z.number().int(),
    /** Deliveries that wait for room in the queue. */
    maxDeferred: z.number().int().min(0),
    /** How far a signed time may be from ours. */
    toleranceMs: z.number().int(),
    /** How long a key is known that something was sent with. */
    dedupTtlMs: z.number().int(),
    /** How long deliveries stay on record. */
    retentionMs: z.number().int(),
    /** Pipelines without a webhook secret take webhooks from anybody. */
    allowsUnsigned: z.boolean(),
  }),
  secrets: z.object({
    path: z.string(),
    /** Unset: a random key file beside the database. */
    passphrase: z.string().optional(),
    global: z.array(z.object({ key: z.string(), value: z.string() })),
  }),
  sandbox: z.object({
    memoryBytes: z.number().int(),
    /** Longest synchronous slice of guest code. */
    sliceMs: z.number().int(),
    /** Guest CPU time of a whole run. */
    cpuMs: z.number().int(),
    /** Largest value that crosses between guest and host, as JSON. */
    messageBytes: z.number().int(),
  }),
  limits: z.object({
    /** Output kept of one step. */
    logBytes: z.number().int(),
    /** Request body of every route without a limit of its own. */
    bodyBytes: z.number().int(),
    /** A working directory, decompressed. */
    workdirBytes: z.number().int(),
    /** How long its upload may take. */
    uploadTimeoutMs: z.number().int(),
  }),
  /** How long a graceful stop waits for runs and requests. */
  drainTimeoutMs: z.number().int(),
})

export type Config = z.infer<typeof configSchema>
