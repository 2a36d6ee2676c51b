import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Writes at the pace of the reader: output may be endless, memory is not. */
export async function writeTo(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (!stream.write(data)) await once(stream, 'drain')
}
