import { pino, type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config/config.js'

export type { Logger }

/**
 * The one logger of a process: made in its entry file and passed down. It writes to stderr, for
 * stdout belongs to command results. The message of a line is constant; what varies is a field.
 */
export function createLogger(config: Config['log'], tier: string): Logger {
  const options = {
    level: config.level,
    base: { tier },
    ...(config.addSource ? { mixin: source } : {}),
  }
  if (config.format === 'json') return pino(options, pino.destination({ fd: 2, sync: true }))
  return pino(
    options,
    pretty({
      destination: 2,
      sync: true,
      singleLine: true,
      colorize: process.stderr.isTTY,
      ignore: 'pid,hostname',
    }),
  )
}

/** The caller's file and line: the first stack frame outside pino. */
function source(): { source?: string } {
  const frames = new Error('source').stack?.split('\n').slice(2) ?? []
  const frame = frames.find((line) => !line.includes('/pino') && !line.includes('shared/logger'))
  return frame ? { source: frame.trim().replace(/^at /, '') } : {}
}
