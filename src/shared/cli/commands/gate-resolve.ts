import type { FlagTable } from '../../config/flag.js'
import { filledText } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { JSON_FLAG } from '../output-flags.js'
import { printable } from '../printable.js'
import { gateSchema } from '../remote-gates.js'

const FLAGS = {
  comment: {
    kind: filledText,
    short: 'm',
    doc: 'why; it is kept with the gate',
    group: 'Gate',
  },
  ...JSON_FLAG,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

export const gateApproveCommand = resolveCommand('approve', 'let a run pass a gate')
export const gateRejectCommand = resolveCommand('reject', 'refuse a gate: its run gets an error')

function resolveCommand(verb: 'approve' | 'reject', summary: string): CommandSpec {
  return {
    name: verb,
    summary,
    operands: '<gate>',
    completes: 'gate',
    flags: FLAGS,
    examples: [
      `pocketci gate ${verb} 3d1f5c1e-5b0c-4d53-9a7e-2f6f0a3c8b11 --server-url http://127.0.0.1:8080`,
      `pocketci gate ${verb} 3d1f5c1e-5b0c-4d53-9a7e-2f6f0a3c8b11 --comment 'ticket 42'`,
    ],
    async run({ context, given, operands: [id = ''] }) {
      const { comment, json, ...flags } = readFlags(FLAGS, given, context.env)
      const connection = toConnection(flags, context.env)
      const gate = await during(`${verb} gate`, async () => {
        const response = await request(connection, `/api/gates/${encodeURIComponent(id)}/${verb}`, {
          method: 'POST',
          ...(comment === undefined ? {} : { body: { comment } }),
        })
        if (response.ok) return await readJson(response, gateSchema)
        throw await refusal(connection, response, textsOf(id))
      })
      context.stdout.write(
        json ? `${JSON.stringify(gate)}\n` : `Gate '${printable(gate.name)}' ${gate.status}\n`,
      )
      return 0
    },
  }
}

/** What a refusal means. */
function textsOf(id: string): Record<number, string> {
  return {
    404: `gate "${id}" not found`,
    409: `gate "${id}" is already resolved, or its run has ended`,
  }
}
