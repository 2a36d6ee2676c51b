import { z } from 'zod'

/** Bodies beyond this are for artifacts, not for whoever sent a webhook. */
const MAX_BODY_CHARS = 1_048_576
const MAX_HEADERS = 50
const MAX_HEADER_CHARS = 4_096

/** Headers of the connection, and those that would speak for the server itself. */
const REFUSED = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-connection', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'content-length', 'set-cookie'],
])

const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'this is no name of a header')
  .refine((name) => !REFUSED.has(name.toLowerCase()), 'this header is the server’s')

const valueSchema = z
  .string()
  .max(MAX_HEADER_CHARS)
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'this is no value of a header')

/** What a pipeline answers the sender of its webhook with. */
export const webhookResponseSchema = z.object({
  status: z.number().int().min(200).max(599).default(200),
  headers: z
    .record(nameSchema, valueSchema)
    .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `at most ${MAX_HEADERS}`)
    .default({}),
  body: z.string().max(MAX_BODY_CHARS).default(''),
})
export type WebhookResponse = z.infer<typeof webhookResponseSchema>
