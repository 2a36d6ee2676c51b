export interface Token {
  kind: 'name' | 'keyword' | 'symbol' | 'number' | 'text' | 'end'
  /** The name, keyword, symbol or digits; of a text its value. */
  text: string
  /** Offset in the source. */
  at: number
}

export type BinaryOperator =
  | 'or'
  | 'and'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in'
  | 'matches'
  | 'contains'
  | 'startsWith'
  | 'endsWith'
  | '..'
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '**'
  | '??'

export type Node = { at: number } & (
  | { kind: 'literal'; value: null | boolean | number | string }
  | { kind: 'name'; name: string }
  /** `#`, `#index` and `#acc` of a predicate. */
  | { kind: 'pointer'; name: string }
  | { kind: 'unary'; operator: 'not' | '-' | '+'; operand: Node }
  | { kind: 'binary'; operator: BinaryOperator; left: Node; right: Node }
  | { kind: 'conditional'; condition: Node; whenTrue: Node; whenFalse: Node }
  | { kind: 'member'; target: Node; key: Node; isOptional: boolean }
  /** Where a `?.` that found nil ends: the whole chain is nil. */
  | { kind: 'chain'; body: Node }
  | { kind: 'slice'; target: Node; from: Node | undefined; to: Node | undefined }
  | { kind: 'call'; name: string; args: Node[] }
  | { kind: 'let'; name: string; value: Node; body: Node }
  | { kind: 'list'; items: Node[] }
  | { kind: 'map'; entries: { key: Node; value: Node }[] }
)

/** Functions whose second argument is a predicate: an expression for each item of a list. */
export const PREDICATE_FUNCTIONS: ReadonlySet<string> = new Set(
  'all any none one filter map count sum find findIndex findLast findLastIndex groupBy sortBy reduce'.split(
    ' ',
  ),
)
