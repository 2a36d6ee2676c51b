import type { FlagTable } from '../../config/flag.js'
import { duration } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { AppError, errorMessage } from '../../errors.js'
import { abortOnSignals, signalExitCode, type StopSignals } from '../../signals.js'
import { during, refusal, request } from '../client.js'
import type { CliContext, CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { INPUT_FLAG, parseInputs } from '../input-flag.js'
import { printable, printableLines } from '../printable.js'
import { readBytes } from '../../read-response.js'
import { pipelinePath } from '../remote-pipelines.js'
import { runPath, runTexts } from '../remote-runs.js'
import { readRunEvents } from '../run-events.js'
import { encodeForm, type StreamedBody } from '../workdir/encode-form.js'
import { packWorkdir } from '../workdir/pack-workdir.js'
import { showProgress } from '../workdir/show-progress.js'
import { WORKDIR_FLAGS } from '../workdir/workdir-flags.js'
import { writeTo } from '../write-to.js'

const group = 'Run'

const FLAGS = {
  timeout: {
    kind: duration({ min: '0', max: '500h' }),
    env: 'CI_TIMEOUT',
    default: '0',
    doc: 'gives up after so long (the run goes on); 0 is never',
    group,
  },
  ...INPUT_FLAG,
  ...WORKDIR_FLAGS,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

/** How long the server may take over our request to stop a run. */
const STOP_TIMEOUT_MS = 10_000

export const runCommand: CommandSpec = {
  name: 'run',
  summary: 'run a pipeline and follow it to its end',
  description:
    'Uploads the current folder, runs a pipeline on it, shows its output and exits with its code. Ctrl-C stops the run; a second one leaves at once. All that follows the name belongs to the pipeline, flags too.',
  operands: '<name> [args...]',
  completes: 'pipeline',
  flags: FLAGS,
  isPassThrough: true,
  examples: [
    "pocketci pipeline run -s http://127.0.0.1:8080 --ignore '.git/**/*,node_modules/**/*' build",
    'pocketci pipeline run --no-workdir -s http://127.0.0.1:8080 hello one --two',
  ],
  async run({ context, given, operands: [name = '', ...args] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    using signals = abortOnSignals(['SIGINT', 'SIGTERM'])
    return await followRemoteRun({
      context,
      connection,
      name,
      args,
      inputs: parseInputs(flags.input),
      ignore: flags['no-workdir'] ? undefined : flags.ignore,
      signals,
      timeoutMs: flags.timeout,
    })
  },
}

interface RemoteRun {
  context: CliContext
  connection: Connection
  name: string
  args: readonly string[]
  inputs: Record<string, string>
  /** What is left out of the working directory; undefined: it is not sent at all. */
  ignore: readonly string[] | undefined
  signals: StopSignals
  /** 0: none. */
  timeoutMs: number
}

/** The run's exit code; that of the signal when one ended it. */
async function followRemoteRun(run: RemoteRun): Promise<number> {
  const { context, connection, name, signals, timeoutMs } = run
  const { stopping, forced } = signals
  const leaving = new AbortController()
  const timer =
    timeoutMs > 0 ? setTimeout(() => leaving.abort(timedOut(run)), timeoutMs) : undefined
  const leave = (): void => leaving.abort(new AppError('aborted', 'interrupted'))
  // until the run has an id there is nothing to stop but this
  stopping.addEventListener('abort', leave)
  forced.addEventListener('abort', leave)

  try {
    return await during('run pipeline', async () => {
      const response = await request(connection, `${pipelinePath(name)}/run`, {
        method: 'POST',
        ...bodyOf(run, leaving.signal),
        accept: 'text/event-stream',
        signal: leaving.signal,
      })
      if (response.status !== 200) throw await refusal(connection, response)
      const runId = response.headers.get('x-run-id')
      if (runId) {
        stopping.removeEventListener('abort', leave)
        const stop = (): void => void stopRun(connection, runId, context)
        stopping.addEventListener('abort', stop, { once: true })
        if (stopping.aborted) stop()
      }
      const code = await showEvents(context, response, leaving.signal)
      return stopping.aborted ? signalExitCode(stopping.reason) : code
    })
  } catch (error) {
    if (!stopping.aborted) throw error
    return signalExitCode(forced.aborted ? forced.reason : stopping.reason)
  } finally {
    clearTimeout(timer)
    // after an early answer nobody else ends what still packs and sends
    leaving.abort(new AppError('aborted', 'it is over'))
  }
}

function bodyOf(
  { context: { stderr }, args, inputs, ignore }: RemoteRun,
  signal: AbortSignal,
): { body: unknown } | { streamed: StreamedBody } {
  // servers that know no inputs refuse the field
  const fields = { args, ...(Object.keys(inputs).length > 0 && { inputs }) }
  if (!ignore) return { body: fields }
  const warn = (text: string): void => void stderr.write(`warning: ${text}\n`)
  const workdir = packWorkdir({ folder: process.cwd(), ignore, warn, signal })
  return { streamed: encodeForm(fields, showProgress(workdir, stderr)) }
}

/** The code of the `exit` event. A stream that ends without one tells nothing good. */
async function showEvents(
  context: CliContext,
  response: Response,
  leaving: AbortSignal,
): Promise<number> {
  try {
    for await (const event of readRunEvents(readBytes(response))) {
      switch (event.event) {
        case 'output':
          await writeTo(context[event.stream], event.data)
          break
        case 'waiting':
          context.stderr.write(`waiting: ${printable(event.reason)}\n`)
          break
        case 'error':
          context.stderr.write(`error: ${printableLines(event.message)}\n`)
          return 1
        case 'exit':
          if (event.message) context.stderr.write(`${printableLines(event.message)}\n`)
          return event.code
      }
    }
  } catch (error) {
    leaving.throwIfAborted()
    if (error instanceof AppError) throw error
    throw new AppError('stream_broken', `error reading stream: ${errorMessage(error)}`, {
      cause: error,
    })
  }
  throw new AppError(
    'stream_broken',
    'the server ended the stream before the run; how the run ends is unknown here',
  )
}

/** The exit event then comes over the stream that is still open. */
async function stopRun(connection: Connection, runId: string, context: CliContext): Promise<void> {
  context.stderr.write('stopping the run; press Ctrl-C again to leave at once\n')
  try {
    const response = await request(connection, `${runPath(runId)}/stop`, {
      method: 'POST',
      signal: AbortSignal.timeout(STOP_TIMEOUT_MS),
    })
    // 409: it has ended meanwhile
    if (!response.ok && response.status !== 409)
      throw await refusal(connection, response, runTexts(runId))
  } catch (error) {
    context.stderr.write(`could not stop run ${runId}: ${errorMessage(error)}\n`)
  }
}

function timedOut({ timeoutMs }: RemoteRun): AppError {
  return new AppError(
    'aborted',
    `timed out after ${timeoutMs / 1_000} s; the run goes on at the server`,
  )
}
