import { z } from 'zod'

/** A gate as the server gives it; what is not named here is kept for --json. */
export const gateSchema = z.looseObject({
  id: z.string(),
  run_id: z.string(),
  name: z.string(),
  status: z.string(),
  message: z.string().default(''),
  approved_by: z.string().default(''),
  created_at: z.string().default(''),
  deadline_at: z.string().optional(),
})
export type RemoteGate = z.infer<typeof gateSchema>
