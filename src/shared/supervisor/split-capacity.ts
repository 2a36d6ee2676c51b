/** Shares out the total over executors as evenly as it goes: 7 over 2 is 4 and 3. */
export function splitCapacity(total: number, executors: number): number[] {
  const share = Math.floor(total / executors)
  const rest = total % executors
  return Array.from({ length: executors }, (_, index) => share + (index < rest ? 1 : 0))
}
