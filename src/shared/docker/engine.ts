import { readFileSync } from 'node:fs'
import type { Agent } from 'node:http'
import { join } from 'node:path'
import Docker from 'dockerode'
import { z } from 'zod'
import { AppError, errorMessage, type ErrorCode } from '../errors.js'
import { unlessAborted } from '../wait.js'
import { parseEngineAddress, shownAddress } from './engine-address.js'
import { openSshAgent } from './ssh-agent.js'

/** Where an engine is and how to reach it. */
export interface EngineOptions {
  /** `unix:///path`, `tcp://host:port`, `http(s)://host:port` or `ssh://user@host`. */
  host: string
  /** Folder with ca.pem, cert.pem and key.pem; with it, tcp:// is spoken with TLS. */
  certPath?: string | undefined
}

/** Docker 19.03, the first with all that is used here. */
const MIN_API = '1.40'
/** A request that has to do with no work of a container. */
const PROBE_MS = 10_000

/** A handle on an engine; it opens a connection for each request. Throws `driver_config_invalid`. */
export function connectEngine({ host, certPath }: EngineOptions): Docker {
  return new Docker({ ...NOTHING_FROM_THE_ENVIRONMENT, ...connectionOf(host, certPath) })
}

/** What dockerode would otherwise take from DOCKER_HOST and its like, which were read at the start. */
const NOTHING_FROM_THE_ENVIRONMENT = {
  host: '',
  port: '',
  protocol: 'http' as const,
  ca: undefined,
  cert: undefined,
  key: undefined,
}

/** The type of the options leaves `agent` out. */
type Connection = Docker.DockerOptions & { agent?: Agent }

function connectionOf(host: string, certPath: string | undefined): Connection {
  const url = parseEngineAddress(host)
  switch (url.protocol) {
    case 'unix:':
      return { socketPath: decodeURIComponent(url.pathname) }
    case 'ssh:':
      // the name is for the Host header alone
      return { host: 'docker', agent: openSshAgent(url) }
    default: {
      const isSecure = url.protocol === 'https:' || certPath !== undefined
      const port = url.port || (isSecure ? '2376' : '2375')
      const protocol = isSecure ? 'https' : 'http'
      return { protocol, host: url.hostname, port, ...readCertificates(certPath) }
    }
  }
}

function readCertificates(path: string | undefined) {
  if (path === undefined) return {}
  try {
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) =>
      readFileSync(join(path, name)),
    )
    return { ca, cert, key }
  } catch (error) {
    throw new AppError(
      'driver_config_invalid',
      `the certificates of the Docker engine cannot be read: ${errorMessage(error)}`,
      { cause: error },
    )
  }
}

/** Throws `driver_unavailable` when no engine answers there, or one that is too old. */
export async function checkEngine(docker: Docker, host: string): Promise<void> {
  const answer = unlessAborted(docker.version(), AbortSignal.timeout(PROBE_MS))
  const version = await answer.catch((error: unknown) => {
    throw new AppError(
      'driver_unavailable',
      `no Docker engine answers at ${shownAddress(host)} (${errorMessage(error)}): start it, or say where it is with --docker-host`,
      { cause: error },
    )
  })
  if (compareVersions(version.ApiVersion, MIN_API) < 0)
    throw new AppError(
      'driver_unavailable',
      `the Docker engine ${version.Version} at ${shownAddress(host)} is too old: API ${MIN_API} (Docker 19.03) is needed, it has ${version.ApiVersion}`,
    )
}

function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number)
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number)
  return aMajor - bMajor || aMinor - bMinor
}

const engineError = z.object({ statusCode: z.number(), reason: z.unknown().optional() })

/** The HTTP status that an engine answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const { data } = engineError.safeParse(error)
  return data?.statusCode
}

/** True when the engine did not answer at all, or while it stops: it is down, restarting, or out of reach. */
export function isEngineLost(error: unknown): boolean {
  if (error instanceof AppError) return false
  const status = statusOf(error)
  return status === undefined || (status >= 500 && STOPPING.test(engineMessage(error)))
}

/** What an engine says that has let go of containerd, or of its own files, and still answers. */
const STOPPING =
  /transport is closing|connection error: desc|error while dialing|failed to update (?:the )?store|database (?:is closed|not open)|context canceled|shutting down|overlay2\S*: no such file/

/** What the engine says, without what dockerode puts around it. */
export function engineMessage(error: unknown): string {
  return errorMessage(error)
    .replace(/^\(HTTP code \d+\) [^-]*- /, '')
    .trim()
}

/** An engine's refusal as an error of the driver; one that did not answer is `driver_unavailable`. */
export function toDriverError(error: unknown, code: ErrorCode, what: string): AppError {
  if (error instanceof AppError) return error
  const isLost = isEngineLost(error)
  return new AppError(
    isLost ? 'driver_unavailable' : code,
    `${what}: ${isLost ? 'the Docker engine does not answer: ' : ''}${engineMessage(error).slice(0, 1_000)}`,
    { cause: error },
  )
}
