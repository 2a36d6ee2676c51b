import { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { Environment, FlagTable } from '../config/flag.js'
import { boolean, quote, type Kind } from '../config/kinds.js'
import type { CliContext } from './command-spec.js'

type ColorChoice = 'auto' | 'always' | 'never'

/** `--color` alone means always, as in ls and git. */
const colorChoice: Kind<ColorChoice> = {
  placeholder: 'WHEN',
  arity: 'switch',
  isSyntax: true,
  completes: ['auto', 'always', 'never'],
  parse(texts) {
    const text = (texts.at(-1) ?? '').toLowerCase()
    if (['', 'true', 'always', 'yes', '1'].includes(text)) return 'always'
    if (['false', 'never', 'no', '0'].includes(text)) return 'never'
    if (text === 'auto') return 'auto'
    throw new Error(`expected auto, always or never, got ${quote(text)}`)
  },
}

const group = 'Output'

export const JSON_FLAG = {
  json: { kind: boolean, default: 'false', doc: 'print JSON, for scripts', group },
} as const satisfies FlagTable

/** Of commands that show something. */
export const OUTPUT_FLAGS = {
  ...JSON_FLAG,
  color: {
    kind: colorChoice,
    default: 'auto',
    doc: 'colors: --color, --color=never; auto is on a terminal, unless NO_COLOR is set',
    group,
  },
} as const satisfies FlagTable

/** How a text is shown; `plain` is as it is. */
export type Tone = 'plain' | 'title' | 'faint' | 'good' | 'busy' | 'bad'
export type Paint = (tone: Tone, text: string) => string

export function createPaint({ env, stdout }: CliContext, choice: ColorChoice): Paint {
  const isOn = choice === 'auto' ? wantsColor(env, stdout) : choice === 'always'
  return (tone, text) => {
    const format = FORMATS[tone]
    return isOn && format && text ? styleText(format, text, { validateStream: false }) : text
  }
}

const FORMATS = {
  plain: undefined,
  title: 'bold',
  faint: 'dim',
  good: 'green',
  busy: 'yellow',
  bad: 'red',
} as const satisfies Record<Tone, Parameters<typeof styleText>[0] | undefined>

/** In the order of Node itself: FORCE_COLOR beats NO_COLOR, which beats what the output is. */
function wantsColor(env: Environment, stdout: unknown): boolean {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return !['0', 'false'].includes(forced)
  if (env['NO_COLOR'] || env['TERM'] === 'dumb') return false
  return stdout instanceof WriteStream && stdout.isTTY
}

/** Characters in a line of the terminal; undefined when the output goes elsewhere. */
export function terminalWidth({ stdout }: CliContext): number | undefined {
  return stdout instanceof WriteStream && stdout.columns > 0 ? stdout.columns : undefined
}

/** The tone of a run's or a step's status. */
export function toneOf(status: string): Tone {
  switch (status) {
    case 'success':
      return 'good'
    case 'failed':
    case 'failure':
    case 'error':
    case 'abort':
    case 'aborted':
      return 'bad'
    case 'queued':
    case 'pending':
    case 'running':
      return 'busy'
    default:
      return 'faint'
  }
}
