// Two stages, a sandbox that keeps its files between commands, and a value that outlives the run.
//   pocketci execute examples/stages.ts
const pipeline = async () => {
  const output = await volumes.create({ name: 'output' })

  await orchestration.stage('build', (stage) => {
    for (const target of ['linux', 'darwin'])
      stage.job(target, async () => {
        const { code } = await runtime.run({
          name: `build ${target}`,
          image: 'busybox',
          command: { path: 'sh', args: ['-c', `echo "binary for ${target}" > output/${target}`] },
          mounts: { output },
          timeout: '1m',
        })
        assert.equal(code, 0, `the build for ${target} failed`)
      })
  })

  await orchestration.stage('verify', (stage) => {
    stage.job('files', async () => {
      const files = await output.readFiles(['linux', 'darwin'])
      assert.containsString(files['linux'] ?? '', '^binary for linux')
    })
    stage.job('sandbox', async () => {
      const sandbox = await runtime.startSandbox({ name: 'check', image: 'busybox' })
      await sandbox.exec({ command: { path: 'sh', args: ['-c', 'echo 42 > answer'] } })
      const { stdout } = await sandbox.exec({ command: { path: 'cat', args: ['answer'] } })
      assert.equal(stdout.trim(), '42')
      await sandbox.close()
    })
  })

  storage.set('last-build', { at: new Date().toISOString(), targets: 2 })
  console.log('last build:', storage.get('last-build'))
}

export { pipeline }
