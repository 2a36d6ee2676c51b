/** A writer's note: how many runs are queued. Whatever ends a queued run takes it away. */
export const QUEUED = 'queued'
