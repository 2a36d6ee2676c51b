import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { docker } from './docker-engine.js'
import { freePort } from './free-port.js'
import { tempDir } from './temp-dir.js'
import { until } from './until.js'

/** A real image registry on loopback. */
export interface Registry {
  /** `127.0.0.1:port`: the first part of the names of its images. */
  address: string
  /** Puts an image of the engine into the registry, and takes the engine's own copy away. */
  push(image: string, name: string): Promise<string>
  stop(): void
  start(): Promise<void>
}

export async function startRegistry(t: TestContext): Promise<Registry> {
  const dir = tempDir(t)
  const address = `127.0.0.1:${await freePort()}`
  const config = join(dir, 'config.yml')
  writeFileSync(
    config,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${dir}/data } }\nhttp: { addr: ${address} }\n`,
  )
  let child: ReturnType<typeof spawn> | undefined
  const start = async (): Promise<void> => {
    child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
    await until('the registry answers', () =>
      fetch(`http://${address}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
  }
  const stop = (): void => void child?.kill('SIGKILL')
  const pushed: string[] = []
  t.after(async () => {
    stop()
    for (const name of pushed) await docker('rmi', '-f', name)
  })
  await start()
  return {
    address,
    async push(image, name) {
      const full = `${address}/${name}`
      await docker('tag', image, full)
      await docker('push', '-q', full)
      await docker('rmi', full)
      pushed.push(full)
      return full
    },
    stop,
    start,
  }
}
