import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nextRun } from '../../../src/shared/schedules/next-run.js'
import { parseCron } from '../../../src/shared/schedules/parse-cron.js'

/** The next times after a start, as `03-29T01:00` in UTC. */
function times(expr: string, from: string, count: number): string[] {
  let at = Date.parse(from)
  return Array.from({ length: count }, () => {
    at = nextRun({ type: 'cron', expr }, at)
    return new Date(at).toISOString().slice(5, 16)
  })
}

describe('a cron expression', () => {
  const cases: [string, string[]][] = [
    ['0 3 * * *', ['01-02T03:00', '01-03T03:00']],
    ['30 5,17 * * *', ['01-01T17:30', '01-02T05:30']],
    ['*/20 12 * * *', ['01-01T12:20', '01-01T12:40', '01-02T12:00']],
    ['10/25 * * * *', ['01-01T12:10', '01-01T12:35', '01-01T13:10']],
    ['0 9 * * mon-FRI', ['01-02T09:00', '01-05T09:00']],
    ['0 0 1 feb,Apr *', ['02-01T00:00', '04-01T00:00']],
    ['0 0 1-10/4 ? *', ['01-05T00:00', '01-09T00:00', '02-01T00:00']],
    ['0 0 * * 0', ['01-04T00:00', '01-11T00:00']],
    // either of two restricted day fields will do; a star restricts nothing
    ['0 0 13 * FRI', ['01-02T00:00', '01-09T00:00', '01-13T00:00']],
    ['0 0 */1 * FRI', ['01-02T00:00', '01-09T00:00']],
    ['0 0 13 * ?', ['01-13T00:00', '02-13T00:00']],
    ['  0  0  29  2  *  ', ['02-29T00:00']],
    ['CRON_TZ=Asia/Tokyo 0 9 * * *', ['01-02T00:00', '01-03T00:00']],
    ['TZ=America/New_York 0 12 * * *', ['01-01T17:00', '01-02T17:00']],
  ]
  for (const [expr, expected] of cases)
    it(expr, () => {
      // a Thursday
      assert.deepEqual(times(expr, '2026-01-01T12:00:00Z', expected.length), expected)
    })

  const refused: [string, RegExp][] = [
    ['', /^expected five fields .*, got ""$/],
    ['0 0 3 * * *', /^expected five fields/],
    ['@daily', /^expected five fields/],
    ['60 * * * *', /^minute "60": expected 0 to 59$/],
    ['* 24 * * *', /^hour "24"/],
    ['* * 0 * *', /^day of month "0": expected 1 to 31$/],
    ['* * * 13 *', /^month "13": expected 1 to 12 or JAN to DEC$/],
    ['* * * * 7', /^day of week "7": expected 0 to 6 or SUN to SAT$/],
    ['* * * MON *', /^month "MON"/],
    ['*/0 * * * *', /^minute "\*\/0": expected a number, a range, a step/],
    ['5-1 * * * *', /^minute "5-1": the range ends before it begins$/],
    ['1,,2 * * * *', /^minute ""/],
    ['-5 * * * *', /^minute "-5"/],
    ['*-5 * * * *', /^minute "\*-5"/],
    ['1.5 * * * *', /^minute "1\.5"/],
    ['0 0 L * *', /^day of month "L"/],
    ['0 0 * * MON#1', /^day of week "MON#1"/],
    ['0 0 31 4,6,9,11 *', /^no such day ever comes/],
    ['TZ= 0 0 * * *', /^unknown time zone ""/],
    ['TZ=+02:00 0 0 * * *', /^unknown time zone "\+02:00"/],
    ['TZ=UTC', /^expected five fields/],
  ]
  for (const [expr, message] of refused)
    it(`is refused: ${expr}`, () => {
      assert.throws(() => parseCron(expr), { code: 'pipeline_invalid', message })
    })

  it('is refused or has a time in the future, whatever it is', () => {
    const field = fc.oneof(
      fc.constantFrom('*', '?', '*/7', '0', '31', '1-5', '1,2', 'MON', 'FEB', '5/9', '7-', 'x'),
      fc.nat(70).map(String),
    )
    const expr = fc.oneof(
      fc.tuple(field, field, field, field, field).map((fields) => fields.join(' ')),
      fc.string({ maxLength: 30 }),
    )
    fc.assert(
      fc.property(expr, fc.integer({ min: 0, max: 4e12 }), (text, now) => {
        try {
          parseCron(text)
        } catch (error) {
          return (error as { code?: string }).code === 'pipeline_invalid'
        }
        const next = nextRun({ type: 'cron', expr: text }, now)
        return next > now && next % 60_000 === 0
      }),
      { numRuns: 500 },
    )
  })
})

describe('when the clocks change', () => {
  const BERLIN = 'CRON_TZ=Europe/Berlin'

  it('in spring, times that are skipped do not come, and hourly ones go on', () => {
    // at 01:00 UTC it is 03:00 instead of 02:00
    const before = '2026-03-28T12:00:00Z'
    assert.deepEqual(times(`${BERLIN} 30 2 * * *`, before, 2), ['03-30T00:30', '03-31T00:30'])
    assert.deepEqual(times(`${BERLIN} 0 3 * * *`, before, 2), ['03-29T01:00', '03-30T01:00'])
    assert.deepEqual(times(`${BERLIN} 0 2-3 * * *`, before, 2), ['03-29T01:00', '03-30T00:00'])
    assert.deepEqual(times(`${BERLIN} 0 * * * *`, '2026-03-28T23:30:00Z', 3), [
      '03-29T00:00',
      '03-29T01:00',
      '03-29T02:00',
    ])
  })

  it('in spring at midnight, where the day begins at one', () => {
    const expr = 'CRON_TZ=America/Sao_Paulo 0 0 * * *'
    const expected = ['11-03T03:00', '11-05T02:00', '11-06T02:00']
    assert.deepEqual(times(expr, '2018-11-02T12:00:00Z', 3), expected)
  })

  it('in autumn, a time that comes twice counts once, and hourly ones go on', () => {
    // at 01:00 UTC it is 02:00 for the second time
    const before = '2026-10-24T12:00:00Z'
    assert.deepEqual(times(`${BERLIN} 30 2 * * *`, before, 2), ['10-25T00:30', '10-26T01:30'])
    assert.deepEqual(times(`${BERLIN} 30 * * * *`, '2026-10-24T23:00:00Z', 4), [
      '10-24T23:30',
      '10-25T00:30',
      '10-25T01:30',
      '10-25T02:30',
    ])
  })

  it('UTC knows nothing of it', () => {
    assert.deepEqual(times('30 2 * * *', '2026-03-28T12:00:00Z', 2), ['03-29T02:30', '03-30T02:30'])
  })
})

describe('an interval', () => {
  const HOUR = 3_600_000
  const hourly = { type: 'interval', expr: '1h' } as const

  it('begins with its length and keeps its beat', () => {
    assert.equal(nextRun(hourly, 1_000), 1_000 + HOUR)
    assert.equal(nextRun(hourly, HOUR + 70, HOUR), 2 * HOUR)
  })

  it('counts what was missed as one time', () => {
    assert.equal(nextRun(hourly, 7 * HOUR + 1, HOUR), 8 * HOUR)
    assert.equal(nextRun(hourly, 7 * HOUR, HOUR), 8 * HOUR)
  })
})
