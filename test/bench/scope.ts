/** Runs something with a place to register clean-ups, as a test would have. */
export async function withScope<Value>(
  work: (scope: { after(cleanUp: () => unknown): void }) => Promise<Value>,
): Promise<Value> {
  const cleanUps: (() => unknown)[] = []
  try {
    return await work({ after: (cleanUp) => void cleanUps.unshift(cleanUp) })
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
}
