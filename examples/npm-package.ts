// Builds a published npm package and runs two parts of its own tests, in parallel, each on a copy of
// the source. That comes from a tarball, into which the package's tools are installed, or is the
// folder that the run is started in:
//   pocketci pipeline run --no-workdir npm-package /path/to/zod-4.1.5.tgz
//   cd zod && pocketci pipeline run npm-package
const TOOLS = [
  'vitest@3',
  'recheck@4',
  'typescript@5',
  '@types/node@22',
  '@web-std/file@3',
  '@seriousme/openapi-schema-validator@2',
]

const image = 'node:24'

const pipeline = async () => {
  const [tarball] = pipelineContext.args
  const source = await volumes.create({ name: 'workdir' })
  const built = await volumes.create({ name: 'built' })
  if (tarball !== undefined) await fetchSource(source, tarball)

  await Promise.all([
    step('build', BUILD, { source, built }),
    step('test classic', test('src/v4/classic'), { source }),
    step('test mini and core', test('src/v4/mini src/v4/core'), { source }),
  ])

  const files = await built.readFiles(['index.js'])
  assert.containsString(files['index.js'] ?? '', 'export')
}

const fetchSource = async (source: VolumeResult, tarball: string) => {
  await step('unpack', 'tar -xzf "$1" --strip-components=1 -C source && ls source', { source }, [
    tarball,
  ])
  await step(
    'install',
    'cd source && npm install --no-audit --no-fund --no-save --ignore-scripts "$@"',
    { source },
    TOOLS,
  )
}

const BUILD = `cp -r source work && cd work && npx tsc src/index.ts --outDir ../built --rootDir src \\
  --module nodenext --moduleResolution nodenext --target es2022 --skipLibCheck --declaration --strict \\
  && echo "built $(find ../built -name '*.js' | wc -l) files"`

const test = (paths: string) =>
  `cp -r source work && cd work && npx vitest run --no-color --reporter=dot --testTimeout=60000 --maxWorkers=1 --minWorkers=1 ${paths}`

const step = async (
  name: string,
  script: string,
  mounts: Record<string, VolumeResult>,
  args: string[] = [],
) => {
  const result = await runtime.run({
    name,
    image,
    command: { path: 'sh', args: ['-ec', script, 'sh', ...args] },
    env: { CI: 'true', NO_COLOR: '1' },
    mounts,
    timeout: '15m',
  })
  if (result.code !== 0) throw new Error(`${name} failed with exit code ${result.code}`)
  return result
}

export { pipeline }
