import type { EngineOptions } from './engine.js'

/** True when a Docker engine answers there that is new enough. */
export async function findsEngine(options: EngineOptions): Promise<boolean> {
  // loaded when it is needed: most commands have nothing to do with an engine
  const { checkEngine, connectEngine } = await import('./engine.js')
  try {
    await checkEngine(connectEngine(options), options.host)
    return true
  } catch {
    // why not is said by whoever needs one
    return false
  }
}
