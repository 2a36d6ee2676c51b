import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { createSecrets } from '../../../src/shared/db/secrets.js'
import { decryptSecret, encryptSecret } from '../../../src/shared/secrets/cipher.js'
import { deriveMasterKey, keyFileOf } from '../../../src/shared/secrets/master-key.js'
import { createSecretReader } from '../../../src/shared/secrets/secret-reader.js'
import { storeGlobalSecrets } from '../../../src/shared/secrets/store-global.js'
import { openForTest, tempStorage } from '../../helpers/storage.js'

test('without a passphrase a key file of mode 0600 is made, and the same key comes back', async (t) => {
  const path = tempStorage(t)
  const key = await deriveMasterKey({ path })
  assert.equal(statSync(keyFileOf(path)).mode & 0o777, 0o600)
  assert.deepEqual(await deriveMasterKey({ path }), key)
  assert.equal(key.length, 32)
})

test('two servers that start at once agree on the key', async (t) => {
  const path = tempStorage(t)
  const [a, b] = await Promise.all([deriveMasterKey({ path }), deriveMasterKey({ path })])
  assert.deepEqual(a, b)
})

test('a wrong passphrase is found at start', async (t) => {
  const path = tempStorage(t)
  await deriveMasterKey({ path, passphrase: 'right' })
  assert.equal(existsSync(keyFileOf(path)), false)
  await assert.rejects(deriveMasterKey({ path, passphrase: 'wrong' }), {
    code: 'secret_undecryptable',
    message: /--secrets-sqlite-passphrase is not the one/,
  })
  await assert.rejects(deriveMasterKey({ path }), { message: /were stored under a passphrase/ })
})

test('a ciphertext that is moved to another slot does not decrypt', () => {
  const key = Buffer.alloc(32, 7)
  const stored = encryptSecret(key, 'global', 'A', 'value')
  assert.equal(decryptSecret(key, 'global', 'A', stored), 'value')
  for (const [scope, name] of [
    ['global', 'B'],
    ['pipeline/x', 'A'],
  ] as const)
    assert.throws(() => decryptSecret(key, scope, name, stored), { code: 'secret_undecryptable' })
})

test('a pipeline reads its own value first, then the global one, and no reserved key', async (t) => {
  const path = tempStorage(t)
  const masterKey = await deriveMasterKey({ path, passphrase: 'p' })
  storeGlobalSecrets(
    path,
    masterKey,
    [
      { key: 'A', value: 'global a' },
      { key: 'B', value: 'global b' },
    ],
    1,
  )
  const secrets = createSecrets(openForTest(t, path, 'write'))
  const own = encryptSecret(masterKey, 'pipeline/p1', 'A', 'own a')
  secrets.upsert({ scope: 'pipeline/p1', key: 'A', encryptedValue: own }, 1)
  const reader = createSecretReader({ secrets: () => secrets, masterKey, pipelineId: 'p1' })
  assert.equal(reader.get('A'), 'own a')
  assert.equal(reader.get('B'), 'global b')
  assert.throws(() => reader.get('C'), {
    code: 'secret_missing',
    message: 'secret "C" not found in scopes "pipeline/p1" or "global": secret not found',
  })
  assert.throws(() => reader.get('driver_config'), { code: 'secret_reserved' })
})
