import { ErrorIntrinsic, freeze } from './intrinsics.js'
import { listOf, type Host } from './host.js'
import { argsOf } from './tasks.js'

/** The `triggerPipeline` global. */
export function createTriggerPipeline(host: Host) {
  return freeze(async (nameOrId: unknown, options: unknown): Promise<unknown> => {
    if (typeof nameOrId !== 'string' || nameOrId === '')
      throw new ErrorIntrinsic('triggerPipeline requires (nameOrId[, options])')
    const args = argsOf('options', () => listOf(nameOrId, options === undefined ? {} : options))
    return host.callAsync('triggerPipeline', args)
  })
}
