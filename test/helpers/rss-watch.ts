import { rssOf } from './processes.js'

/** Samples the memory of processes until it is stopped; answers the peak of each, in bytes. */
export function watchRss(pids: readonly number[]): { stop(): number[] } {
  const peaks = pids.map(() => 0)
  const sample = (): void =>
    pids.forEach((pid, at) => (peaks[at] = Math.max(peaks[at] ?? 0, rssOrNone(pid))))
  sample()
  const timer = setInterval(sample, 20)
  return {
    stop() {
      clearInterval(timer)
      return peaks
    },
  }
}

/** A process that has ended takes no more. */
function rssOrNone(pid: number): number {
  try {
    return rssOf(pid) || 0 // a zombie has none
  } catch {
    return 0
  }
}
