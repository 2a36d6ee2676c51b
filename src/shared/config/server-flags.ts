import { AUTH_FLAGS } from './auth-flags.js'
import type { FlagTable } from './flag.js'
import { GLOBAL_FLAGS } from './global-flags.js'
import {
  allowedDrivers,
  dockerHost,
  driverName,
  features,
  globalSecrets,
  storageFile,
} from './server-kinds.js'
import { boolean, duration, filledText, integer, labels, path, text } from './kinds.js'
import { LATER_FLAGS } from './later-flags.js'

/** Megabytes that still fit the sizes of a 32-bit sandbox. */
const SANDBOX_MB = integer({ min: 1, max: 2_048 })
/** An hour: what a lease or a shutdown could sensibly take, and far below the limit of timers. */
const UP_TO_AN_HOUR = duration({ min: '0', max: '1h' })

/** What `server`, `api` and `executor` understand. The same variables fit all three. */
export const SERVER_FLAGS = {
  host: {
    kind: filledText,
    env: 'CI_HOST',
    default: '127.0.0.1',
    doc: 'address to listen on; set up sign-in before others can reach it',
    group: 'Server',
  },
  port: {
    kind: integer({ min: 0, max: 65_535 }),
    env: 'CI_PORT',
    default: '8080',
    doc: 'HTTP port; 0 picks a free one',
    group: 'Server',
  },
  'max-body-mb': {
    kind: integer({ min: 1, max: 1_024 }),
    env: 'CI_MAX_BODY_MB',
    default: '10',
    doc: 'largest request body, MB',
    group: 'Server',
  },
  'max-workdir-mb': {
    kind: integer({ min: 1, max: 1_048_576 }),
    env: 'CI_MAX_WORKDIR_MB',
    default: '1024',
    doc: 'largest working directory of `pocketci pipeline run`, decompressed, MB',
    group: 'Server',
  },
  'upload-timeout': {
    kind: duration({ min: '1s', max: '24h' }),
    env: 'CI_UPLOAD_TIMEOUT',
    default: '30m',
    doc: 'how long the upload of a working directory may take',
    group: 'Server',
  },
  'drain-timeout': {
    kind: UP_TO_AN_HOUR,
    env: 'CI_DRAIN_TIMEOUT',
    default: '10s',
    doc: 'how long a stop waits for runs and requests',
    group: 'Server',
  },

  ...AUTH_FLAGS,

  driver: {
    kind: driverName,
    env: 'CI_DRIVER',
    defaultText: 'docker; native when no engine answers and --host is loopback',
    doc: 'driver of pipelines that name none',
    group: 'Drivers and features',
  },
  'allowed-drivers': {
    kind: allowedDrivers,
    env: 'CI_ALLOWED_DRIVERS',
    default: '*',
    doc: 'drivers that pipelines may use; the default driver must be one of them',
    group: 'Drivers and features',
  },
  'allowed-features': {
    kind: features,
    env: 'CI_ALLOWED_FEATURES',
    default: '*',
    doc: 'feature gates that are open; * opens all',
    group: 'Drivers and features',
  },
  'docker-host': {
    kind: dockerHost,
    env: 'CI_DOCKER_HOST',
    alsoEnv: 'DOCKER_HOST',
    default: 'unix:///var/run/docker.sock',
    doc: 'address of the Docker engine: unix://, tcp://, http(s):// or ssh://; DOCKER_HOST counts too',
    group: 'Drivers and features',
  },
  'docker-cert-path': {
    kind: path,
    env: 'CI_DOCKER_CERT_PATH',
    alsoEnv: 'DOCKER_CERT_PATH',
    doc: 'folder with ca.pem, cert.pem and key.pem, for TLS to the Docker engine; DOCKER_CERT_PATH counts too',
    group: 'Drivers and features',
  },
  'keep-volumes': {
    kind: duration({ min: '0', max: '8760h' }),
    env: 'CI_KEEP_VOLUMES',
    default: '0',
    doc: 'how long the volumes of a run that has ended stay, for a resume or a re-run; 0: they go with the run',
    group: 'Drivers and features',
  },
  'keep-volumes-runs': {
    kind: integer({ min: 1, max: 10_000 }),
    env: 'CI_KEEP_VOLUMES_RUNS',
    default: '20',
    doc: 'of how many runs volumes stay; the oldest go first',
    group: 'Drivers and features',
  },
  'allow-privileged': {
    kind: boolean,
    env: 'CI_ALLOW_PRIVILEGED',
    default: 'false',
    doc: 'let pipelines start privileged containers, which own the machine',
    group: 'Drivers and features',
  },
  'native-user': {
    kind: filledText,
    env: 'CI_NATIVE_USER',
    default: 'nobody',
    doc: 'user that native steps run as when the server runs as root',
    group: 'Drivers and features',
  },
  'native-root': {
    kind: path,
    env: 'CI_NATIVE_ROOT',
    defaultText: '/var/tmp/pocketci-<hash of the storage path>',
    doc: 'folder of the workspaces of native steps',
    group: 'Drivers and features',
  },

  'max-in-flight': {
    kind: integer({ min: -1_000, max: 1_000 }),
    env: 'CI_MAX_IN_FLIGHT',
    default: '10',
    doc: 'pipelines executing at once, over all executors; 0 and less mean 10',
    group: 'Queue',
  },
  'max-queue-size': {
    kind: integer({ min: 0, max: 1_000_000 }),
    env: 'CI_MAX_QUEUE_SIZE',
    default: '100',
    doc: 'pipelines waiting for a slot; 0 disables waiting',
    group: 'Queue',
  },
  executors: {
    kind: integer({ min: 1, max: 64 }),
    env: 'CI_EXECUTORS',
    default: '1',
    doc: 'executor processes of `pocketci server`, which share --max-in-flight',
    group: 'Queue',
  },
  labels: {
    kind: labels,
    env: 'CI_LABELS',
    doc: 'what these executors have, such as gpu,arm64; pipelines with labels run where all of theirs are',
    group: 'Queue',
  },
  'lease-ttl': {
    kind: duration({ min: '500ms', max: '1h' }),
    env: 'CI_LEASE_TTL',
    default: '15s',
    doc: 'a run whose executor was silent for so long is taken over by another',
    group: 'Queue',
  },

  'webhook-timeout': {
    kind: duration({ min: '0', max: '1h' }),
    env: 'CI_WEBHOOK_TIMEOUT',
    default: '5s',
    doc: 'how long a webhook caller waits for http.respond(); 0 means 5s',
    group: 'Webhooks',
  },
  'max-deferred-webhooks': {
    kind: integer({ min: 0, max: 1_000_000 }),
    env: 'CI_MAX_DEFERRED_WEBHOOKS',
    defaultText: '1000; 0 where --max-queue-size is 0',
    doc: 'webhooks that are kept while the queue is full, and admitted in their order',
    group: 'Webhooks',
  },
  'webhook-tolerance': {
    kind: duration({ min: '1s', max: '24h' }),
    env: 'CI_WEBHOOK_TOLERANCE',
    default: '5m',
    doc: 'how far the time that a webhook is signed with may be from the clock of the server',
    group: 'Webhooks',
  },
  'dedup-ttl': {
    kind: duration({ min: '1s', max: '8760h' }),
    env: 'CI_DEDUP_TTL',
    default: '168h',
    doc: 'how long it is known that a webhook was sent before',
    group: 'Webhooks',
  },
  'webhook-retention': {
    kind: duration({ min: '1m', max: '8760h' }),
    env: 'CI_WEBHOOK_RETENTION',
    default: '168h',
    doc: 'how long webhooks stay on record, and can be delivered again',
    group: 'Webhooks',
  },
  'allow-unsigned-webhooks': {
    kind: boolean,
    env: 'CI_ALLOW_UNSIGNED_WEBHOOKS',
    default: 'false',
    doc: 'let anybody start runs of pipelines that have no webhook secret',
    group: 'Webhooks',
  },

  'storage-sqlite-path': {
    kind: storageFile,
    env: 'CI_STORAGE_SQLITE_PATH',
    default: 'pocketci.db',
    doc: 'database file',
    group: 'Storage and secrets',
  },
  'secrets-sqlite-path': {
    kind: storageFile,
    env: 'CI_SECRETS_SQLITE_PATH',
    defaultText: 'the storage file',
    doc: 'database file of the secrets',
    group: 'Storage and secrets',
  },
  'secrets-sqlite-passphrase': {
    kind: text,
    env: 'CI_SECRETS_SQLITE_PASSPHRASE',
    defaultText: 'a random key file beside the database',
    doc: 'passphrase that secrets are encrypted under',
    group: 'Storage and secrets',
  },
  secret: {
    kind: globalSecrets,
    short: 'e',
    doc: 'global secret; repeatable, a comma is part of the value',
    group: 'Storage and secrets',
  },

  'max-log-mb': {
    kind: integer({ min: 1, max: 65_536 }),
    env: 'CI_MAX_LOG_MB',
    default: '64',
    doc: 'output that is kept of one step, MB',
    group: 'Limits of a run',
  },
  'sandbox-memory-mb': {
    kind: SANDBOX_MB,
    env: 'CI_SANDBOX_MEMORY_MB',
    default: '64',
    doc: 'memory of a pipeline, MB (its steps are not part of it)',
    group: 'Limits of a run',
  },
  'sandbox-slice-timeout': {
    kind: duration({ min: '10ms', max: '1m' }),
    env: 'CI_SANDBOX_SLICE_TIMEOUT',
    default: '1s',
    doc: 'longest time that a pipeline computes without waiting',
    group: 'Limits of a run',
  },
  'sandbox-cpu-timeout': {
    kind: duration({ min: '10ms', max: '24h' }),
    env: 'CI_SANDBOX_CPU_TIMEOUT',
    default: '30s',
    doc: 'CPU time of a pipeline over its whole run',
    group: 'Limits of a run',
  },
  'sandbox-message-mb': {
    kind: SANDBOX_MB,
    env: 'CI_SANDBOX_MESSAGE_MB',
    default: '8',
    doc: 'largest value that a pipeline hands to the server or gets from it, MB',
    group: 'Limits of a run',
  },

  ...LATER_FLAGS,
  ...GLOBAL_FLAGS,
} as const satisfies FlagTable
