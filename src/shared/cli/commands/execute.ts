import type { Environment, FlagTable, GivenFlags } from '../../config/flag.js'
import { GLOBAL_FLAGS } from '../../config/global-flags.js'
import { duration } from '../../config/kinds.js'
import { loadConfig } from '../../config/load-config.js'
import { readFlags } from '../../config/read-flags.js'
import { SERVER_FLAGS } from '../../config/server-flags.js'
import { driverName } from '../../config/server-kinds.js'
import { abortOnSignals } from '../../signals.js'
import type { CommandSpec } from '../command-spec.js'
import { EXECUTE_FLAGS, mergeSecrets } from '../execute-flags.js'
import { executePipeline } from '../execute-pipeline.js'
import { INPUT_FLAG, parseInputs } from '../input-flag.js'
import { checkFile, contentTypeOf } from '../pipeline-file.js'
import { openTemporaryStorage } from '../temporary-storage.js'

/** What a server's flags mean for a run without a server. */
const SHARED_FLAGS = {
  driver: {
    kind: driverName,
    env: 'CI_DRIVER',
    default: 'native',
    doc: 'where the steps run',
    group: 'Drivers and features',
  },
  'docker-host': SERVER_FLAGS['docker-host'],
  'docker-cert-path': SERVER_FLAGS['docker-cert-path'],
  'allow-privileged': SERVER_FLAGS['allow-privileged'],
  'native-user': SERVER_FLAGS['native-user'],
  secret: SERVER_FLAGS.secret,
  'drain-timeout': SERVER_FLAGS['drain-timeout'],
  'max-log-mb': SERVER_FLAGS['max-log-mb'],
  'sandbox-memory-mb': SERVER_FLAGS['sandbox-memory-mb'],
  'sandbox-slice-timeout': SERVER_FLAGS['sandbox-slice-timeout'],
  'sandbox-cpu-timeout': SERVER_FLAGS['sandbox-cpu-timeout'],
  'sandbox-message-mb': SERVER_FLAGS['sandbox-message-mb'],
  ...GLOBAL_FLAGS,
  // who runs one pipeline reads its output, not how a server gets along
  'log-level': { ...GLOBAL_FLAGS['log-level'], default: 'warn' },
} as const satisfies FlagTable

const FLAGS = {
  timeout: {
    kind: duration({ min: '0', max: '500h' }),
    env: 'CI_TIMEOUT',
    default: '0',
    doc: 'stop the run after so long; 0 is never',
    group: 'Run',
  },
  ...INPUT_FLAG,
  ...SHARED_FLAGS,
  ...EXECUTE_FLAGS,
} as const satisfies FlagTable

export const executeCommand: CommandSpec = {
  name: 'execute',
  alias: 'runner',
  summary: 'run one pipeline from its file, without a server',
  description:
    'Runs one pipeline from its file, imports included, without a server, and exits with 0 or 1. Ctrl-C stops it. Arguments that look like flags go behind --.',
  operands: '<file> [args...]',
  completes: 'file',
  flags: FLAGS,
  examples: [
    'pocketci execute hello.ts',
    'pocketci execute --secret TOKEN=abc --timeout 5m deploy.ts staging -- --dry-run',
  ],
  async run({ context, given, operands: [file = '', ...args] }) {
    const flags = readFlags(FLAGS, given, context.env)
    await checkFile(file)
    contentTypeOf(file)
    const inputs = parseInputs(flags.input)
    using signals = abortOnSignals(['SIGINT', 'SIGTERM'])
    using storage = openTemporaryStorage((path) =>
      loadConfig(
        {
          ...pickShared(mergeSecrets(given)),
          driver: [flags.driver],
          'log-level': [flags['log-level']],
          'storage-sqlite-path': [path],
          'max-in-flight': ['1'],
        },
        pickSharedEnv(context.env),
      ),
    )
    return await executePipeline({
      config: storage.config,
      file,
      args,
      inputs,
      context,
      signals,
      timeoutMs: flags.timeout,
    })
  },
}

function pickShared(given: GivenFlags): GivenFlags {
  return Object.fromEntries(Object.entries(given).filter(([name]) => name in SHARED_FLAGS))
}

/** Variables that are there for a server, such as its port, have no say here. */
function pickSharedEnv(env: Environment): Environment {
  const names = Object.values<FlagTable[string]>(SHARED_FLAGS).flatMap(({ env, alsoEnv }) =>
    [env, alsoEnv].filter((name) => name !== undefined),
  )
  return Object.fromEntries(names.map((name) => [name, env[name]]))
}
