// Builds, asks a person, and deploys when that person says yes. On a server:
//   pocketci pipeline set examples/gate.ts && pocketci pipeline trigger gate
//   pocketci gate ls && pocketci gate approve <id>
const pipeline = async () => {
  const build = await runtime.run({
    name: 'build',
    image: 'busybox',
    command: { path: 'echo', args: ['version 42'] },
  })

  await orchestration.gate('deploy', {
    message: `${build.stdout.trim()} to production?`,
    timeout: '24h',
  })

  const deploy = await runtime.run({
    name: 'deploy',
    image: 'busybox',
    command: { path: 'echo', args: ['deployed'] },
  })
  assert.equal(deploy.code, 0, 'the deployment failed')
}

export { pipeline }
