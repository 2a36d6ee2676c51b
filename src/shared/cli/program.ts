import { GLOBAL_FLAGS } from '../config/global-flags.js'
import { readFlags } from '../config/read-flags.js'
import { CliCommand } from './cli-command.js'
import type { CliContext, CommandSpec } from './command-spec.js'
import { executeCommand } from './commands/execute.js'
import { lsCommand } from './commands/pipeline-ls.js'
import { pauseCommand, unpauseCommand } from './commands/pipeline-pause.js'
import { rmCommand } from './commands/pipeline-rm.js'
import { runCommand } from './commands/pipeline-run.js'
import { setCommand } from './commands/pipeline-set.js'
import { triggerCommand } from './commands/pipeline-trigger.js'
import { apiCommand, executorCommand, serverCommand } from './commands/server.js'
import { readVersion } from './version.js'

const COMMANDS: readonly CommandSpec[] = [
  serverCommand,
  apiCommand,
  executorCommand,
  executeCommand,
]

const PIPELINE_COMMANDS: readonly CommandSpec[] = [
  setCommand,
  lsCommand,
  rmCommand,
  runCommand,
  triggerCommand,
  pauseCommand,
  unpauseCommand,
]

export interface Program {
  /** Runs the command line and answers the exit code. Throws what reportError understands. */
  run(args: readonly string[]): Promise<number>
}

export function buildProgram(context: CliContext): Program {
  let exitCode = 0
  const add = (parent: CliCommand, spec: CommandSpec): void => {
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
  for (const spec of COMMANDS) add(root, spec)
  const pipeline = root.addGroup('pipeline', 'set, run and manage the pipelines of a server')
  for (const spec of PIPELINE_COMMANDS) add(pipeline, spec)

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
  pocketci pipeline run hello --server-url http://127.0.0.1:8080
  pocketci execute hello.ts

\`pocketci <command> --help\` lists a command's flags. Flags beat environment variables.`
