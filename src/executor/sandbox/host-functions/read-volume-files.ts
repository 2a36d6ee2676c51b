import { AppError } from '../../../shared/errors.js'
import type { Driver } from '../../drivers/driver.js'

/**
 * The text of files of a volume by their path. All of it becomes one message to the guest, so it is
 * refused as soon as it is clear that it does not fit.
 */
export async function readVolumeFiles(
  driver: Driver,
  volume: string,
  paths: readonly string[],
  messageBytes: number,
): Promise<Record<string, string>> {
  const texts = new Map<string, string>()
  let left = messageBytes
  for await (const { path, content } of driver.readFiles(volume, paths)) {
    const parts: Buffer[] = []
    left -= path.length
    for await (const part of content) {
      left -= part.length
      if (left < 0) throw tooLarge(messageBytes)
      parts.push(part)
    }
    texts.set(path, Buffer.concat(parts).toString('utf8'))
  }
  // fromEntries defines properties: a file named `__proto__` stays data
  return Object.fromEntries(texts)
}

function tooLarge(messageBytes: number): AppError {
  return new AppError(
    'message_too_large',
    `the files are larger than ${messageBytes} bytes, the most that one call may return (--sandbox-message-mb); read fewer at once`,
  )
}
