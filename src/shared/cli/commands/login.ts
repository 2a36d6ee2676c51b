import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { AppError, errorMessage, hasCode } from '../../errors.js'
import { authConfigFile, saveToken } from '../auth-config.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CliContext, CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'

const { 'server-url': serverUrl, 'config-file': configFile } = CONNECTION_FLAGS
const FLAGS = { 'server-url': serverUrl, 'config-file': configFile } as const satisfies FlagTable

const POLL_MS = 2_000
const GIVE_UP_MS = 600_000

const begunSchema = z.object({ code: z.string().regex(/^[\w-]{8,200}$/) })
const polledSchema = z.object({ token: z.string().min(1) })

export const loginCommand: CommandSpec = {
  name: 'login',
  summary: 'sign in to a server in a browser, and keep its token',
  flags: FLAGS,
  examples: ['pocketci login --server-url https://ci.example.com'],
  async run({ context, given }) {
    const flags = readFlags(FLAGS, given, context.env)
    const { url } = toConnection({ ...flags, 'auth-token': undefined }, context.env)
    const connection: Connection = { url, authorization: undefined }
    const secret = randomBytes(32).toString('base64url')
    const code = await begin(connection, secret)
    showCode(context, `${url}/auth/cli/approve?code=${code}`, code)
    const token = await poll(context, connection, { code, secret })
    context.stdout.write(' authenticated!\n')
    keep(context, { url, token, file: flags['config-file'] })
    return 0
  },
}

/** Whoever only sees the code cannot fetch the token: that takes the secret, which stays here. */
async function begin(connection: Connection, secret: string): Promise<string> {
  return await during('begin device flow', async () => {
    const response = await request(connection, '/auth/cli/begin', {
      method: 'POST',
      body: { secret_hash: createHash('sha256').update(secret).digest('hex') },
    })
    if (response.ok) return (await readJson(response, begunSchema)).code
    throw await refusal(connection, response, {
      404: 'the server does not sign people in: it has no OAuth provider',
    })
  })
}

function showCode({ env, stdout }: CliContext, url: string, code: string): void {
  stdout.write(
    [
      'Opening browser for authentication...',
      'If the browser does not open, visit:',
      `  ${url}`,
      `Your device code: ${code}`,
      'Waiting for authentication...',
    ].join('\n'),
  )
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(opener, [url], { stdio: 'ignore', detached: true, env: { ...env } })
  child.on('error', () => undefined) // the address is on the screen
  child.unref()
}

async function poll(
  { stdout }: CliContext,
  connection: Connection,
  { code, secret }: { code: string; secret: string },
): Promise<string> {
  return await during('poll device flow', async () => {
    for (const until = Date.now() + GIVE_UP_MS; Date.now() < until;) {
      await sleep(POLL_MS)
      const token = await pollOnce(connection, { code, secret })
      if (token !== undefined) return token
      stdout.write('.')
    }
    throw new AppError('server_refused', 'authentication timed out after 10 minutes')
  })
}

/** Undefined: nobody has decided yet, or the server is away for a moment. */
async function pollOnce(
  connection: Connection,
  { code, secret }: { code: string; secret: string },
): Promise<string | undefined> {
  try {
    const path = `/auth/cli/poll?code=${encodeURIComponent(code)}`
    const response = await request(connection, path, { headers: { 'x-login-secret': secret } })
    if (response.status === 202) {
      await response.body?.cancel()
      return undefined
    }
    if (response.ok) return (await readJson(response, polledSchema)).token
    throw await refusal(connection, response, {
      404: 'unexpected response (404): the code is not known any more',
      410: 'authentication code expired, please try again',
    })
  } catch (error) {
    if (hasCode(error, 'server_unreachable')) return undefined
    throw error
  }
}

function keep(
  { env, stdout, stderr }: CliContext,
  { url, token, file }: { url: string; token: string; file: string | undefined },
): void {
  const path = file ?? authConfigFile(env)
  try {
    saveToken(path, url, token)
    stdout.write(`Token saved to ${path}\n`)
  } catch (error) {
    stderr.write(`pocketci: warning: the token could not be saved: ${errorMessage(error)}\n`)
  }
  stdout.write(`export CI_AUTH_TOKEN=${token}\n`)
}
