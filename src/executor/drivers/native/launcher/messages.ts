import { z } from 'zod'
import { processSpecSchema } from '../start-process.js'

/** Asks the launcher for a process; `id` comes back with its end. */
export const launchSchema = z.object({ id: z.number().int(), spec: processSpecSchema })
export type Launch = z.infer<typeof launchSchema>

/** The process has ended, or could not be started. */
export const launchEndSchema = z.object({ id: z.number().int(), error: z.string().optional() })
export type LaunchEnd = z.infer<typeof launchEndSchema>
