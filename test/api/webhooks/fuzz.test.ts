import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PROVIDER_NAMES } from '../../../src/api/webhooks/providers.js'
import { startTestApi } from '../../helpers/api.js'
import { sign } from '../../helpers/webhooks.js'

/** How many webhooks; `npm run test:long` sets more. */
const WEBHOOKS = process.env['POCKETCI_TEST_LONG'] ? 5_000 : 300
const SECRET = 'hush'

const visible = fc.string({ unit: 'grapheme-ascii', maxLength: 60 }).map((text) => text.trim())
const headers = fc.dictionary(
  fc.oneof(
    fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/).filter((name) => !TRANSPORT.test(name)),
    fc.constantFrom(
      ...['X-GitHub-Event', 'X-Gitlab-Event', 'X-Slack-Signature', 'Stripe-Signature'],
      ...['X-PagerDuty-Signature', 'Linear-Signature', 'X-GitHub-Delivery', 'Content-Type'],
    ),
  ),
  visible,
  { maxKeys: 8 },
)
const TRANSPORT =
  /^(connection|content-|expect|host|keep-alive|te|trailer|transfer-|upgrade|origin|sec-)/i
const body = fc.oneof(
  fc.json({ maxDepth: 6 }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    'null',
    '[]',
    '{"messages":{}}',
    '{"event":null}',
    '{"__proto__":{"type":"x"}}',
  ),
  fc.json().map((text) => `payload=${encodeURIComponent(text)}`),
)

test(`${WEBHOOKS} webhooks of any shape: signed ones are taken, others refused, none is a fault`, async (t) => {
  const flags = { 'max-queue-size': ['100000'] }
  const api = await startTestApi(t, { flags })
  const id = await api.set('p', { webhook_secret: SECRET })
  const send = async (given: Record<string, string>, text: string): Promise<number> => {
    const path = `/api/webhooks/${id}?${new URLSearchParams({ 'a&b': text.slice(0, 50) }).toString()}`
    const sent = { method: 'POST', headers: given, body: Buffer.from(text) }
    const response = await api.fetch(path, sent)
    await response.text()
    return response.status
  }
  await fc.assert(
    fc.asyncProperty(
      headers,
      body,
      fc.constantFrom(...PROVIDER_NAMES),
      async (given, text, provider) => {
        assert.equal(await send(given, text), 401)
        // a header of the signature counts as it is here, whatever else is sent
        const signed = sign(provider, SECRET, text)
        const own = new Set(Object.keys(signed).map((name) => name.toLowerCase()))
        const others = Object.entries(given).filter(
          ([name]) => !own.has(name.toLowerCase()) && !/event|signature|token/i.test(name),
        )
        const isStale = provider === 'linear' && text.includes('webhookTimestamp')
        const status = await send({ ...Object.fromEntries(others), ...signed }, text)
        assert.equal(status, isStale ? 401 : 202)
      },
    ),
    { numRuns: WEBHOOKS },
  )
  const { body: listed } = await api.call('GET', `/api/pipelines/${id}/deliveries?per_page=200`)
  assert.equal((listed['items'] as unknown[]).length, 200)
  assert.equal((await api.fetch(`/pipelines/${id}/deliveries`)).status, 200)
})
