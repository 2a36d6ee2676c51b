import type { Kind } from './kinds.js'

/**
 * A flag as data: the command line, the environment, the checks and the help come from it alone.
 * The keys of a FlagTable are the long names, without dashes.
 */
export interface Flag<T = unknown> {
  kind: Kind<T>
  /** The environment variable that gives the value when the command line does not. */
  env?: string
  /** A variable that other programs know as well; it counts when `env` is not set. */
  alsoEnv?: string
  /** One letter. */
  short?: string
  /** In the flag's own syntax, as a person would write it. */
  default?: string
  /** Says in help what happens without the flag, when that is not a fixed default. */
  defaultText?: string
  required?: true
  doc: string
  /** Heading in help. */
  group: string
  /** The feature is not in this version: what to do instead. Setting the flag is a fault. */
  later?: string
}

export type FlagTable = Readonly<Record<string, Flag>>

/** The values of a table; a flag that is neither required nor has a default may be undefined. */
export type ValuesOf<Table extends FlagTable> = {
  [Name in keyof Table]: Table[Name] extends { kind: Kind<infer T> }
    ? Table[Name] extends { default: string } | { required: true }
      ? T
      : T | undefined
    : never
}

/** What the command line gave: one text for each time that a flag was given. */
export type GivenFlags = Readonly<Record<string, readonly string[]>>

export type Environment = Readonly<Record<string, string | undefined>>

/** The variable that a flag's value comes from; undefined when none is set. */
export function variableOf({ env, alsoEnv }: Flag, variables: Environment): string | undefined {
  return [env, alsoEnv].find((name) => name !== undefined && Boolean(variables[name]))
}

/** How a flag is named in errors about it: `--server-url=STRING`. */
export function flagUsage(name: string, flag: Flag): string {
  return flag.kind.arity === 'switch' ? `--${name}` : `--${name}=${flag.kind.placeholder}`
}
