import { behind, isSecret, isSignedWith } from './signature.js'

/** A request as providers look at it. */
export interface SignedRequest {
  /** Of any case; empty when it is not there. */
  header(name: string): string
  /** Of the query; empty when it is not there. */
  parameter(name: string): string
  body: Buffer
  /** Its members, when it is a JSON object. */
  payload(): Record<string, unknown> | null
  /** Whether a signed time, in unix milliseconds, is near enough to ours. */
  isRecent(ms: number): boolean
}

/** Who sends webhooks, how they are signed, and what they say about themselves. */
export interface Provider {
  name: ProviderName
  /** A request with this header is theirs; empty: whoever is left. */
  detectedBy: string
  /** Also where unsigned webhooks are let in, it takes none. */
  needsSecret?: true
  isSigned(request: SignedRequest, secret: string): boolean
  eventType(request: SignedRequest): string
  /** What they call this delivery, each time that they send it; empty: nothing. */
  deliveryId(request: SignedRequest): string
}

export const PROVIDER_NAMES = [
  ...(['github', 'gitlab', 'bitbucket', 'honeybadger', 'slack', 'stripe'] as const),
  ...(['pagerduty', 'linear', 'sentry', 'generic'] as const),
] as const
export type ProviderName = (typeof PROVIDER_NAMES)[number]

const PROVIDERS: readonly Provider[] = [
  {
    name: 'github',
    detectedBy: 'X-GitHub-Event',
    isSigned: ({ header, body }, secret) =>
      isSignedWith(secret, behind('sha256=', header('X-Hub-Signature-256')), body),
    eventType: ({ header }) => header('X-GitHub-Event'),
    deliveryId: ({ header }) => header('X-GitHub-Delivery'),
  },
  {
    name: 'gitlab',
    detectedBy: 'X-Gitlab-Event',
    isSigned({ header, body }, secret) {
      const token = header('X-Gitlab-Token')
      const isSigned = isSignedWith(secret, behind('sha256=', token), body)
      return isSecret(secret, token) || isSigned
    },
    eventType: ({ header }) => header('X-Gitlab-Event'),
    // webhooks that webhooks have caused share the UUID of the event
    deliveryId: ({ header }) => header('Idempotency-Key') || header('X-Gitlab-Event-UUID'),
  },
  {
    name: 'bitbucket',
    detectedBy: 'X-Event-Key',
    isSigned: ({ header, body }, secret) =>
      isSignedWith(secret, behind('sha256=', header('X-Hub-Signature')), body),
    eventType: ({ header }) => header('X-Event-Key'),
    deliveryId: ({ header }) => header('X-Request-UUID'),
  },
  {
    name: 'honeybadger',
    detectedBy: 'Honeybadger-Token',
    needsSecret: true,
    isSigned: ({ header }, secret) => isSecret(secret, header('Honeybadger-Token')),
    eventType: ({ payload }) => textIn(payload(), 'type') || textIn(payload(), 'event'),
    deliveryId: () => '',
  },
  {
    name: 'slack',
    detectedBy: 'X-Slack-Signature',
    isSigned({ header, body, isRecent }, secret) {
      const at = header('X-Slack-Request-Timestamp')
      const signature = behind('v0=', header('X-Slack-Signature'))
      const isSigned = isSignedWith(secret, signature, `v0:${at}:`, body)
      return isSigned && isRecent(millisecondsOf(at))
    },
    eventType: ({ payload }) => textIn(payload(), 'type'),
    deliveryId: ({ payload }) => textIn(payload(), 'event_id'),
  },
  {
    name: 'stripe',
    detectedBy: 'Stripe-Signature',
    isSigned({ header, body, isRecent }, secret) {
      const parts = header('Stripe-Signature').split(',')
      const at = behind('t=', parts.findLast((part) => part.startsWith('t=')) ?? '')
      const isSigned = isAnySignature(parts, secret, `${at}.`, body)
      return isSigned && isRecent(millisecondsOf(at))
    },
    eventType: ({ payload }) => textIn(payload(), 'type'),
    deliveryId: ({ payload }) => textIn(payload(), 'id'),
  },
  {
    name: 'pagerduty',
    detectedBy: 'X-PagerDuty-Signature',
    isSigned({ header, body }, secret) {
      const parts = header('X-PagerDuty-Signature').split(',')
      return isAnySignature(
        parts.map((part) => part.trim()),
        secret,
        body,
      )
    },
    eventType({ payload }) {
      const { messages, event } = payload() ?? {}
      const first: unknown = Array.isArray(messages) ? messages[0] : undefined
      return (
        textIn(first, 'event') ||
        textIn(payload(), 'event') ||
        textIn(event, 'event_type') ||
        textIn(payload(), 'type')
      )
    },
    deliveryId: ({ payload }) => textIn(payload()?.['event'], 'id'),
  },
  {
    name: 'linear',
    detectedBy: 'Linear-Signature',
    isSigned({ header, body, payload, isRecent }, secret) {
      const isSigned = isSignedWith(secret, header('Linear-Signature'), body)
      const at = payload()?.['webhookTimestamp']
      return isSigned && (typeof at !== 'number' || isRecent(at))
    },
    eventType: ({ payload }) => textIn(payload(), 'type') || textIn(payload(), 'action'),
    deliveryId: ({ header }) => header('Linear-Delivery'),
  },
  {
    name: 'sentry',
    detectedBy: 'Sentry-Hook-Signature',
    isSigned: ({ header, body }, secret) =>
      isSignedWith(secret, header('Sentry-Hook-Signature'), body),
    eventType: ({ header, payload }) =>
      header('Sentry-Hook-Resource') || textIn(payload(), 'action') || textIn(payload(), 'type'),
    deliveryId: ({ header }) => header('Request-ID'),
  },
  {
    name: 'generic',
    detectedBy: '',
    isSigned: ({ header, parameter, body }, secret) =>
      isSignedWith(secret, header('X-Webhook-Signature') || parameter('signature'), body),
    eventType: () => '',
    deliveryId: () => '',
  },
]

/** Whose webhook it is: the first whose header is there. */
export function detectProvider({ header }: Pick<SignedRequest, 'header'>): Provider {
  const found = PROVIDERS.find(({ detectedBy }) => detectedBy === '' || header(detectedBy) !== '')
  if (!found) throw new Error('no provider takes what is left')
  return found
}

/** Whether one of some parts `v1=…` signs a message; all are looked at. */
function isAnySignature(
  parts: readonly string[],
  secret: string,
  ...message: readonly (string | Uint8Array)[]
): boolean {
  return parts
    .filter((part) => part.startsWith('v1='))
    .slice(0, MAX_SIGNATURES)
    .reduce((isAny, part) => isSignedWith(secret, behind('v1=', part), ...message) || isAny, false)
}

/** During a change of secrets there are two; each costs a pass over the body. */
const MAX_SIGNATURES = 10

function millisecondsOf(seconds: string): number {
  return /^\d{1,12}$/.test(seconds) ? Number(seconds) * 1_000 : Number.NaN
}

function textIn(from: unknown, key: string): string {
  if (typeof from !== 'object' || from === null || !Object.hasOwn(from, key)) return ''
  const value = (from as Record<string, unknown>)[key]
  return typeof value === 'string' ? value : ''
}
