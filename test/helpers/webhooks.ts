import { createHmac } from 'node:crypto'
import type { ProviderName } from '../../src/api/webhooks/providers.js'

export const hmac = (secret: string, ...parts: (string | Uint8Array)[]): string => {
  const one = createHmac('sha256', secret)
  for (const part of parts) one.update(part)
  return one.digest('hex')
}

/** Headers of a webhook as its provider would send it. */
export function sign(
  provider: ProviderName,
  secret: string,
  body: string,
  now = Date.now(),
): Record<string, string> {
  const seconds = String(Math.floor(now / 1_000))
  switch (provider) {
    case 'github':
      return { 'X-GitHub-Event': 'push', 'X-Hub-Signature-256': `sha256=${hmac(secret, body)}` }
    case 'gitlab':
      return { 'X-Gitlab-Event': 'Push Hook', 'X-Gitlab-Token': secret }
    case 'bitbucket':
      return { 'X-Event-Key': 'repo:push', 'X-Hub-Signature': `sha256=${hmac(secret, body)}` }
    case 'honeybadger':
      return { 'Honeybadger-Token': secret }
    case 'slack':
      return {
        'X-Slack-Request-Timestamp': seconds,
        'X-Slack-Signature': `v0=${hmac(secret, `v0:${seconds}:`, body)}`,
      }
    case 'stripe':
      return { 'Stripe-Signature': `t=${seconds},v1=${hmac(secret, `${seconds}.`, body)}` }
    case 'pagerduty':
      return { 'X-PagerDuty-Signature': `v1=${hmac(secret, body)}` }
    case 'linear':
      return { 'Linear-Signature': hmac(secret, body), 'Linear-Event': 'Issue' }
    case 'sentry':
      return { 'Sentry-Hook-Signature': hmac(secret, body), 'Sentry-Hook-Resource': 'issue' }
    case 'generic':
      return { 'X-Webhook-Signature': hmac(secret, body) }
  }
}
