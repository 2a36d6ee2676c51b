// Inputs that whoever starts a run may choose: as flags, as JSON, or in the form on the pipeline's page.
//   pocketci execute --input env=production --input replicas=3 examples/inputs.ts
export const inputs = {
  env: {
    type: 'choice',
    choices: ['staging', 'production'],
    default: 'staging',
    description: 'where it is deployed to',
  },
  replicas: { type: 'number', default: 1 },
  dryRun: { type: 'boolean', default: false },
  note: { type: 'string', description: 'for the log' },
} satisfies PipelineInputs

const pipeline = async () => {
  const { env, replicas, dryRun, note = 'none' } = pipelineContext.inputs
  if (dryRun) {
    console.log('would deploy to', env)
    return
  }
  const { code, stdout } = await runtime.run({
    name: 'deploy',
    image: 'busybox',
    command: { path: 'echo', args: [`${env} x ${replicas}`] },
    env: { NOTE: String(note) },
  })
  assert.equal(code, 0, 'the deployment failed')
  console.log('deployed to:', stdout.trim())
}

export { pipeline }
