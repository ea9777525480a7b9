import { type CellParser, describeJs, typeProblem } from './cell.js'
import { NUMBER_GRAMMAR, type NumberStyle, plainNumberText } from './number-text.js'

const NOT_A_NUMBER = typeProblem('expected a number')
const TOO_LARGE = typeProblem('expected a number within the range of a double (up to 1.8e308)')

/** NaN, INF and -INF, case not respected (Table Schema v2, `number`). */
export function specialNumber(text: string): number | null {
  if (text.length !== 3 && text.length !== 4) return null
  switch (text.toUpperCase()) {
    case 'NAN':
      return Number.NaN
    case 'INF':
      return Number.POSITIVE_INFINITY
    case '-INF':
      return Number.NEGATIVE_INFINITY
    default:
      return null
  }
}

/**
 * Table Schema `number` as DOUBLE: the double nearest to the text. `Number()` rounds correctly (ECMA-262, StringToNumber); the grammar is
 * checked first because it takes much more ("0x1", " 1", ""). A finite text that only infinity is near to is a type error.
 */
export function doubleParser(options: { style: NumberStyle }): CellParser {
  const { style } = options
  const plain = style.groupChar === null && style.bareNumber && style.decimalChar === '.'
  return {
    logical: { kind: 'double' },
    ordered: true,
    lengthOf: null,
    parse(text) {
      const canonical = plain ? text : plainNumberText(text, style)
      if (canonical === null) return NOT_A_NUMBER
      if (!NUMBER_GRAMMAR.test(canonical)) return specialNumber(text) ?? NOT_A_NUMBER
      const value = Number(canonical)
      return Number.isFinite(value) ? value : TOO_LARGE
    },
    fromJs(value) {
      if (typeof value === 'number') return value
      if (typeof value === 'bigint') {
        const near = Number(value)
        return Number.isFinite(near) && BigInt(near) === value ? near : typeProblem('expected an integer that a double holds exactly')
      }
      return typeProblem(`expected a number, not ${describeJs(value)}`)
    },
    format(value) {
      return doubleText(value as number).replace('.', style.decimalChar)
    },
  }
}

/** The shortest decimal that reads back as the same double. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return 'INF'
  if (value === Number.NEGATIVE_INFINITY) return '-INF'
  return Object.is(value, -0) ? '-0' : String(value)
}
