import { randomBytes } from 'node:crypto'
import type { Request } from 'express'
import { z } from 'zod'
import type { Config } from '../../shared/config/config.js'
import type { Pipeline } from '../../shared/db/pipelines.js'
import type { EncryptedSecret } from '../../shared/db/secrets.js'
import { AppError } from '../../shared/errors.js'
import { pipelineIdOf } from '../../shared/ids.js'
import type { CompiledPipeline } from '../../shared/pipeline/program.js'
import { encryptSecret } from '../../shared/secrets/cipher.js'
import { checkName } from '../check-name.js'
import type { ApiContext } from '../context.js'
import { parseBody, readJsonBody } from '../request-body.js'
import { actorOf, pathParam, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { checkDriver, driverFields, encryptSettings } from '../submitted-driver.js'
import {
  checkQueueFields,
  queueFields,
  toConcurrency,
  toQueueSettings,
} from '../submitted-queue-rules.js'
import { checkWebhookFields, toWebhooks, webhookFields } from '../submitted-webhooks.js'
import { checkSubmittedRule } from '../submitted-rule.js'
import { checkSecrets, secretsSchema } from '../submitted-secrets.js'
import { describePipeline } from './pipelines.js'

export const pipelineBodySchema = z.strictObject({
  content: z.string().default(''),
  content_type: z.string().nullish(),
  ...driverFields,
  secrets: secretsSchema.nullish(),
  resume_enabled: z.boolean().nullish(),
  ...queueFields,
  ...webhookFields,
  rbac_expression: z.string().nullish(),
})
type Body = z.infer<typeof pipelineBodySchema>

/** Bodies that browsers' forms send bind nothing. */
const FORM_TYPES = ['application/x-www-form-urlencoded', 'multipart/form-data']

/** Creating a pipeline, or replacing the one of that name: all is checked first, then stored at once. */
export function addSetPipelineRoute({ route }: RouteTable, context: ApiContext): void {
  const { bodyBytes } = context.config.limits
  route(
    'PUT',
    '/api/pipelines/:id',
    { action: 'pipeline.set', resource: { kind: 'pipeline', param: 'id' } },
    async (request, response) => {
      const json = await readJsonBody(request, { maxBytes: bodyBytes, emptyTypes: FORM_TYPES })
      const name = pathParam(request, 'id')
      checkName('pipeline', name)
      const body = parseBody(pipelineBodySchema, json ?? {})
      const pipeline = await setPipeline(context, request, { name, body })
      sendJson(response, 200, describePipeline(context, pipeline))
    },
  )
}

/**
 * Creates a pipeline, or replaces the one of that name. Throws `pipeline_invalid`, or what is wrong with the
 * fields, and then nothing has changed.
 */
export async function setPipeline(
  context: ApiContext,
  request: Request,
  { name, body }: { name: string; body: Body },
): Promise<Pipeline> {
  const { config, compile, pipelines, audit } = context
  const contentType = check(body, config)
  checkSubmittedRule(body.rbac_expression, actorOf(request))
  const program = await compile(body.content, { contentType: contentType || 'ts' })
  checkSchedules(program, config)
  const former = pipelines.findByName(name)?.rule ?? ''
  const pipeline = await store(context, { name, body, contentType, program })
  const { id: pipelineId, rule } = pipeline
  await audit.record(request, { action: 'pipeline.upsert', pipelineId, details: { name } })
  if (rule !== former) {
    const details = { from: former, to: rule }
    await audit.record(request, { action: 'pipeline.rbac.update', pipelineId, details })
  }
  return pipeline
}

/** Answers the content type. Throws what is wrong with the fields; nothing is compiled yet. */
function check(body: Body, config: Config): '' | 'ts' | 'js' {
  if (body.content === '') throw new AppError('request_invalid', 'content is required')
  const contentType = checkContentType(body.content_type ?? '')
  checkDriver(body, config.drivers)
  checkSecrets(body.secrets ?? {}, config.features)
  if (body.resume_enabled === true && !config.features.includes('resume'))
    throw new AppError('request_invalid', 'resume feature is not enabled')
  checkQueueFields(body)
  checkWebhookFields(body, config.features)
  return contentType
}

function checkContentType(given: string): '' | 'ts' | 'js' {
  switch (given) {
    case '':
    case 'ts':
    case 'js':
      return given
    case 'yaml':
    case 'yml':
      throw new AppError(
        'request_invalid',
        'YAML pipelines are not available in this version yet: write the pipeline in TypeScript',
      )
    default:
      throw new AppError(
        'request_invalid',
        `unknown content_type ${JSON.stringify(given.slice(0, 100))} (valid: "", "ts", "js")`,
      )
  }
}

/** Better than schedules that nobody fires. */
function checkSchedules({ schedules }: CompiledPipeline, { features }: Config): void {
  if (Object.keys(schedules).length > 0 && !features.includes('schedules'))
    throw new AppError('request_invalid', 'schedules feature is not enabled')
}

interface Submission {
  name: string
  body: Body
  contentType: string
  program: CompiledPipeline
}

/**
 * The secrets are encrypted for the pipeline's id, so that has to be settled first. Somebody may
 * create or delete the pipeline meanwhile: then the writer stores nothing, and the next try knows.
 */
async function store(
  context: ApiContext,
  { name, body, contentType, program }: Submission,
): Promise<Pipeline> {
  const { pipelines, writer, secretKey, now, config } = context
  const input = {
    name,
    content: body.content,
    contentType,
    driver: body.driver ?? '',
    program: program.code,
    sourceMap: program.sourceMap,
    isResumeEnabled: body.resume_enabled ?? undefined,
    rule: body.rbac_expression ?? undefined,
    ...toQueueSettings(body),
  }
  const { inputs, schedules, mayRespond } = program
  const declarations = { inputs, schedules, mayRespond }
  const concurrency = toConcurrency(body)
  const driver = checkDriver(body, config.drivers)
  let id = pipelines.findByName(name)?.id ?? pipelineIdOf(name, body.content)
  for (;;) {
    const scope = `pipeline/${id}`
    const secrets = Object.entries(body.secrets ?? {}).map(([key, value]): EncryptedSecret => ({
      scope,
      key,
      encryptedValue: encryptSecret(secretKey, scope, key, value),
    }))
    const driverConfig = encryptSettings(driver, secretKey, id)
    const set = {
      ...{ id, input, declarations, concurrency, secrets, driverConfig },
      webhooks: toWebhooks(body, context, id),
      now: now(),
    }
    const result = await writer.write('setPipeline', set)
    switch (result.outcome) {
      case 'stored':
        return result.pipeline
      case 'other_id':
        id = result.id
        break
      case 'id_taken':
        // "a" with content "b:c" hashes like "a:b" with content "c"
        id = randomBytes(16).toString('hex')
        break
      case 'rule_invalid':
        throw new AppError('request_invalid', result.fault)
      case 'secret_key_missing':
        throw new AppError(
          'request_invalid',
          `missing existing secret key "${result.key}": all existing secrets must be included on update`,
        )
    }
  }
}
