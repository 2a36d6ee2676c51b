import { once } from 'node:events'
import { createServer } from 'node:net'
import { fail, ok, warn, type Finding } from './finding.js'

const ANSWER_MS = 3_000

/** Whether a server could listen there; where something listens already, whether it is pocketci. */
export async function checkPort({
  host,
  port,
}: {
  host: string
  port: number
}): Promise<Finding[]> {
  const check = 'port'
  if (port === 0) return [ok(check, 'a free one is picked (--port 0)')]
  const code = await tryToListen(host, port)
  switch (code) {
    case undefined:
      return [ok(check, `${host}:${port} is free`)]
    case 'EADDRINUSE':
      return [await checkOccupant(host, port)]
    case 'EACCES':
      return [
        fail(check, `this user may not listen on ${host}:${port}`, 'choose a --port from 1024 on'),
      ]
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return [fail(check, `this machine has no address ${host}`, 'correct --host')]
    default:
      return [
        fail(check, `${host}:${port} cannot be listened on: ${code}`, 'choose another --port'),
      ]
  }
}

/** The code of what went wrong. Nothing is accepted, and it is closed at once. */
async function tryToListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer((socket) => socket.destroy())
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    server.close()
  }
}

async function checkOccupant(host: string, port: number): Promise<Finding> {
  const check = 'port'
  // where all addresses are listened on, one of them does
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  const base = `http://${address.includes(':') ? `[${address}]` : address}:${port}`
  const health = await ask(`${base}/health`)
  const isOurs = health?.text === 'OK' && health.requestId !== null
  if (!isOurs)
    return fail(check, `${host}:${port} is in use by another program`, 'choose another --port')
  const ready = await ask(`${base}/ready`)
  if (ready?.status === 200) return ok(check, `pocketci answers at ${base} already`)
  const reason = ready
    ? `not ready: ${ready.text.slice(0, 200)}`
    : 'it does not say whether it is ready'
  return warn(check, `pocketci answers at ${base}, but ${reason}`, 'look at its log')
}

async function ask(
  url: string,
): Promise<{ status: number; text: string; requestId: string | null } | undefined> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(ANSWER_MS),
      redirect: 'manual',
    })
    const text = new TextDecoder().decode(await firstBytes(response))
    return { status: response.status, text, requestId: response.headers.get('x-request-id') }
  } catch {
    return undefined // another protocol, or no answer: it is not ours
  }
}

/** An answer of ours is short. */
async function firstBytes(response: Response): Promise<Uint8Array> {
  for await (const chunk of response.body ?? []) return chunk
  return new Uint8Array()
}
