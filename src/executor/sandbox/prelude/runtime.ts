import { ErrorIntrinsic, freeze, isObject } from './intrinsics.js'
import { listOf, type Host } from './host.js'
import { argsOf, callTask, crossing } from './tasks.js'

/** The `runtime` global. */
export function createRuntime(host: Host) {
  return freeze({
    run(config: unknown): Promise<unknown> {
      return callTask(host, 'runtime.run', config, RUN)
    },

    async startSandbox(input: unknown): Promise<object> {
      if (!isObject(input)) throw new ErrorIntrinsic('startSandbox requires an input object')
      const { config } = crossing(input, 'startSandbox input')
      const args = argsOf('startSandbox input', () => listOf(config))
      // the host answers with an id
      const started = (await host.callAsync('runtime.startSandbox', args)) as { id: string }
      return createSandbox(host, started.id)
    },
  })
}

function createSandbox(host: Host, id: string): object {
  return freeze({
    id,
    exec(config: unknown): Promise<unknown> {
      return callTask(host, 'sandbox.exec', config, EXEC, id)
    },
    async close(): Promise<void> {
      await host.callAsync('sandbox.close', listOf(id))
    },
  })
}

const RUN = { requires: 'run requires an input object', label: 'input' }
const EXEC = { requires: 'exec requires an input object', label: 'exec input' }
