import { type CellParser, describeJs, type Scalar, typeProblem } from './cell.js'
import { INTEGER_GRAMMAR, type NumberStyle, plainNumberText } from './number-text.js'

const RANGES = {
  32: { minimum: -(2n ** 31n), maximum: 2n ** 31n - 1n },
  64: { minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n },
} as const

/** Table Schema `integer`: digits with an optional sign; leading zeros say nothing. INT64, or INT32 by `parquet.type`. */
export function integerParser(options: { bits: 32 | 64; style: NumberStyle }): CellParser {
  const { bits, style } = options
  const range = RANGES[bits]
  const plain = style.groupChar === null && style.bareNumber
  const notAnInteger = typeProblem('expected an integer')
  const outOfRange = typeProblem(`expected an integer from ${range.minimum} to ${range.maximum}`)

  const stored = (value: bigint) => {
    if (value < range.minimum || value > range.maximum) return outOfRange
    return bits === 32 ? Number(value) : value
  }

  return {
    logical: { kind: 'integer', bits },
    ordered: true,
    lengthOf: null,
    parse(text) {
      const canonical = plain ? text : plainNumberText(text, { ...style, decimalChar: '.' })
      if (canonical === null || !INTEGER_GRAMMAR.test(canonical)) return notAnInteger
      // Numbers of up to 15 digits are exact, and a Number is made faster than a bigint.
      if (canonical.length <= 15) {
        const value = Number(canonical)
        if (bits === 64) return BigInt(value)
        return value < -2_147_483_648 || value > 2_147_483_647 ? outOfRange : value + 0 === 0 ? 0 : value
      }
      const sign = canonical.startsWith('-') ? '-' : ''
      const digits = canonical.replace(/^[+-]?0*/, '')
      if (digits.length > 19) return outOfRange
      return stored(BigInt(digits === '' ? '0' : sign + digits))
    },
    fromJs(value) {
      if (typeof value === 'bigint') return stored(value)
      if (typeof value !== 'number') return typeProblem(`expected an integer, not ${describeJs(value)}`)
      if (!Number.isInteger(value)) return notAnInteger
      if (!Number.isSafeInteger(value)) return typeProblem('expected an integer that a number holds exactly; pass a bigint or a string')
      return stored(BigInt(value))
    },
    format: (value: Scalar) => String(value),
  }
}

/** Table Schema `year` (XML Schema gYear): four digits, as INT32. */
export function yearParser(): CellParser {
  const problem = typeProblem('expected a year of four digits, 0001 to 9999')
  const stored = (value: number) => (value >= 1 && value <= 9999 ? value : problem)
  return {
    logical: { kind: 'integer', bits: 32 },
    ordered: true,
    lengthOf: null,
    parse: (text) => (/^\d{4}$/.test(text) ? stored(Number(text)) : problem),
    fromJs: (value) => (typeof value === 'number' && Number.isInteger(value) ? stored(value) : problem),
    format: (value) => String(value).padStart(4, '0'),
  }
}
