/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))
  return sorted[at] ?? Number.NaN
}

/** One figure of the table. `floor` is what the same work costs without pocketci. */
export interface Figure {
  name: string
  value: number
  unit: string
  floor?: { name: string; value: number }
  /** value / floor. */
  ratio?: number
  goal: string
  isMet: boolean
}

/** Rounds for reading: three significant digits. */
export function round(value: number): number {
  return Number(value.toPrecision(3))
}
