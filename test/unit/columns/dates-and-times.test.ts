import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dateOfDays, daysOfDate, FIRST_DAY, LAST_DAY } from '../../../src/columns/calendar.js'
import { type CellParser, isProblem } from '../../../src/columns/cell.js'
import { dateParser } from '../../../src/columns/date.js'
import { StrptimePattern } from '../../../src/columns/strptime.js'
import { timeParser } from '../../../src/columns/time.js'
import { timestampParser } from '../../../src/columns/timestamp.js'

const refuses = (parser: CellParser, text: string): void => {
  expect(parser.parse(text), JSON.stringify(text)).toMatchObject({ type: 'type-error' })
}

describe('the calendar', () => {
  it('counts every day from year 1 to 9999 once, as a walk day by day does', () => {
    let expected = FIRST_DAY
    for (let year = 1; year <= 9999; year++) {
      const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
      const lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      for (let month = 1; month <= 12; month++) {
        if (daysOfDate(year, month, 1) !== expected) throw new Error(`${year}-${month}`)
        expected += lengths[month - 1]!
      }
    }
    expect(expected).toBe(LAST_DAY + 1)
  })

  it('agrees with Date where Date can be trusted', () => {
    fc.assert(
      fc.property(fc.integer({ min: FIRST_DAY, max: LAST_DAY }), (days) => {
        const date = new Date(days * 86_400_000)
        const parts = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
        expect(dateOfDays(days)).toEqual(parts)
        expect(daysOfDate(parts.year, parts.month, parts.day)).toBe(days)
      }),
    )
  })
})

describe('date', () => {
  const date = dateParser({ pattern: null })

  it.each([
    ['1970-01-01', 0],
    ['1969-12-31', -1],
    ['2024-02-29', 19_782],
    ['2000-02-29', 11_016],
    ['0001-01-01', -719_162],
    ['9999-12-31', 2_932_896],
  ])('reads %s', (text, days) => {
    expect(date.parse(text)).toBe(days)
    expect(date.format(days)).toBe(text)
  })

  it.each([
    '2023-02-29',
    '1900-02-29',
    '2024-13-01',
    '2024-00-10',
    '2024-01-00',
    '2024-04-31',
    '0000-01-01',
    '24-01-01',
    '2024-1-1',
    '2024-01-01Z',
    ' 2024-01-01',
    '20240101',
    '01/02/2024',
    '',
  ])('refuses %s', (text) => refuses(date, text))

  it('reads a pattern, and what it writes with it', () => {
    const uk = dateParser({ pattern: new StrptimePattern('%d/%m/%Y') })
    expect(uk.parse('31/01/2024')).toBe(daysOfDate(2024, 1, 31))
    expect(uk.parse('1/2/2024')).toBe(daysOfDate(2024, 2, 1))
    expect(uk.format(daysOfDate(2024, 2, 1))).toBe('01/02/2024')
    for (const text of ['2024-01-31', '31/02/2024', '31/01/24', '31/01/2024 ']) refuses(uk, text)
  })

  it('takes a Date of a row object only at midnight UTC', () => {
    expect(date.fromJs(new Date('1969-12-31T00:00:00Z'))).toBe(-1)
    for (const value of [new Date('2024-01-31T12:00:00Z'), new Date(Number.NaN), new Date(8.64e15), 5, {}])
      expect(isProblem(date.fromJs(value))).toBe(true)
    const twoDigits = dateParser({ pattern: new StrptimePattern('%d.%m.%y') })
    expect(isProblem(twoDigits.fromJs(new Date('1950-01-01T00:00:00Z')))).toBe(true)
  })
})

describe('patterns of strptime', () => {
  it.each([
    ['%Y%m%d', '20240131', { year: 2024, month: 1, day: 31 }],
    ['%d %b %Y', '31 jan 2024', { month: 1 }],
    ['%B %d, %Y', 'May 5, 2024', { month: 5, day: 5 }],
    ['%Y-%j', '2024-060', { month: 2, day: 29 }],
    ['%y/%m/%d', '68/01/01', { year: 2068 }],
    ['%y/%m/%d', '69/01/01', { year: 1969 }],
    ['%d/%m/%Y %I:%M %p', '31/01/2024 12:05 AM', { hour: 0, minute: 5 }],
    ['%d/%m/%Y %I:%M %p', '31/01/2024 12:05 pm', { hour: 12 }],
    ['%H:%M:%S.%f', '09:30:05.25', { hour: 9, second: 5, micros: 250_000 }],
    ['%Y-%m-%dT%H:%M%z', '2024-01-31T09:30-0530', { offsetMinutes: -330 }],
    ['100%% %Y-%m-%d', '100% 2024-01-31', { year: 2024 }],
  ])('%s reads %s', (pattern, text, parts) => {
    expect(new StrptimePattern(pattern).parse(text)).toMatchObject(parts)
  })

  it.each([
    ['%Y%m%d', '2024131'],
    ['%Y-%j', '2023-366'],
    ['%Y-%j', '2024-000'],
    ['%H:%M', '24:00'],
    ['%H:%M:%S', '23:59:60'],
    ['%I:%M %p', '13:00 PM'],
    ['%Y-%m-%dT%H:%M%z', '2024-01-31T09:30+15:00'],
    ['%d.%m.%Y', '31x01x2024'],
  ])('%s refuses %s', (pattern, text) => {
    expect(new StrptimePattern(pattern).parse(text)).toBeNull()
  })

  it.each(['%Q', '%', 'yyyy-mm-dd', '%Y-%Y', '%Y-%m', '%d/%m', '%I:%M', '%H %p', '%H:%S', '%H:%f', '%Y-%m-%j'])(
    'are refused where they do not say one thing: %s',
    (pattern) => {
      expect(() => new StrptimePattern(pattern)).toThrow()
    },
  )
})

describe('time', () => {
  const millis = timeParser({ unit: 'MILLIS', pattern: null })
  const micros = timeParser({ unit: 'MICROS', pattern: null })

  it('reads fractions as fine as its unit', () => {
    expect(millis.parse('00:00:00')).toBe(0)
    expect(millis.parse('23:59:59.999')).toBe(86_399_999)
    expect(millis.parse('10:00:00.5000000')).toBe(36_000_500)
    expect(micros.parse('10:00:00.000001')).toBe(36_000_000_001n)
    refuses(millis, '10:00:00.0001')
    refuses(micros, '10:00:00.0000001')
  })

  it.each(['24:00:00', '23:59:60', '9:00:00', '09:00', '09:00:00Z', '09:00:00.', '09:60:00', ''])('refuses %s', (text) =>
    refuses(millis, text),
  )

  it('writes what it reads back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_399_999_999 }), (value) => {
        expect(micros.parse(micros.format(BigInt(value)))).toBe(BigInt(value))
      }),
    )
  })
})

describe('timestamp', () => {
  const instant = timestampParser({ unit: 'MILLIS', utc: true, pattern: null })
  const local = timestampParser({ unit: 'MILLIS', utc: false, pattern: null })
  const micros = timestampParser({ unit: 'MICROS', utc: true, pattern: null })

  it('reads instants with their zone', () => {
    expect(instant.parse('1970-01-01T00:00:00Z')).toBe(0n)
    expect(instant.parse('1969-12-31T23:59:59.999Z')).toBe(-1n)
    expect(instant.parse('2024-01-26T15:00:00.300-05:00')).toBe(BigInt(Date.UTC(2024, 0, 26, 20, 0, 0, 300)))
    expect(instant.parse('2024-03-01T00:30:00+01:00')).toBe(BigInt(Date.UTC(2024, 1, 29, 23, 30)))
    expect(micros.parse('1969-12-31T23:59:59.999999Z')).toBe(-1n)
  })

  it('keeps instants and local times apart', () => {
    expect(local.parse('2024-01-26T15:00:00')).toBe(BigInt(Date.UTC(2024, 0, 26, 15)))
    refuses(local, '2024-01-26T15:00:00Z')
    refuses(instant, '2024-01-26T15:00:00')
    expect(isProblem(local.fromJs(new Date(0)))).toBe(true)
    expect(instant.fromJs(new Date(5))).toBe(5n)
  })

  it.each([
    '2024-01-26 15:00:00Z',
    '2024-01-26T15:00Z',
    '2024-01-26T24:00:00Z',
    '2024-12-31T23:59:60Z',
    '2023-02-29T00:00:00Z',
    '2024-01-26T15:00:00.0001Z',
    '2024-01-26T15:00:00+15:00',
    '2024-01-26T15:00:00+0100',
    '2024-01-26T15:00:00z',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '2024-01-26',
    '',
  ])('refuses %s', (text) => refuses(instant, text))

  it('writes what it reads back, before 1970 as well', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: BigInt(FIRST_DAY) * 86_400_000_000n, max: BigInt(LAST_DAY + 1) * 86_400_000_000n - 1n }), (value) => {
        expect(micros.parse(micros.format(value))).toBe(value)
        const pattern = timestampParser({ unit: 'MICROS', utc: true, pattern: new StrptimePattern('%d/%m/%Y %I:%M:%S.%f %p %z') })
        expect(pattern.parse(pattern.format(value))).toBe(value)
      }),
    )
  })
})
