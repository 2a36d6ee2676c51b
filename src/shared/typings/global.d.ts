/**
 * The globals of a pocketci pipeline, for editors and `tsc`. Nothing is imported at run time.
 * Keep it in step with src/executor/sandbox/prelude; a test compares the two.
 */
export {}

declare global {
  /** Environment variables of a container. A whole value `secret:KEY` becomes that secret. */
  type EnvVars = Record<string, string>

  /** An executable and its arguments; no shell is involved. */
  interface CommandConfig {
    path: string
    args?: string[]
    user?: string
  }

  interface ContainerLimits {
    /** CPU shares: 1024 is one core. */
    cpu?: number
    cpuKind?: 'shared' | 'performance'
    /** Bytes. */
    memory?: number
  }

  /** Gets output as it is written. What it returns or throws is ignored. */
  type OutputCallback = (stream: 'stdout' | 'stderr', data: string) => void

  /** Volumes by the path they are mounted at; a relative path is below the work dir. */
  type KnownMounts = Record<string, VolumeResult | { name: string } | string>

  interface RunTaskConfig {
    /** A label for people. */
    name?: string
    image?: string
    command: CommandConfig
    env?: EnvVars
    mounts?: KnownMounts
    workDir?: string
    /** The whole of standard input. */
    stdin?: string
    privileged?: boolean
    containerLimits?: ContainerLimits
    /** Such as `90s` or `1h30m`; covers the image pull as well. */
    timeout?: string
    onOutput?: OutputCallback
    storageKey?: string
  }

  interface RunTaskResult {
    /** The exit code. A code other than 0 does not reject. */
    code: number
    stdout: string
    stderr: string
    /** `abort`: the time-out passed before the command ended. */
    status: 'complete' | 'abort'
  }

  interface VolumeConfig {
    /** The same name twice in a run is the same volume. */
    name?: string
    /** GB; drivers without sizes ignore it. */
    size?: number
  }

  interface VolumeResult {
    readonly name: string
    /** Where it is on its host, for people. */
    readonly path: string
    /** The text of files by path; directories are read recursively. Rejects when a path is missing. */
    readFiles(this: void, paths: readonly string[]): Promise<Record<string, string>>
  }

  interface SandboxConfig {
    name?: string
    image?: string
    env?: EnvVars
    mounts?: KnownMounts
    workDir?: string
    privileged?: boolean
  }

  interface SandboxExecConfig {
    command: CommandConfig
    /** Added to the sandbox's own, for this command. */
    env?: EnvVars
    workDir?: string
    stdin?: string
    timeout?: string
    onOutput?: OutputCallback
  }

  /** A container that stays: its files persist from one command to the next. */
  interface SandboxHandle {
    readonly id: string
    exec(this: void, config: SandboxExecConfig): Promise<RunTaskResult>
    close(this: void): Promise<void>
  }

  namespace runtime {
    /** Runs a command in a container of its own. */
    function run(config: RunTaskConfig): Promise<RunTaskResult>
    /** Starts a container for several commands. */
    function startSandbox(config: SandboxConfig): Promise<SandboxHandle>
  }

  namespace volumes {
    function create(config?: VolumeConfig): Promise<VolumeResult>
    function readFiles(
      volumeName: string,
      paths: readonly string[],
    ): Promise<Record<string, string>>
    function readFiles(
      volumeName: string,
      path: string,
      ...paths: string[]
    ): Promise<Record<string, string>>
  }

  interface PipelineContext {
    readonly runID: string
    readonly pipelineID: string
    readonly triggeredBy: 'manual' | 'webhook'
    readonly args: readonly string[]
    readonly targetJobs: readonly string[]
    /** What the file declares as `export const inputs`, with its defaults. */
    readonly inputs: Readonly<Record<string, string | number | boolean>>
    readonly driverName: string
  }

  const pipelineContext: PipelineContext

  /**
   * One input of a pipeline: `export const inputs = { env: { type: 'string' } }`. It is read without
   * running the file, so it has to be written out.
   */
  type PipelineInput = { required?: boolean; description?: string } & (
    | { type: 'string'; default?: string }
    | { type: 'number'; default?: number }
    | { type: 'boolean'; default?: boolean }
    | { type: 'choice'; choices: readonly string[]; default?: string }
  )
  type PipelineInputs = Record<string, PipelineInput>

  /** When a pipeline starts runs by itself: `export const schedules = { … } satisfies PipelineSchedules`. */
  type PipelineSchedule = {
    args?: readonly string[]
    jobs?: readonly string[]
    inputs?: Record<string, string | number | boolean>
  } & (
    | {
        /** Five fields: minute, hour, day of month, month, day of week. */
        cron: string
        /** Such as `Europe/Berlin`; UTC unless given. */
        timezone?: string
        every?: never
      }
    | {
        /** Such as `30m` or `1h30m`, at least `1m`. */
        every: string
        cron?: never
        timezone?: never
      }
  )
  type PipelineSchedules = Record<string, PipelineSchedule>

  interface PipelineStage {
    /** Registers a job; call it before the stage's callback returns. */
    job(this: void, name: string, callback: () => unknown): void
  }

  interface GateOptions {
    /** What whoever decides should know. */
    message?: string
    /** Such as `90s` or `1h30m`, from the creation of the gate; for ever unless given. */
    timeout?: string
    /** Who may approve or reject it; everybody who may use gates unless given. */
    approvers?: readonly string[]
  }

  interface Orchestration {
    /**
     * Waits until somebody approves: `pocketci gate approve`, or the API. Rejects when it is
     * rejected or times out. A run with nothing else to do keeps no slot meanwhile.
     */
    gate(this: void, name: string, options?: GateOptions): Promise<void>
    /** Runs the jobs of a stage in parallel and waits for all; rejects with all their failures. */
    stage(this: void, name: string, callback: (stage: PipelineStage) => unknown): Promise<void>
  }

  /** Hidden in files that declare a `pipeline` of their own: use `orchestration` there. */
  const pipeline: Orchestration
  const orchestration: Orchestration

  interface TriggerOptions {
    args?: readonly string[]
    jobs?: readonly string[]
    inputs?: Readonly<Record<string, string | number | boolean>>
  }

  /** How a run ended; one that fails does not reject. */
  interface TriggeredRunResult {
    runID: string
    status: 'success' | 'failed' | 'skipped'
    /** Of a run that has one. */
    error?: string
  }

  /**
   * Starts a run of another pipeline. Rejects when it is refused: there is no such pipeline, it is
   * paused or among the callers of this run, or the queue is full. With `wait` it resolves when that
   * run has ended.
   */
  function triggerPipeline(
    nameOrId: string,
    options: TriggerOptions & { wait: true },
  ): Promise<TriggeredRunResult>
  function triggerPipeline(
    nameOrId: string,
    options?: TriggerOptions & { wait?: false },
  ): Promise<{ runID: string }>

  /** The webhook that started a run. Credentials and signatures are masked. */
  interface HttpRequest {
    readonly provider: string
    readonly eventType: string
    readonly method: string
    /** Path and query. */
    readonly url: string
    /** Names such as `X-Github-Event`; they are found in any case. */
    readonly headers: Readonly<Record<string, string>>
    readonly query: Readonly<Record<string, string>>
    /** Raw, as text. */
    readonly body: string
  }

  interface HttpResponse {
    /** 200 unless given. */
    status?: number
    headers?: Readonly<Record<string, string>>
    body?: string
  }

  namespace http {
    /** Undefined when the run was not started by a webhook. */
    function request(): HttpRequest | undefined
    /** Answers whoever has sent the webhook. The first call counts, while the sender waits; the run goes on. */
    function respond(response?: HttpResponse): void
  }

  /** Whether an expression over the webhook is true; always, when the run was not started by one. */
  function webhookTrigger(expression: string): boolean
  /** Texts that expressions make of the webhook; those that fail are left out. */
  function webhookParams(expressions: Readonly<Record<string, string>>): Record<string, string>
  /** Whether a run of this pipeline has asked with the same key before. */
  function webhookDedup(expression: string): boolean

  interface EventuallyOptions {
    /** 1000 unless given. */
    timeoutMs?: number
    /** 50 unless given. */
    intervalMs?: number
    message?: string
  }

  /** A failed assertion throws, and fails the run even when it is caught. */
  namespace assert {
    function equal(actual: unknown, expected: unknown, message?: string): void
    function notEqual(actual: unknown, expected: unknown, message?: string): void
    /** `pattern` is an RE2 regular expression. */
    function containsString(text: string, pattern: string, message?: string): void
    /** Asks `getter` again until its text matches. Await it. */
    function eventuallyContainsString(
      getter: () => unknown,
      pattern: string,
      options?: EventuallyOptions,
    ): Promise<void>
    /** @deprecated Pass an options object. */
    function eventuallyContainsString(
      getter: () => unknown,
      pattern: string,
      timeoutMs: number,
      intervalMs?: number,
      message?: string,
    ): Promise<void>
    function truthy(value: unknown, message?: string): void
    function containsElement<Element>(
      list: readonly Element[],
      element: Element,
      message?: string,
    ): void
  }

  interface StorageEntry {
    id: string
    path: string
    payload: Record<string, unknown>
  }

  /** Values that outlive the run, shared by all runs of this pipeline. */
  namespace storage {
    /** Merges `value` into what is stored (RFC 7396): null removes a key. */
    function set(key: string, value: Record<string, unknown>): void
    /** Throws `storage get: not found` for an unknown key. */
    function get(key: string): Record<string, unknown>
    /** Entries by prefix; `fields` limits the keys of each payload, `['*']` means all. */
    function getAll(prefix: string, fields?: readonly string[]): StorageEntry[]
    /** The last status of a job that is neither skipped nor pending, else an empty string. */
    function getMostRecentJobStatus(pipelineID: string, jobName: string): string
  }

  interface Yaml {
    /** Throws an error with line and column for what is not YAML. */
    parse(this: void, text: string): unknown
    /** Keys are sorted. */
    stringify(this: void, value: unknown): string
  }

  const yaml: Yaml
  /** @deprecated Use `yaml`. */
  const YAML: Yaml

  /** Lines of the run's own log. Merges with the DOM's when that is loaded as well. */
  interface Console {
    log(...values: unknown[]): void
    info(...values: unknown[]): void
    debug(...values: unknown[]): void
    warn(...values: unknown[]): void
    error(...values: unknown[]): void
  }

  // the form that the DOM declares: two of the same kind and type agree
  var console: Console
}
