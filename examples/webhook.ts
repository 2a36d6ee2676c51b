// pocketci pipeline set examples/webhook.ts --webhook-secret hush --webhook-provider github
// pocketci pipeline trigger webhook --webhook-body '{"ref":"refs/heads/main","after":"4b825dc"}'
const pipeline = async () => {
  if (!webhookTrigger('payload.ref == "refs/heads/main"')) return console.log('not the main branch')
  if (webhookDedup('payload.after')) return console.log('this commit was built before')
  const { commit = 'whatever is there' } = webhookParams({ commit: 'payload.after' })
  http.respond({ status: 202, body: `building ${commit}\n` })
  await runtime.run({
    name: 'build',
    image: 'busybox',
    command: { path: 'echo', args: ['built', commit] },
  })
}
export { pipeline }
