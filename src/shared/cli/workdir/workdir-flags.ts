import type { FlagTable } from '../../config/flag.js'
import { boolean, list } from '../../config/kinds.js'

const group = 'Working directory'

/** What a run gets of the folder that a command is started in. */
export const WORKDIR_FLAGS = {
  'no-workdir': {
    kind: boolean,
    default: 'false',
    doc: 'leave the working directory here',
    group,
  },
  ignore: {
    kind: list,
    default: '.git/**/*',
    doc: 'globs of what is left out of it, relative to it; replaces the default',
    group,
  },
} as const satisfies FlagTable
