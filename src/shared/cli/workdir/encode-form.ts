import { randomBytes } from 'node:crypto'

/** A streamed request body with its content type. */
export interface StreamedBody {
  type: string
  content: AsyncIterable<Uint8Array>
}

/** The body of a synchronous run with a working directory: the fields, as JSON, come first. */
export function encodeForm(
  fields: Record<string, unknown>,
  workdir: AsyncIterable<Uint8Array>,
): StreamedBody {
  const boundary = `pocketci-${randomBytes(16).toString('hex')}`
  const content = async function* (): AsyncGenerator<Uint8Array> {
    const lines = Object.entries(fields).flatMap(([name, value]) => [
      `--${boundary}`,
      `Content-Disposition: form-data; name="${name}"`,
      '',
      JSON.stringify(value),
    ])
    yield Buffer.from(
      [
        ...lines,
        `--${boundary}`,
        'Content-Disposition: form-data; name="workdir"; filename="workdir.tar.zst"',
        'Content-Type: application/octet-stream',
        '',
        '',
      ].join('\r\n'),
    )
    yield* workdir
    yield Buffer.from(`\r\n--${boundary}--\r\n`)
  }
  return { type: `multipart/form-data; boundary=${boundary}`, content: content() }
}
