import type { FlagTable } from './flag.js'
import { boolean, choice, logLevel } from './kinds.js'

const group = 'Logging'

/** The flags that every command takes, before or after its name. */
export const GLOBAL_FLAGS = {
  'log-level': {
    kind: logLevel,
    env: 'CI_LOG_LEVEL',
    default: 'info',
    doc: 'least severe level that is logged: debug, info, warn, error',
    group,
  },
  'log-format': {
    kind: choice(['text', 'json']),
    env: 'CI_LOG_FORMAT',
    default: 'text',
    doc: 'text or json; logs go to stderr',
    group,
  },
  'add-source': {
    kind: boolean,
    env: 'CI_ADD_SOURCE',
    default: 'false',
    doc: 'add the source location to each log line',
    group,
  },
} as const satisfies FlagTable
