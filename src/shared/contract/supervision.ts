import { z } from 'zod'
import { configSchema } from '../config/config.js'
import { ERROR_CODES } from '../errors.js'

/**
 * What the supervisor says to a tier, over the IPC channel and so never by environment or argv.
 * `start` is always first. `stop`: take on nothing new and finish what runs. `close` (to the api,
 * when the executors are done): end what is still open.
 */
export const startMessageSchema = z.object({
  type: z.literal('start'),
  /** The process title, for ps. */
  title: z.string(),
  config: configSchema,
  /** The 32 bytes that secrets are encrypted under, in base64. */
  secretKey: z.base64(),
  /** Executors only. */
  executor: z
    .object({
      /** Which one it is, from 1. */
      index: z.number().int().min(1),
      /** Runs that it executes at once. */
      capacity: z.number().int().min(1),
      /** What a stop does to runs that have not ended in time: another executor goes on, or nobody. */
      runsAtStop: z.enum(['hand_over', 'kill']),
    })
    .optional(),
})
export type StartMessage = z.infer<typeof startMessageSchema>

export const orderSchema = z.object({ type: z.enum(['stop', 'close']) })
export type Order = z.infer<typeof orderSchema>

/** What a tier says about itself once it serves. */
export const readyInfoSchema = z.object({
  /** The api's base URL. */
  url: z.string().optional(),
  /** The executor's id in table `executors`: its leases are expired when the process dies. */
  executorId: z.string().optional(),
})
export type ReadyInfo = z.infer<typeof readyInfoSchema>

/** What a tier says to the supervisor. `fatal`: it cannot start, and trying again will not help. */
export const reportSchema = z.discriminatedUnion('type', [
  readyInfoSchema.extend({ type: z.literal('ready') }),
  z.object({
    type: z.literal('fatal'),
    error: z.object({
      code: z.enum(ERROR_CODES).optional(),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
      stack: z.string().optional(),
    }),
  }),
])
export type Report = z.infer<typeof reportSchema>
