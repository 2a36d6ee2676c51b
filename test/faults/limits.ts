/** Short, so that a frozen executor loses its runs soon. */
export const LEASE_TTL_MS = 2_000

/** How long a world may take to end its runs once nobody harms it any more. */
export const PATIENCE_MS = 180_000
