/**
 * Sources whose value is not that of expr-lang v1.17.7, and what that gives. docs/expressions.md names
 * each of these differences.
 */
export const DIFFERENCES: readonly (readonly [source: string, value: unknown, theirs: string])[] = [
  [
    'headers["x-github-event"]',
    'push',
    'the empty string: names of headers are matched in any case',
  ],
  ['headers["X-GITHUB-EVENT"]', 'push', 'the empty string'],
  ['"content-type" in headers', true, 'false'],
  ['string(1e6)', '1000000', '1e+06'],
  ['string(123456789012)', '123456789012', 'the same of an int, 1.23456789012e+11 of a payload'],
  ['string(nil)', '', '<nil>'],
  ['string([1, "a"])', '[1,"a"]', '[1 a]'],
  ['string({a: 1})', '{"a":1}', 'map[a:1]'],
  ['payload.number % 5', 2, 'an error: a number of a payload is a float'],
  ['type(payload.number)', 'int', 'float'],
  ['"é1"[1:]', '1', 'a broken character: it counts bytes'],
  ['"héllo"[1:3]', 'él', 'é: it counts bytes'],
  ['indexOf("héllo", "l")', 2, '3: it counts bytes'],
  ['keys({b: 1, a: 2})', ['a', 'b'], 'the keys in any order'],
  [
    'groupBy(["a", "bb", "cc"], string(len(#)))',
    { 1: ['a'], 2: ['bb', 'cc'] },
    'the same, in no order',
  ],
  ['fromPairs([["a", 1], ["b", nil]])', { a: 1, b: null }, 'a map whose keys may be anything'],
]
