import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CellParser, isProblem } from '../../../src/columns/cell.js'
import { decimalParser } from '../../../src/columns/decimal.js'
import { doubleParser } from '../../../src/columns/double.js'
import { integerParser, yearParser } from '../../../src/columns/integer.js'
import { type NumberStyle, PLAIN_NUMBERS } from '../../../src/columns/number-text.js'

const style = (changes: Partial<NumberStyle>): NumberStyle => ({ ...PLAIN_NUMBERS, ...changes })
const refuses = (parser: CellParser, text: string): void => {
  expect(parser.parse(text), JSON.stringify(text)).toMatchObject({ type: 'type-error', code: 'TYPE_ERROR', constraint: null })
}

describe('integer', () => {
  const int64 = integerParser({ bits: 64, style: PLAIN_NUMBERS })
  const int32 = integerParser({ bits: 32, style: PLAIN_NUMBERS })

  it.each([
    ['0', 0n],
    ['-0', 0n],
    ['+7', 7n],
    ['007', 7n],
    ['-0000000000000000000000012', -12n],
    ['999999999999999', 999_999_999_999_999n],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['-9223372036854775808', -(2n ** 63n)],
  ])('reads %s exactly', (text, value) => {
    expect(int64.parse(text)).toBe(value)
  })

  it.each([
    '',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x10',
    '1_000',
    '١',
    '--1',
    '+',
    'NaN',
    '1,000',
    '9223372036854775808',
    '-9223372036854775809',
    '9'.repeat(100_000),
  ])('refuses %.20s', (text) => refuses(int64, text))

  it('has the range of 32 bits where the file has', () => {
    expect(int32.parse('2147483647')).toBe(2_147_483_647)
    expect(int32.parse('-2147483648')).toBe(-2_147_483_648)
    expect(Object.is(int32.parse('-0'), 0)).toBe(true)
    refuses(int32, '2147483648')
    refuses(int32, '-2147483649')
    refuses(int32, '99999999999999999999')
  })

  it('takes numbers and bigints of row objects only where they are exact', () => {
    expect(int64.fromJs(12)).toBe(12n)
    expect(int64.fromJs(-0)).toBe(0n)
    expect(int64.fromJs(2n ** 63n - 1n)).toBe(2n ** 63n - 1n)
    for (const value of [1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 63n, true, [], {}, new Date(0)])
      expect(int64.fromJs(value)).toHaveProperty('type')
    expect(int32.fromJs(2 ** 31)).toHaveProperty('type')
  })

  it('reads groups only as thousands and lakhs are written', () => {
    const grouped = integerParser({ bits: 64, style: style({ groupChar: ',' }) })
    expect(grouped.parse('1,234,567')).toBe(1_234_567n)
    expect(grouped.parse('-12,34,567')).toBe(-1_234_567n)
    expect(grouped.parse('1234567')).toBe(1_234_567n)
    for (const text of ['1,23', '1234,567', ',123', '1,,234', '1,2345', '1,234,']) refuses(grouped, text)
  })

  it('strips what stands around a number only where asked, and never a sign', () => {
    const decorated = integerParser({ bits: 64, style: style({ bareNumber: false }) })
    expect(decorated.parse('95%')).toBe(95n)
    expect(decorated.parse('EUR 95')).toBe(95n)
    expect(decorated.parse('EUR -95')).toBe(-95n)
    for (const text of ['-€5', '(5)', '5-', 'EUR', '5 of 7']) refuses(decorated, text)
    refuses(int64, '95%')
  })

  it('reads years of four digits', () => {
    const year = yearParser()
    expect(year.parse('2024')).toBe(2024)
    expect(year.format(33)).toBe('0033')
    for (const text of ['24', '0000', '-0044', '20240', '2024Z']) refuses(year, text)
  })
})

describe('double', () => {
  const double = doubleParser({ style: PLAIN_NUMBERS })

  it.each([
    ['0.1', 0.1],
    ['.5', 0.5],
    ['5.', 5],
    ['+1.50', 1.5],
    ['1E3', 1000],
    ['1e-400', 0],
    ['0.0299999993', 0.0299999993],
    ['9007199254740993', 9_007_199_254_740_992],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['5e-324', 5e-324],
    ['INF', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
  ])('reads %s as the nearest double', (text, value) => {
    expect(double.parse(text)).toBe(value)
  })

  it('keeps the sign of zero, and reads NaN', () => {
    expect(Object.is(double.parse('-0'), -0)).toBe(true)
    expect(double.parse('NaN')).toBeNaN()
  })

  it.each(['', '.', ' 1', '1 ', '1e', 'e5', '1.2.3', '0x1p3', '12abc', 'Infinity', '+INF', '1e309', '-1e999', '1,5', '<0.05', '١٢'])(
    'refuses %s',
    (text) => refuses(double, text),
  )

  it('writes what it reads back as the same bits', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const text = double.format(value)
        expect(Object.is(double.parse(text), value)).toBe(true)
      }),
    )
  })

  it('reads other decimal signs, and then no dot', () => {
    const german = doubleParser({ style: style({ decimalChar: ',', groupChar: '.' }) })
    expect(german.parse('1.234,5')).toBe(1234.5)
    expect(german.parse('1234,5')).toBe(1234.5)
    refuses(german, '1.5')
    refuses(german, '1,234.5')
    refuses(doubleParser({ style: style({ decimalChar: ',' }) }), '1.5')
    expect(german.parse(german.format(-1234.5))).toBe(-1234.5)
  })

  it('strips decoration beside a decimal sign', () => {
    const decorated = doubleParser({ style: style({ bareNumber: false }) })
    expect(decorated.parse('$.5')).toBe(0.5)
    expect(decorated.parse('12.5 kPa')).toBe(12.5)
    expect(decorated.parse('NaN')).toBeNaN()
    refuses(decorated, '<-')
  })

  it('takes bigints of row objects only where a double holds them', () => {
    expect(double.fromJs(2n ** 60n)).toBe(2 ** 60)
    expect(double.fromJs(2n ** 60n + 1n)).toHaveProperty('type')
    expect(double.fromJs('1' as unknown)).toHaveProperty('type')
    expect(double.fromJs(Number.NaN)).toBeNaN()
  })
})

describe('decimal', () => {
  const money = decimalParser({ precision: 9, scale: 2, style: PLAIN_NUMBERS })
  const wide = decimalParser({ precision: 38, scale: 10, style: PLAIN_NUMBERS })

  it.each([
    ['0.29', 29],
    ['-1.1', -110],
    ['+1.10', 110],
    ['1.1000', 110],
    ['0012.5', 1250],
    ['-0', 0],
    ['1.5e1', 1500],
    ['150e-2', 150],
    ['0e99999999999', 0],
    ['9999999.99', 999_999_999],
  ])('reads %s without rounding', (text, unscaled) => {
    expect(Object.is(money.parse(text), unscaled)).toBe(true)
  })

  it.each(['1.001', '10000000', '1e7', '1e-3', '1e999999999999', '1e-999999999999', 'NaN', 'INF', '', '1,5', '.'])('refuses %s', (text) =>
    refuses(money, text),
  )

  it('holds 38 digits', () => {
    const text = `${'9'.repeat(28)}.${'9'.repeat(10)}`
    expect(wide.parse(text)).toBe(10n ** 38n - 1n)
    expect(wide.parse(`-${text}`)).toBe(1n - 10n ** 38n)
    refuses(wide, `1${'0'.repeat(28)}`)
  })

  it('writes what it reads back, with every digit of the scale', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n - 10n ** 38n, max: 10n ** 38n - 1n }), fc.integer({ min: 0, max: 38 }), (unscaled, scale) => {
        const parser = decimalParser({ precision: 38, scale, style: PLAIN_NUMBERS })
        const text = parser.format(unscaled)
        expect(parser.parse(text)).toBe(unscaled)
        expect((text.split('.')[1] ?? '').length).toBe(scale)
      }),
    )
  })

  it('takes a number of a row object for its shortest decimal', () => {
    expect(money.fromJs(0.29)).toBe(29)
    expect(money.fromJs(5n)).toBe(500)
    for (const value of [0.1 + 0.2, Number.NaN, '1', true]) expect(isProblem(money.fromJs(value))).toBe(true)
  })
})
