import { z } from 'zod'
import { SCOPES, type Scope } from '../../contract/scopes.js'
import type { FlagTable } from '../../config/flag.js'
import { filledText, list, quote, type Kind } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { formatTime } from '../format-time.js'
import { JSON_FLAG } from '../output-flags.js'
import { listFlags, showList } from '../show-list.js'
import type { Column } from '../table.js'

const scopes: Kind<Scope[]> = {
  ...list,
  placeholder: 'SCOPE,...',
  completes: SCOPES,
  parse: (texts) =>
    list.parse(texts).map((text) => {
      const found = SCOPES.find((scope) => scope === text)
      if (found) return found
      throw new Error(`expected some of ${SCOPES.join(', ')}, got ${quote(text)}`)
    }),
}

const CREATE_FLAGS = {
  scope: {
    kind: scopes,
    required: true,
    doc: `what it is good for: some of ${SCOPES.join(', ')}`,
    group: 'Token',
  },
  expires: {
    kind: filledText,
    defaultText: '720h',
    doc: 'how long it works, such as 24h; at most 8760h',
    group: 'Token',
  },
  ...JSON_FLAG,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable
const LIST_FLAGS = { ...listFlags('20'), ...CONNECTION_FLAGS } as const satisfies FlagTable

const tokenSchema = z.looseObject({
  id: z.string(),
  kind: z.string().default(''),
  name: z.string().default(''),
  scopes: z.array(z.string()).optional(),
  created_at: z.string().default(''),
  expires_at: z.string().default(''),
  last_used_at: z.string().optional(),
})
type RemoteToken = z.infer<typeof tokenSchema>
const newTokenSchema = z.looseObject({ token: z.string() })

export const tokenCreateCommand: CommandSpec = {
  name: 'create',
  summary: 'make a token for a program, which is shown this once',
  operands: '<name>',
  flags: CREATE_FLAGS,
  examples: [
    'pocketci token create deploy-bot --scope ci:read,ci:run --server-url https://ci.example.com',
    'CI_AUTH_TOKEN=$(pocketci token create nightly --scope ci:run --expires 24h)',
  ],
  async run({ context, given, operands: [name = ''] }) {
    const { scope, expires, json, ...flags } = readFlags(CREATE_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const made = await during('create token', async () => {
      const body = { name, scopes: scope, ...(expires !== undefined && { expires_in: expires }) }
      const response = await request(connection, '/api/tokens', { method: 'POST', body })
      if (response.ok) return await readJson(response, newTokenSchema)
      throw await refusal(connection, response)
    })
    context.stdout.write(`${json ? JSON.stringify(made) : made.token}\n`)
    return 0
  },
}

export const tokenLsCommand: CommandSpec = {
  name: 'ls',
  alias: 'list',
  summary: 'list your tokens, and the command lines that you have signed in',
  flags: LIST_FLAGS,
  examples: ['pocketci token ls --server-url https://ci.example.com'],
  async run({ context, given }) {
    const flags = readFlags(LIST_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    return await showList({
      ...{ context, flags, connection, columns: COLUMNS, item: tokenSchema },
      purpose: 'list tokens',
      path: '/api/tokens',
    })
  },
}

const COLUMNS: readonly Column<RemoteToken>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'KIND', text: ({ kind }) => kind },
  { title: 'NAME', text: ({ name }) => name },
  { title: 'SCOPES', text: ({ scopes: all }) => all?.join(',') ?? 'all' },
  { title: 'CREATED', text: ({ created_at: at }) => formatTime(at) },
  { title: 'UNTIL', text: ({ expires_at: at }) => formatTime(at) },
  { title: 'USED', text: ({ last_used_at: at }) => (at === undefined ? 'never' : formatTime(at)) },
]

export const tokenRmCommand: CommandSpec = {
  name: 'rm',
  alias: 'remove',
  summary: 'revoke a token, which `token ls` lists',
  operands: '<token>',
  flags: CONNECTION_FLAGS,
  examples: ['pocketci token rm V1StGXR8_Z5jdHi6B-myT --server-url https://ci.example.com'],
  async run({ context, given, operands: [id = ''] }) {
    const connection = toConnection(readFlags(CONNECTION_FLAGS, given, context.env), context.env)
    await during('revoke token', async () => {
      const path = `/api/tokens/${encodeURIComponent(id)}`
      const response = await request(connection, path, { method: 'DELETE' })
      if (!response.ok)
        throw await refusal(connection, response, { 404: `you have no token "${id}"` })
    })
    context.stdout.write(`Token '${id}' is revoked\n`)
    return 0
  },
}
