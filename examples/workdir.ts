// Works on the folder that it is started in: counts its files and reads one of them.
//   pocketci pipeline set examples/workdir.ts
//   cd my-project && pocketci pipeline run workdir greeting.txt
const pipeline = async () => {
  const [file = 'README.md'] = pipelineContext.args
  const workdir = await volumes.create({ name: 'workdir' })

  const { stdout, code } = await runtime.run({
    name: 'count',
    image: 'busybox',
    command: { path: 'sh', args: ['-c', 'find . -type f | wc -l; echo done > .counted'] },
    mounts: { workdir },
    workDir: 'workdir',
  })
  assert.equal(code, 0)

  // what a step writes into the volume is there for the next one
  const files = await workdir.readFiles([file, '.counted'])
  assert.equal(files['.counted'], 'done\n')
  console.log(`${file} of ${stdout.trim()} files: ${files[file]?.trim()}`)
}

export { pipeline }
