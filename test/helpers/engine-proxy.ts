import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { DOCKER_HOST } from './docker-engine.js'

/** The engine of this machine under an address of the test's own, which can be out of reach for a while. */
export interface EngineProxy {
  host: string
  cut(): Promise<void>
  mend(): Promise<void>
}

export async function startEngineProxy(t: Pick<TestContext, 'after'>): Promise<EngineProxy> {
  const socketPath = new URL(DOCKER_HOST).pathname
  const sockets = new Set<Socket>()
  let server: Server
  const open = async (port: number): Promise<number> => {
    server = createServer((client) => {
      const engine = connect(socketPath)
      for (const [from, to] of [
        [client, engine],
        [engine, client],
      ] as const) {
        sockets.add(from)
        from.on('error', () => undefined) // either end may go first
        from.on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
        from.pipe(to)
      }
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const cut = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const port = await open(0)
  t.after(cut)
  return { host: `tcp://127.0.0.1:${port}`, cut, mend: async () => void (await open(port)) }
}
