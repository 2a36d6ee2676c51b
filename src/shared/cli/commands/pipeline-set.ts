import { z } from 'zod'
import { DRIVERS } from '../../config/config.js'
import { formatDuration } from '../../config/duration.js'
import type { FlagTable, ValuesOf } from '../../config/flag.js'
import {
  boolean,
  choice,
  duration,
  filledText,
  integer,
  labels,
  path,
  quote,
  text,
  type Kind,
} from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { globalSecrets, type GlobalSecret } from '../../config/server-kinds.js'
import { PRIORITIES } from '../../contract/queue-rules.js'
import { AppError } from '../../errors.js'
import { compilePipeline, stopCompiler } from '../../pipeline/compile.js'
import { during, errorOfBody, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { driverConfigOf, DRIVER_FLAGS } from '../driver-flags.js'
import { parseSecretFile } from '../given-secrets.js'
import { JSON_FLAG } from '../output-flags.js'
import { pipelinePath } from '../remote-pipelines.js'
import { printable } from '../printable.js'
import { checkFile, contentTypeOf, pipelineNameOf, readTextFile } from '../pipeline-file.js'

const group = 'Pipeline'
const rules = 'Queue (what is left out stays as it is)'
const webhooks = 'Webhooks (what is left out stays as it is)'

/** As the server stores it; undefined leaves what the pipeline has. */
const resume: Kind<boolean | undefined> = {
  ...boolean,
  parse(texts) {
    const value = texts.at(-1) ?? ''
    if (value === 'unset') return undefined
    try {
      return boolean.parse([value])
    } catch {
      throw new Error(`expected true, false or unset, got ${quote(value)}`)
    }
  },
}

const FLAGS = {
  name: { kind: filledText, short: 'n', defaultText: "the file's name", doc: 'name', group },
  driver: {
    kind: { ...text, completes: DRIVERS },
    short: 'd',
    env: 'CI_DRIVER',
    defaultText: "the server's",
    doc: 'driver that runs its steps',
    group,
  },
  secret: {
    kind: globalSecrets,
    short: 'e',
    doc: 'secret of the pipeline; repeatable, a comma is part of the value',
    group,
  },
  'secret-file': { kind: path, doc: 'file with KEY=VALUE a line; --secret wins', group },
  resume: {
    kind: resume,
    default: 'false',
    doc: 'failed runs may be resumed; --resume=unset leaves what the pipeline has',
    group,
  },
  'webhook-secret': {
    kind: text,
    short: 'w',
    env: 'CI_WEBHOOK_SECRET',
    doc: 'secret that webhooks are signed with; --webhook-secret= takes it away',
    group: webhooks,
  },
  'webhook-provider': {
    kind: { ...text, placeholder: 'NAME' },
    doc: 'take webhooks of this provider alone, such as github; --webhook-provider= takes any',
    group: webhooks,
  },
  rbac: {
    kind: text,
    env: 'CI_PIPELINE_RBAC',
    doc: 'expression that says whom the pipeline is open to; --rbac= takes it away',
    group,
  },
  'concurrency-mode': {
    kind: choice(['', 'none', 'serial', 'group', 'skip-if-running']),
    env: 'CI_CONCURRENCY_MODE',
    doc: 'which runs may overlap: none (no rule), serial, group or skip-if-running',
    group: rules,
  },
  'concurrency-group-template': {
    kind: text,
    env: 'CI_CONCURRENCY_GROUP_TEMPLATE',
    doc: 'names the group of a run, such as {{ index .Args 0 }}; mode group needs it',
    group: rules,
  },
  'concurrency-cancel-running': {
    kind: boolean,
    env: 'CI_CONCURRENCY_CANCEL_RUNNING',
    doc: 'a new run supersedes the others of its group',
    group: rules,
  },
  priority: {
    kind: choice(PRIORITIES),
    doc: 'which runs go first: low, normal or high',
    group: rules,
  },
  labels: {
    kind: labels,
    doc: 'what an executor must have to run it, such as gpu,arm64; --labels= takes them away',
    group: rules,
  },
  'max-in-flight': {
    kind: integer({ min: 0, max: 1_000_000 }),
    doc: 'runs of it at once; 0 is no limit',
    group: rules,
  },
  'run-timeout': {
    kind: duration({ min: '0', max: '168h' }),
    doc: 'how long a run may take; 0 is no limit',
    group: rules,
  },
  ...DRIVER_FLAGS,
  ...JSON_FLAG,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

const storedSchema = z.object({ id: z.string(), name: z.string() })

export const setCommand: CommandSpec = {
  name: 'set',
  summary: 'create a pipeline from a file, or replace it',
  description:
    'Creates a pipeline from a .ts or .js file, or replaces the one of that name. It is compiled here first, so that its errors show before anything is sent.',
  operands: '<file>',
  completes: 'file',
  flags: FLAGS,
  examples: [
    'pocketci pipeline set hello.ts --server-url http://127.0.0.1:8080',
    'pocketci pipeline set build.ts --webhook-secret "$(openssl rand -hex 32)" --webhook-provider github',
    'pocketci pipeline set build.ts --name nightly --secret TOKEN=abc -s http://127.0.0.1:8080',
  ],
  async run({ context, given, operands: [file = ''] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const driverConfig = driverConfigOf({
      driver: flags.driver,
      dockerHost: flags['docker-host'],
      given,
    })
    const { 'webhook-secret': webhookSecret, 'webhook-provider': provider } = flags
    await checkFile(file)
    if (flags['secret-file'] !== undefined) await checkFile(flags['secret-file'])

    const contentType = contentTypeOf(file)
    const content = await readTextFile(file, 'could not read pipeline file')
    await validate(content, contentType)
    const secrets = await collectSecrets(flags.secret ?? [], flags['secret-file'])
    const { id, name } = await during('set pipeline', () =>
      put(connection, flags.name ?? pipelineNameOf(file), {
        content,
        content_type: contentType,
        driver: flags.driver ?? '',
        ...(driverConfig && { driver_config: driverConfig }),
        ...queueFieldsOf(flags),
        ...(webhookSecret !== undefined && { webhook_secret: webhookSecret }),
        ...(provider !== undefined && { webhook_provider: provider }),
        ...(flags.resume !== undefined && { resume_enabled: flags.resume }),
        ...(flags.rbac !== undefined && { rbac_expression: flags.rbac }),
        ...(secrets.size > 0 ? { secrets: Object.fromEntries(secrets) } : {}),
      }),
    )

    const url = `${connection.url}/pipelines/${id}/`
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ id, name, url })}\n`)
      return 0
    }
    const lines = [
      `Pipeline '${printable(name)}' uploaded successfully!`,
      `  ID: ${id}`,
      `  URL: ${url}`,
      `  Server: ${connection.url}`,
      ...(flags.driver ? [`  Driver: ${flags.driver}`] : []),
      ...(secrets.size > 0 ? [`  Secrets: ${secrets.size} key(s) set`] : []),
      ...(webhookSecret ? [`  Webhook URL: ${connection.url}/api/webhooks/${id}`] : []),
    ]
    context.stdout.write(`${lines.join('\n')}\n`)
    return 0
  },
}

/** As the reference sends them: one of the concurrency flags brings the whole rule. */
function queueFieldsOf(flags: ValuesOf<typeof FLAGS>) {
  const mode = flags['concurrency-mode']
  const template = flags['concurrency-group-template']
  const cancels = flags['concurrency-cancel-running']
  const timeoutMs = flags['run-timeout']
  const hasRule = [mode, template, cancels].some((flag) => flag !== undefined)
  return {
    ...(hasRule && {
      concurrency_mode: mode === 'none' ? '' : (mode ?? ''),
      ...(template && { concurrency_group_template: template }),
      concurrency_cancel_running: cancels ?? false,
    }),
    ...(flags.priority !== undefined && { priority: flags.priority }),
    ...(flags.labels !== undefined && { labels: flags.labels }),
    ...(flags['max-in-flight'] !== undefined && { max_in_flight: flags['max-in-flight'] }),
    ...(timeoutMs !== undefined && { run_timeout: formatDuration(timeoutMs) }),
  }
}

async function validate(content: string, contentType: 'ts' | 'js'): Promise<void> {
  try {
    await during('pipeline validation failed', () => compilePipeline(content, { contentType }))
  } finally {
    await stopCompiler()
  }
}

async function collectSecrets(
  given: readonly GlobalSecret[],
  file: string | undefined,
): Promise<Map<string, string>> {
  const secrets =
    file === undefined
      ? new Map<string, string>()
      : parseSecretFile(file, await readTextFile(file, 'could not read secret file'))
  for (const { key, value } of given) secrets.set(key, value)
  return secrets
}

async function put(
  connection: Connection,
  name: string,
  body: unknown,
): Promise<z.infer<typeof storedSchema>> {
  const response = await request(connection, pipelinePath(name), { method: 'PUT', body })
  if (response.ok) return await readJson(response, storedSchema)
  const refused = await refusal(connection, response)
  if (response.status === 401 || response.status === 403) throw refused
  const { body: said } = refused.details
  const reason = typeof said === 'string' ? errorOfBody(said) : ''
  throw new AppError(refused.code, `server returned ${response.status}: ${reason}`)
}
