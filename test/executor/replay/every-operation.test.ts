import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAttempts } from '../../helpers/attempts.js'
import { comparable, nameOf, startsOf } from './compare.js'

const attempts = createAttempts()

/** Every operation when run by `npm run test:long`, else each fifth. */
const STRIDE = process.env['POCKETCI_TEST_LONG'] ? 1 : 5

/** Twenty steps with all that has an effect, in the shapes that authors use. */
const PIPELINE = `
const say = (name: string, ...words: string[]) =>
  runtime.run({ name, command: { path: 'say', args: words } })

export const pipeline = async () => {
  console.log('seed', Math.random() < 1, new Date().getFullYear() > 2000)
  const volume = await volumes.create({ name: 'v' })
  await volumes.create()
  const a = await say('a', 'one')
  const b = await runtime.run({
    name: 'b', command: { path: 'say', args: ['two', 'warn', 'oops', 'exit', '3'] },
    mounts: { v: volume },
  })
  console.log(a.stdout, b.code, b.stderr)
  storage.set('count', { n: (storage.getAll('count')[0]?.payload.n ?? 0) + 1 })
  const many = await Promise.all(
    [5, 1, 4, 2, 3].map(async (n) => {
      const { stdout } = await say('many', String(n), 'wait', String(n * 3 % 7), 'say', '!')
      await say('more ' + n, stdout, 'wait', String(n))
      return stdout
    }),
  )
  console.log(many.join(','))
  const heard: string[] = []
  await runtime.run({
    name: 'loud',
    command: { path: 'say', args: ['x', 'hex', 'c3', 'warn', 'w', 'hex', 'a9', 'wait', '3', 'say', 'end'] },
    onOutput: (stream, data) => { heard.push(stream + ':' + data); console.log('heard', data) },
  })
  console.log(heard.filter((h) => h.startsWith('stdout')).map((h) => h.slice(7)).join(''))
  const sandbox = await runtime.startSandbox({ name: 'box' })
  await sandbox.exec({ command: { path: 'say', args: ['in', 'wait', '2'] } })
  const { stdout } = await sandbox.exec({ command: { path: 'say', args: ['box'] } })
  await sandbox.close()
  try {
    await sandbox.exec({ command: { path: 'say', args: ['late'] } })
  } catch (error) {
    console.warn(String(error))
  }
  console.log(stdout, JSON.stringify(await volumes.readFiles('v', ['f'])))
  const race = await Promise.race([say('slow', 's', 'wait', '20').then(() => 'slow'), say('fast', 'f').then(() => 'fast')])
  console.log(race)
  storage.set('count', { last: race })
  console.log(JSON.stringify(storage.get('count')))
  await say('z', 'done')
}`

test('an executor that dies at any operation changes nothing about a run', async (t) => {
  const whole = await attempts.open(t, PIPELINE)
  assert.deepEqual(await whole.attempt(), { status: 'success' })
  const expected = whole.summary()
  const starts = startsOf(whole)
  const operations = whole.operations()
  assert.ok(expected.tasks.length >= 19, `${expected.tasks.length} tasks`)
  assert.ok(operations > 100, `${operations} operations`)

  for (const dieWhen of ['before', 'after'] as const)
    for (let dieAt = dieWhen === 'before' ? 1 : 3; dieAt <= operations; dieAt += STRIDE)
      await t.test(`dies ${dieWhen} operation ${dieAt}`, async (t) => {
        const run = await attempts.open(t, PIPELINE)
        const first = await run.attempt({ dieAt, dieWhen })
        if (first.status !== 'died') return assert.deepEqual(first, { status: 'success' })
        assert.deepEqual(await run.attempt(), { status: 'success' })
        const { lines, ...rest } = run.summary()
        const { lines: expectedLines, ...expectedRest } = expected
        assert.deepEqual(sorted(lines), sorted(expectedLines))
        assert.deepEqual(comparable(rest), comparable(expectedRest))
        assert.deepEqual(startsOf(run), starts, 'each step was started once')
      })
})

test('an executor that dies again and again gets a run to its end', async (t) => {
  const run = await attempts.open(t, PIPELINE)
  let end = await run.attempt({ dieAt: 1 })
  let deaths = 0
  // each attempt gets a little further: replay costs no operations, five steps at once cost some
  while (end.status === 'died' && deaths < 100) {
    end = await run.attempt({ dieAt: 30, dieWhen: deaths++ % 2 === 0 ? 'before' : 'after' })
  }
  assert.deepEqual(end, { status: 'success' })
  assert.ok(deaths > 3, `${deaths} deaths`)
  assert.deepEqual(startsOf(run), [...new Set(run.machine.starts)].map(nameOf).sort())
})

/** Who wins a race and the pieces in which output arrives are a matter of timing. */
function sorted(lines: string): string[] {
  return lines
    .split('\n')
    .filter((line) => !line.startsWith('heard'))
    .map((line) => line.replace(/fast|slow/, 'winner'))
}
