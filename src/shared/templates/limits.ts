/** What one template may be and cost. */
export const LIMITS = {
  sourceChars: 262_144,
  /** Of blocks, parentheses, and templates that call templates. */
  depth: 100,
  /** One for each action, function and item of a list, and for some characters of a text. */
  steps: 500_000,
  /** Of what is rendered, and of each text that the template makes. */
  textChars: 1_048_576,
  /** Of a list or map that the template makes. */
  items: 100_000,
  /** Of lists and maps within one another in the data. */
  dataDepth: 100,
} as const
