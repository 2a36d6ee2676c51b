import { readFileSync } from 'node:fs'
import type { FlagTable } from '../../config/flag.js'
import { quote } from '../../config/kinds.js'
import type { CommandSpec } from '../command-spec.js'
import { usageError } from '../report-error.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const
/** Not built: the package has them as they are in the sources. */
const SCRIPTS = new URL('../../../../../src/shared/cli/completion/scripts/', import.meta.url)

const FLAGS = {} as const satisfies FlagTable

export const completionCommand: CommandSpec = {
  name: 'completion',
  summary: 'print the completion script of a shell',
  description:
    'Prints a script by which bash, zsh or fish completes commands, flags, values, and the names of pipelines and runs of the server that CI_SERVER_URL or --server-url names.',
  operands: '<shell>',
  completes: SHELLS,
  flags: FLAGS,
  examples: [
    'source <(pocketci completion bash)                                    # in ~/.bashrc',
    'source <(pocketci completion zsh)                                     # in ~/.zshrc',
    'pocketci completion fish > ~/.config/fish/completions/pocketci.fish   # once',
  ],
  async run({ context, operands: [given = ''] }) {
    const shell = SHELLS.find((known) => known === given)
    if (!shell)
      throw usageError(`unknown shell ${quote(given)}; known shells: ${SHELLS.join(', ')}`)
    context.stdout.write(readFileSync(new URL(`pocketci.${shell}`, SCRIPTS)))
    return 0
  },
}
