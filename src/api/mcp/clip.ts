const MAX_CHARS = 2_000
const MAX_ITEMS = 100

/** The same JSON with long texts and lists cut, which says so: an answer has to fit a model. */
export function clip(value: unknown, maxChars = MAX_CHARS): unknown {
  if (typeof value === 'string') return clipText(value, maxChars)
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item) => clip(item, maxChars))
    const more = value.length - items.length
    return more === 0 ? items : [...items, `… ${more} more`]
  }
  return typeof value === 'object' && value !== null ? clipObject(value, maxChars) : value
}

export function clipObject(object: object, maxChars = MAX_CHARS): Record<string, unknown> {
  const entries = Object.entries(object)
  const kept = entries.slice(0, MAX_ITEMS).map(([key, value]) => [key, clip(value, maxChars)])
  const more = entries.length - kept.length
  return Object.fromEntries(more === 0 ? kept : [...kept, ['…', `${more} more`]])
}

export function clipText(text: string, maxChars = MAX_CHARS): string {
  const more = text.length - maxChars
  return more <= 0 ? text : `${text.slice(0, maxChars)}… (${more} characters more)`
}
