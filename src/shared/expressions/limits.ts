/** What one expression may be and cost. A filter of a webhook is far below all of them. */
export const LIMITS = {
  sourceChars: 8_192,
  /** Of parentheses, and of operators in a row: `a or b or c` is two deep. */
  depth: 200,
  /**
   * One for each item of a list that is looked at, for each part of a predicate at each item, and for
   * some characters of a text. A million take less than a tenth of a second.
   */
  steps: 1_000_000,
  /** Of a text that the expression makes; texts of the environment may be longer. */
  textChars: 1_048_576,
  /** Of a list or map that the expression makes. */
  items: 100_000,
  /** Of lists and maps within one another, in a result or where they are compared. */
  dataDepth: 100,
} as const
