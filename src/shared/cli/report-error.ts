import type { Writable } from 'node:stream'
import { CommanderError } from 'commander'
import { AppError, errorMessage } from '../errors.js'
import { printableLines } from './printable.js'

const PREFIX = 'pocketci: error: '
const USAGE_EXIT = 80

/** Writes an error for a person and answers the exit code: 80 for a usage error, else 1. */
export function reportError(error: unknown, stderr: Writable): number {
  if (error instanceof CommanderError) return reportParserError(error, stderr)
  write(stderr, error instanceof AppError ? error.message : describeBug(error))
  return isUsageError(error) ? USAGE_EXIT : 1
}

/** An error in how a command was called. */
export function usageError(message: string): AppError {
  return new AppError('usage_invalid', message)
}

/** Help and the version come as errors too, with exit code 0. */
function reportParserError({ exitCode, code, message }: CommanderError, stderr: Writable): number {
  if (exitCode === 0) return 0
  // a group without its subcommand: its help is the message, and it is written already
  if (code !== 'commander.help') {
    const [first = '', hint] = message.replace(/^error: /, '').split('\n')
    const suggestion = hint?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?')
    write(stderr, suggestion ? `${first}; ${suggestion}` : first)
  }
  return USAGE_EXIT
}

function isUsageError(error: unknown): boolean {
  if (!(error instanceof AppError)) return false
  return error.code === 'usage_invalid' || error.details['isUsageError'] === true
}

/** Not one of the failures that we foresee: where it happened is what helps. */
function describeBug(error: unknown): string {
  return (error instanceof Error && error.stack) || errorMessage(error)
}

/** Errors hold what servers, pipelines and files say. */
function write(stderr: Writable, text: string): void {
  const indented = printableLines(text.trimEnd()).replaceAll('\n', `\n${' '.repeat(PREFIX.length)}`)
  stderr.write(`${PREFIX}${indented}\n`)
}
