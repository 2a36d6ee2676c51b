import { setImmediate as nextTick } from 'node:timers/promises'
import type { OutputStream } from '../../shared/contract/statuses.js'
import type { LogChunk, LogChunks } from '../../shared/db/log-chunks.js'
import { createOutputDecoder } from '../output-decoder.js'
import { createLogCleaner, type LogCleaner } from '../pages/log-text.js'

/** Log chunks that are read at once. */
const BATCH = 16

/** Longest line that is looked at. */
const MAX_LINE_CHARS = 2_000

/** A step's output: 0 is what the pipeline itself has printed. */
export interface Source {
  runId: string
  step: number
}

export interface OutputEntry {
  type: OutputStream
  content: string
}

/** Some of the output of a step, neighbours of one stream together, without terminal sequences. */
export interface OutputPart {
  entries: OutputEntry[]
  /** Goes on from its end. */
  cursor: string
}

export interface OutputTail extends OutputPart {
  /** Of the whole output. */
  bytes: number
  isWhole: boolean
}

/** The last bytes of a step's output. */
export function readTail(
  logs: LogChunks,
  { runId, step, maxBytes }: Source & { maxBytes: number },
): OutputTail {
  const last = logs.lastSeqOf(runId, step)
  const bytes = logs.sizeOfStep(runId, step)
  const start = logs.findTailStart(runId, step, maxBytes)
  const chunks = [...listChunks(logs, { runId, step, after: start, last })]
  const excess = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0) - maxBytes
  const [first] = chunks
  if (first && excess > 0) first.bytes = first.bytes.subarray(startOfText(first.bytes, excess))
  const isWhole = start === 0 && excess <= 0
  return { entries: toEntries(chunks), cursor: formatCursor(last, 0), bytes, isWhole }
}

/** The next bytes of a step's output behind a cursor; undefined for a cursor that is none. */
export function readNext(
  logs: LogChunks,
  { runId, step, cursor, maxBytes }: Source & { cursor: string; maxBytes: number },
): (OutputPart & { hasMore: boolean }) | undefined {
  const [, seqText = '', skipText = ''] = /^(\d{1,12})\.(\d{1,12})$/.exec(cursor) ?? []
  if (seqText === '') return undefined
  let [seq, skip, left] = [Number(seqText), Number(skipText), maxBytes]
  const taken: LogChunk[] = []
  for (const chunk of listChunks(logs, { runId, step, after: seq })) {
    const rest = chunk.bytes.subarray(skip)
    const bytes = rest.length <= left ? rest : rest.subarray(0, endOfText(rest, left))
    taken.push({ ...chunk, bytes })
    left -= bytes.length
    if (bytes.length < rest.length) {
      skip += bytes.length
      return { entries: toEntries(taken), cursor: formatCursor(seq, skip), hasMore: true }
    }
    seq = chunk.seq
    skip = 0
    if (left <= 0) break
  }
  const hasMore = logs.listOfStep(runId, step, seq, 1).length > 0
  return { entries: toEntries(taken), cursor: formatCursor(seq, skip), hasMore }
}

/** The last lines of some output. */
export function lastLines(entries: readonly OutputEntry[], maxLines: number): OutputEntry[] {
  const kept: OutputEntry[] = []
  let left = maxLines
  for (const { type, content } of entries.toReversed()) {
    if (left <= 0) break
    const lines = content.split(/(?<=\n)/)
    kept.unshift({ type, content: lines.slice(-left).join('') })
    left -= lines.length
  }
  return kept
}

/** The lines of the last bytes of a step's output, in the order of their ends; others are let in meanwhile. */
export async function* readLines(
  logs: LogChunks,
  { runId, step, maxBytes }: Source & { maxBytes: number },
): AsyncGenerator<string> {
  const last = logs.lastSeqOf(runId, step)
  const decoder = createOutputDecoder()
  const open = new Map<OutputStream, { cleaner: LogCleaner; rest: string }>()
  for (let after = logs.findTailStart(runId, step, maxBytes); after < last;) {
    const chunks = logs.listOfStep(runId, step, after, BATCH)
    for (const chunk of chunks) {
      const line = open.get(chunk.stream) ?? { cleaner: createLogCleaner(), rest: '' }
      open.set(chunk.stream, line)
      const lines = (line.rest + line.cleaner.push(decoder.decode(chunk))).split('\n')
      line.rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS)
      for (const text of lines) yield text.slice(0, MAX_LINE_CHARS)
    }
    after = chunks.at(-1)?.seq ?? last
    await nextTick()
  }
  for (const { cleaner, rest } of open.values()) {
    const text = rest + cleaner.end()
    if (text !== '') yield text
  }
}

interface Range extends Source {
  after: number
  /** A step that runs goes on printing: nothing behind this chunk. */
  last?: number
}

function* listChunks(
  logs: LogChunks,
  { runId, step, after, last = Number.MAX_SAFE_INTEGER }: Range,
): Generator<LogChunk> {
  for (let seen = after; seen < last;) {
    const chunks = logs.listOfStep(runId, step, seen, BATCH)
    yield* chunks.filter(({ seq }) => seq <= last)
    const end = chunks.at(-1)
    if (!end || chunks.length < BATCH) return
    seen = end.seq
  }
}

function toEntries(chunks: readonly LogChunk[]): OutputEntry[] {
  const decoder = createOutputDecoder()
  const cleaners = { stdout: createLogCleaner(), stderr: createLogCleaner() }
  const entries: OutputEntry[] = []
  const append = (type: OutputStream, text: string): void => {
    if (text === '') return
    const end = entries.at(-1)
    if (end?.type === type) end.content += text
    else entries.push({ type, content: text })
  }
  for (const chunk of chunks)
    append(chunk.stream, cleaners[chunk.stream].push(decoder.decode(chunk)))
  for (const { stream, text } of decoder.endAll()) append(stream, cleaners[stream].push(text))
  for (const stream of ['stdout', 'stderr'] as const) append(stream, cleaners[stream].end())
  return entries
}

function formatCursor(seq: number, skip: number): string {
  return `${seq}.${skip}`
}

/** Where the first character at or behind a place begins, and the last one before it ends. */
function startOfText(bytes: Buffer, at: number): number {
  let start = at
  while (start < bytes.length && isInsideCharacter(bytes, start)) start++
  return start
}

function endOfText(bytes: Buffer, at: number): number {
  let end = at
  while (end > at - 4 && end > 1 && isInsideCharacter(bytes, end)) end--
  return end
}

function isInsideCharacter(bytes: Buffer, at: number): boolean {
  return ((bytes[at] ?? 0) & 0xc0) === 0x80
}
