import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, it } from 'node:test'
import { configSchema, FEATURES } from '../../../src/shared/config/config.js'
import type { Environment, GivenFlags } from '../../../src/shared/config/flag.js'
import { loadConfig } from '../../../src/shared/config/load-config.js'
import { SERVER_FLAGS } from '../../../src/shared/config/server-flags.js'
import { AppError } from '../../../src/shared/errors.js'

/** The faults of a configuration that must not load. */
function faultsOf(given: GivenFlags, env: Environment = {}): string[] {
  try {
    loadConfig(given, env)
  } catch (error) {
    assert(error instanceof AppError)
    assert.equal(error.code, 'config_invalid')
    const { faults } = error.details
    assert(Array.isArray(faults))
    return faults.map(String)
  }
  throw new assert.AssertionError({ message: 'the configuration loaded' })
}

describe('the configuration of a server', () => {
  it('has the documented defaults', () => {
    const config = loadConfig({}, {})
    assert.deepEqual(config.http, { host: '127.0.0.1', port: 8080, trustedProxies: [] })
    assert.deepEqual(config.log, { level: 'info', format: 'text', addSource: false })
    assert.equal(config.storage.path, resolve('pocketci.db'))
    assert.deepEqual(config.queue, {
      maxInFlight: 10,
      maxQueueSize: 100,
      leaseTtlMs: 15_000,
      executors: 1,
      labels: [],
    })
    assert.equal(config.drivers.default, '')
    assert.equal(config.drivers.docker.host, 'unix:///var/run/docker.sock')
    assert.equal(config.drivers.docker.allowsPrivileged, false)
    assert.deepEqual(config.drivers.allowed, ['*'])
    assert.equal(config.drivers.nativeUser, 'nobody')
    assert.match(config.drivers.nativeRoot, /\/pocketci-[0-9a-f]{8}$/)
    assert.deepEqual(config.features, [...FEATURES])
    assert.deepEqual(config.secrets, { path: resolve('pocketci.db'), global: [] })
    assert.deepEqual(config.sandbox, {
      memoryBytes: 64 * 1024 * 1024,
      sliceMs: 1_000,
      cpuMs: 30_000,
      messageBytes: 8 * 1024 * 1024,
    })
    assert.deepEqual(config.limits, {
      logBytes: 64 * 1024 * 1024,
      bodyBytes: 10 * 1024 * 1024,
      workdirBytes: 1024 * 1024 * 1024,
      uploadTimeoutMs: 1_800_000,
    })
    assert.equal(config.drainTimeoutMs, 10_000)
  })

  it('survives the way to a child process', () => {
    const config = loadConfig({ secret: ['A=1'], 'secrets-sqlite-passphrase': ['p'] }, {})
    assert.deepEqual(configSchema.parse(JSON.parse(JSON.stringify(config))), config)
  })

  it('is frozen through and through', () => {
    const config = loadConfig({ secret: ['A=1'] }, {})
    assert(Object.isFrozen(config) && Object.isFrozen(config.secrets.global[0]))
  })

  it('takes the command line before the environment before the default', () => {
    const env = { CI_PORT: '9000', CI_HOST: '0.0.0.0' }
    const { http } = loadConfig({ port: ['9001'] }, env)
    assert.deepEqual(http, { host: '0.0.0.0', port: 9001, trustedProxies: [] })
  })

  it('takes an empty variable for one that is not set', () => {
    assert.equal(loadConfig({}, { CI_PORT: '', CI_BASIC_AUTH: '' }).http.port, 8080)
  })

  it('keeps the secrets in the storage file unless told otherwise', () => {
    const { secrets } = loadConfig({ 'storage-sqlite-path': ['/data/ci.db'] }, {})
    assert.equal(secrets.path, '/data/ci.db')
  })

  it('gives each database its own workspaces, and the same after a restart', () => {
    const root = (path: string) =>
      loadConfig({ 'storage-sqlite-path': [path] }, {}).drivers.nativeRoot
    assert.equal(root('/data/a.db'), root('/data/a.db'))
    assert.notEqual(root('/data/a.db'), root('/data/b.db'))
  })

  it('reads 0 and less in flight as 10', () => {
    for (const text of ['0', '-1'])
      assert.equal(loadConfig({ 'max-in-flight': [text] }, {}).queue.maxInFlight, 10)
  })

  it('keeps a comma in a secret and takes the flag more than once', () => {
    const { secrets } = loadConfig({ secret: ['A=1,2', 'B==x'] }, {})
    assert.deepEqual(secrets.global, [
      { key: 'A', value: '1,2' },
      { key: 'B', value: '=x' },
    ])
  })

  it('opens all features for *, also beside names', () => {
    for (const text of ['*', '*,schedules,gates', 'gates,*'])
      assert.deepEqual(loadConfig({ 'allowed-features': [text] }, {}).features, [...FEATURES])
    assert.deepEqual(loadConfig({ 'allowed-features': ['gates', 'fetch'] }, {}).features, [
      'gates',
      'fetch',
    ])
  })

  it('understands log levels with an offset', () => {
    const level = (text: string) => loadConfig({ 'log-level': [text] }, {}).log.level
    assert.deepEqual(['INFO+2', 'warn', 'Debug', 'ERROR+4', 'info-4'].map(level), [
      'warn',
      'warn',
      'debug',
      'error',
      'debug',
    ])
  })

  it('knows every flag of the list, each with its variable but --secret', () => {
    const names = Object.keys(SERVER_FLAGS)
    assert.equal(names.length, new Set(names).size)
    for (const [name, flag] of Object.entries(SERVER_FLAGS)) {
      const env = 'env' in flag ? flag.env : undefined
      const expected =
        name === 'secret' ? undefined : `CI_${name.toUpperCase().replaceAll('-', '_')}`
      assert.equal(env, expected)
    }
  })
})

describe('faults of a configuration', () => {
  it('are reported together, each with its flag, and the variable it came from', () => {
    const faults = faultsOf({ port: ['http'], 'lease-ttl': ['15'] }, { CI_MAX_QUEUE_SIZE: '-1' })
    assert.deepEqual(faults, [
      '--port: expected a whole number from 0 to 65535, got "http"',
      '--max-queue-size: expected a whole number from 0 to 1000000, got "-1" (from CI_MAX_QUEUE_SIZE)',
      '--lease-ttl: expected a duration such as 5s or 1h30m, got "15"',
    ])
  })

  it('between flags are among them', () => {
    const faults = faultsOf({ port: ['x'], executors: ['3'], 'max-in-flight': ['2'] })
    assert.equal(faults.length, 2)
    assert.match(faults[1] ?? '', /^--executors: 3 executors cannot share 2 slots/)
  })

  it('an unknown feature lists the known ones', () => {
    assert.deepEqual(faultsOf({ 'allowed-features': ['fetch,x'] }), [
      `--allowed-features: unknown feature "x"; known features: ${FEATURES.join(', ')}`,
    ])
  })

  it('an unknown driver lists the known ones', () => {
    assert.deepEqual(faultsOf({ driver: ['podman'] }), [
      '--driver: unknown driver "podman"; known drivers: docker, native',
    ])
    assert.deepEqual(faultsOf({ 'allowed-drivers': ['docker,k9s'] }), [
      '--allowed-drivers: unknown driver "k9s"; known drivers: docker, native',
    ])
    assert.deepEqual(faultsOf({ 'allowed-drivers': [','] }), [
      '--allowed-drivers: no driver is allowed; known drivers: docker, native',
    ])
  })

  it('a database in memory cannot be shared', () => {
    const [fault = ''] = faultsOf({ 'storage-sqlite-path': [':memory:'] })
    assert.match(fault, /^--storage-sqlite-path: ":memory:" is not a file/)
  })

  it('an empty host is one: it would listen everywhere', () => {
    assert.deepEqual(faultsOf({ host: [''] }), ['--host: expected a value, got nothing'])
  })

  it('of secrets never show a value', () => {
    assert.deepEqual(faultsOf({ secret: ['TOKEN'] }), [
      'invalid --secret flag "TOKEN": expected KEY=VALUE format',
    ])
    assert.deepEqual(faultsOf({ secret: ['A=1', 'hunter2'] }), [
      'invalid --secret flag "***": expected KEY=VALUE format',
    ])
    assert.deepEqual(faultsOf({ secret: ['=hunter2'] }), [
      'invalid --secret flag "": expected KEY=VALUE format',
    ])
    assert.deepEqual(faultsOf({ secret: ['driver=hunter2'] }), [
      'secret key "driver" is reserved for system use and cannot be set via --secret',
    ])
  })

  it('a flag of a later version is refused from the command line and the environment', () => {
    for (const [name, flag] of Object.entries(SERVER_FLAGS)) {
      if (!('later' in flag) || flag.later === undefined) continue
      const text = `--${name} is not available in this version yet: ${flag.later}`
      assert.deepEqual(faultsOf({ [name]: ['s3cret:1'] }), [text])
      assert.deepEqual(faultsOf({}, { [flag.env ?? '']: 's3cret:1' }), [text])
    }
  })

  it('keep a hostile value on one line', () => {
    const faults = faultsOf({ port: ['1\n2\u001b[31m'] })
    assert.deepEqual(faults, [
      '--port: expected a whole number from 0 to 65535, got "1\\n2\\u001b[31m"',
    ])
  })
})

const NO_RULES = { serverRule: '', auditRule: '', auditRetentionMs: 8_760 * 3_600_000 }

describe('access', () => {
  it('takes a password that holds colons, and proxies by address, network and name', () => {
    const { auth, http } = loadConfig(
      { 'basic-auth': ['me:a:b'], 'trusted-proxies': ['10.0.0.0/8,::1', 'loopback'] },
      {},
    )
    assert.deepEqual(auth, { basic: { user: 'me', password: 'a:b' }, ...NO_RULES })
    assert.deepEqual(http.trustedProxies, ['10.0.0.0/8', '::1', 'loopback'])
    assert.deepEqual(loadConfig({}, {}).auth, { ...NO_RULES })
  })

  for (const [given, text] of [
    [{ 'basic-auth': ['hush'] }, /invalid basic auth format: expected 'username:password'/],
    [{ 'basic-auth': [':hush'] }, /basic auth username and password cannot be empty/],
    [{ 'basic-auth': ['hush:'] }, /basic auth username and password cannot be empty/],
    [{ 'trusted-proxies': ['10.0.0.0/33'] }, /expected an address, a network/],
    [{ 'trusted-proxies': ['example.com'] }, /expected an address, a network/],
  ] as const)
    it(`refuses ${JSON.stringify(given)}, and shows no password`, () => {
      assert.throws(
        () => loadConfig(given, {}),
        ({ message }: Error) => text.test(message) && !message.includes('hush'),
      )
    })
})

describe('sign-in', () => {
  const SECRET = 'x'.repeat(32)
  const GITHUB = { 'oauth-github-client-id': ['id'], 'oauth-github-client-secret': ['hush'] }
  const WHOLE = {
    ...GITHUB,
    'oauth-session-secret': [SECRET],
    'oauth-callback-url': ['https://ci.example.com/'],
  }

  it('takes the example of the documentation as it stands', () => {
    const { auth } = loadConfig(
      { 'secure-cookies': ['true'] },
      {
        CI_OAUTH_GITHUB_CLIENT_ID: 'id',
        CI_OAUTH_GITHUB_CLIENT_SECRET: 'hush',
        CI_OAUTH_SESSION_SECRET: SECRET,
        CI_OAUTH_CALLBACK_URL: 'https://ci.example.com',
      },
    )
    assert.deepEqual(auth, {
      oauth: {
        ...{ sessionSecret: SECRET, callbackUrl: 'https://ci.example.com', isSecure: true },
        github: { clientId: 'id', clientSecret: 'hush', url: 'https://github.com' },
      },
      ...NO_RULES,
    })
    assert.equal(loadConfig(WHOLE, {}).auth.oauth?.callbackUrl, 'https://ci.example.com')
  })

  for (const [given, text] of [
    [{ ...WHOLE, 'basic-auth': ['a:b'] }, /basic auth and OAuth providers cannot be used together/],
    [
      { ...WHOLE, 'oauth-session-secret': ['short'] },
      /must be at least 32 bytes \(got 5\); generate with: openssl rand -base64 48/,
    ],
    [{ ...GITHUB }, /CI_OAUTH_SESSION_SECRET is required[^]*CI_OAUTH_CALLBACK_URL is required/],
    [{ 'oauth-gitlab-client-id': ['id'] }, /is set without --oauth-gitlab-client-secret/],
    [
      { ...WHOLE, 'oauth-gitlab-url': ['gitlab.example'] },
      /expected an http:\/\/ or https:\/\/ URL/,
    ],
    [{ ...WHOLE, 'oauth-microsoft-tenant': ['a/../b'] }, /expected a tenant's id or domain/],
  ] as const)
    it(`refuses ${JSON.stringify(given)}, and shows no secret`, () => {
      assert.throws(
        () => loadConfig(given, {}),
        ({ message }: Error) => text.test(message) && !/hush|short'/.test(message),
      )
    })
})
