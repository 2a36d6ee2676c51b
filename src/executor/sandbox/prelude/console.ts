import { freeze } from './intrinsics.js'
import { listOf, type Host } from './host.js'
import { formatArguments } from './inspect.js'

/** The `console` global: lines of the run's own log. */
export function createConsole(host: Host) {
  const write = (level: string, values: readonly unknown[]): void => {
    host.callSync('console', listOf(level, formatArguments(values)))
  }
  return freeze({
    log: (...values: unknown[]): void => write('log', values),
    info: (...values: unknown[]): void => write('info', values),
    debug: (...values: unknown[]): void => write('debug', values),
    warn: (...values: unknown[]): void => write('warn', values),
    error: (...values: unknown[]): void => write('error', values),
  })
}
