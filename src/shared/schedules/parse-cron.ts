import { Cron } from 'croner'
import { AppError } from '../errors.js'

/**
 * Five fields: minute, hour, day of month, month, day of week; each `*` or `?`, or a list of numbers,
 * names, ranges and steps. If both day fields are restricted either may match. Before them
 * `CRON_TZ=<zone>` or `TZ=<zone>`; UTC otherwise. Throws `pipeline_invalid`, also for what never comes.
 */
export function parseCron(text: string): Cron {
  const [, prefixed, rest = ''] = /^(?:CRON_TZ|TZ)=(\S*)\s+(.*)$/s.exec(text.trim()) ?? [
    '',
    undefined,
    text,
  ]
  const timezone = parseZone(prefixed ?? 'UTC')
  const fields = rest.trim().split(/\s+/)
  if (fields.length !== FIELDS.length)
    throw invalid(
      `expected five fields (minute, hour, day of month, month, day of week), got ${quote(rest)}`,
    )
  const pattern = FIELDS.map((field, at) => parseField(fields[at] ?? '', field)).join(' ')
  const cron = new Cron(pattern, { mode: '5-part', timezone })
  if (cron.nextRun(SOME_DAY) === null) throw invalid(`no such day ever comes: ${quote(rest)}`)
  return cron
}

interface Field {
  name: string
  min: number
  max: number
  /** Of the numbers from `min` on. */
  names?: readonly string[]
}

const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')
const DAYS = 'SUN MON TUE WED THU FRI SAT'.split(' ')

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 6, names: DAYS },
]

/** What comes at all comes again after any day. */
const SOME_DAY = new Date(0)

/** A time zone of the IANA database. */
function parseZone(name: string): string {
  try {
    if (!/^[A-Za-z]/.test(name)) throw new RangeError(name)
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    throw invalid(`unknown time zone ${quote(name)}: expected a name such as "Europe/Berlin"`)
  }
}

/** The field as the library is given it: `*` or a list of numbers, so that this grammar is the only one. */
function parseField(text: string, field: Field): string {
  const items = text.split(',').map((item) => parseItem(item, field))
  if (items.includes('all')) return '*'
  return [...new Set(items.flat())].join(',')
}

function parseItem(text: string, field: Field): number[] | 'all' {
  const [, first = '', last, stepText] = /^(\*|\?|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(text) ?? []
  const isStar = first === '*' || first === '?'
  const step = stepText === undefined ? 1 : Number(stepText)
  if (first === '' || (isStar && last !== undefined) || step === 0)
    throw invalid(`${field.name} ${quote(text)}: expected a number, a range, a step, or "*"`)
  if (isStar && step === 1) return 'all'
  const from = isStar ? field.min : parseValue(first, field)
  // "5/10" is from 5 on
  const isOpen = isStar || stepText !== undefined
  const to = last === undefined ? (isOpen ? field.max : from) : parseValue(last, field)
  if (from > to) throw invalid(`${field.name} ${quote(text)}: the range ends before it begins`)
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step)
}

function parseValue(text: string, { name, min, max, names = [] }: Field): number {
  const at = names.indexOf(text.toUpperCase())
  const value = at >= 0 ? min + at : /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  const orNames = names.length > 0 ? ` or ${names[0]} to ${names.at(-1)}` : ''
  throw invalid(`${name} ${quote(text)}: expected ${min} to ${max}${orNames}`)
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}

function invalid(reason: string): AppError {
  return new AppError('pipeline_invalid', reason)
}
