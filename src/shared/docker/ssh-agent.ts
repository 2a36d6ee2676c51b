import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { Duplex } from 'node:stream'
import { errorMessage } from '../errors.js'

/** Of what ssh says, when it cannot connect: enough for the reason. */
const MAX_REASON_CHARS = 1_000

/**
 * Connections to the engine of another machine, each a run of the system's own `ssh`, the way the
 * Docker command line does it: with the user's keys, agent, configuration and known hosts, so a host
 * that is not known is refused. The other machine needs the `docker` command.
 */
export function openSshAgent(url: URL): Agent {
  const command = sshCommand(url)
  const agent = new Agent({ keepAlive: false })
  agent.createConnection = () => connect(command)
  return agent
}

/** argv; a user or host that begins with a dash is no option. */
function sshCommand(url: URL): string[] {
  const user = decodeURIComponent(url.username)
  return [
    '-T',
    ...['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10'],
    ...(user === '' ? [] : ['-l', user]),
    ...(url.port === '' ? [] : ['-p', url.port]),
    ...['--', url.hostname, 'docker', 'system', 'dial-stdio'],
  ]
}

function connect(args: readonly string[]): Duplex {
  const child = spawn('ssh', args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const { stdin, stdout } = child
  const socket = new Duplex({
    read: () => void stdout.resume(),
    // what is written to an ssh that has ended is lost; its end says why it did
    write: (bytes: Buffer, _encoding, done) => void stdin.write(bytes, () => done()),
    final: (done) => void stdin.end(() => done()),
    destroy(error, done) {
      child.kill()
      done(error)
    },
  })
  stdin.on('error', () => undefined) // see write
  stdout.on('data', (bytes: Buffer) => {
    if (!socket.push(bytes)) stdout.pause()
  })
  endOf(child).then(
    () => socket.push(null),
    (error: Error) => socket.destroy(error),
  )
  return socket
}

/** Resolves when all was read and ssh has ended well, or was killed. */
async function endOf(child: ChildProcessWithoutNullStreams): Promise<void> {
  let reason = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    reason = (reason + text).slice(0, MAX_REASON_CHARS)
  })
  const [code] = await once(child, 'close').catch((error: unknown) => {
    throw new Error(`cannot run ssh: ${errorMessage(error)}`, { cause: error })
  })
  if (code) throw new Error(`ssh ended with code ${code}: ${reason.trim()}`)
}
