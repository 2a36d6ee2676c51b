import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { EvalFlags, QuickJS, type Snapshot } from 'quickjs-wasi'
import { ENGINE_OPTIONS, PRELUDE_PREFIX } from './engine-options.js'

/**
 * The compiled engine, and the memory of a VM that has evaluated the prelude and nothing else: a
 * sandbox starts from a copy of it, in a third of the time. Make it once a process; it is plain
 * data, and threads can have it.
 */
export interface Engine {
  wasm: WebAssembly.Module
  image: Snapshot
  /** The prelude's `boot` function in that memory. */
  boot: number
}

export async function loadEngine(): Promise<Engine> {
  const file = new URL(import.meta.resolve('quickjs-wasi/quickjs.wasm'))
  const wasm = await WebAssembly.compile(await readFile(file))
  const vm = await QuickJS.create({
    ...ENGINE_OPTIONS,
    wasm,
    moduleLoader: {
      normalize: (_from, specifier) => specifier.replace(/^\.\//, PRELUDE_PREFIX),
      load: (name) =>
        readFileSync(new URL(name.slice(PRELUDE_PREFIX.length), PRELUDE_FOLDER), 'utf8'),
    },
  })
  try {
    const boot = await evaluatePrelude(vm)
    return { wasm, boot: vm.exportHandle(boot), image: vm.snapshot() }
  } finally {
    vm.dispose()
  }
}

const PRELUDE_FOLDER = new URL('./prelude/', import.meta.url)

async function evaluatePrelude(vm: QuickJS) {
  const source = "export { boot } from './boot.js'"
  using loading = vm.evalCode(source, `${PRELUDE_PREFIX}entry.js`, EvalFlags.TYPE_MODULE)
  vm.executePendingJobs()
  const loaded = await vm.resolvePromise(loading)
  if ('error' in loaded) throw new Error(`the prelude failed: ${loaded.error.toString()}`)
  using namespace = loaded.value
  return namespace.getProp('boot')
}
