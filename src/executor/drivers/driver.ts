import type { OutputStream } from '../../shared/contract/statuses.js'
import type { AppError } from '../../shared/errors.js'

/**
 * What runs the containers, volumes and sandboxes of one run. A driver knows nothing of SQLite,
 * of pipelines or of secrets: it gets resolved values and hands out bytes.
 *
 * One instance serves one run and owns one namespace (`ci-<run id>`). A fresh instance for an old
 * namespace sees what an earlier one left, which is how a run survives its executor. All methods
 * may be called concurrently. Errors are AppErrors: `container_failed`, `command_not_found`,
 * `image_unavailable`, `registry_unavailable`, `volume_failed`, `driver_unavailable`, `aborted`.
 */
export interface Driver extends AsyncDisposable {
  readonly name: string

  /**
   * Starts a container and returns without waiting for its end. Safe to repeat: a second call with
   * the same id returns the container that is there, running or finished, and never runs it again.
   * `signal` ends the start (a pull, a wait for the engine) with `aborted` and leaves nothing behind.
   */
  run(spec: ContainerSpec, signal: AbortSignal): Promise<Container>

  /**
   * The container of an id, running or finished; undefined when there is none, or none that has
   * come to execute its command: then `run` says why, or starts it.
   */
  find(id: string): Promise<Container | undefined>

  /** Creates a volume or returns the one of that name. */
  createVolume(spec: VolumeSpec): Promise<Volume>

  /**
   * The regular files at `paths` of a volume; a directory is walked. Rejects with
   * `volume_file_missing` when a path is not there; a path never leads outside the volume. The
   * content of a file can be read until the next file is asked for.
   */
  readFiles(volume: string, paths: readonly string[]): AsyncIterable<VolumeFile>

  /** Unpacks a tar stream at the root of a volume. The caller has checked its entries: plain files, folders and links that stay inside. */
  writeArchive(volume: string, tar: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>

  /** The whole content of a volume as a tar stream, names relative to its root. */
  readArchive(volume: string, signal: AbortSignal): AsyncIterable<Buffer>

  /** Starts a long-lived container for `exec` calls. Repeatable by id, like `run`. */
  startSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>

  /** The names of the volumes that are there. */
  listVolumes(): Promise<string[]>

  /**
   * Removes all of the namespace: kills what runs, removes containers, sandboxes and, unless they are to
   * stay, volumes. Goes on after a failure and throws an AggregateError at the end. Safe to repeat.
   */
  removeAll(options?: RemoveOptions): Promise<void>

  /** Lets go of handles and watchers. Touches no container: what runs goes on running. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface RemoveOptions {
  keepsVolumes?: boolean
}

export interface ContainerSpec {
  /** Unique in the namespace; letters, digits, `_`, `.`, `-`. */
  id: string
  image: string
  /** argv, no shell; the image's entrypoint is always bypassed. */
  command: readonly [string, ...string[]]
  env: Readonly<Record<string, string>>
  mounts: readonly Mount[]
  /** Relative: below the default work dir. Absolute: exactly there. Undefined: the default. */
  workDir?: string
  user?: string
  privileged?: boolean
  /** Whole input; standard input is empty and closed when undefined. */
  stdin?: string
  limits?: ResourceLimits
  /**
   * Called right before anything is made, and again before it is started: whoever asked for it may
   * have been asleep since. What it throws ends the start and leaves all as it is.
   */
  beforeStart?: () => void
  /** Told how a slow start goes on, a pull for example: text for people. */
  onProgress?: (text: string) => void
}

export interface ResourceLimits {
  /** CPU shares; 1024 is one core. */
  cpu?: number
  /** Bytes. */
  memory?: number
}

export interface Mount {
  volume: string
  /** Relative: below the default work dir, whatever `workDir` says. Absolute: exactly there. */
  path: string
}

export type SandboxSpec = Omit<ContainerSpec, 'command' | 'stdin'>

export interface Container {
  readonly id: string
  /**
   * All output from byte `from` of each stream, then live until the end; ends by itself when the
   * container has ended and everything it wrote was read. Chunks of one stream are in order. A slow
   * reader holds nothing back in memory. May be read again from the start at any time.
   */
  output(options?: OutputOptions): AsyncIterable<OutputChunk>
  /** The end of the container; the same answer at each call. */
  wait(signal?: AbortSignal): Promise<ExitStatus>
  /** SIGTERM to all its processes, SIGKILL after the grace. Resolves when it has ended. */
  kill(graceMs?: number): Promise<void>
  /** Kills and removes it. Safe to repeat. */
  remove(): Promise<void>
}

export interface OutputOptions {
  from?: StreamOffsets
  signal?: AbortSignal
  /** Told why when what runs the container does not answer, and with undefined when it does again. */
  onAway?: (reason: AppError | undefined) => void
}

export type StreamOffsets = Readonly<Record<OutputStream, number>>

export interface OutputChunk {
  stream: OutputStream
  bytes: Buffer
  /** Position of the first byte in its stream. */
  offset: number
  /** Bytes of the stream, right after these, that the driver did not keep: a step wrote too much. */
  skippedBytes?: number
}

export interface ExitStatus {
  /** 128+n when a signal ended it. */
  exitCode: number
  /** It was ended by the system for want of memory. */
  isOutOfMemory: boolean
  /** Its machine or wrapper died: nobody can know how it ended. */
  isLost: boolean
}

export interface VolumeSpec {
  /** Letters, digits, `_`, `.`, `-`; at most 128 characters. */
  name: string
  /** GB; drivers without sizes ignore it. */
  size?: number
}

export interface Volume {
  readonly name: string
  /** Where it is, for people: an absolute host path (native) or `/<name>`. */
  readonly path: string
}

export interface VolumeFile {
  /** Relative to the volume's root, `/` between parts. */
  path: string
  size: number
  content: AsyncIterable<Buffer>
}

export interface Sandbox {
  readonly id: string
  /** Starts a command in the sandbox; the returned container obeys the contract of Container. */
  exec(spec: ExecSpec, signal: AbortSignal): Promise<Container>
  remove(): Promise<void>
}

export interface ExecSpec {
  /** Unique in the sandbox. */
  id: string
  command: readonly [string, ...string[]]
  /** Added to the sandbox's own. */
  env: Readonly<Record<string, string>>
  workDir?: string
  stdin?: string
  /** See ContainerSpec. */
  beforeStart?: () => void
}
