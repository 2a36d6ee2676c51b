import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { startCli } from '../helpers/cli-process.js'
import { rssOf, tiersOf } from '../helpers/processes.js'
import { watchRss } from '../helpers/rss-watch.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { repoPath } from '../helpers/repo.js'
import { tempDir } from '../helpers/temp-dir.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const MIB = 1_048_576
/** Of these a folder is made: some of them shrink well, some not at all. */
const FILE_BYTES = 250_000

const COUNT = `export const pipeline = async () => {
  const workdir = await volumes.create({ name: 'workdir' })
  const script = 'find workdir -type f | wc -l'
  await runtime.run({ name: 'count', command: { path: 'sh', args: ['-c', script] }, mounts: { workdir } })
}`

/**
 * From the start of the command to its end: packed, sent, looked through, unpacked into a volume and
 * seen by a step; beside `tar | zstd` of the same folder, which is the first part of it.
 */
export async function benchUpload(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const megabytes = isQuick ? 50 : 500
  const files = (megabytes * 1_000_000) / FILE_BYTES
  const folder = makeFolder(scope, files)
  const server = await startServer(scope)
  await server.setPipeline('count', COUNT)
  const baseline = await upload(server, folder, { expected: 0, isSent: false }) // warm as well
  const tiers = await tiersOf(server)
  const before = tiers.map(({ pid }) => rssOf(pid))
  const watch = watchRss(tiers.map(({ pid }) => pid))
  const bare: number[] = []
  const ours: number[] = []
  let cliPeak = 0
  for (let round = 0; round < (isQuick ? 1 : 3); round++) {
    bare.push(await timeTar(folder))
    const { took, peakRss } = await upload(server, folder, { expected: files, isSent: true })
    ours.push(took)
    cliPeak = Math.max(cliPeak, peakRss)
  }
  const peaks = watch.stop()
  const growths = [
    { name: 'pocketci pipeline run', grown: cliPeak - baseline.peakRss },
    ...tiers.map(({ name }, at) => ({ name, grown: (peaks[at] ?? 0) - (before[at] ?? 0) })),
  ]
  return [
    {
      name: `upload of ${megabytes} MB in ${files} files, to its use in a step`,
      value: median(ours) / 1_000,
      unit: 's',
      floor: { name: 'tar | zstd', value: median(bare) / 1_000 },
      ratio: median(ours) / median(bare),
      goal: 'said',
      isMet: true,
    },
    ...growths.map(({ name, grown }) => ({
      name: `RSS growth over it, ${name}`,
      value: grown / MIB,
      unit: 'MiB',
      goal: '<= 64 MiB',
      isMet: grown <= 64 * MIB,
    })),
  ]
}

function makeFolder(scope: Scope, files: number): string {
  const folder = tempDir(scope)
  const text = readFileSync(repoPath('package-lock.json')).subarray(0, 60_000)
  for (let at = 0; at < files; at++) {
    const dir = join(folder, `folder-${at % 20}`)
    mkdirSync(dir, { recursive: true })
    const noise = randomBytes((at % 5) * 40_000)
    const parts = [noise, ...Array.from({ length: 5 }, () => text)]
    writeFileSync(join(dir, `file-${at}`), Buffer.concat(parts).subarray(0, FILE_BYTES))
  }
  return folder
}

async function upload(
  { url }: TestServer,
  cwd: string,
  { expected, isSent }: { expected: number; isSent: boolean },
): Promise<{ took: number; peakRss: number }> {
  const start = performance.now()
  const flags = isSent ? [] : ['--no-workdir']
  const cli = startCli(['pipeline', 'run', '-s', url, ...flags, 'count'], { cwd })
  const watch = watchRss([cli.pid])
  const { code, stdout, stderr } = await cli.exited
  const took = performance.now() - start
  const [peakRss = 0] = watch.stop()
  if (code !== 0 || Number(stdout) !== expected)
    throw new Error(`the run failed: ${code} ${stdout} ${stderr}`)
  return { took, peakRss }
}

async function timeTar(folder: string): Promise<number> {
  const zstd = createRequire(import.meta.url).resolve('node-zstandard/bin/zstd.linux64')
  const start = performance.now()
  const args = ['-c', `tar -c . | "$0" -q -1 -c > /dev/null`, zstd]
  const [code] = (await once(spawn('sh', args, { cwd: folder, stdio: 'inherit' }), 'close')) as [
    number,
  ]
  if (code !== 0) throw new Error(`tar | zstd failed with ${code}`)
  return performance.now() - start
}
