import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { during, listPipelines, type RemotePipeline } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'

const FLAGS = { ...CONNECTION_FLAGS } as const satisfies FlagTable

/** A table wants all its rows before the first is written: its columns are as wide as they need. */
const MAX_ROWS = 10_000

export const lsCommand: CommandSpec = {
  name: 'ls',
  summary: 'list pipelines',
  flags: FLAGS,
  examples: ['pocketci pipeline ls --server-url http://127.0.0.1:8080'],
  async run({ context, given }) {
    const connection = toConnection(readFlags(FLAGS, given, context.env), context.env)
    const rows = [['NAME', 'DRIVER', 'PAUSED', 'CREATED']]
    await during('list pipelines', async () => {
      for await (const pipeline of listPipelines(connection)) {
        rows.push(toRow(pipeline))
        if (rows.length > MAX_ROWS) break
      }
    })
    context.stdout.write(formatTable(rows))
    if (rows.length > MAX_ROWS)
      context.stderr.write(`only the newest ${MAX_ROWS} pipelines are shown\n`)
    return 0
  },
}

function toRow({ name, driver, paused, created_at: createdAt }: RemotePipeline): string[] {
  return [printable(name), printable(driver), paused ? 'yes' : 'no', formatTime(createdAt)]
}

function formatTable(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Jan 02, 2006 15:04`, in UTC. */
function formatTime(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) return ''
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${MONTHS[time.getUTCMonth()]} ${two(time.getUTCDate())}, ${time.getUTCFullYear()}`
  return `${day} ${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`
}

/** What others have named must not steer this terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '\u{FFFD}')
}
