import { AppError } from '../../shared/errors.js'
import type { ApiContext } from '../context.js'

/** Throws `access_denied`. */
export function checkWebhooksFeature({ config }: ApiContext): void {
  if (!config.features.includes('webhooks'))
    throw new AppError('access_denied', 'webhooks feature is not enabled')
}
