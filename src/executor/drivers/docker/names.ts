import { AppError } from '../../../shared/errors.js'

/** Everything that is made carries its run, so that it can be found and removed after any crash. */
export const NAMESPACE_LABEL = 'orchestra.namespace'

/** Whose it is: several servers may share an engine. What older versions made lacks it. */
export const INSTANCE_LABEL = 'pocketci.instance'
export const RUN_LABEL = 'pocketci.run'

/** How one run's things are called in an engine. */
export interface Names {
  namespace: string
  /** Of the database that the run is in. */
  instance: string
  labels: Record<string, string>
  container(id: string): string
  sandbox(id: string): string
  volume(name: string): string
  /** The container that gives access to a volume. */
  helper(volume: string): string
}

export function namesOf(namespace: string, instance: string): Names {
  check('namespace', namespace)
  return {
    namespace,
    instance,
    labels: {
      [NAMESPACE_LABEL]: namespace,
      [RUN_LABEL]: namespace.replace(/^ci-/, ''),
      [INSTANCE_LABEL]: instance,
    },
    container: (id) => `${namespace}-${check('container id', id)}`,
    sandbox: (id) => `${namespace}-${check('container id', id)}-sandbox`,
    volume: (name) => `${namespace}-${check('volume', name)}`,
    helper: (volume) => `${namespace}-${check('volume', volume)}-files-${uniquePart()}`,
  }
}

let helpers = 0

/** Two reads of one volume may go on at once. */
function uniquePart(): string {
  return `${process.pid}-${Date.now().toString(36)}-${++helpers}`
}

function check(what: string, name: string): string {
  if (/^[A-Za-z0-9_.-]{1,128}$/.test(name) && name !== '.' && name !== '..') return name
  throw new AppError(
    what === 'volume' ? 'volume_failed' : 'container_failed',
    `invalid ${what} "${name.slice(0, 140)}": at most 128 letters, digits, "_", "." and "-"`,
  )
}
