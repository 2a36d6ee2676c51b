import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGuests } from '../../helpers/guest.js'

const { open, runBody, evaluate } = createGuests()

describe('random numbers', () => {
  const NUMBERS = 'Array.from({ length: 1000 }, () => Math.random())'

  it('are a function of the seed', async () => {
    const [first, again, other] = (await Promise.all([
      evaluate(NUMBERS, { seed: 7 }),
      evaluate(NUMBERS, { seed: 7 }),
      evaluate(NUMBERS, { seed: 8 }),
    ])) as [number[], number[], number[]]
    assert.deepEqual(first, again)
    assert.equal(first.filter((value) => other.includes(value)).length, 0)
  })

  it('are spread evenly in [0, 1)', async () => {
    for (const seed of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const numbers = (await evaluate(NUMBERS, { seed })) as number[]
      assert.ok(numbers.every((value) => value >= 0 && value < 1))
      const mean = numbers.reduce((sum, value) => sum + value) / numbers.length
      assert.ok(Math.abs(mean - 0.5) < 0.05, `seed ${seed}: mean ${mean}`)
      assert.equal(new Set(numbers).size, numbers.length)
    }
  })
})

describe('the clock', () => {
  it('is the host’s, and stands still while the guest runs', async () => {
    let now = Date.UTC(2030, 0, 1)
    const { vm, lines } = await open(
      `export const pipeline = async () => {
        const start = Date.now(); for (let i = 0; i < 1e5; i++);
        console.log(Date.now() - start, new Date().toISOString(), new Date().getTimezoneOffset())
        await runtime.run({} as any)
        console.log(Date.now() - start, String(new Date(0)))
      }`,
      { now: () => now },
    )
    using _vm = vm
    vm.start()
    now += 1_234
    vm.deliver({ type: 'resolve', call: 1, value: {} })
    assert.deepEqual(lines, [
      '0 2030-01-01T00:00:00.000Z 0',
      '1234 Thu Jan 01 1970 00:00:00 GMT+0000',
    ])
  })
})

it('the same deliveries give the same calls', async () => {
  const body = `await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    await runtime.run({ name: String(i) } as any)
    if (Math.random() < 0.5) await runtime.run({ name: i + '-' + Math.random() } as any)
  }))`
  const first = await runBody(body, { seed: 3 })
  const again = await runBody(body, { seed: 3 })
  assert.ok(first.calls.length > 60)
  assert.deepEqual(first.calls, again.calls)
})
