import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { findAuthConflicts, toAuthConfig } from './auth-config.js'
import { configSchema, type Config } from './config.js'
import type { Environment, GivenFlags, ValuesOf } from './flag.js'
import { flagsError, inspectFlags } from './read-flags.js'
import { SERVER_FLAGS } from './server-flags.js'

type Values = ValuesOf<typeof SERVER_FLAGS>

/** What --max-in-flight means when it is 0 or less. */
const DEFAULT_MAX_IN_FLIGHT = 10
/** What --webhook-timeout means when it is 0. */
const DEFAULT_WEBHOOK_TIMEOUT_MS = 5_000
const DEFAULT_MAX_DEFERRED = 1_000
const MB = 1024 * 1024

/**
 * The configuration of `server`, `api` and `executor`, frozen through and through. Throws one
 * `config_invalid` that lists all that is wrong, each with its flag; no secret's value is in it.
 */
export function loadConfig(given: GivenFlags, env: Environment): Config {
  const { values, faults, isUsageError } = inspectFlags(SERVER_FLAGS, given, env)
  const all = [...faults, ...findConflicts(values)]
  if (all.length > 0) throw flagsError({ faults: all, isUsageError })
  // no fault: every flag of the table has its value
  return freeze(configSchema.parse(toConfig(values as Values)))
}

/** Faults between flags that are each good by themselves. */
function findConflicts(values: Partial<Values>): string[] {
  const faults = findAuthConflicts(values)
  const allowed = values['allowed-drivers']
  const { driver } = values
  if (driver && allowed && !allowed.includes('*') && !allowed.includes(driver))
    faults.push(`--driver: ${driver} is not in --allowed-drivers (${allowed.join(', ')})`)
  const slots = maxInFlight(values['max-in-flight'])
  const executors = values.executors
  if (executors !== undefined && slots !== undefined && executors > slots)
    faults.push(
      `--executors: ${executors} executors cannot share ${slots} slots (--max-in-flight); each needs at least one`,
    )
  return faults
}

function toConfig(values: Values): Config {
  const storagePath = values['storage-sqlite-path']
  const passphrase = values['secrets-sqlite-passphrase']
  const certPath = values['docker-cert-path']
  return {
    http: {
      host: values.host,
      port: values.port,
      trustedProxies: values['trusted-proxies'] ?? [],
    },
    auth: toAuthConfig(values),
    log: {
      level: values['log-level'],
      format: values['log-format'],
      addSource: values['add-source'],
    },
    storage: { path: storagePath },
    queue: {
      maxInFlight: maxInFlight(values['max-in-flight']) ?? DEFAULT_MAX_IN_FLIGHT,
      maxQueueSize: values['max-queue-size'],
      leaseTtlMs: values['lease-ttl'],
      executors: values.executors,
      labels: values.labels ?? [],
    },
    drivers: {
      default: values.driver ?? '',
      isFallback: false,
      allowed: values['allowed-drivers'],
      nativeUser: values['native-user'],
      nativeRoot: resolve(values['native-root'] ?? defaultNativeRoot(storagePath)),
      docker: {
        host: values['docker-host'],
        ...(certPath === undefined ? {} : { certPath: resolve(certPath) }),
        allowsPrivileged: values['allow-privileged'],
      },
    },
    volumes: { keepMs: values['keep-volumes'], maxRuns: values['keep-volumes-runs'] },
    features: values['allowed-features'],
    webhooks: {
      timeoutMs: values['webhook-timeout'] || DEFAULT_WEBHOOK_TIMEOUT_MS,
      maxDeferred:
        values['max-deferred-webhooks'] ??
        (values['max-queue-size'] === 0 ? 0 : DEFAULT_MAX_DEFERRED),
      toleranceMs: values['webhook-tolerance'],
      dedupTtlMs: values['dedup-ttl'],
      retentionMs: values['webhook-retention'],
      allowsUnsigned: values['allow-unsigned-webhooks'],
    },
    secrets: {
      path: values['secrets-sqlite-path'] ?? storagePath,
      ...(passphrase === undefined ? {} : { passphrase }),
      global: values.secret ?? [],
    },
    sandbox: {
      memoryBytes: values['sandbox-memory-mb'] * MB,
      sliceMs: values['sandbox-slice-timeout'],
      cpuMs: values['sandbox-cpu-timeout'],
      messageBytes: values['sandbox-message-mb'] * MB,
    },
    limits: {
      logBytes: values['max-log-mb'] * MB,
      bodyBytes: values['max-body-mb'] * MB,
      workdirBytes: values['max-workdir-mb'] * MB,
      uploadTimeoutMs: values['upload-timeout'],
    },
    drainTimeoutMs: values['drain-timeout'],
  }
}

function maxInFlight(given: number | undefined): number | undefined {
  return given !== undefined && given <= 0 ? DEFAULT_MAX_IN_FLIGHT : given
}

/** One folder for each database, and the same again after a restart: runs are found there. */
function defaultNativeRoot(storagePath: string): string {
  const hash = createHash('sha256').update(storagePath).digest('hex').slice(0, 8)
  return join(existsSync('/var/tmp') ? '/var/tmp' : tmpdir(), `pocketci-${hash}`)
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) freeze(member)
    Object.freeze(value)
  }
  return value
}
