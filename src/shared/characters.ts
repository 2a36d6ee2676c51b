/** The characters (code points, as Go counts them) of a text. */
export function charactersOf(text: string): string[] {
  return Array.from(text)
}

/** How many characters a text has. */
export function countCharacters(text: string): number {
  let pairs = 0
  for (let at = 0; at < text.length; at++) if ((text.codePointAt(at) ?? 0) > 0xffff) pairs++
  return text.length - pairs
}

/** Like slice, but the bounds count characters. */
export function sliceCharacters(text: string, start: number, end: number | undefined): string {
  // where each character is one unit there is nothing to count
  return /[\ud800-\udfff]/.test(text)
    ? charactersOf(text).slice(start, end).join('')
    : text.slice(start, end)
}
