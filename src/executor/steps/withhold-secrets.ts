import type { Run } from '../../shared/db/runs.js'
import { AppError } from '../../shared/errors.js'
import type { SecretReader } from '../../shared/secrets/secret-reader.js'
import { parsePayload } from '../../shared/webhooks/event-expressions.js'
import { isFromFork } from '../../shared/webhooks/is-from-fork.js'

export interface WithholdSecrets {
  run: Pick<Run, 'triggerInput'>
  /** Of a delivery; undefined: it is no longer stored. */
  findBody(deliveryId: string): Buffer | undefined
  /** Whether a person has approved a gate of the run, since it began or was started anew. */
  isApproved(): boolean
}

/**
 * The secrets of a run, which are not for the code of strangers: while a webhook of a fork has started it and
 * nobody has approved anything, `get` throws `secret_withheld`.
 */
export function withholdSecrets(
  reader: SecretReader,
  { run, findBody, isApproved }: WithholdSecrets,
): SecretReader {
  const delivery = run.triggerInput.webhook?.delivery
  let isForeign: boolean | undefined

  /** What cannot be looked at is not trusted. */
  const looksForeign = (): boolean => {
    if (delivery === undefined) return false
    const body = findBody(delivery)
    return body === undefined || isFromFork(parsePayload(body.toString()))
  }

  return {
    get(key) {
      isForeign ??= looksForeign()
      if (isForeign && !isApproved())
        throw new AppError(
          'secret_withheld',
          `secret "${key}" is withheld: the run is for a pull request from a fork, and nobody has approved a gate of it`,
        )
      return reader.get(key)
    },
  }
}
