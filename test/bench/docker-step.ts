import { once } from 'node:events'
import Docker from 'dockerode'
import { BUSYBOX_IMAGE, DOCKER_HOST, ensureBusybox } from '../helpers/docker-engine.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const ECHO = `export const pipeline = async () => {
  for (const _ of [1, 2])
    await runtime.run({ name: 'echo', image: '${BUSYBOX_IMAGE}', command: { path: 'echo', args: ['hi'] } })
}`

/**
 * A step in a container beside the same calls of the engine made directly: create, attach, wait,
 * start, read to the end. Two steps a run, so that the second is measured alone: from the end of the
 * first to its own. Removal is outside of both.
 */
export async function benchDockerStep(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  await ensureBusybox()
  const docker = new Docker({ socketPath: new URL(DOCKER_HOST).pathname })
  const server = await startServer(scope, { args: ['--driver=docker'] })
  const id = await server.setPipeline('echo', ECHO)
  const ours: number[] = []
  const bare: number[] = []
  for (let pair = 0; pair < (isQuick ? 20 : 103); pair++) {
    bare.push(await timeBareStep(docker))
    ours.push(await timeStep(server, id))
  }
  const warm = { ours: median(ours.slice(3)), bare: median(bare.slice(3)) }
  return [
    {
      name: 'a docker step, added to the bare calls',
      value: warm.ours - warm.bare,
      unit: 'ms',
      floor: { name: 'create, attach, wait, start, read', value: warm.bare },
      ratio: warm.ours / warm.bare,
      goal: '<= 15 ms, ratio <= 1.05',
      isMet: warm.ours - warm.bare <= 15 && warm.ours / warm.bare <= 1.05,
    },
  ]
}

/** The time of the second step, as the stream of the run shows it. */
async function timeStep({ url }: TestServer, id: string): Promise<number> {
  const response = await fetch(`${url}/api/pipelines/${id}/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  const times: number[] = []
  let text = ''
  const decoder = new TextDecoder()
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true })
    const events = text.split('\n\n').length - 1
    while (times.length < events) times.push(performance.now())
  }
  if (!text.includes('"code":0')) throw new Error(`the run failed: ${text}`)
  // output of the first step, output of the second, exit
  const [first = 0, second = 0] = times
  return second - first
}

/** The time between the first lines of two containers, one after the other. */
export async function timeBareStep(docker: Docker): Promise<number> {
  const first = await runBare(docker)
  const second = await runBare(docker)
  await Promise.all([first, second].map(({ container }) => container.remove({ force: true })))
  return second.firstLineAt - first.firstLineAt
}

async function runBare(docker: Docker) {
  const container = await docker.createContainer({
    Image: BUSYBOX_IMAGE,
    Cmd: ['echo', 'hi'],
    AttachStdout: true,
    AttachStderr: true,
  })
  const output = await container.attach({ stream: true, stdout: true, stderr: true })
  const ended = container.wait({ condition: 'next-exit' })
  await container.start()
  await once(output, 'data')
  const firstLineAt = performance.now()
  output.resume()
  await ended
  return { container, firstLineAt }
}
