import { spawn } from 'node:child_process'
import { closeSync, openSync, unlinkSync } from 'node:fs'
import { z } from 'zod'

/** A process to be started, tied to nothing of the one that starts it. */
export const processSpecSchema = z.object({
  file: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  /** Its standard input; the file loses its name when it is opened. Empty input without one. */
  inputPath: z.string().optional(),
})
export type ProcessSpec = z.infer<typeof processSpecSchema>

/** Starts a process in a session of its own. `onEnd` is called once: it has ended, or could not start. */
export type StartProcess = (spec: ProcessSpec, onEnd: (error?: Error) => void) => void

/** Starts it as a child of this process. */
export const startProcess: StartProcess = ({ file, args, env, inputPath }, onEnd) => {
  let input: number | undefined
  try {
    input = inputPath === undefined ? undefined : openSync(inputPath, 'r')
    if (inputPath !== undefined) unlinkSync(inputPath)
    const child = spawn(file, args, {
      cwd: '/',
      env,
      detached: true,
      stdio: [input ?? 'ignore', 'ignore', 'ignore'],
    })
    child.once('error', onEnd).once('exit', () => onEnd())
    child.unref()
  } catch (error) {
    // a NUL byte, or more than the system takes
    onEnd(error instanceof Error ? error : new Error(String(error)))
  } finally {
    if (input !== undefined) closeSync(input)
  }
}
