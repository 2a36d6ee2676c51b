import { AppError } from '../errors.js'

/** One block of a tar archive, before anything that stands before it is applied. */
export interface RawHeader {
  path: string
  mode: number
  size: number
  mtime: number
  /** The type, one character. */
  flag: string
  target: string
}

/** Throws `archive_invalid` for a block that is no header. */
export function parseRawHeader(block: Buffer): RawHeader {
  if (checksumOf(block) !== parseNumber(block, 148, 8))
    throw new AppError('archive_invalid', 'its content is not a tar archive, or is damaged')
  const size = parseNumber(block, 124, 12)
  if (size === undefined || size < 0)
    throw new AppError('archive_invalid', 'the size of an entry is wrong')
  const name = parseText(block, 0, 100)
  // GNU's own format keeps other things in the place of ustar's prefix
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? parseText(block, 345, 155) : ''
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    mode: (parseNumber(block, 100, 8) ?? 0) & 0o777,
    size,
    mtime: parseNumber(block, 136, 12) ?? 0,
    flag: String.fromCharCode(block[156] ?? 0),
    target: parseText(block, 157, 100),
  }
}

/** The records of an extended header: `<length> <key>=<value>\n`. */
export function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at)
    const length = Number(bytes.toString('latin1', at, space < 0 ? at : space))
    const record = bytes.toString('utf8', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    if (
      space < 0 ||
      !Number.isInteger(length) ||
      !(length > space - at + 1) ||
      at + length > bytes.length ||
      equals < 1
    )
      throw new AppError('archive_invalid', 'an extended header in it is damaged')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

/** The sum of all bytes, those of the sum itself as spaces. */
export function checksumOf(block: Uint8Array): number {
  let sum = 8 * 32
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0
  for (let at = 156; at < block.length; at++) sum += block[at] ?? 0
  return sum
}

/** Octal text, or binary when the first bit is set; undefined when it is neither or too large. */
function parseNumber(block: Buffer, start: number, length: number): number | undefined {
  if ((block[start] ?? 0) & 0x80) return parseBinary(block.subarray(start, start + length))
  const text = parseText(block, start, length).trim()
  if (text === '') return 0
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined
}

/** Undefined for numbers below zero too: times before 1970, which nobody needs. */
function parseBinary([first = 0, ...rest]: Uint8Array): number | undefined {
  const value = rest.reduce((sum, byte) => sum * 256 + byte, first & 0x7f)
  return Number.isSafeInteger(value) ? value : undefined
}

function parseText(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}
