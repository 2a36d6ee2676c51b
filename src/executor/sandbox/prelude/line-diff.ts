import { append, split } from './intrinsics.js'

/** More changed lines than this are shown as removed and added, without looking for common ones. */
const MAX_COMPARED_LINES = 300

const CONTEXT_LINES = 1

interface Line {
  sign: ' ' | '-' | '+'
  text: string
  /** Line numbers from 1 in both texts, of this line or of the next one there. */
  before: number
  after: number
}

/** A unified diff of two texts, one line of context around each change. */
export function diffLines(before: string, after: string): string {
  const lines = compare(split(before, '\n'), split(after, '\n'))
  let text = '--- Expected\n+++ Actual\n'
  for (let start = 0; start < lines.length;) {
    if (!isShown(lines, start)) {
      start++
      continue
    }
    let end = start
    while (end < lines.length && isShown(lines, end)) end++
    text += showHunk(lines, start, end)
    start = end
  }
  return text
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++

  const lines: Line[] = []
  const at = { left: 0, right: 0 }
  const add = (sign: Line['sign']): void => {
    const text = sign === '+' ? after[at.right] : before[at.left]
    append(lines, { sign, text: text as string, before: at.left + 1, after: at.right + 1 })
    if (sign !== '+') at.left++
    if (sign !== '-') at.right++
  }

  const leftEnd = before.length - tail
  const rightEnd = after.length - tail
  const common = commonLengths(before, after, head, leftEnd, rightEnd)
  while (at.left < head) add(' ')
  while (at.left < leftEnd || at.right < rightEnd) {
    if (at.left >= leftEnd) add('+')
    else if (at.right >= rightEnd || !common) add('-')
    else if (before[at.left] === after[at.right]) add(' ')
    else add(isLeftNext(common, at.left - head, at.right - head) ? '-' : '+')
  }
  while (at.left < before.length) add(' ')
  return lines
}

type Table = number[][]

/** Lengths of the longest common subsequence of what follows each pair of lines. */
function commonLengths(
  before: readonly string[],
  after: readonly string[],
  head: number,
  leftEnd: number,
  rightEnd: number,
): Table | undefined {
  const height = leftEnd - head
  const width = rightEnd - head
  if (height > MAX_COMPARED_LINES || width > MAX_COMPARED_LINES) return undefined
  const table: Table = []
  for (let row = 0; row <= height; row++) {
    const cells: number[] = []
    for (let column = 0; column <= width; column++) append(cells, 0)
    append(table, cells)
  }
  for (let row = height - 1; row >= 0; row--)
    for (let column = width - 1; column >= 0; column--) {
      const cells = table[row] as number[]
      cells[column] =
        before[head + row] === after[head + column]
          ? cell(table, row + 1, column + 1) + 1
          : larger(cell(table, row + 1, column), cell(table, row, column + 1))
    }
  return table
}

function isLeftNext(common: Table, row: number, column: number): boolean {
  return cell(common, row + 1, column) >= cell(common, row, column + 1)
}

function cell(table: Table, row: number, column: number): number {
  return table[row]?.[column] ?? 0
}

function larger(one: number, other: number): number {
  return one > other ? one : other
}

function isShown(lines: readonly Line[], index: number): boolean {
  for (let near = index - CONTEXT_LINES; near <= index + CONTEXT_LINES; near++)
    if (near >= 0 && near < lines.length && (lines[near] as Line).sign !== ' ') return true
  return false
}

function showHunk(lines: readonly Line[], start: number, end: number): string {
  let text = ''
  let before = 0
  let after = 0
  for (let index = start; index < end; index++) {
    const line = lines[index] as Line
    text += `${line.sign}${line.text}\n`
    if (line.sign !== '+') before++
    if (line.sign !== '-') after++
  }
  const first = lines[start] as Line
  return `@@ -${range(first.before, before)} +${range(first.after, after)} @@\n${text}`
}

function range(start: number, count: number): string {
  return count === 1 ? `${start}` : `${count === 0 ? start - 1 : start},${count}`
}
