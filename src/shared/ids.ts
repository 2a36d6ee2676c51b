import { createHash } from 'node:crypto'
import { nanoid } from 'nanoid'

/** A new run id: 21 characters of `A-Za-z0-9_-`, the first of which no command line takes for a flag's. */
export function newRunId(): string {
  return newId()
}

/** A new id of a schedule; it looks like a run's. */
export function newScheduleId(): string {
  return newId()
}

/** A pipeline's id: 32 hex characters of SHA-256 over `<name>:<content>` at its first creation. */
export function pipelineIdOf(name: string, content: string): string {
  return createHash('sha256').update(`${name}:${content}`).digest('hex').slice(0, 32)
}

function newId(): string {
  for (;;) {
    const id = nanoid()
    if (!id.startsWith('-')) return id
  }
}
