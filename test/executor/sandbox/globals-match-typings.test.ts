import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { createGuests } from '../../helpers/guest.js'
import { repoPath } from '../../helpers/repo.js'

const { evaluate } = createGuests()

/** Globals of the language itself, as the engine has them. */
const STANDARD = new Set(
  'Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError InternalError AggregateError SuppressedError Iterator Array parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape Infinity NaN undefined eval Number Boolean String Math Reflect Symbol DisposableStack AsyncDisposableStack globalThis BigInt Date RegExp JSON Proxy Map Set WeakMap WeakSet WeakRef FinalizationRegistry ArrayBuffer SharedArrayBuffer DataView Promise Uint8ClampedArray Int8Array Uint8Array Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array Float16Array Float32Array Float64Array'.split(
    ' ',
  ),
)

describe('the typings', () => {
  it('declare every global of the sandbox, and no other', async () => {
    const names = (await evaluate('Object.getOwnPropertyNames(globalThis)')) as string[]
    const own = names.filter((name) => !STANDARD.has(name)).sort()
    assert.deepEqual(own, [...(await declared()).keys()].sort())
  })

  it('declare every member of a global, and no other', async () => {
    for (const [name, members] of await declared()) {
      const present = (await evaluate(`Object.keys((globalThis as any).${name})`)) as string[]
      assert.deepEqual(present.sort(), [...members].sort(), name)
    }
  })
})

/** The values that global.d.ts declares, with their members. */
async function declared(): Promise<Map<string, Set<string>>> {
  const text = await readFile(repoPath('src/shared/typings/global.d.ts'), 'utf8')
  const values = new Map<string, Set<string>>()
  for (const [, name = '', body = ''] of text.matchAll(/^ {2}namespace (\w+) \{\n(.*?)^ {2}\}/gms))
    values.set(name, new Set(matches(body, /^ {4}function (\w+)/gm)))
  for (const [, name = ''] of text.matchAll(/^ {2}function (\w+)/gm)) values.set(name, new Set())
  for (const [, name = '', type = ''] of text.matchAll(/^ {2}(?:const|var) (\w+): (\w+)/gm)) {
    const body =
      new RegExp(`^ {2}interface ${type} \\{\\n(.*?)^ {2}\\}`, 'ms').exec(text)?.[1] ?? ''
    values.set(name, new Set(matches(body, /^ {4}(?:readonly )?(\w+)[(:]/gm)))
  }
  return values
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name)
}
