import type { InputValue } from '../../shared/contract/inputs.js'
import type { Engine } from './load-engine.js'
import type { Program } from '../../shared/pipeline/program.js'

export type { Program }

/**
 * The sandbox that one pipeline runs in. Behind this interface stands one JavaScript engine
 * (QuickJS in WebAssembly); nothing else of the executor knows which.
 *
 * The guest sees only the documented globals. Values cross as JSON text, so no host object is ever
 * reachable from the guest. A VM serves one run and is never reused.
 */
export interface PipelineVm extends Disposable {
  /**
   * Evaluates the program and calls its `pipeline` export. Never throws for what the guest does:
   * read `state` afterwards.
   */
  start(): void
  /** Hands one delivery to the guest and drains its job queue. Deliveries enter in call order. */
  deliver(delivery: Delivery): void
  readonly state: VmState
  /** Size of the memory that it holds until it is disposed and collected. */
  readonly memoryBytes: number
}

export type VmState =
  /** The pipeline's promise is pending. */
  | { status: 'pending' }
  | { status: 'resolved' }
  | { status: 'rejected'; error: GuestError }
  /** A limit was hit or the engine broke: the VM takes no more deliveries. */
  | { status: 'crashed'; error: GuestError; reason: CrashReason }

export type CrashReason = 'slice' | 'cpu' | 'memory' | 'stack' | 'message' | 'aborted' | 'engine'

/** What went wrong in the guest, as text for people: positions are those of the author's file. */
export interface GuestError {
  message: string
  stack?: string
}

export type Delivery =
  | { type: 'resolve'; call: number; value: unknown }
  | { type: 'reject'; call: number; message: string }
  /** A chunk for the `onOutput` callback of a call. */
  | { type: 'output'; call: number; stream: 'stdout' | 'stderr'; data: string }

/** What a VM asks of its host. Arguments are plain JSON data that the guest may have forged: parse them. */
export interface VmHost {
  /** A synchronous host function. What it throws reaches the guest as an Error with its message. */
  callSync(name: string, args: readonly unknown[]): unknown
  /** Starts an asynchronous one and returns; its end arrives by `deliver` under this call number. */
  callAsync(call: number, name: string, args: readonly unknown[]): void
  /** Polled while guest code runs: true ends it with reason `aborted`. */
  isAborted(): boolean
  /** Guest code begins and ends; the watchdog outside the thread reads it. */
  enterSlice(): void
  leaveSlice(): void
  /** The guest's clock, unix milliseconds: the time of the last delivery. */
  now(): number
}

export interface VmLimits {
  memoryBytes: number
  /** Longest synchronous slice. */
  sliceMs: number
  /** Guest CPU time over the whole run. */
  cpuMs: number
  /** Largest JSON text that crosses in one call or delivery. */
  messageBytes: number
}

export interface VmOptions {
  /** See load-engine.ts; make it once a process. */
  engine: Engine
  program: Program
  /** The value of the `pipelineContext` global. */
  context: PipelineContext
  host: VmHost
  limits: VmLimits
  /** Seed of Math.random: the same seed gives the same numbers. */
  seed: number
}

export interface PipelineContext {
  runID: string
  pipelineID: string
  triggeredBy: string
  args: readonly string[]
  targetJobs: readonly string[]
  inputs: Readonly<Record<string, InputValue>>
  driverName: string
}
