import { freeze } from './intrinsics.js'
import { listOf, type Host } from './host.js'

/** The `storage` global. */
export function createStorage(host: Host) {
  return freeze({
    set(key: unknown, value: unknown): void {
      host.callSync('storage.set', listOf(key, value))
    },
    get(key: unknown): unknown {
      return host.callSync('storage.get', listOf(key))
    },
    getAll(prefix: unknown, fields: unknown = ['*']): unknown {
      return host.callSync('storage.getAll', listOf(prefix, fields))
    },
    getMostRecentJobStatus(pipelineID: unknown, jobName: unknown): unknown {
      return host.callSync('storage.getMostRecentJobStatus', listOf(pipelineID, jobName))
    },
  })
}
