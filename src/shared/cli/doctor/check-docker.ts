import { checkEngine, connectEngine, type EngineOptions } from '../../docker/engine.js'
import { shownAddress } from '../../docker/engine-address.js'
import { AppError } from '../../errors.js'
import { fail, ok, warn, type Finding } from './finding.js'

export interface DockerCheck extends EngineOptions {
  isAllowed: boolean
  /** Runs would wait for an engine; else they can run on the native driver. */
  isNeeded: boolean
}

/** The engine of the docker driver: there, and new enough. */
export async function checkDocker({
  isAllowed,
  isNeeded,
  ...options
}: DockerCheck): Promise<Finding[]> {
  const check = 'docker'
  if (!isAllowed) return [ok(check, 'not looked at: --allowed-drivers leaves it out')]
  try {
    const docker = connectEngine(options)
    await checkEngine(docker, options.host)
    const { Version: version, ApiVersion: api } = await docker.version()
    const address = shownAddress(options.host)
    return [ok(check, `Docker engine ${version} (API ${api}) at ${address}`)]
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const [message, advice] = splitAdvice(error)
    const note = isNeeded ? '' : '; the native driver works without it'
    return [(isNeeded ? fail : warn)(check, message, `${advice}${note}`)]
  }
}

/** Of an engine that does not answer or is too old, the text has what to do behind its last colon. */
function splitAdvice({ code, message }: AppError): [message: string, advice: string] {
  const at = message.lastIndexOf(': ')
  if (code !== 'driver_unavailable' || at < 0)
    return [message, 'correct --docker-host or --docker-cert-path']
  return [message.slice(0, at), message.slice(at + 2)]
}
