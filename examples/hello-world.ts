// Two steps in parallel that share a volume with a third one.
//   pocketci pipeline set examples/hello-world.ts
//   pocketci pipeline run hello-world world
const pipeline = async () => {
  const name = pipelineContext.args[0] ?? 'pocketci'
  const notes = await volumes.create({ name: 'notes' })

  await Promise.all([
    runtime.run({
      name: 'greet',
      image: 'busybox',
      command: { path: 'sh', args: ['-c', 'echo "Hello, $NAME!" | tee notes/greeting.txt'] },
      env: { NAME: name },
      mounts: { notes },
    }),
    runtime.run({
      name: 'count',
      image: 'busybox',
      command: { path: 'sh', args: ['-c', 'for i in 1 2 3; do echo "step $i"; sleep 0.2; done'] },
    }),
  ])

  const read = await runtime.run({
    name: 'read back',
    image: 'busybox',
    command: { path: 'cat', args: ['notes/greeting.txt'] },
    mounts: { notes },
  })
  assert.containsString(read.stdout, `Hello, ${name}!`)
  console.log('finished:', read.stdout.trim())
}

export { pipeline }
