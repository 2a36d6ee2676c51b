import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogCleaner, visibleText } from '../../src/api/pages/log-text.js'

test('terminal sequences go, whatever they would have done', () => {
  const cases: [input: string, output: string][] = [
    ['\x1b[1;31mred\x1b[0m', 'red'],
    ['\x1b[2J\x1b[10;5Hmoved\x1b[?25l', 'moved'],
    ['\x1b]0;title\x07text', 'text'],
    ['\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['\x1b]52;c;c3RvbGVu\x07clip', 'clip'],
    ['\x1bP1$r\x1b\\dcs\x1b_apc\x1b\\', 'dcs'],
    ['\x1b(B\x1b7\x1b8\x1bMok', 'ok'],
    ['a\r\nb\rc\n', 'a\nb\nc\n'],
    ['tab\tstays', 'tab\tstays'],
    ['\0\x07\x7f\x9b', '␀␇␡\ufffd'],
    ['\u202eabc\u2066\u200b', '[U+202E]abc[U+2066][U+200B]'],
    ['\u2028', '\ufffd'],
    ['ünïcode 🚀', 'ünïcode 🚀'],
  ]
  for (const [input, output] of cases)
    assert.equal(visibleText(input), output, JSON.stringify(input))
})

test('a sequence that comes in pieces is still one, wherever it is cut', () => {
  const text = 'a\x1b[1;31mb\x1b]8;;http://x\x1b\\c\x1b]0;t\x07d\r\ne\x1b(Bf'
  for (let at = 0; at <= text.length; at++) {
    const cleaner = createLogCleaner()
    const result = cleaner.push(text.slice(0, at)) + cleaner.push(text.slice(at)) + cleaner.end()
    assert.equal(result, 'abcd\nef', `cut at ${at}`)
  }
  const cleaner = createLogCleaner()
  assert.equal(
    text
      .split('')
      .map((unit) => cleaner.push(unit))
      .join('') + cleaner.end(),
    'abcd\nef',
  )
})

test('a sequence that never ends hides nothing for long and takes linear time', () => {
  const cleaner = createLogCleaner()
  assert.equal(cleaner.push('\x1b]0;'), '')
  assert.match(cleaner.push('x'.repeat(5_000)), /^␛\]0;x{5000}$/)
  const start = performance.now()
  for (const unit of ['\x1b]', '\x1b[', '\x1b[;', '\x1bP x', '\x1b ', '\x1b', '\r'])
    visibleText(unit.repeat(500_000))
  visibleText(`\x1b]${'x'.repeat(10_000_000)}`)
  assert.ok(performance.now() - start < 5_000)
})
