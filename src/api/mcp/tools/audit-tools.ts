import { z } from 'zod'
import { AUDIT_OUTCOMES } from '../../../shared/db/audit-log.js'
import { listAudit } from '../../routes/audit.js'
import { clipObject } from '../clip.js'
import { defineTool } from '../tool.js'
import { pageFields, pipelineKey, toPage } from '../tool-input.js'

const word = z.string().max(255)

/** Reading who did what. */
export const auditTools = [
  defineTool({
    name: 'list_audit_log',
    title: 'List audit log',
    description:
      'Who did what to what and from where, newest first, as far as you may know it. since and until are times in RFC 3339.',
    input: z.strictObject({
      actor: word.nullish(),
      action: word.nullish(),
      outcome: z.enum(AUDIT_OUTCOMES).nullish(),
      pipeline: pipelineKey.nullish(),
      since: word.nullish(),
      until: word.nullish(),
      ...pageFields,
    }),
    action: 'audit.read',
    resource: () => ({ kind: 'server' }),
    effect: 'reads',
    run({ context, request }, { page, per_page: perPage, ...filter }) {
      const given = Object.entries(filter).flatMap(([key, value]) => (value ? [[key, value]] : []))
      const pages = { page: toPage({ page, per_page: perPage }), query: new URLSearchParams(given) }
      return { json: clipObject(listAudit(context, request, pages)) }
    },
  }),
]
