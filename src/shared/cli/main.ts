import { buildProgram } from './program.js'
import { reportError } from './report-error.js'

/** The `pocketci` command of this process: reads its arguments and environment, sets its exit code. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2)
  // the arguments may hold secrets, and ps shows them to everybody
  process.title = 'pocketci'
  for (const stream of [process.stdout, process.stderr]) stream.on('error', exitOnBrokenPipe)
  stopWithParent()

  // oxlint-disable-next-line no-restricted-globals -- this is an entry file
  const context = { env: process.env, stdout: process.stdout, stderr: process.stderr }
  try {
    process.exitCode = await buildProgram(context).run(args)
  } catch (error) {
    process.exitCode = reportError(error, process.stderr)
  }
}

/** Started by our bin on an older Node: when that is killed, so that it cannot pass it on, stop too. */
function stopWithParent(): void {
  if (!process.channel) return
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}

/** Who read our output has gone (`pocketci pipeline ls | head -1`): end as SIGPIPE would end us. */
function exitOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(141)
  throw error
}
