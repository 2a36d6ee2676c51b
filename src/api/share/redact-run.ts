import type { Run } from '../../shared/db/runs.js'
import type { Secrets } from '../../shared/db/secrets.js'
import { hasCode } from '../../shared/errors.js'
import {
  createRedactor,
  PLACEHOLDER,
  type Redactor,
  type RedactorStream,
} from '../../shared/redact/redactor.js'
import { decryptSecret } from '../../shared/secrets/cipher.js'
import type { ChunkMask } from '../read-output-head.js'

/** Names of values that strangers are not shown, whatever they are. */
const SENSITIVE = /secret|token|passw|passphrase|api[-_]?key|private|credential|auth|signature/i

/**
 * What masks a run for strangers: all secrets of its pipeline and of the server, also those that the run
 * never asked for and which its stored output may therefore have as they are.
 */
export function createShareRedactor(
  { secrets, secretKey }: { secrets: Secrets; secretKey: Buffer },
  pipelineId: string,
): Redactor {
  const redactor = createRedactor()
  for (const scope of ['global', `pipeline/${pipelineId}`])
    for (const key of secrets.listKeys(scope)) {
      const stored = secrets.find(scope, key)
      const value = stored && tryDecrypt(secretKey, scope, key, stored)
      if (value !== undefined) redactor.add(value)
    }
  return redactor
}

/** Masks the output of one step, each of its streams on its own: they are cut and mixed anywhere. */
export function openChunkMask(redactor: Redactor): ChunkMask {
  const streams = new Map<string, RedactorStream>()
  const streamOf = (name: string): RedactorStream => {
    let stream = streams.get(name)
    if (!stream) streams.set(name, (stream = redactor.openStream()))
    return stream
  }
  return {
    push: ({ stream, bytes }) => streamOf(stream).push(bytes),
    end: () => Buffer.concat([...streams.values()].map((stream) => stream.end())),
  }
}

/** A run without what is not a stranger's business: who started it, and inputs that look like secrets. */
export function redactRun(run: Run, redactor: Redactor): Run {
  const { args = [], jobs } = run.triggerInput
  return {
    ...run,
    triggeredBy: '',
    triggerInput: {
      ...(args.length > 0 && { args: redactArgs(args).map((arg) => redactor.redact(arg)) }),
      ...(jobs && { jobs }),
    },
    errorMessage: redactor.redact(run.errorMessage),
  }
}

/** `--token=x`, `TOKEN=x` and `--token x` keep their names alone. */
function redactArgs(args: readonly string[]): string[] {
  return args.map((arg, at) => {
    const before = args[at - 1] ?? ''
    if (/^--?[^=]+$/.test(before) && SENSITIVE.test(before)) return PLACEHOLDER
    const [, name = ''] = /^([^=]{1,200})=/.exec(arg) ?? []
    return name !== '' && SENSITIVE.test(name) ? `${name}=${PLACEHOLDER}` : arg
  })
}

/** What cannot be read cannot have reached a run either. */
function tryDecrypt(
  masterKey: Buffer,
  scope: string,
  key: string,
  stored: Buffer,
): string | undefined {
  try {
    return decryptSecret(masterKey, scope, key, stored)
  } catch (error) {
    if (hasCode(error, 'secret_undecryptable')) return undefined
    throw error
  }
}
