import type { Flag, FlagTable, GivenFlags } from '../config/flag.js'
import { boolean, text } from '../config/kinds.js'
import { LATER_FLAGS } from '../config/later-flags.js'
import { globalSecrets } from '../config/server-kinds.js'

const TEMPORARY = 'leave it out; the database of execute is temporary, a server keeps its runs'

const S3_CACHE = 'leave it out; runs start with empty caches'

/** Known from other CI tools and from scripts: what execute does with them, or why it does not. */
export const EXECUTE_FLAGS = {
  'global-secret': {
    kind: globalSecrets,
    doc: 'the same as --secret; a pipeline that runs alone has no others',
    group: 'Storage and secrets',
  },
  'storage-sqlite-path': refused('database file', TEMPORARY),
  'secrets-sqlite-path': refused('database file of the secrets', TEMPORARY),
  'secrets-sqlite-passphrase': refused('passphrase of the secrets', TEMPORARY),
  'run-id': refused('id of the run', TEMPORARY),
  resume: {
    kind: boolean,
    default: 'false',
    doc: 'go on with a run that failed',
    group: 'Run',
    later: TEMPORARY,
  },
  'fetch-timeout': refused('default time-out of fetch()', LATER_FLAGS['fetch-timeout'].later),
  'fetch-max-response-mb': refused(
    'cap on a fetch() response body, MB',
    LATER_FLAGS['fetch-max-response-mb'].later,
  ),
  'cache-s3-bucket': refused('keep volume caches in this S3 bucket', S3_CACHE),
} as const satisfies FlagTable

/** `--global-secret` as `--secret`; of one key the latter counts. */
export function mergeSecrets(given: GivenFlags): GivenFlags {
  const { 'global-secret': global = [], secret = [], ...rest } = given
  const all = [...global, ...secret]
  return all.length === 0 ? rest : { ...rest, secret: all }
}

/** Without a variable: those that are there for a server have no say. */
function refused(doc: string, instead: string): Flag<string> {
  return { kind: text, doc, group: 'Later versions', later: instead }
}
