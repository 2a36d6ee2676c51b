/** Adds numbers to numbers of the same names. */
export function addCounts(
  sum: Map<string, number>,
  more: Iterable<readonly [string, number]>,
): void {
  for (const [what, by] of more) sum.set(what, (sum.get(what) ?? 0) + by)
}

/** Deaths of processes and threads of ours, whatever has caused them. */
export function deathsIn(counts: ReadonlyMap<string, number>): number {
  return [...counts]
    .filter(([what]) => what.endsWith(' killed') || what.startsWith('died at '))
    .reduce((sum, [, times]) => sum + times, 0)
}
