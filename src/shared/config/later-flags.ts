import type { Flag, FlagTable } from './flag.js'
import { choice, duration, integer, text } from './kinds.js'

const S3_SECRETS = 'secrets are kept in SQLite (--secrets-sqlite-path)'
const S3_CACHE = 'leave it out; runs start with empty caches'
const FETCH = 'leave it out; pipelines have no fetch() yet'

/**
 * Flags whose feature comes later. They are known, so that help shows them, and refused, since
 * ignoring one (a password, say) would be worse than not starting.
 */
export const LATER_FLAGS = {
  'fetch-timeout': {
    kind: duration({ min: '0', max: '1h' }),
    env: 'CI_FETCH_TIMEOUT',
    default: '30s',
    doc: 'default time-out of fetch() in pipelines',
    group: 'Later versions',
    later: FETCH,
  },
  'fetch-max-response-mb': {
    kind: integer({ min: 1, max: 1_024 }),
    env: 'CI_FETCH_MAX_RESPONSE_MB',
    default: '10',
    doc: 'cap on a fetch() response body, MB',
    group: 'Later versions',
    later: FETCH,
  },

  'secrets-s3-bucket': s3Secrets('BUCKET', 'keep secrets in this S3 bucket'),
  'secrets-s3-endpoint': s3Secrets('ENDPOINT', 'S3-compatible endpoint'),
  'secrets-s3-region': s3Secrets('REGION', 'region'),
  'secrets-s3-access-key-id': s3Secrets('ACCESS_KEY_ID', 'access key'),
  'secrets-s3-secret-access-key': s3Secrets('SECRET_ACCESS_KEY', 'secret key'),
  'secrets-s3-passphrase': s3Secrets('PASSPHRASE', 'application-layer encryption key'),
  'secrets-s3-encrypt': s3Secrets('ENCRYPT', 'sse-s3, sse-kms or sse-c'),
  'secrets-s3-prefix': s3Secrets('PREFIX', 'key prefix'),

  'cache-s3-bucket': s3Cache('BUCKET', 'keep volume caches in this S3 bucket'),
  'cache-s3-endpoint': s3Cache('ENDPOINT', 'S3-compatible endpoint'),
  'cache-s3-region': s3Cache('REGION', 'region'),
  'cache-s3-access-key-id': s3Cache('ACCESS_KEY_ID', 'access key'),
  'cache-s3-secret-access-key': s3Cache('SECRET_ACCESS_KEY', 'secret key'),
  'cache-s3-prefix': s3Cache('PREFIX', 'key prefix in the bucket'),
  'cache-s3-ttl': {
    kind: duration({ min: '0', max: '87600h' }),
    env: 'CI_CACHE_S3_TTL',
    default: '0',
    doc: 'age at which a cache object counts as gone; 0 is never',
    group: 'Later versions',
    later: S3_CACHE,
  },
  'cache-compression': {
    kind: choice(['zstd', 'gzip', 'none']),
    env: 'CI_CACHE_COMPRESSION',
    default: 'zstd',
    doc: 'zstd, gzip or none',
    group: 'Later versions',
    later: S3_CACHE,
  },
  'cache-key-prefix': later('CI_CACHE_KEY_PREFIX', 'logical prefix of cache keys', S3_CACHE),
} as const satisfies FlagTable

function s3Secrets(name: string, doc: string): Flag<string> {
  return later(`CI_SECRETS_S3_${name}`, doc, S3_SECRETS)
}

function s3Cache(name: string, doc: string): Flag<string> {
  return later(`CI_CACHE_S3_${name}`, doc, S3_CACHE)
}

function later(env: string, doc: string, instead: string): Flag<string> {
  return { kind: text, env, doc, group: 'Later versions', later: instead }
}
