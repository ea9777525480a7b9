import { type CellParser, describeJs, type Scalar, typeProblem } from './cell.js'
import { NUMBER_GRAMMAR, type NumberStyle, plainNumberText } from './number-text.js'

/** Beyond this an exponent cannot end in a value of 38 digits, and arithmetic with it would only cost memory. */
const EXPONENT_LIMIT = 100_000

/** Table Schema `number` as exact DECIMAL (`parquet.type`). A digit that the scale has no room for is a type error unless it is zero: nothing is rounded. */
export function decimalParser(options: { precision: number; scale: number; style: NumberStyle }): CellParser {
  const { precision, scale, style } = options
  const plain = style.groupChar === null && style.bareNumber && style.decimalChar === '.'
  const asNumber = precision <= 9
  const notANumber = typeProblem('expected a decimal number')
  const tooFine = typeProblem(`expected at most ${scale} digit${scale === 1 ? '' : 's'} after the decimal point`)
  const tooLarge = typeProblem(`expected at most ${precision - scale} digit${precision - scale === 1 ? '' : 's'} before the decimal point`)

  const parsePlain = (text: string) => {
    if (!NUMBER_GRAMMAR.test(text)) return notANumber
    const e = text.search(/[eE]/)
    const exponent = e < 0 ? 0 : Number(text.slice(e + 1))
    const negative = text.charCodeAt(0) === 0x2d
    const mantissa = text.slice(negative || text.charCodeAt(0) === 0x2b ? 1 : 0, e < 0 ? undefined : e)
    const point = mantissa.indexOf('.')
    const whole = point < 0 ? mantissa : mantissa.slice(0, point)
    const written = point < 0 ? whole : whole + mantissa.slice(point + 1)
    let first = 0
    while (first < written.length && written.charCodeAt(first) === 0x30) first++
    if (first === written.length) return asNumber ? 0 : 0n
    let end = written.length
    while (written.charCodeAt(end - 1) === 0x30) end--
    if (Math.abs(exponent) > EXPONENT_LIMIT + written.length) return exponent > 0 ? tooLarge : tooFine
    // The value is 0.digits × 10^magnitude.
    const magnitude = whole.length - first + exponent
    const digits = written.slice(first, end)
    if (digits.length - magnitude > scale) return tooFine
    if (magnitude > precision - scale) return tooLarge
    const unscaled = digits + '0'.repeat(scale + magnitude - digits.length)
    if (asNumber) return negative ? -Number(unscaled) : Number(unscaled)
    const value = BigInt(unscaled)
    return negative ? -value : value
  }

  return {
    logical: { kind: 'decimal', precision, scale },
    ordered: true,
    lengthOf: null,
    parse(text) {
      const canonical = plain ? text : plainNumberText(text, style)
      return canonical === null ? notANumber : parsePlain(canonical)
    },
    fromJs(value) {
      if (typeof value === 'bigint') return parsePlain(String(value))
      // The shortest decimal of a double is what a person sees and means: 0.29, not 0.28999999999999998.
      if (typeof value === 'number') return Number.isFinite(value) ? parsePlain(String(value)) : notANumber
      return typeProblem(`expected a decimal number, not ${describeJs(value)}`)
    },
    format: (value) => decimalText(value, scale).replace('.', style.decimalChar),
  }
}

/** With exactly `scale` digits after the point. */
export function decimalText(unscaled: Scalar, scale: number): string {
  const text = String(unscaled)
  const negative = text.startsWith('-')
  const digits = (negative ? text.slice(1) : text).padStart(scale + 1, '0')
  const sign = negative ? '-' : ''
  if (scale === 0) return sign + digits
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
