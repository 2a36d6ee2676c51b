import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseDriver } from '../../../src/shared/config/choose-driver.js'
import type { GivenFlags } from '../../../src/shared/config/flag.js'
import { loadConfig } from '../../../src/shared/config/load-config.js'

interface Case {
  title: string
  flags?: GivenFlags
  hasEngine: boolean
  hasApi?: boolean
  chosen: string
  isFallback?: boolean
}

const OPEN = { host: ['0.0.0.0'] }

const CASES: Case[] = [
  { title: 'docker where an engine answers', hasEngine: true, chosen: 'docker' },
  { title: 'else native on loopback', hasEngine: false, chosen: 'native', isFallback: true },
  { title: 'docker where others reach it', flags: OPEN, hasEngine: false, chosen: 'docker' },
  { title: 'docker in an executor alone', hasApi: false, hasEngine: false, chosen: 'docker' },
  {
    title: 'native when it is named, engine or not',
    flags: { driver: ['native'] },
    hasEngine: true,
    chosen: 'native',
  },
  {
    title: 'docker when only that is allowed',
    flags: { 'allowed-drivers': ['docker'] },
    hasEngine: false,
    chosen: 'docker',
  },
  {
    title: 'native when only that is allowed, wherever it listens',
    flags: { ...OPEN, 'allowed-drivers': ['native'] },
    hasEngine: true,
    chosen: 'native',
  },
]

for (const { title, flags = {}, hasEngine, hasApi = true, chosen, isFallback = false } of CASES)
  test(`the default driver: ${title}`, async () => {
    const config = await chooseDriver(loadConfig(flags, {}), {
      hasApi,
      findsEngine: () => Promise.resolve(hasEngine),
    })
    assert.deepEqual([config.drivers.default, config.drivers.isFallback], [chosen, isFallback])
    assert(Object.isFrozen(config) && Object.isFrozen(config.drivers))
  })

test('DOCKER_HOST counts where CI_DOCKER_HOST is not set, and is named in errors', () => {
  const hostOf = (env: Record<string, string>) => loadConfig({}, env).drivers.docker.host
  assert.equal(hostOf({ DOCKER_HOST: 'tcp://a:1' }), 'tcp://a:1')
  assert.equal(hostOf({ DOCKER_HOST: 'tcp://a:1', CI_DOCKER_HOST: 'tcp://b:2' }), 'tcp://b:2')
  assert.throws(() => hostOf({ DOCKER_HOST: 'fd://' }), {
    code: 'config_invalid',
    message: /^--docker-host: the address of a Docker engine has to be .* \(from DOCKER_HOST\)$/,
  })
})
