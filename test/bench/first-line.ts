import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { startServer, type TestServer } from '../helpers/server.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const ECHO = `export const pipeline = async () => {
  await runtime.run({ name: 'echo', command: { path: 'echo', args: ['hi'] } })
}`

/** From the request that triggers a run to the first line of its step, on an idle server. */
export async function benchFirstLine(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const server = await startServer(scope)
  await server.setPipeline('echo', ECHO)
  const ours: number[] = []
  const bare: number[] = []
  for (let pair = 0; pair < (isQuick ? 20 : 100); pair++) {
    bare.push(await timeBareSpawn())
    ours.push(await timeFirstLine(server))
  }
  const warm = { ours: median(ours.slice(3)), bare: median(bare.slice(3)) }
  const above = warm.ours - warm.bare
  return [
    {
      name: 'trigger to first line, native echo',
      value: warm.ours,
      unit: 'ms',
      floor: { name: 'bare spawn to first line', value: warm.bare },
      ratio: warm.ours / warm.bare,
      goal: '<= 60 ms, <= 30 ms above the floor',
      isMet: warm.ours <= 60 && above <= 30,
    },
  ]
}

async function timeFirstLine({ url }: TestServer): Promise<number> {
  const start = performance.now()
  const response = await fetch(`${url}/api/pipelines/echo/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  let text = ''
  let took = Number.NaN
  const decoder = new TextDecoder()
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true })
    if (Number.isNaN(took) && text.includes('"stream":"stdout"')) took = performance.now() - start
  }
  if (!text.includes('"code":0')) throw new Error(`the run failed: ${text}`)
  return took
}

async function timeBareSpawn(): Promise<number> {
  const start = performance.now()
  const child = spawn('echo', ['hi'])
  await once(child.stdout, 'data')
  const took = performance.now() - start
  if (child.exitCode === null) await once(child, 'exit')
  return took
}
