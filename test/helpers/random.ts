import { randomInt } from 'node:crypto'

/** Numbers that one seed always gives in the same order. */
export interface Random {
  /** From 0 up to, not including, `limit`. */
  int(limit: number): number
  chance(probability: number): boolean
  pick<Value>(values: readonly Value[]): Value
  shuffle<Value>(values: readonly Value[]): Value[]
}

/** The seed that a failed suite has printed (`POCKETCI_TEST_SEED`), or a new one. */
export function chooseSeed(): number {
  const given = process.env['POCKETCI_TEST_SEED']
  return given === undefined ? randomInt(2 ** 31) : Number(given)
}

/** Mulberry32: small, and good enough to choose test cases. */
export function createRandom(seed: number): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (limit: number): number => Math.floor(next() * limit)
  return {
    int,
    chance: (probability) => next() < probability,
    pick: (values) => {
      const value = values[int(values.length)]
      if (value === undefined) throw new Error('there is nothing to pick from')
      return value
    },
    shuffle(values) {
      const left = [...values]
      return values.map(() => left.splice(int(left.length), 1)[0] as (typeof values)[number])
    },
  }
}
