import { Command, Option } from 'commander'
import type { Flag, FlagTable, GivenFlags } from '../config/flag.js'
import { GLOBAL_FLAGS } from '../config/global-flags.js'
import type { CliContext, CommandSpec } from './command-spec.js'

/** Of help that goes to a file or a pipe. */
const HELP_WIDTH = 110

/** Commander's command, taught our flag tables and the forms that scripts of the reference use. */
export class CliCommand extends Command {
  override createCommand(name?: string): CliCommand {
    return new CliCommand(name)
  }

  constructor(name?: string) {
    super(name)
    // flags behind a subcommand's name are its own; a subcommand may pass on all behind its operand
    this.enablePositionalOptions()
    this.helpCommand(false)
    this.helpOption('-h, --help', 'show this help')
    this.exitOverride()
  }

  /** Where help and the version go. Errors are thrown and not written. */
  sendOutputTo({ stdout, stderr }: CliContext): this {
    return this.configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => process.stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => process.stderr.columns ?? HELP_WIDTH,
    })
  }

  /** Flags that every command takes; added last, so that help shows them last. */
  addGlobalFlags(): this {
    return this.addFlags(GLOBAL_FLAGS)
  }

  addGroup(name: string, summary: string): CliCommand {
    const group = this.createCommand(name).copyInheritedSettings(this).description(summary)
    this.addCommand(group.addGlobalFlags())
    return group
  }

  addSpec(spec: CommandSpec): CliCommand {
    const { name, alias, summary, description = summary, operands, isPassThrough = false } = spec
    const command = this.createCommand(name).copyInheritedSettings(this)
    command.summary(summary).description(description)
    if (alias) command.alias(alias)
    if (operands) command.arguments(operands)
    command.addFlags(spec.flags).addGlobalFlags()
    command.addHelpText('after', ['\nExamples:', ...spec.examples].join('\n  '))
    this.addCommand(command, { hidden: spec.isHidden ?? false })
    command.passThroughOptions(isPassThrough)
    return command
  }

  /** What the command line gave for the flags of this command and of those above it. */
  given(): GivenFlags {
    const above = this.parent instanceof CliCommand ? this.parent.given() : {}
    const own = this.options.flatMap((option): [string, string[]][] => {
      const key = option.attributeName()
      if (this.getOptionValueSource(key) !== 'cli') return []
      const value: unknown = this.getOptionValue(key)
      return [[option.name(), Array.isArray(value) ? value.map(String) : [String(value)]]]
    })
    return { ...above, ...Object.fromEntries(own) }
  }

  /** Booleans take a value too, as in --flag=false; commander knows them without one only. */
  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    const end = args.indexOf('--')
    const flags = end < 0 ? args : args.slice(0, end)
    const rest = flags.filter((arg, at) => {
      const [, long = '', value = ''] = /^(--[^=]+)=(.*)$/s.exec(arg) ?? []
      const option = this.options.find((known) => known.isBoolean() && known.long === long)
      if (!option || this.belongsToOther(args, at)) return true
      this.setOptionValueWithSource(option.attributeName(), [value], 'cli')
      return false
    })
    return super.parseOptions([...rest, ...args.slice(flags.length)])
  }

  /** Whether an argument stands behind an operand that ends the flags of this command. */
  private belongsToOther(args: readonly string[], at: number): boolean {
    const endsFlags = this.isPassThrough || this.commands.length > 0
    if (!endsFlags) return false
    for (let index = 0; index < at; index++) {
      const arg = args[index] ?? ''
      if (!arg.startsWith('-') || arg === '-') return true
      const option = this.options.find(({ short, long }) => short === arg || long === arg)
      if (option?.required) index++
    }
    return false
  }

  private isPassThrough = false

  override passThroughOptions(passThrough = true): this {
    this.isPassThrough = passThrough
    return super.passThroughOptions(passThrough)
  }

  private addFlags(table: FlagTable): this {
    for (const [name, flag] of Object.entries(table))
      if (!this.options.some((option) => option.long === `--${name}`))
        this.addOption(toOption(name, flag))
    return this
  }
}

function toOption(name: string, flag: Flag): Option {
  const short = flag.short ? `-${flag.short}, ` : ''
  const value = flag.kind.arity === 'switch' ? '' : ` <${flag.kind.placeholder}>`
  const option = new Option(`${short}--${name}${value}`, describeFlag(flag))
  // a flag of its own, also when it is called --no-…
  option.negate = false
  option.helpGroup(flag.later === undefined ? `${flag.group}:` : 'Not in this version yet:')
  // every value is kept as it was written; the flag's kind parses it
  if (value) option.argParser((text, previous: unknown) => appendTo(previous, text))
  return option
}

function appendTo(previous: unknown, text: string): string[] {
  return Array.isArray(previous) ? [...previous.map(String), text] : [text]
}

function describeFlag(flag: Flag): string {
  const isOff = flag.kind.arity === 'switch' && flag.default === 'false'
  const byDefault = flag.defaultText ?? (isOff ? undefined : flag.default)
  const notes = [
    flag.required ? 'required' : undefined,
    byDefault === undefined ? undefined : `default: ${byDefault}`,
    flag.env,
    flag.later === undefined ? undefined : 'not yet',
  ].filter((note) => note !== undefined)
  return notes.length === 0 ? flag.doc : `${flag.doc} (${notes.join(', ')})`
}
