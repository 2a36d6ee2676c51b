import { floor } from './intrinsics.js'

/** Milliseconds as Go prints a duration: `50ms`, `1.5s`, `2m0s`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${ms}ms`
  const minutes = floor(ms / 60_000)
  const seconds = (ms - minutes * 60_000) / 1_000
  if (minutes === 0) return `${seconds}s`
  const hours = floor(minutes / 60)
  return hours === 0 ? `${minutes}m${seconds}s` : `${hours}h${minutes - hours * 60}m${seconds}s`
}
