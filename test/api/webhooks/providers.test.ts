import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  detectProvider,
  PROVIDER_NAMES,
  type ProviderName,
  type SignedRequest,
} from '../../../src/api/webhooks/providers.js'
import { parsePayload } from '../../../src/shared/webhooks/event-expressions.js'
import { hmac, sign } from '../../helpers/webhooks.js'

const NOW = 1_700_000_000_000
const SECRET = 'a secret ✓'
const BODY = JSON.stringify({ type: 'thing', webhookTimestamp: NOW })

interface Given {
  headers: Record<string, string>
  body?: string
  query?: Record<string, string>
  now?: number
}

function requestOf({ headers, body = BODY, query = {}, now = NOW }: Given): SignedRequest {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    header: (name) => lower.get(name.toLowerCase()) ?? '',
    parameter: (name) => query[name] ?? '',
    body: Buffer.from(body),
    payload: () => parsePayload(body),
    isRecent: (at) => Math.abs(now - at) <= 300_000,
  }
}

function isSigned(name: ProviderName, given: Given, secret = SECRET): boolean {
  const request = requestOf(given)
  const provider = detectProvider(request)
  assert.equal(provider.name, name)
  return provider.isSigned(request, secret)
}

test('the example of GitHub’s documentation', () => {
  const secret = "It's a Secret to Everybody"
  const body = 'Hello, World!'
  const digest = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  const headers = { 'X-GitHub-Event': 'push', 'X-Hub-Signature-256': `sha256=${digest}` }
  assert.equal(isSigned('github', { headers, body }, secret), true)
  // its scheme under other names
  const bitbucket = { 'X-Event-Key': 'repo:push', 'X-Hub-Signature': `sha256=${digest}` }
  assert.equal(isSigned('bitbucket', { headers: bitbucket, body }, secret), true)
  const gitlab = { 'X-Gitlab-Event': 'Push Hook', 'X-Gitlab-Token': `sha256=${digest}` }
  assert.equal(isSigned('gitlab', { headers: gitlab, body }, secret), true)
  for (const [name, header] of [
    ['linear', 'Linear-Signature'],
    ['sentry', 'Sentry-Hook-Signature'],
    ['generic', 'X-Webhook-Signature'],
  ] as const)
    assert.equal(isSigned(name, { headers: { [header]: digest }, body }, secret), true)
  const pagerduty = { 'X-PagerDuty-Signature': `v1=${'0'.repeat(64)}, v1=${digest}` }
  assert.equal(isSigned('pagerduty', { headers: pagerduty, body }, secret), true)
})

test('the example of Slack’s documentation', () => {
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
  const headers = {
    'X-Slack-Request-Timestamp': '1531420618',
    'X-Slack-Signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  }
  const secret = '8f742231b10e8888abcd99yyyzzz85a5'
  const at = 1_531_420_618_000
  assert.equal(isSigned('slack', { headers, body, now: at }, secret), true)
  assert.equal(isSigned('slack', { headers, body, now: at + 301_000 }, secret), false)
})

for (const name of PROVIDER_NAMES) {
  const headers = sign(name, SECRET, BODY, NOW)

  test(`${name}: signed as its provider signs, and by nobody else`, () => {
    assert.equal(isSigned(name, { headers }), true)
    assert.equal(isSigned(name, { headers }, 'another secret'), false)
    assert.equal(
      isSigned(name, { headers: shout(headers) }),
      name !== 'gitlab' && name !== 'honeybadger',
    )
    if (name !== 'gitlab' && name !== 'honeybadger')
      assert.equal(isSigned(name, { headers, body: `${BODY} ` }), false)
  })

  test(`${name}: one flipped bit anywhere in the signature fails`, () => {
    for (const [header, value] of Object.entries(headers)) {
      if (/Event|Resource/.test(header)) continue
      for (let at = 0; at < value.length; at++) {
        const flipped = String.fromCharCode(value.charCodeAt(at) ^ 1)
        const broken = { ...headers, [header]: value.slice(0, at) + flipped + value.slice(at + 1) }
        assert.equal(isSigned(name, { headers: broken }), false, `${header} ${at}`)
      }
      for (const wrong of ['', value.slice(1), `${value}0`, value.slice(0, -1)])
        if (detectProvider(requestOf({ headers: { ...headers, [header]: wrong } })).name === name)
          assert.equal(isSigned(name, { headers: { ...headers, [header]: wrong } }), false)
    }
  })
}

for (const name of ['slack', 'stripe', 'linear'] as const)
  test(`${name}: its time may be 300 s from ours, not 301`, () => {
    for (const [seconds, expected] of [
      [300, true],
      [-300, true],
      [301, false],
      [-301, false],
    ] as const) {
      const at = NOW + seconds * 1_000
      const body = JSON.stringify({ webhookTimestamp: at })
      const headers = sign(name, SECRET, body, at)
      assert.equal(isSigned(name, { headers, body }), expected, String(seconds))
    }
  })

test('stripe: the last time counts, any v1 may match, and other schemes are passed over', () => {
  const at = String(NOW / 1_000)
  const good = hmac(SECRET, `${at}.`, BODY)
  const headers = (text: string) => ({ headers: { 'Stripe-Signature': text } })
  assert.equal(
    isSigned('stripe', headers(`t=1,t=${at},v0=x,v1=${'0'.repeat(64)},v1=${good}`)),
    true,
  )
  assert.equal(isSigned('stripe', headers(`t=${at},v0=${good}`)), false)
  assert.equal(isSigned('stripe', headers(`t=${at}`)), false)
  assert.equal(isSigned('stripe', headers(`v1=${good}`)), false)
  const unsigned = hmac(SECRET, 'soon.', BODY)
  assert.equal(isSigned('stripe', headers(`t=soon,v1=${unsigned}`)), false)
})

test('generic: the query has the signature when no header has', () => {
  const signature = hmac(SECRET, BODY)
  assert.equal(isSigned('generic', { headers: {}, query: { signature } }), true)
  const headers = { 'X-Webhook-Signature': '0'.repeat(64) }
  assert.equal(isSigned('generic', { headers, query: { signature } }), false)
})

const TYPES: [name: ProviderName, headers: Record<string, string>, body: unknown, type: string][] =
  [
    ['github', { 'X-GitHub-Event': 'pull_request' }, {}, 'pull_request'],
    ['gitlab', { 'X-Gitlab-Event': 'Push Hook' }, {}, 'Push Hook'],
    ['bitbucket', { 'X-Event-Key': 'repo:push' }, {}, 'repo:push'],
    ['honeybadger', { 'Honeybadger-Token': 'x' }, { event: 'occurred' }, 'occurred'],
    ['honeybadger', { 'Honeybadger-Token': 'x' }, { type: 'a', event: 'b' }, 'a'],
    ['slack', { 'X-Slack-Signature': 'x' }, { type: 'event_callback' }, 'event_callback'],
    ['stripe', { 'Stripe-Signature': 'x' }, { type: 'charge.succeeded' }, 'charge.succeeded'],
    ['pagerduty', { 'X-PagerDuty-Signature': 'x' }, { messages: [{ event: 'a' }] }, 'a'],
    ['pagerduty', { 'X-PagerDuty-Signature': 'x' }, { event: 'b' }, 'b'],
    ['pagerduty', { 'X-PagerDuty-Signature': 'x' }, { event: { event_type: 'c' } }, 'c'],
    ['pagerduty', { 'X-PagerDuty-Signature': 'x' }, { type: 'd' }, 'd'],
    ['linear', { 'Linear-Signature': 'x' }, { action: 'create' }, 'create'],
    ['sentry', { 'Sentry-Hook-Signature': 'x' }, { action: 'created' }, 'created'],
    ['sentry', { 'Sentry-Hook-Signature': 'x', 'Sentry-Hook-Resource': 'issue' }, {}, 'issue'],
    ['generic', {}, { type: 'x' }, ''],
    ['slack', { 'X-Slack-Signature': 'x' }, [{ type: 'x' }], ''],
    ['slack', { 'X-Slack-Signature': 'x' }, { type: { toString: 1 } }, ''],
  ]
test('what an event is called', () => {
  for (const [name, headers, body, type] of TYPES) {
    const request = requestOf({ headers, body: JSON.stringify(body) })
    const provider = detectProvider(request)
    assert.deepEqual([provider.name, provider.eventType(request)], [name, type])
  }
})

const IDS: [headers: Record<string, string>, body: unknown, id: string][] = [
  [{ 'X-GitHub-Event': 'push', 'X-GitHub-Delivery': 'a' }, {}, 'a'],
  [{ 'X-Gitlab-Event': 'x', 'X-Gitlab-Event-UUID': 'u' }, {}, 'u'],
  [{ 'X-Gitlab-Event': 'x', 'X-Gitlab-Event-UUID': 'u', 'Idempotency-Key': 'k' }, {}, 'k'],
  [{ 'X-Event-Key': 'x', 'X-Request-UUID': 'r' }, {}, 'r'],
  [{ 'Honeybadger-Token': 'x' }, { id: 1 }, ''],
  [{ 'X-Slack-Signature': 'x' }, { event_id: 'Ev1' }, 'Ev1'],
  [{ 'Stripe-Signature': 'x' }, { id: 'evt_1' }, 'evt_1'],
  [{ 'X-PagerDuty-Signature': 'x' }, { event: { id: '01' } }, '01'],
  [{ 'Linear-Signature': 'x', 'Linear-Delivery': 'l' }, {}, 'l'],
  [{ 'Sentry-Hook-Signature': 'x', 'Request-ID': 's' }, {}, 's'],
  [{}, { id: 'x' }, ''],
]
test('what providers call their deliveries', () => {
  for (const [headers, body, id] of IDS) {
    const request = requestOf({ headers, body: JSON.stringify(body) })
    assert.equal(detectProvider(request).deliveryId(request), id)
  }
})

/** Hex digits in upper case are the same; a secret is not. */
function shout(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      value === SECRET
        ? value.toUpperCase()
        : value.replace(/[0-9a-f]{64}/, (hex) => hex.toUpperCase()),
    ]),
  )
}
