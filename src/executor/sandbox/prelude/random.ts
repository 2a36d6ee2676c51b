import { defineProperty, descriptor } from './intrinsics.js'

/** Makes Math.random a function of the seed alone (sfc32), so that a replayed run sees the same. */
export function seedRandom(seed: number): void {
  let a = 0x9e3779b9
  let b = seed >>> 0
  let c = (seed / 0x1_0000_0000) >>> 0
  let counter = 1

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
  // near seeds give near numbers until the state is mixed
  for (let round = 0; round < 15; round++) next()

  const random = (): number => {
    const high = next() >>> 5
    const low = next() >>> 6
    return (high * 0x4000000 + low) / 0x20000000000000
  }
  defineProperty(Math, 'random', descriptor(random, true, false))
}
