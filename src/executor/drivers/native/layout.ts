import { join } from 'node:path'
import { AppError } from '../../../shared/errors.js'

/**
 * Where one run's things are. The control folders are the executor's alone; work dirs and volumes
 * belong to the step's user, who can enter the folders above them but not list them.
 */
export interface Layout {
  namespace: string
  dir: string
  /** A file that says whose run it is. */
  instance: string
  control: string
  work: string
  volumes: string
}

export function layoutOf(root: string, namespace: string): Layout {
  const dir = join(root, checkName('namespace', namespace))
  return {
    namespace,
    dir,
    instance: join(dir, 'instance'),
    control: join(dir, 'control'),
    work: join(dir, 'work'),
    volumes: join(dir, 'volumes'),
  }
}

/** The files through which the wrapper of a container speaks. */
export interface ControlFiles {
  dir: string
  /** `pid start-time boot-id` of the wrapper; taken exclusively, so that one command runs once. */
  claim: string
  /** `started pid`, or `failed reason` when the command could not be executed. */
  start: string
  /** `code out-of-memory-kills` */
  exit: string
  stdout: string
  stderr: string
  /** Bytes written, whatever was kept; complete when all of a stream has been written. */
  stdoutTotal: string
  stderrTotal: string
}

export function controlFiles(dir: string): ControlFiles {
  return {
    dir,
    claim: join(dir, 'claim'),
    start: join(dir, 'start'),
    exit: join(dir, 'exit'),
    stdout: join(dir, 'stdout'),
    stderr: join(dir, 'stderr'),
    stdoutTotal: join(dir, 'stdout.total'),
    stderrTotal: join(dir, 'stderr.total'),
  }
}

/** A name that is one plain part of a path, or `container_failed`. */
export function checkName(what: string, name: string): string {
  if (/^[A-Za-z0-9_.-]{1,128}$/.test(name) && name !== '.' && name !== '..') return name
  throw new AppError(
    what === 'volume' ? 'volume_failed' : 'container_failed',
    `invalid ${what} "${name.slice(0, 140)}": at most 128 letters, digits, "_", "." and "-"`,
  )
}
