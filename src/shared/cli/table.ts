import type { Paint, Tone } from './output-flags.js'
import { printable } from './printable.js'

export interface Column<T> {
  title: string
  text(row: T): string
  tone?(row: T): Tone
}

export interface TableOptions<T> {
  columns: readonly Column<T>[]
  paint: Paint
  /** Characters that a line may have. */
  width?: number | undefined
}

const GAP = '  '
/** Less of a column tells nothing any more. */
const MIN_WIDTH = 8

/**
 * Lays out a table of unknown length: each call answers the lines of some more rows, the first one
 * the titles too. Columns are as wide as what they have shown, and never become narrower again.
 */
export function createTable<T>({
  columns,
  paint,
  width,
}: TableOptions<T>): (rows: readonly T[]) => string {
  const widths = columns.map(() => 0)
  let isBegun = false
  return (rows) => {
    const lines = rows.map((row) =>
      columns.map((column) => ({
        text: printable(column.text(row)),
        tone: column.tone?.(row) ?? 'plain',
      })),
    )
    if (!isBegun)
      lines.unshift(columns.map(({ title }) => ({ text: title, tone: 'title' as const })))
    isBegun = true
    for (const [at, before] of widths.entries())
      widths[at] = Math.max(before, ...lines.map((cells) => cells[at]?.text.length ?? 0))
    const fitted = width === undefined ? widths : fit(widths, width)
    return lines.map((cells) => formatLine(cells, fitted, paint)).join('')
  }
}

function formatLine(
  cells: readonly { text: string; tone: Tone }[],
  widths: readonly number[],
  paint: Paint,
): string {
  // nothing is filled up behind the last text
  const last = cells.findLastIndex(({ text }) => text !== '')
  const parts = cells.slice(0, last + 1).map(({ text, tone }, at) => {
    const width = widths[at] ?? 0
    const shown = text.length > width ? `${text.slice(0, Math.max(width - 1, 0))}…` : text
    return paint(tone, shown) + (at === last ? '' : ' '.repeat(width - shown.length))
  })
  return `${parts.join(GAP)}\n`
}

/** Takes from the widest column until the line fits, or no column can give any more. */
function fit(widths: readonly number[], width: number): number[] {
  const fitted = [...widths]
  const room = width - GAP.length * (widths.length - 1)
  for (let over = fitted.reduce((sum, one) => sum + one, 0) - room; over > 0; over--) {
    const widest = fitted.indexOf(Math.max(...fitted))
    if ((fitted[widest] ?? 0) <= MIN_WIDTH) break
    fitted[widest] = (fitted[widest] ?? 0) - 1
  }
  return fitted
}
