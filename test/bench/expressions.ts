import { compileExpression } from '../../src/shared/expressions/compile-expression.js'
import { median, type Figure } from './stats.js'

const FILTER =
  'provider == "github" && eventType in ["push", "create"] && ' +
  'payload.ref startsWith "refs/heads/" && payload.repository.full_name == "acme/shop" && ' +
  '!(payload.head_commit?.message contains "[skip ci]")'

const ENV = {
  provider: 'github',
  eventType: 'push',
  headers: { 'X-Github-Event': 'push' },
  payload: {
    ref: 'refs/heads/main',
    repository: { full_name: 'acme/shop' },
    head_commit: { message: 'shop: sell more' },
  },
}

/** The same filter in JavaScript, over the same event. */
function bare({ provider, eventType, payload }: typeof ENV): boolean {
  return (
    provider === 'github' &&
    ['push', 'create'].includes(eventType) &&
    payload.ref.startsWith('refs/heads/') &&
    payload.repository.full_name === 'acme/shop' &&
    !payload.head_commit?.message.includes('[skip ci]')
  )
}

/** A webhook filter: compiling it, and evaluating it over an event that passes all of it. */
export async function benchExpressions(
  _scope: unknown,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const rounds = isQuick ? 5 : 25
  const compile = () =>
    compileExpression(FILTER, {
      variables: { provider: 'string', eventType: 'string', headers: 'headers', payload: 'map' },
      result: 'bool',
    })
  const filter = compile()
  const value = microsecondsOf(() => filter.evaluate(ENV), { rounds, calls: 20_000 })
  const floor = microsecondsOf(() => bare(ENV), { rounds, calls: 20_000 })
  const compiling = microsecondsOf(() => compile().evaluate(ENV), { rounds, calls: 500 })
  return [
    {
      name: 'webhook filter, one evaluation',
      value,
      unit: 'µs',
      floor: { name: 'a JavaScript predicate', value: floor },
      ratio: value / floor,
      goal: '<= 5 µs',
      isMet: value <= 5,
    },
    {
      name: 'webhook filter, compiled and evaluated',
      value: compiling,
      unit: 'µs',
      goal: '<= 1000 µs',
      isMet: compiling <= 1_000,
    },
  ]
}

/** The median time of a call that answers true. */
function microsecondsOf(
  work: () => boolean,
  { rounds, calls }: { rounds: number; calls: number },
): number {
  const times = Array.from({ length: rounds }, () => {
    const started = performance.now()
    for (let call = 0; call < calls; call++) if (!work()) throw new Error('the filter is false')
    return ((performance.now() - started) * 1_000) / calls
  })
  return median(times)
}
