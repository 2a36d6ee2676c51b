import { freeze } from './intrinsics.js'
import { listOf, type Host } from './host.js'

/** The `yaml` global. */
export function createYaml(host: Host) {
  return freeze({
    parse(text: unknown): unknown {
      return host.callSync('yaml.parse', listOf(text))
    },
    stringify(value: unknown): unknown {
      return host.callSync('yaml.stringify', listOf(value))
    },
  })
}
