import { randomBytes } from 'node:crypto'

/** A streamed request body with its content type. */
export interface StreamedBody {
  type: string
  content: AsyncIterable<Uint8Array>
}

/** The body of a synchronous run with a working directory: the arguments come first. */
export function encodeForm(
  args: readonly string[],
  workdir: AsyncIterable<Uint8Array>,
): StreamedBody {
  const boundary = `pocketci-${randomBytes(16).toString('hex')}`
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(
      [
        `--${boundary}`,
        'Content-Disposition: form-data; name="args"',
        '',
        JSON.stringify(args),
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
