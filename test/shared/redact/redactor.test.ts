import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRedactor, PLACEHOLDER } from '../../../src/shared/redact/redactor.js'

function stream(secrets: readonly string[], chunks: readonly Buffer[]): string {
  const redactor = createRedactor()
  for (const secret of secrets) redactor.add(secret)
  const open = redactor.openStream()
  return Buffer.concat([...chunks.map((chunk) => open.push(chunk)), open.end()]).toString('latin1')
}

test('a secret is masked wherever the chunks are cut', () => {
  const text = Buffer.from('before s3cr3t-value after s3cr3t-value')
  const expected = `before ${PLACEHOLDER} after ${PLACEHOLDER}`
  for (let cut = 0; cut <= text.length; cut++)
    assert.equal(stream(['s3cr3t-value'], [text.subarray(0, cut), text.subarray(cut)]), expected)
  assert.equal(
    stream(
      ['s3cr3t-value'],
      [...text].map((byte) => Buffer.of(byte)),
    ),
    expected,
  )
})

test('the longer of two secrets that start together is masked', () => {
  assert.equal(
    stream(['abcd', 'abcdefgh'], [Buffer.from('xabcd'), Buffer.from('efghx')]),
    `x${PLACEHOLDER}x`,
  )
  assert.equal(
    stream(['abcd', 'abcdefgh'], [Buffer.from('xabcd'), Buffer.from('efgX')]),
    `x${PLACEHOLDER}efgX`,
  )
})

test('ordinary output passes on at once; only a possible start of a secret is held back', () => {
  const redactor = createRedactor()
  redactor.add('token-123')
  const open = redactor.openStream()
  assert.equal(open.push(Buffer.from('hello ')).toString(), 'hello ')
  assert.equal(open.push(Buffer.from('to')).toString(), '')
  assert.equal(open.push(Buffer.from('day')).toString(), 'today')
})

const FORMS = [
  ['base64', (secret: string) => Buffer.from(secret).toString('base64')],
  ['base64 behind one byte', (secret: string) => Buffer.from(`:${secret}`).toString('base64')],
  ['base64 behind two bytes', (secret: string) => Buffer.from(`::${secret}`).toString('base64')],
  ['base64 with a suffix', (secret: string) => Buffer.from(`${secret}\n`).toString('base64')],
  ['URL-encoded', encodeURIComponent],
  ['JSON', (secret: string) => JSON.stringify({ secret })],
  ['hex', (secret: string) => Buffer.from(secret).toString('hex')],
] as const

for (const [name, encode] of FORMS)
  test(`a secret is masked as ${name}`, () => {
    const secret = 'p@ss "wörd" / & more'
    const shown = stream([secret], [Buffer.from(encode(secret))])
    assert.ok(shown.includes(PLACEHOLDER), shown)
    assert.ok(!shown.includes(encode(secret).slice(4, -4)), shown)
  })

test('each line of a multi-line secret is masked, with either line ending', () => {
  const secret = '-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nshort\n-----END KEY-----\n'
  for (const text of [secret, secret.replaceAll('\n', '\r\n'), 'x MIIEpAIBAAKCAQEA y'])
    assert.ok(!stream([secret], [Buffer.from(text)]).includes('MIIEpAIBAAKCAQEA'))
})

test('a value that is too short to mask is refused', () => {
  assert.equal(createRedactor().add('abc'), false)
  assert.equal(createRedactor().add('abcd'), true)
})

test('no chunking of any text lets a secret through', () => {
  const piece = fc.constantFrom('tops', 'ecret', 'topsecret', 'top', 'se', 'x', 'cretopsecret')
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.nat(6), { maxLength: 30 }),
      (pieces, cuts) => {
        const text = Buffer.from(pieces.join(''))
        const chunks: Buffer[] = []
        let at = 0
        for (const cut of cuts) chunks.push(text.subarray(at, (at += cut)))
        chunks.push(text.subarray(at))
        const shown = stream(['topsecret'], chunks)
        assert.equal(shown, text.toString().replaceAll('topsecret', PLACEHOLDER))
      },
    ),
    { numRuns: 10_000 },
  )
})
