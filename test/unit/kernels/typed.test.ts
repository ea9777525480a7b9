import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CellParser, isProblem, type Scalar } from '../../../src/columns/cell.js'
import { dateParser } from '../../../src/columns/date.js'
import { decimalParser } from '../../../src/columns/decimal.js'
import { doubleParser } from '../../../src/columns/double.js'
import { integerParser } from '../../../src/columns/integer.js'
import { PLAIN_NUMBERS } from '../../../src/columns/number-text.js'
import { timeParser } from '../../../src/columns/time.js'
import { timestampParser } from '../../../src/columns/timestamp.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { layFields, loadBothForms, scratch, soil } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

type Physical = 'INT32' | 'INT64' | 'DOUBLE'

interface Kind {
  readonly name: string
  readonly physical: Physical
  readonly parser: CellParser
  run(kernels: Kernels, fields: number, stride: number, rows: number, values: number, validity: number): number
}

const kinds: Kind[] = [
  {
    name: 'int32',
    physical: 'INT32',
    parser: integerParser({ bits: 32, style: PLAIN_NUMBERS }),
    run: (k, f, s, r, values, validity) => k.parseInt32(f, s, 1, r, 34, values, validity),
  },
  {
    name: 'int64',
    physical: 'INT64',
    parser: integerParser({ bits: 64, style: PLAIN_NUMBERS }),
    run: (k, f, s, r, values, validity) => k.parseInt64(f, s, 1, r, 34, values, validity),
  },
  {
    name: 'double',
    physical: 'DOUBLE',
    parser: doubleParser({ style: PLAIN_NUMBERS }),
    run: (k, f, s, r, values, validity) => k.parseDouble(f, s, 1, r, 34, values, validity),
  },
  ...(
    [
      [9, 2],
      [1, 1],
      [9, 9],
      [5, 0],
    ] as const
  ).map(([precision, scale]) => ({
    name: `decimal(${precision},${scale})`,
    physical: 'INT32' as const,
    parser: decimalParser({ precision, scale, style: PLAIN_NUMBERS }),
    run: (k: Kernels, f: number, s: number, r: number, values: number, validity: number) =>
      k.parseDecimal32(f, s, 1, r, 34, values, validity, precision, scale),
  })),
  ...(
    [
      [12, 2],
      [18, 6],
      [18, 18],
      [18, 0],
      [10, 10],
    ] as const
  ).map(([precision, scale]) => ({
    name: `decimal(${precision},${scale})`,
    physical: 'INT64' as const,
    parser: decimalParser({ precision, scale, style: PLAIN_NUMBERS }),
    run: (k: Kernels, f: number, s: number, r: number, values: number, validity: number) =>
      k.parseDecimal64(f, s, 1, r, 34, values, validity, precision, scale),
  })),
  {
    name: 'date',
    physical: 'INT32',
    parser: dateParser({ pattern: null }),
    run: (k, f, s, r, values, validity) => k.parseDate(f, s, 1, r, 34, values, validity),
  },
  ...(['MILLIS', 'MICROS'] as const).flatMap((unit) =>
    [true, false].map((utc) => ({
      name: `timestamp ${unit}${utc ? ' utc' : ''}`,
      physical: 'INT64' as const,
      parser: timestampParser({ unit, utc, pattern: null }),
      run: (k: Kernels, f: number, s: number, r: number, values: number, validity: number) =>
        k.parseTimestamp(f, s, 1, r, 34, values, validity, unit === 'MILLIS' ? 1000 : 1_000_000, utc),
    })),
  ),
  ...(['MILLIS', 'MICROS'] as const).map((unit) => ({
    name: `time ${unit}`,
    physical: unit === 'MILLIS' ? ('INT32' as const) : ('INT64' as const),
    parser: timeParser({ unit, pattern: null }),
    run: (k: Kernels, f: number, s: number, r: number, values: number, validity: number) =>
      k.parseTime(f, s, 1, r, 34, values, validity, unit === 'MILLIS' ? 1000 : 1_000_000),
  })),
]

interface Parsed {
  readonly done: number
  readonly values: Scalar[]
  readonly validity: number[]
}

function parse(kind: Kind, kernels: Kernels, texts: readonly string[]): Parsed {
  return scratch(kernels, () => {
    const { fields, stride, rows } = layFields(kernels, texts)
    const values = soil(kernels, rows * 8)
    const validity = soil(kernels, rows + 1)
    kernels.u8[validity + rows] = 0x99
    const done = kind.run(kernels, fields, stride, rows, values, validity)
    expect(kernels.u8[validity + rows]).toBe(0x99)
    const at = (row: number): Scalar =>
      kind.physical === 'INT32'
        ? kernels.i32[(values >>> 2) + row]!
        : kind.physical === 'INT64'
          ? kernels.i64[(values >>> 3) + row]!
          : kernels.f64[(values >>> 3) + row]!
    return {
      done,
      values: Array.from({ length: done }, (_, row) => at(row)),
      validity: Array.from(kernels.u8.subarray(validity, validity + done)),
    }
  })
}

/** One field through both forms: the value, or null where the kernel stops. They must agree, and with the parser where they take it. */
function take(kind: Kind, text: string): Scalar | null {
  const [typescript, webassembly] = forms.map((kernels) => parse(kind, kernels, [text]))
  expect(webassembly, text).toEqual(typescript)
  if (typescript!.done === 0) return null
  expect(typescript!.validity).toEqual([1])
  const value = typescript!.values[0]!
  const expected = kind.parser.parse(text.startsWith('"') ? text.slice(1, -1) : text)
  expect(isProblem(expected), `${kind.name} takes ${JSON.stringify(text)} as ${value}`).toBe(false)
  if (kind.physical === 'DOUBLE') expect(Object.is(value, expected), `${text}: ${value} is not ${String(expected)}`).toBe(true)
  else expect(value, text).toBe(kind.physical === 'INT64' ? BigInt(expected as number) : expected)
  return value
}

const digits = (max: number): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: max })
const sign = fc.constantFrom('', '', '-', '+')
const two = (max: number): fc.Arbitrary<string> => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'))
const dateText = fc
  .tuple(fc.oneof(fc.constantFrom(0, 1, 1900, 1970, 2000, 2023, 2024, 9999), fc.integer({ min: 0, max: 9999 })), two(13), two(32))
  .map(([y, m, d]) => `${String(y).padStart(4, '0')}-${m}-${d}`)
const timeText = fc
  .tuple(
    two(24),
    two(60),
    two(60),
    fc.oneof(
      fc.constantFrom('', '.0', '.5', '.123', '.123456', '.123000', '.1234560', '.'),
      digits(9).map((d) => `.${d}`),
    ),
  )
  .map(([h, m, s, f]) => `${h}:${m}:${s}${f}`)
const zone = fc.oneof(
  fc.constantFrom('', 'Z', 'z', '+00:00', '-14:00', '+14:01', '+05:30', '-03:60', '+0530', '+1:00'),
  fc.tuple(fc.constantFrom('+', '-'), two(15), two(61)).map(([s, h, m]) => `${s}${h}:${m}`),
)

const valid = fc.oneof(
  fc.tuple(sign, digits(20)).map((parts) => parts.join('')),
  fc
    .tuple(sign, digits(12), fc.constantFrom('.', ''), digits(12), fc.constantFrom('', '', '', 'e5', 'E-7', 'e+22', 'e-300', 'e400', 'e'))
    .map((parts) => parts.join('')),
  fc.double().map(String),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  dateText,
  timeText,
  fc.tuple(dateText, fc.constantFrom('T', 'T', 'T', ' ', 't'), timeText, zone).map((parts) => parts.join('')),
)
/** Mostly what some kernel takes; some with one character changed, left out or put in. */
const anyText = fc
  .tuple(
    valid,
    fc.option(
      fc.record({ at: fc.nat(30), with: fc.constantFrom('', ' ', '-', '+', '.', 'e', '0', '9', ':', 'Z', '/', '"', 'x', 'ä', '_') }),
      { freq: 2 },
    ),
    fc.nat(5),
  )
  .map(([text, change, quoted]) => {
    const changed = change === null ? text : text.slice(0, change.at) + change.with + text.slice(change.at + 1)
    const field = changed.replaceAll('"', '')
    return quoted === 0 ? `"${field}"` : field
  })
  .filter((text) => text !== '' && text !== '""')

describe('typed kernels', () => {
  it.each(kinds.map((kind) => [kind.name, kind] as const))('%s: what is taken is what the parser takes, and the same', (_, kind) => {
    fc.assert(
      fc.property(anyText, (text) => {
        take(kind, text)
      }),
      { numRuns: 3000 },
    )
  })

  const named = (name: string): Kind => kinds.find((kind) => kind.name === name)!

  it.each([
    ['int32', '0', 0],
    ['int32', '-0', 0],
    ['int32', '+7', 7],
    ['int32', '2147483647', 2_147_483_647],
    ['int32', '-2147483648', -2_147_483_648],
    ['int32', '000000000000000012', 12],
    ['int64', '-1', -1n],
    ['int64', '999999999999999', 999_999_999_999_999n],
    ['int64', '1000000000000000', 1_000_000_000_000_000n],
    ['int64', '9007199254740993', 9_007_199_254_740_993n],
    ['int64', '-999999999999999999', -999_999_999_999_999_999n],
    ['int64', '-4294967296', -4_294_967_296n],
    ['int64', '-900000000000000000', -900_000_000_000_000_000n],
    ['int64', '"42"', 42n],
    ['double', '-0', -0],
    ['double', '0.1', 0.1],
    ['double', '.5', 0.5],
    ['double', '5.', 5],
    ['double', '1e22', 1e22],
    ['double', '1e23', 1e23],
    ['double', '9007199254740993', 9007199254740992],
    ['double', '9007199254740995', 9007199254740996],
    ['double', '0.30000000000000004', 0.1 + 0.2],
    ['double', '179769313486231570000e288', 1.7976931348623157e308],
    ['double', '4.9e-324', 5e-324],
    ['double', '2.2250738585072011e-308', 2.225073858507201e-308],
    ['double', '1e-400', 0],
    ['double', '0e999999', 0],
    ['double', '123456789012345678901234567890', 1.2345678901234568e29],
    ['decimal(9,2)', '-1.5', -150],
    ['decimal(9,2)', '9999999.99', 999_999_999],
    ['decimal(9,2)', '1.5000', 150],
    ['decimal(9,2)', '-0', 0],
    ['decimal(9,9)', '0.000000001', 1],
    ['decimal(18,0)', '-999999999999999999', -999_999_999_999_999_999n],
    ['decimal(18,18)', '.999999999999999999', 999_999_999_999_999_999n],
    ['decimal(18,6)', '-123456789012.5', -123_456_789_012_500_000n],
    ['date', '0001-01-01', -719_162],
    ['date', '9999-12-31', 2_932_896],
    ['date', '2000-02-29', 11_016],
    ['date', '1969-12-31', -1],
    ['date', '"1970-01-01"', 0],
    ['timestamp MILLIS utc', '1969-12-31T23:59:59.999Z', -1n],
    ['timestamp MILLIS utc', '1970-01-01T00:00:00+14:00', -50_400_000n],
    ['timestamp MICROS utc', '0001-01-01T00:00:00.000001Z', -62_135_596_799_999_999n],
    ['timestamp MICROS', '9999-12-31T23:59:59.999999', 253_402_300_799_999_999n],
    ['timestamp MICROS', '1969-12-31T23:59:59.5', -500_000n],
    ['timestamp MILLIS', '2024-02-29T12:00:00.100000000', 1_709_208_000_100n],
    ['time MILLIS', '23:59:59.999', 86_399_999],
    ['time MICROS', '00:00:00.000001', 1n],
  ] as const)('%s takes %s', (name, text, value) => {
    expect(take(named(name), text)).toEqual(value)
  })

  it.each(['1969-12-31T23:59:59.999Z', '2024-02-29T10:20:30.456Z'])(
    '%s with any one character changed is what the parser makes of it',
    (text) => {
      const kind = named('timestamp MILLIS utc')
      for (let at = 0; at < text.length; at++) {
        for (let code = 1; code < 128; code++) {
          const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1)
          if (!changed.includes('"')) take(kind, changed)
        }
      }
    },
  )

  it.each([
    ['int32', '2147483648'],
    ['int32', '-2147483649'],
    ['int32', '1.0'],
    ['int32', '-'],
    ['int64', '1000000000000000000'],
    ['int64', '9223372036854775808'],
    ['int64', ' 1'],
    ['int64', '1 '],
    ['int64', '0x1'],
    ['int64', '+-1'],
    ['int64', '"+"'],
    ['int64', '१'],
    ['double', 'NaN'],
    ['double', 'INF'],
    ['double', '-INF'],
    ['double', '.'],
    ['double', '-.'],
    ['double', 'e5'],
    ['double', '1e'],
    ['double', '1e+'],
    ['double', '1e5x'],
    ['double', '1,5'],
    ['double', '1e309'],
    ['double', '-1e309'],
    ['double', '0x10'],
    ['double', '1_0'],
    ['double', '1.2.3'],
    ['decimal(9,2)', '0.125'],
    ['decimal(9,2)', '10000000'],
    ['decimal(9,2)', '1e2'],
    ['decimal(9,2)', '.'],
    ['decimal(9,2)', '1.0x'],
    ['decimal(18,18)', '1'],
    ['decimal(18,0)', '1000000000000000000'],
    ['decimal(18,0)', '9700000000000000000'],
    ['decimal(18,0)', '27670116110564327424'],
    ['decimal(18,6)', '18446744073709551617.5'],
    ['date', '2023-02-29'],
    ['date', '1900-02-29'],
    ['date', '0000-01-01'],
    ['date', '2024-13-01'],
    ['date', '2024-00-01'],
    ['date', '2024-04-31'],
    ['date', '2024-01-00'],
    ['date', '2024-1-01'],
    ['date', '2024/01/01'],
    ['date', '2024-01-01 '],
    ['date', '-024-01-01'],
    ['timestamp MILLIS utc', '2024-01-01T00:00:00'],
    ['timestamp MILLIS', '2024-01-01T00:00:00Z'],
    ['timestamp MILLIS', '2024-01-01T00:00:00.0001'],
    ['timestamp MICROS', '2024-01-01T00:00:00.0000001'],
    ['timestamp MICROS', '2024-01-01T00:00:00.'],
    ['timestamp MICROS', '2024-01-01T24:00:00'],
    ['timestamp MICROS', '2024-01-01T23:59:60'],
    ['timestamp MICROS', '2024-01-01 00:00:00'],
    ['timestamp MICROS utc', '2024-01-01T00:00:00+14:01'],
    ['timestamp MICROS utc', '2024-01-01T00:00:00+0530'],
    ['timestamp MICROS utc', '0001-01-01T00:00:00+00:01'],
    ['timestamp MICROS utc', '9999-12-31T23:59:00-00:01'],
    ['timestamp MICROS utc', '2024-01-01T00:00:00ZZ'],
    ['time MILLIS', '9:30:00'],
    ['time MILLIS', '09:30'],
    ['time MILLIS', '09:30:00.0005'],
    ['time MICROS', '24:00:00'],
    ['time MICROS', '09:30:00Z'],
  ] as const)('%s leaves %s to the parser', (name, text) => {
    expect(take(named(name), text)).toBeNull()
  })

  it('rounds every double to the nearest one, also half way and where the cut power of five could mislead', () => {
    const double = named('double')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
          fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }).map(String),
          fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 19n - 1n }), fc.integer({ min: -70, max: 70 })).map(([m, e]) => `${m}e${e}`),
          // Half way between two doubles of 2⁵³ and beyond, and one beside it.
          fc
            .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: -1, max: 1 }))
            .map(([m, s, off]) => String((2n * m + 1n) * 2n ** BigInt(s) + BigInt(off))),
          // The same with a fraction: (2m + 1) / 2 written in full.
          fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }).map((m) => `${m}.5`),
          fc.bigInt({ min: 2n ** 50n, max: 2n ** 51n - 1n }).map((m) => `${m}.125`),
        ),
        (text) => {
          expect(Object.is(take(double, text), Number(text)), text).toBe(true)
        },
      ),
      { numRuns: 20_000 },
    )
  })

  it.each(kinds.map((kind) => [kind.name, kind] as const))(
    '%s: empty fields are missing and zero, and rows before a stop stand',
    (_, kind) => {
      const one = kind.name.startsWith('date')
        ? '1970-01-02'
        : kind.name.startsWith('time ')
          ? '00:00:01'
          : kind.name.startsWith('timestamp')
            ? `1970-01-01T00:00:01${kind.name.endsWith('utc') ? 'Z' : ''}`
            : '0'
      const value = kind.parser.parse(one)
      for (const kernels of forms) {
        const zero = kind.physical === 'INT64' ? 0n : 0
        const stored = kind.physical === 'INT64' ? BigInt(value as number) : value
        expect(parse(kind, kernels, ['', one, '""', `"${one}"`, ''])).toEqual({
          done: 5,
          values: [zero, stored, zero, stored, zero],
          validity: [0, 1, 0, 1, 0],
        })
        expect(parse(kind, kernels, [one, '', 'nonsense', one])).toEqual({ done: 2, values: [stored, zero], validity: [1, 0] })
        expect(parse(kind, kernels, []).done).toBe(0)
      }
    },
  )

  it('takes quotes for text where there is no quoting', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const { fields, stride } = layFields(kernels, ['"1"'])
        expect(kernels.parseInt64(fields, stride, 1, 1, 0, kernels.allocate(8), kernels.allocate(1))).toBe(0)
      })
    }
  })
})

describe('extremesInt64', () => {
  it('finds the least and the greatest of the values that are there', () => {
    const value = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -3n, max: 3n }),
      fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 32n, -(2n ** 32n)),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.boolean()), { maxLength: 40 }), (rows) => {
        const present = rows.filter(([, there]) => there).map(([v]) => v)
        for (const kernels of forms) {
          scratch(kernels, () => {
            const values = soil(kernels, rows.length * 8)
            const validity = soil(kernels, rows.length)
            const out = kernels.allocate(16)
            rows.forEach(([v, there], row) => {
              kernels.i64[(values >>> 3) + row] = v
              kernels.u8[validity + row] = there ? 1 : 0
            })
            expect(kernels.extremesInt64(values, validity, rows.length, out)).toBe(present.length)
            if (present.length === 0) return
            const sorted = BigInt64Array.from(present).sort()
            expect([kernels.i64[out >>> 3], kernels.i64[(out >>> 3) + 1]]).toEqual([sorted[0], sorted.at(-1)])
          })
        }
      }),
    )
  })
})
