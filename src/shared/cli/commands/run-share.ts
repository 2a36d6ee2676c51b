import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { filledText } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { formatTime } from '../format-time.js'
import { JSON_FLAG } from '../output-flags.js'
import { runPath, runTexts } from '../remote-runs.js'
import { listFlags, showList } from '../show-list.js'
import type { Column } from '../table.js'

const SHARE_FLAGS = {
  expires: {
    kind: filledText,
    defaultText: '720h',
    doc: 'how long the link works, such as 24h; at most 8760h',
    group: 'Share',
  },
  ...JSON_FLAG,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable
const LIST_FLAGS = { ...listFlags('20'), ...CONNECTION_FLAGS } as const satisfies FlagTable

const shareSchema = z.looseObject({
  id: z.string(),
  created_by: z.string().default(''),
  created_at: z.string().default(''),
  expires_at: z.string().default(''),
})
type RemoteShare = z.infer<typeof shareSchema>
const newShareSchema = z.looseObject({ share_path: z.string().startsWith('/') })

export const runShareCommand: CommandSpec = {
  name: 'share',
  summary: 'make a link that shows a run to whoever has it, without sign-in',
  operands: '<run>',
  completes: 'run',
  flags: SHARE_FLAGS,
  examples: [
    'pocketci run share V1StGXR8_Z5jdHi6B-myT --server-url http://127.0.0.1:8080',
    'pocketci run share V1StGXR8_Z5jdHi6B-myT --expires 24h',
  ],
  async run({ context, given, operands: [id = ''] }) {
    const { expires, json, ...flags } = readFlags(SHARE_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const share = await during(`could not share run "${id}"`, async () => {
      const response = await request(connection, `${runPath(id)}/share`, {
        method: 'POST',
        ...(expires === undefined ? {} : { body: { expires_in: expires } }),
      })
      if (response.ok) return await readJson(response, newShareSchema)
      throw await refusal(connection, response, { 404: runTexts(id)[404] ?? '' })
    })
    const text = json ? JSON.stringify(share) : `${connection.url}${share.share_path}`
    context.stdout.write(`${text}\n`)
    return 0
  },
}

export const runSharesCommand: CommandSpec = {
  name: 'shares',
  summary: 'list the links of a run that still work',
  operands: '<run>',
  completes: 'run',
  flags: LIST_FLAGS,
  examples: ['pocketci run shares V1StGXR8_Z5jdHi6B-myT --server-url http://127.0.0.1:8080'],
  async run({ context, given, operands: [id = ''] }) {
    const flags = readFlags(LIST_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    return await showList({
      ...{ context, flags, connection, columns: COLUMNS, item: shareSchema },
      purpose: 'list share links',
      path: `${runPath(id)}/shares`,
    })
  },
}

const COLUMNS: readonly Column<RemoteShare>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'BY', text: ({ created_by: by }) => by },
  { title: 'CREATED', text: ({ created_at: at }) => formatTime(at) },
  { title: 'UNTIL', text: ({ expires_at: at }) => formatTime(at) },
]

export const runUnshareCommand: CommandSpec = {
  name: 'unshare',
  summary: 'revoke a link of a run, which `run shares` lists',
  operands: '<run> <link>',
  completes: 'run',
  flags: CONNECTION_FLAGS,
  examples: [
    'pocketci run unshare V1StGXR8_Z5jdHi6B-myT 4f90d13a42 --server-url http://127.0.0.1:8080',
  ],
  async run({ context, given, operands: [run = '', link = ''] }) {
    const connection = toConnection(readFlags(CONNECTION_FLAGS, given, context.env), context.env)
    await during(`could not unshare run "${run}"`, async () => {
      const path = `${runPath(run)}/shares/${encodeURIComponent(link)}`
      const response = await request(connection, path, { method: 'DELETE' })
      if (!response.ok)
        throw await refusal(connection, response, { 404: `the run has no link "${link}"` })
    })
    context.stdout.write(`Link '${link}' is revoked\n`)
    return 0
  },
}
