/** Keeps the start of a byte stream as text; the rest is dropped. */
export interface TextHead {
  push(bytes: Buffer): void
  /** UTF-8; a sequence that the limit cuts off is left out. */
  text(): string
  /** More came than was kept. */
  readonly isCut: boolean
}

export function createTextHead(limitBytes: number): TextHead {
  const parts: Buffer[] = []
  let size = 0
  let isCut = false
  return {
    push(bytes) {
      isCut ||= size + bytes.length > limitBytes
      if (size >= limitBytes || bytes.length === 0) return
      const kept = bytes.subarray(0, limitBytes - size)
      size += kept.length
      // copied: a small piece must not keep a large chunk alive
      parts.push(Buffer.from(kept))
    },
    text() {
      const decoder = new TextDecoder()
      // `stream` leaves an incomplete end out instead of showing it as U+FFFD
      return decoder.decode(Buffer.concat(parts, size), { stream: isCut })
    },
    get isCut() {
      return isCut
    },
  }
}
