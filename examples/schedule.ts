// Runs by itself: each night with all tests, and every half hour with the quick ones. On a server:
//   pocketci pipeline set examples/schedule.ts
//   pocketci pipeline schedule ls schedule
export const inputs = {
  suite: { type: 'choice', choices: ['quick', 'all'], default: 'quick' },
} satisfies PipelineInputs

export const schedules = {
  nightly: { cron: '30 3 * * *', timezone: 'Europe/Berlin', inputs: { suite: 'all' } },
  often: { every: '30m' },
} satisfies PipelineSchedules

const pipeline = async () => {
  const { suite } = pipelineContext.inputs
  const { code, stdout } = await runtime.run({
    name: 'test',
    image: 'busybox',
    command: { path: 'echo', args: [`the ${suite} tests`] },
  })
  assert.equal(code, 0, 'the tests failed')
  console.log('passed:', stdout.trim())
}

export { pipeline }
