import convict from 'convict'
import { AppError, errorMessage } from '../errors.js'
import { flagUsage, variableOf, type Environment, type Flag, type FlagTable } from './flag.js'
import type { GivenFlags, ValuesOf } from './flag.js'

/** What was read: the values that are good, and what is wrong with the others. */
export interface FlagReading<Table extends FlagTable> {
  values: Partial<ValuesOf<Table>>
  faults: string[]
  /** A fault is one of writing (a word where a number belongs): a usage error. */
  isUsageError: boolean
}

/** The values of a command's flags. Throws `config_invalid` that lists everything that is wrong. */
export function readFlags<Table extends FlagTable>(
  table: Table,
  given: GivenFlags,
  env: Environment,
): ValuesOf<Table> {
  const reading = inspectFlags(table, given, env)
  if (reading.faults.length > 0) throw flagsError(reading)
  // without faults every flag of the table has been parsed or has none to parse
  return reading.values as ValuesOf<Table>
}

/**
 * Runs a table's convict schema once: the command line beats the environment, which beats the
 * default. An empty variable counts as not set: compose files pass on what nobody has set.
 */
export function inspectFlags<Table extends FlagTable>(
  table: Table,
  given: GivenFlags,
  env: Environment,
): FlagReading<Table> {
  const values: Record<string, unknown> = {}
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value),
  ) as NodeJS.Dict<string>
  const syntaxFaults = new Set<string>()

  const schema = convict<Record<string, unknown>>(
    Object.fromEntries(
      Object.entries(table).map(([name, flag]) => [
        `--${name}`,
        {
          default: flag.default,
          doc: flag.doc,
          ...toEnv(variableOf(flag, set)),
          // our own messages say what may be shown of a value
          sensitive: true,
          format: (value: unknown) => {
            if (flag.later !== undefined && !isDefault(value, flag))
              throw new Error(`--${name} is not available in this version yet: ${flag.later}`)
            try {
              values[name] = flag.kind.parse(toTexts(value))
            } catch (error) {
              const fault = describeFault(name, flag, { error, isFromEnv: !(name in given), set })
              if (flag.kind.isSyntax) syntaxFaults.add(fault)
              throw new Error(fault, { cause: error })
            }
          },
        },
      ]),
    ),
    { env: set, args: [] },
  )
  for (const [name, texts] of Object.entries(given)) if (table[name]) schema.set(`--${name}`, texts)

  const missing = findMissing(table, given, set)
  const faults = [...missing, ...validate(schema)]
  const isUsageError = missing.length > 0 || syntaxFaults.size > 0
  return { values: values as Partial<ValuesOf<Table>>, faults, isUsageError }
}

/** One error for all faults; a single fault is its whole message. */
export function flagsError({
  faults,
  isUsageError,
}: Omit<FlagReading<FlagTable>, 'values'>): AppError {
  const [first = ''] = faults
  const message =
    faults.length === 1 ? first : `${faults.length} settings are not valid:\n${faults.join('\n')}`
  return new AppError('config_invalid', message, { details: { faults, isUsageError } })
}

function toEnv(env: string | undefined): { env?: string } {
  return env === undefined ? {} : { env }
}

function findMissing(table: FlagTable, given: GivenFlags, env: Environment): string[] {
  const missing = Object.entries(table)
    .filter(([name, flag]) => flag.required && !given[name] && !variableOf(flag, env))
    .map(([name, flag]) => flagUsage(name, flag))
  return missing.length === 0 ? [] : [`missing flags: ${missing.join(', ')}`]
}

function isDefault(value: unknown, flag: Flag): boolean {
  return value === flag.default
}

function toTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)]
}

function describeFault(
  name: string,
  flag: Flag,
  { error, isFromEnv, set }: { error: unknown; isFromEnv: boolean; set: Environment },
): string {
  const message = errorMessage(error)
  const named = message.includes(`--${name}`) ? message : `--${name}: ${message}`
  const variable = isFromEnv ? variableOf(flag, set) : undefined
  return variable === undefined ? named : `${named} (from ${variable})`
}

/** Convict's faults, without the property name that it puts before each: ours name the flag. */
function validate(schema: convict.Config<Record<string, unknown>>): string[] {
  try {
    schema.validate({ allowed: 'strict' })
    return []
  } catch (error) {
    return errorMessage(error)
      .split('\n')
      .map((line) => line.replace(/^--[\w-]+: /, ''))
  }
}
