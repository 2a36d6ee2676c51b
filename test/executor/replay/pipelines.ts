import fc from 'fast-check'

/** What a random pipeline awaits: one thing after the other, side by side, or as a choice. */
type Shape =
  | { kind: 'step' | 'heard' | 'fails' | 'volume'; words: number; wait: number }
  | { kind: 'storage' | 'race' }
  | { kind: 'sandbox'; wait: number }
  | { kind: 'branch'; exit: number }
  | { kind: 'all'; waits: number[] }

const wait = fc.nat(6)
const words = fc.integer({ min: 1, max: 4 })

const shape: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('step' as const), words, wait }) },
  fc.record({ kind: fc.constantFrom('heard', 'fails', 'volume'), words, wait }),
  fc.record({ kind: fc.constantFrom('storage', 'race') }),
  fc.record({ kind: fc.constant('sandbox' as const), wait }),
  fc.record({ kind: fc.constant('branch' as const), exit: fc.nat(1) }),
  fc.record({
    kind: fc.constant('all' as const),
    waits: fc.array(wait, { minLength: 2, maxLength: 5 }),
  }),
)

/** The source of a pipeline with this many awaits in its main line. */
export function pipelineOf(awaits: number): fc.Arbitrary<string> {
  return fc
    .array(shape, { minLength: awaits, maxLength: awaits })
    .map((shapes) => `${PRELUDE}\nexport const pipeline = async () => {\n${body(shapes)}\n}`)
}

const PRELUDE = `
const say = (name, args, more = {}) => runtime.run({ name, command: { path: 'say', args }, ...more })
const add = () => storage.set('kept', { n: (storage.getAll('kept')[0]?.payload.n ?? 0) + 1 })`

function body(shapes: readonly Shape[]): string {
  return [...shapes.map(statement), `console.log(JSON.stringify(storage.getAll('kept')))`]
    .map((line) => `  ${line}`)
    .join('\n')
}

function statement(shape: Shape, at: number): string {
  switch (shape.kind) {
    case 'step':
      return `console.log((await say('step${at}', ${wordsOf(shape)})).stdout)`
    case 'heard':
      return `{ let heard = ''; await say('heard${at}', ${wordsOf(shape)}, { onOutput: (_stream, data) => { heard += data } }); console.log(heard) }`
    case 'fails':
      return `console.log((await say('fails${at}', [...${wordsOf(shape)}, 'exit', '3'])).code)`
    case 'volume':
      return `{ const v = await volumes.create({ name: 'v${at}' }); await say('volume${at}', ${wordsOf(shape)}, { mounts: { v } }) }`
    case 'storage':
      return `add(); await volumes.create({ name: 'kept' }); add()`
    case 'race':
      return `console.log(['a', 'b'].includes(await Promise.race(['a', 'b'].map((n) => say('race${at}', [n]).then(() => n)))))`
    case 'sandbox':
      return `{ const box = await runtime.startSandbox({ name: 'box${at}' }); console.log((await box.exec({ command: { path: 'say', args: ['in', 'wait', '${shape.wait}'] } })).stdout); await box.close() }`
    case 'branch':
      return `if ((await say('asked${at}', ['x', 'exit', '${shape.exit}'])).code === 1) await say('yes${at}', ['y']); else console.log('no ${at}')`
    case 'all':
      return allOf(shape.waits, at)
  }
}

/** Async functions over a list, each with several awaits: the order of their steps is chance. */
export function allOf(waits: readonly number[], at: number): string {
  return `console.log((await Promise.all(${JSON.stringify(waits)}.map(async (wait, n) => {
    const { stdout } = await say('all${at}-' + n, [String(n), 'wait', String(wait)])
    await say('then${at}-' + n, [stdout, 'wait', String((wait * 5) % 7)])
    return stdout + Math.floor(Math.random() * 0)
  }))).join())`
}

/** The source of one such list alone. */
export function parallelOf(waits: readonly number[]): string {
  return `${PRELUDE}\nexport const pipeline = async () => {\n  ${allOf(waits, 0)}\n}`
}

function wordsOf({ words, wait }: { words: number; wait: number }): string {
  const all = Array.from({ length: words }, (_, n) => ['say', `w${n}`, 'wait', String(wait)])
  return JSON.stringify(all.flat().slice(1)) // the first word is the path
}
