/** The bytes of a body as they come; a response without a body has none. */
export async function* readBytes({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body) yield* body
}

/** The first bytes of a body as text, and whether that was all; the rest is not awaited. */
export async function readText(
  response: Response,
  maxBytes: number,
): Promise<{ text: string; isWhole: boolean }> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of readBytes(response)) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes > maxBytes) break // ends the transfer too
  }
  const text = Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8')
  return { text, isWhole: bytes <= maxBytes }
}
