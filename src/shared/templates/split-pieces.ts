import { Fault } from '../source-fault.js'
import type { Piece } from './syntax.js'
import { tokenizeAction } from './tokenize-action.js'

/** Parts a source into text and actions; trim markers and comments are done with. Throws a Fault. */
export function splitPieces(source: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  let isTrimmed = false
  for (;;) {
    const open = source.indexOf('{{', from)
    const text = source.slice(from, open === -1 ? undefined : open)
    const isTrimmedAfter = open !== -1 && /^-\s/.test(source.slice(open + 2, open + 4))
    addText(pieces, trimText(text, isTrimmed, isTrimmedAfter))
    if (open === -1) return pieces
    const inside = open + (isTrimmedAfter ? 3 : 2)
    const action = readComment(source, open, inside) ?? tokenizeAction(source, open, inside)
    if (action.tokens) pieces.push({ kind: 'action', at: open, tokens: action.tokens })
    from = action.end
    isTrimmed = action.isTrimmed
  }
}

function trimText(text: string, isStart: boolean, isEnd: boolean): string {
  const started = isStart ? text.replace(/^[ \t\r\n]+/, '') : text
  return isEnd ? trimEnd(started) : started
}

/** Without a regular expression, which would try from each space anew. */
function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && ' \t\r\n'.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

function addText(pieces: Piece[], text: string): void {
  if (text !== '') pieces.push({ kind: 'text', text })
}

interface Comment {
  tokens: undefined
  end: number
  isTrimmed: boolean
}

function readComment(source: string, open: number, inside: number): Comment | undefined {
  const start = skipSpace(source, inside, open)
  if (!source.startsWith('/*', start)) return undefined
  const close = source.indexOf('*/', start + 2)
  if (close === -1) throw new Fault(open, 'the comment is not closed')
  const after = close + 2
  if (source.startsWith('}}', after)) return { tokens: undefined, end: after + 2, isTrimmed: false }
  const marker = /^\s+-\}\}/.exec(source.slice(after, after + 1_000))
  if (!marker) throw new Fault(after, 'a comment is to end with "*/}}"')
  return { tokens: undefined, end: after + marker[0].length, isTrimmed: true }
}

/** Space is allowed before a comment only behind a trim marker. */
function skipSpace(source: string, inside: number, open: number): number {
  if (inside === open + 2) return inside
  let at = inside
  while (/\s/.test(source.charAt(at))) at++
  return at
}
