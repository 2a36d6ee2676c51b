import type { FlagTable, GivenFlags } from '../../config/flag.js'
import { GLOBAL_FLAGS } from '../../config/global-flags.js'
import type { CommandSpec } from '../command-spec.js'
import { isGroup, type CommandNode } from '../command-tree.js'

/** Something that could stand where the cursor is, and a word on it. */
export interface Candidate {
  value: string
  description?: string
}

/** `files`: the shell completes the name of a file, as it does elsewhere. */
export type Completion = { kind: 'files' } | { kind: 'words'; candidates: Candidate[] }

/** Asks a server, with the flags that are on the command line; answers nothing when that fails. */
export type LookUp = (
  what: 'pipeline' | 'run' | 'gate',
  given: GivenFlags,
  prefix: string,
) => Promise<Candidate[]>

/** What can stand for the last word; it may be empty, and all before it are settled. */
export async function completeWords(
  tree: readonly CommandNode[],
  words: readonly string[],
  lookUp: LookUp,
): Promise<Completion> {
  const place = findPlace(tree, words.slice(0, -1))
  const last = words.at(-1) ?? ''
  const completion = await completeAt(place, last, lookUp)
  if (completion.kind === 'files') return completion
  return wordsOf(completion.candidates.filter(({ value }) => value.startsWith(last)))
}

/** What the words before the cursor say. */
interface Place {
  /** What could follow; a command has no others below it. */
  nodes: readonly CommandNode[]
  command: CommandSpec | undefined
  flags: FlagTable
  given: Record<string, string[]>
  operands: number
  /** The flag whose value comes next. */
  open: string | undefined
  /** No flag can follow. */
  isClosed: boolean
}

function findPlace(tree: readonly CommandNode[], words: readonly string[]): Place {
  const place: Place = {
    nodes: tree,
    command: undefined,
    flags: GLOBAL_FLAGS,
    given: {},
    operands: 0,
    open: undefined,
    isClosed: false,
  }
  for (const word of words) {
    if (place.open !== undefined) {
      give(place, place.open, word)
      place.open = undefined
    } else if (place.isClosed || !word.startsWith('-') || word === '-') takeOperand(place, word)
    else if (word === '--') place.isClosed = true
    else takeFlag(place, word)
  }
  return place
}

function takeOperand(place: Place, word: string): void {
  if (place.command) {
    place.operands++
    place.isClosed ||= place.command.isPassThrough === true
    return
  }
  // the help of a command is found below its name
  if (word === 'help') return
  const node = place.nodes.find((one) => one.name === word || (!isGroup(one) && one.alias === word))
  place.nodes = node && isGroup(node) ? node.commands : []
  if (!node || isGroup(node)) return
  place.command = node
  place.flags = { ...node.flags, ...GLOBAL_FLAGS }
}

function takeFlag(place: Place, word: string): void {
  const [, long, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
  const short = word.slice(1, 2)
  const name = long ?? Object.keys(place.flags).find((key) => place.flags[key]?.short === short)
  const flag = name === undefined ? undefined : place.flags[name]
  if (name === undefined || !flag) return
  const given = long === undefined ? word.slice(2) || undefined : value
  if (given !== undefined) give(place, name, given)
  else if (flag.kind.arity !== 'switch') place.open = name
}

function give({ given }: Place, name: string, value: string): void {
  given[name] = [...(given[name] ?? []), value]
}

async function completeAt(place: Place, last: string, lookUp: LookUp): Promise<Completion> {
  const { command, flags, operands, open, isClosed, given, nodes } = place
  if (open !== undefined) return valuesOf(flags, open, '')
  const [, name] = /^--([^=]+)=/.exec(last) ?? []
  if (name !== undefined && !isClosed) return valuesOf(flags, name, `--${name}=`)
  if (last.startsWith('-') && !isClosed) return wordsOf(listFlags(flags))
  if (!command) return wordsOf(listNodes(nodes))
  if (operands > 0) return command.isPassThrough ? { kind: 'files' } : wordsOf([])
  switch (command.completes) {
    case undefined:
      return wordsOf([])
    case 'file':
      return { kind: 'files' }
    case 'pipeline':
    case 'run':
    case 'gate':
      return wordsOf(await lookUp(command.completes, given, last))
    default:
      return wordsOf(command.completes.map((value) => ({ value })))
  }
}

function valuesOf(flags: FlagTable, name: string, prefix: string): Completion {
  const kind = flags[name]?.kind
  if (kind?.completes === 'file') return { kind: 'files' }
  const values = kind?.completes ?? (kind?.arity === 'switch' ? ['true', 'false'] : [])
  return wordsOf(values.map((value) => ({ value: `${prefix}${value}` })))
}

/** Those of features that come later would be refused. */
function listFlags(flags: FlagTable): Candidate[] {
  const own = Object.entries(flags)
    .filter(([, { later }]) => later === undefined)
    .map(([name, { doc }]) => ({ value: `--${name}`, description: doc }))
  return [...own, { value: '--help', description: 'show this help' }]
}

function listNodes(nodes: readonly CommandNode[]): Candidate[] {
  return nodes.map(({ name, summary }) => ({ value: name, description: summary }))
}

function wordsOf(candidates: Candidate[]): Completion {
  return { kind: 'words', candidates }
}
