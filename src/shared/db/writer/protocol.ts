import type { MessagePort } from 'node:worker_threads'
import type { ErrorData } from '../../errors.js'
import type { Db } from '../open.js'

/**
 * What a writer can do: named, synchronous functions over one connection. Each call is one atomic
 * change: it happens as a whole or, when it throws, not at all.
 */
// a map of functions with different inputs has no narrower common type than this
export type Operations = Record<string, (input: never, notes: Notes) => unknown>

/**
 * What operations have counted, for the next ones, so that they need not count again. An operation
 * keeps its own notes true; all are emptied when another connection has written, or one has failed.
 */
export type Notes = Map<string, number>

/** What the module behind `WriterOptions.operations` exports. */
export interface OperationsModule {
  createOperations(db: Db): Operations
}

export interface WriterData {
  path: string
  /** See OpenOptions. */
  attach?: string
  /** How long writes wait for a database that is locked or out of space; 0 (default): they fail. */
  patienceMs?: number
  /** File URL of an OperationsModule. */
  operations: string
}

export interface WriteRequest {
  id: number
  operation: string
  input: unknown
  /** False lets the commit be lost by a power cut (never by a crash of the process). */
  isDurable: boolean
  /** A thread that sleeps until the answer is there: its first element becomes 1. */
  wake?: SharedArrayBuffer
}

export type WriteReply =
  { id: number; ok: true; value: unknown } | { id: number; ok: false; error: ErrorData }

/** From the owner of the writer: another port to serve. */
export interface ConnectMessage {
  connect: MessagePort
}
