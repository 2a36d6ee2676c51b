import { chooseDriver } from '../../config/choose-driver.js'
import { loadConfig } from '../../config/load-config.js'
import type { Config } from '../../config/config.js'
import { SERVER_FLAGS } from '../../config/server-flags.js'
import type { ReadyInfo } from '../../contract/supervision.js'
import { findsEngine } from '../../docker/find-engine.js'
import { createLogger } from '../../logger.js'
import { isLoopback } from '../../loopback.js'
import { abortOnSignals } from '../../signals.js'
import { runServer, TIER_ENTRIES } from '../../supervisor/run-server.js'
import type { CommandCall, CommandSpec } from '../command-spec.js'
import { readVersion } from '../version.js'

type Kinds = readonly ('api' | 'executor')[]

export const serverCommand = tierCommand({
  name: 'server',
  kinds: ['api', 'executor'],
  summary: 'run the CI server: the api and its executors',
  description:
    'Runs the CI server: one api process and --executors executor processes on one database. Ctrl-C or SIGTERM stops it in order; a second one ends it at once, and its runs go on at the next start.',
  examples: [
    'pocketci server',
    'pocketci server --port 9000 --storage-sqlite-path /var/lib/pocketci/pocketci.db',
    'pocketci server --max-in-flight 20 --executors 2 --secret REGISTRY_TOKEN=abc',
  ],
})

export const apiCommand = tierCommand({
  name: 'api',
  kinds: ['api'],
  summary: 'run the api alone; executors run beside it on the same database',
  examples: ['pocketci api --storage-sqlite-path /data/pocketci.db'],
})

export const executorCommand = tierCommand({
  name: 'executor',
  kinds: ['executor'],
  summary: 'run one executor alone, with --max-in-flight slots of its own',
  examples: ['pocketci executor --storage-sqlite-path /data/pocketci.db --max-in-flight 4'],
})

function tierCommand({
  kinds,
  ...spec
}: Omit<CommandSpec, 'flags' | 'run'> & { kinds: Kinds }): CommandSpec {
  return { ...spec, flags: SERVER_FLAGS, run: (call) => run(call, spec.name, kinds) }
}

async function run({ context, given }: CommandCall, name: string, kinds: Kinds): Promise<number> {
  const loaded = loadConfig(given, context.env)
  const config = await chooseDriver(loaded, {
    hasApi: kinds.includes('api'),
    findsEngine: () => findsEngine(loaded.drivers.docker),
  })
  process.title = `pocketci ${name}`
  const logger = createLogger(config.log, 'supervisor')
  for (const warning of listWarnings(config, kinds)) logger.warn(warning)
  using signals = abortOnSignals(['SIGINT', 'SIGTERM'])
  signals.stopping.addEventListener('abort', () =>
    logger.info({ signal: signals.stopping.reason }, 'stopping; a second signal ends it at once'),
  )
  return await runServer({
    config,
    kinds,
    entries: TIER_ENTRIES,
    env: context.env,
    logger,
    signals,
    onReady: (infos) => void context.stdout.write(describeReady(name, config, infos)),
  })
}

function listWarnings({ drivers, http, auth }: Config, kinds: Kinds): string[] {
  return [
    ...(drivers.isFallback
      ? [
          'no Docker engine answers, so pipelines run on the native driver: start an engine and restart the server, or choose with --driver',
        ]
      : []),
    ...(drivers.default === 'native'
      ? [
          'the native driver runs steps on this machine without isolation: set only pipelines that you trust',
        ]
      : []),
    ...(kinds.includes('api') && !isLoopback(http.host) && !auth.basic && !auth.oauth
      ? [
          'no sign-in is set up: whoever reaches this address can run commands on this machine; see docs/auth.md',
        ]
      : []),
  ]
}

function describeReady(name: string, config: Config, infos: readonly ReadyInfo[]): string {
  const title = `pocketci ${readVersion()}`
  const url = infos.find((info) => info.url)?.url
  if (url === undefined)
    return `${title}: ${name} with ${config.queue.maxInFlight} slots is ready\n`
  // listening everywhere has no address that a browser likes
  const base = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
  return [
    `${title} is ready: ${base}/`,
    '',
    'Set a pipeline and run it:',
    `  pocketci pipeline set hello.ts --server-url ${base}`,
    `  pocketci pipeline run --server-url ${base} hello`,
    '',
  ].join('\n')
}
