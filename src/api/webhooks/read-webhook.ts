import type { Request } from 'express'
import type { WebhookInput } from '../../shared/contract/trigger-input.js'
import { parsePayload } from '../../shared/webhooks/event-expressions.js'
import { queryOf } from '../route-table.js'
import { detectProvider, type Provider, type SignedRequest } from './providers.js'

/** What a request is as a webhook, whoever has sent it. */
export interface Webhook {
  provider: Provider
  signed: SignedRequest
  /** As it may be stored and shown; the id of the delivery is still to come. */
  event: Omit<WebhookInput, 'delivery'>
  /** What its provider calls this delivery; empty: nothing. */
  providerDelivery: string
}

/** What stands for a credential in whatever is stored. */
const MASKED = '***'

/** Longer ids would only fill the store. */
const MAX_NAME_CHARS = 255

/** Reads a request with its body; nothing of it is verified. */
export function readWebhook(
  request: Request,
  body: Buffer,
  { now, toleranceMs }: { now: number; toleranceMs: number },
): Webhook {
  const query = queryOf(request)
  let payload: Record<string, unknown> | null | undefined
  const signed: SignedRequest = {
    header: (name) => request.headersDistinct[name.toLowerCase()]?.[0] ?? '',
    parameter: (name) => query.get(name) ?? '',
    body,
    payload: () => (payload === undefined ? (payload = parsePayload(body.toString())) : payload),
    isRecent: (at) => Math.abs(now - at) <= toleranceMs,
  }
  const provider = detectProvider(signed)
  return {
    provider,
    signed,
    event: {
      provider: provider.name,
      eventType: provider.eventType(signed).slice(0, MAX_NAME_CHARS),
      method: request.method,
      url: maskUrl(request.originalUrl),
      headers: maskHeaders(request.headersDistinct),
      query: Object.fromEntries(
        [...query].toReversed().map(([name, value]) => [name, mask(name, value)]),
      ),
    },
    providerDelivery: provider.deliveryId(signed).slice(0, MAX_NAME_CHARS),
  }
}

/** Names of headers and parameters whose values let somebody in. */
const CREDENTIAL =
  /authorization|cookie|signature|token|secret|passw|api-?key|^sig$|^auth$|client-cert/i

export function mask(name: string, value: string): string {
  return CREDENTIAL.test(name) ? MASKED : value
}

/** The first value of each header, by its name in Go's canonical case. */
export function maskHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const shown = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'host')
  return Object.fromEntries(
    shown.map(([name, value]) => {
      const first = typeof value === 'string' ? value : (value?.[0] ?? '')
      return [canonical(name), mask(name, first)]
    }),
  )
}

function canonical(name: string): string {
  return name
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join('-')
}

function maskUrl(url: string): string {
  return url.replaceAll(/(?<=[?&])([^=&#]+)=[^&#]*/g, (pair, name: string) =>
    CREDENTIAL.test(decoded(name)) ? `${name}=${MASKED}` : pair,
  )
}

function decoded(name: string): string {
  return new URLSearchParams(`${name}=`).keys().next().value ?? ''
}
