import type { Environment, FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import type { CommandSpec } from '../command-spec.js'
import type { CommandNode } from '../command-tree.js'
import { completeWords, type Candidate, type LookUp } from '../completion/complete-words.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { listPages } from '../list-pages.js'
import { printable } from '../printable.js'
import { gateSchema } from '../remote-gates.js'
import { pipelineSchema } from '../remote-pipelines.js'
import { runSchema } from '../remote-runs.js'

const FLAGS = {} as const satisfies FlagTable

/** Somebody waits with a finger on the key. */
const LOOK_UP_MS = 1_500
/** More of them help nobody. */
const MAX_NAMES = 100
const MAX_RUNS = 20

/**
 * What completion scripts ask: the words up to the cursor, without the program's name. The first line
 * of the answer is its kind; then comes a candidate a line, a tab and what it is.
 */
export function completeCommand(tree: readonly CommandNode[]): CommandSpec {
  return {
    name: '__complete',
    summary: 'complete a command line',
    operands: '[words...]',
    isHidden: true,
    isPassThrough: true,
    flags: FLAGS,
    examples: ['pocketci __complete -- pipeline sh'],
    async run({ context, operands }) {
      const words = operands.length > 0 ? operands : ['']
      const completion = await completeWords(tree, words, createLookUp(context.env))
      const lines = completion.kind === 'files' ? [] : completion.candidates.map(formatCandidate)
      context.stdout.write([completion.kind, ...lines].map((line) => `${line}\n`).join(''))
      return 0
    },
  }
}

function formatCandidate({ value, description = '' }: Candidate): string {
  return description === '' ? value : `${value}\t${description}`
}

function createLookUp(env: Environment): LookUp {
  return async (what, given, prefix) => {
    try {
      const connection = toConnection(readFlags(CONNECTION_FLAGS, given, env), env)
      const found = await listNames(connection, what, prefix)
      // a name that cannot be typed is no help
      return found.filter(({ value }) => value === printable(value))
    } catch {
      return [] // no server, no names: an error would land in the line that is being typed
    }
  }
}

function listNames(
  connection: Connection,
  what: Parameters<LookUp>[0],
  prefix: string,
): Promise<Candidate[]> {
  switch (what) {
    case 'pipeline':
      return listPipelines(connection, prefix)
    case 'run':
      return listRuns(connection)
    case 'gate':
      return listGates(connection)
  }
}

async function listPipelines(connection: Connection, prefix: string): Promise<Candidate[]> {
  const names: Candidate[] = []
  // servers that know no search answer the newest ones
  const path = `/api/pipelines${prefix === '' ? '' : `?q=${encodeURIComponent(prefix)}`}`
  const signal = AbortSignal.timeout(LOOK_UP_MS)
  const pages = listPages(connection, {
    path,
    item: pipelineSchema,
    perPage: MAX_NAMES,
    page: 1,
    signal,
  })
  for await (const page of pages)
    for (const { name, paused } of page)
      names.push({ value: name, ...(paused && { description: 'paused' }) })
  return names
}

async function listRuns(connection: Connection): Promise<Candidate[]> {
  const runs: Candidate[] = []
  const signal = AbortSignal.timeout(LOOK_UP_MS)
  const pages = listPages(connection, {
    path: '/api/runs',
    item: runSchema,
    perPage: MAX_RUNS,
    page: 1,
    signal,
  })
  for await (const page of pages)
    for (const { id, status } of page) runs.push({ value: id, description: printable(status) })
  return runs
}

async function listGates(connection: Connection): Promise<Candidate[]> {
  const gates: Candidate[] = []
  const signal = AbortSignal.timeout(LOOK_UP_MS)
  const path = '/api/gates?status=pending'
  const pages = listPages(connection, {
    ...{ path, perPage: MAX_RUNS, page: 1, signal },
    item: gateSchema,
  })
  for await (const page of pages)
    for (const { id, name } of page) gates.push({ value: id, description: printable(name) })
  return gates
}
