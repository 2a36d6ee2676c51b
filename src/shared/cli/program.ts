import { GLOBAL_FLAGS } from '../config/global-flags.js'
import { readFlags } from '../config/read-flags.js'
import { CliCommand } from './cli-command.js'
import type { CliContext, CommandSpec } from './command-spec.js'
import { COMMAND_TREE, isGroup, type CommandNode } from './command-tree.js'
import { completeCommand } from './commands/complete.js'
import { readVersion } from './version.js'

export interface Program {
  /** Runs the command line and answers the exit code. Throws what reportError understands. */
  run(args: readonly string[]): Promise<number>
}

export function buildProgram(context: CliContext): Program {
  let exitCode = 0
  const add = (parent: CliCommand, node: CommandNode): void => {
    if (!isGroup(node)) return addCommand(parent, node)
    const group = parent.addGroup(node.name, node.summary)
    for (const below of node.commands) add(group, below)
  }
  const addCommand = (parent: CliCommand, spec: CommandSpec): void => {
    const command = parent.addSpec(spec)
    command.action(async () => {
      const given = command.given()
      // commands that do not log know these flags too, and a wrong value is wrong everywhere
      if (!('log-level' in spec.flags)) readFlags(GLOBAL_FLAGS, given, context.env)
      exitCode = await spec.run({ context, given, operands: command.args })
    })
  }

  const root = new CliCommand('pocketci')
  root
    .sendOutputTo(context)
    .addGlobalFlags()
    .description('A self-hosted CI server: pipelines are TypeScript functions, runs are durable.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', EXAMPLES)
  for (const node of COMMAND_TREE) add(root, node)
  add(root, completeCommand(COMMAND_TREE))

  return {
    async run(args) {
      await root.parseAsync([...args], { from: 'user' })
      return exitCode
    },
  }
}

const EXAMPLES = `
Examples:
  pocketci server
  pocketci pipeline set hello.ts --server-url http://127.0.0.1:8080
  pocketci pipeline run --server-url http://127.0.0.1:8080 hello
  pocketci execute hello.ts

\`pocketci <command> --help\` lists a command's flags. Flags beat environment variables.`
