import type { Writable } from 'node:stream'
import type { Environment, FlagTable, GivenFlags } from '../config/flag.js'

/** What a command may touch of its process. */
export interface CliContext {
  env: Environment
  /** Results. */
  stdout: Writable
  /** Logs, progress and errors. */
  stderr: Writable
}

/** A command as data; program.ts makes commander's commands of these. */
export interface CommandSpec {
  name: string
  alias?: string
  summary: string
  /** More than the summary, for the command's own help. */
  description?: string
  /** Commander's notation: `<file> [args...]`. */
  operands?: string
  /** What its first operand is, for shells that complete it; files are what shells do themselves. */
  completes?: 'pipeline' | 'run' | 'gate' | 'file' | readonly string[]
  flags: FlagTable
  /** Everything behind the first operand belongs to the pipeline, flags included. */
  isPassThrough?: boolean
  /** For programs, not for people: no help lists it. */
  isHidden?: boolean
  examples: readonly string[]
  /** Answers the exit code. What it throws is reported as an error. */
  run(call: CommandCall): Promise<number>
}

export interface CommandCall {
  context: CliContext
  /** As written on the command line: to be read with readFlags or loadConfig. */
  given: GivenFlags
  operands: readonly string[]
}
