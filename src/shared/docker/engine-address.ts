import { AppError } from '../errors.js'

const PROTOCOLS = ['unix:', 'tcp:', 'http:', 'https:', 'ssh:']

/** The address of a Docker engine, as DOCKER_HOST has it. Throws `driver_config_invalid`. */
export function parseEngineAddress(host: string): URL {
  const url = URL.parse(host)
  const isComplete = url && (url.protocol === 'unix:' ? url.pathname !== '' : url.hostname !== '')
  if (isComplete && PROTOCOLS.includes(url.protocol)) return url
  throw new AppError(
    'driver_config_invalid',
    'the address of a Docker engine has to be unix:///path, tcp://host:port, http(s)://host:port or ssh://user@host',
  )
}

/** As it may be shown: an address can carry a user and a password. */
export function shownAddress(host: string): string {
  return host.replace(/\/\/[^@/]*@/, '//')
}
