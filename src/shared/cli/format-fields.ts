import type { Paint, Tone } from './output-flags.js'
import { printable, printableLines } from './printable.js'

/** A name, what it has, and how that is shown. */
export type Field = readonly [name: string, text: string, tone?: Tone]

/** One thing as lines of names and texts; what is empty is left out. */
export function formatFields(paint: Paint, fields: readonly Field[]): string {
  const shown = fields.filter(([, text]) => text !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 2
  return shown
    .map(([name, text, tone = 'plain']) => {
      const lines = printableLines(text).replaceAll('\n', `\n${' '.repeat(width)}`)
      return `${paint('faint', printable(name))}${' '.repeat(width - name.length)}${paint(tone, lines)}\n`
    })
    .join('')
}
