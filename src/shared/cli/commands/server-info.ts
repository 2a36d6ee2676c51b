import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { JSON_FLAG } from '../output-flags.js'
import { printable } from '../printable.js'

const FLAGS = { ...JSON_FLAG, ...CONNECTION_FLAGS } as const satisfies FlagTable

export const driversCommand = infoCommand('drivers', 'list the drivers that a server allows')
export const featuresCommand = infoCommand('features', 'list the features that a server has open')

function infoCommand(name: 'drivers' | 'features', summary: string): CommandSpec {
  const schema = z.object({ [name]: z.array(z.string()) })
  return {
    name,
    summary,
    flags: FLAGS,
    examples: [`pocketci ${name} --server-url http://127.0.0.1:8080`],
    async run({ context, given }) {
      const flags = readFlags(FLAGS, given, context.env)
      const connection = toConnection(flags, context.env)
      const names = await during(`list ${name}`, async () => {
        const response = await request(connection, `/api/${name}`)
        if (!response.ok) throw await refusal(connection, response)
        return (await readJson(response, schema))[name] ?? []
      })
      const lines = flags.json ? [JSON.stringify(names)] : names.map(printable)
      context.stdout.write(lines.map((line) => `${line}\n`).join(''))
      return 0
    },
  }
}
