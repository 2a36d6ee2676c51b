const NANOSECONDS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  // the same sign as another code point: U+03BC, where the one above is U+00B5
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** Go keeps a duration in 64 bits of nanoseconds: about 292 years. */
const MAX_NANOSECONDS = 2 ** 63

/**
 * Parses Go duration text (`1h30m`, `2.5s`, `0`) to milliseconds, which may have a fraction.
 * Undefined when it is no duration: a bare number, an unknown unit, nothing at all.
 */
export function parseDuration(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (rest === '0') return 0
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined
  let nanoseconds = 0
  for (const [, number = '', unit = ''] of rest.matchAll(/([\d.]+)([a-zµμ]+)/g))
    nanoseconds += Number(number) * (NANOSECONDS[unit] ?? Number.NaN)
  if (!(nanoseconds < MAX_NANOSECONDS)) return undefined
  return (sign === '-' ? -nanoseconds : nanoseconds) / 1e6
}

/** Go duration text for whole milliseconds: `1h30m0s`, `2.5s`, `0s`. */
export function formatDuration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor(ms / 60_000) % 60
  const seconds = (ms % 60_000) / 1_000
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
