import { isProblem } from '../columns/cell.js'
import { dateParser } from '../columns/date.js'
import { NUMBER_GRAMMAR } from '../columns/number-text.js'
import { timeParser } from '../columns/time.js'
import { timestampParser } from '../columns/timestamp.js'
import type { ColumnType, PlainVector } from '../columns/vector.js'
import { IntakeError } from '../errors.js'
import { type ColumnChunkFacts, columnIndex } from './read-file.js'
import { type PhysicalValue, physicalValueAt, signedBigEndian } from './value-order.js'

export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>='

/**
 * One condition on one column; several are joined by AND. As in SQL, a missing value satisfies `is-null` and nothing else, `!=` included.
 *
 * Values are typed, and exact whatever their form: number or bigint for integers and doubles; those or decimal text for decimals; `true` and
 * `false`; text for strings and JSON (compared as UTF-8 bytes); ISO text for dates, times and timestamps, finer than the column's unit if
 * need be; a Date for UTC timestamps. A NaN, in the column or in the filter, is equal to nothing, and neither smaller nor greater.
 */
export type RowFilter =
  | { readonly column: string; readonly op: ComparisonOperator; readonly value: unknown }
  | { readonly column: string; readonly op: 'in'; readonly value: readonly unknown[] }
  | { readonly column: string; readonly op: 'is-null' | 'not-null'; readonly value?: undefined }

export interface CompiledFilter {
  readonly column: number
  /** false: the statistics prove that no row of the chunk matches. */
  mayMatch(chunk: ColumnChunkFacts, rows: number): boolean
  matches(vector: PlainVector, row: number): boolean
}

/** Sign of (stored value − filter value); NaN where there is no order. */
type Comparison = (stored: PhysicalValue) => number

/** Throws UNKNOWN_COLUMN, and FILTER_INVALID for a value that the column's type cannot be compared with. */
export function compileFilter(filter: RowFilter, columns: readonly ColumnType[]): CompiledFilter {
  const column = columnIndex(columns, filter.column)
  const type = columns[column]!
  const missing = filter.op === 'is-null'
  switch (filter.op) {
    case 'is-null':
    case 'not-null':
      return {
        column,
        mayMatch: ({ nullCount }, rows) => nullCount === null || nullCount !== (missing ? 0 : rows),
        matches: (vector, row) => (vector.validity[row] === 0) === missing,
      }
    case 'in': {
      if (!Array.isArray(filter.value)) throw invalid(type, 'a list of values for "in"', filter.value)
      return anyOf(
        column,
        filter.value.map((value) => comparisonWith(type, value)),
        '==',
      )
    }
    default:
      if (!Object.hasOwn(HOLDS, filter.op)) {
        throw new IntakeError(
          'FILTER_INVALID',
          `${JSON.stringify(filter.op)} is no operator; there are ${Object.keys(HOLDS).join(', ')}, in, is-null, not-null`,
        )
      }
      return anyOf(column, [comparisonWith(type, filter.value)], filter.op)
  }
}

const HOLDS: Record<ComparisonOperator, (sign: number) => boolean> = {
  '==': (sign) => sign === 0,
  // Also where there is no order: what cannot be compared is not equal.
  '!=': (sign) => sign !== 0,
  '<': (sign) => sign < 0,
  '<=': (sign) => sign <= 0,
  '>': (sign) => sign > 0,
  '>=': (sign) => sign >= 0,
}

function anyOf(column: number, comparisons: readonly Comparison[], op: ComparisonOperator): CompiledFilter {
  const holds = HOLDS[op]
  return {
    column,
    mayMatch(chunk, rows) {
      if (chunk.nullCount === rows) return false
      return comparisons.some((compare) => boundsAllow(compare, op, chunk))
    },
    matches(vector, row) {
      if (vector.validity[row] === 0) return false
      const stored = physicalValueAt(vector.values, row)
      for (const compare of comparisons) if (holds(compare(stored))) return true
      return false
    },
  }
}

/** Bounds may be wider than the values, so they can only rule out; an unknown bound rules out nothing, nor does one that has no order. */
function boundsAllow(compare: Comparison, op: ComparisonOperator, { min, max }: ColumnChunkFacts): boolean {
  const low = min === null ? Number.NaN : compare(min)
  const high = max === null ? Number.NaN : compare(max)
  switch (op) {
    case '==':
      return !(low > 0 || high < 0)
    case '!=':
      return true
    case '<':
      return !(low >= 0)
    case '<=':
      return !(low > 0)
    case '>':
      return !(high <= 0)
    case '>=':
      return !(high < 0)
  }
}

function comparisonWith(type: ColumnType, value: unknown): Comparison {
  const { logical } = type
  switch (logical.kind) {
    case 'boolean': {
      if (typeof value !== 'boolean') throw invalid(type, 'true or false', value)
      return inOrder(value ? 1 : 0)
    }
    case 'integer':
    case 'double':
      if (typeof value !== 'number' && typeof value !== 'bigint') throw invalid(type, 'a number or a bigint', value)
      return inOrder(value)
    case 'decimal':
      return decimalComparison(type, logical.scale, value)
    case 'string':
    case 'json': {
      if (typeof value !== 'string') throw invalid(type, 'text', value)
      const bytes = Buffer.from(value, 'utf8')
      return (stored) => Buffer.compare(stored as Uint8Array, bytes)
    }
    case 'date': {
      const parsed = typeof value === 'string' ? dateParser({ pattern: null }).parse(value) : null
      if (parsed === null || isProblem(parsed)) throw invalid(type, 'a date such as "2024-01-31"', value)
      return inOrder(parsed as number)
    }
    case 'time':
    case 'timestamp': {
      // Parsed in microseconds whatever the unit, so that a finer bound than the column's unit still means what it says.
      const parser =
        logical.kind === 'time'
          ? timeParser({ unit: 'MICROS', pattern: null })
          : timestampParser({ unit: 'MICROS', utc: logical.utc, pattern: null })
      const parsed = typeof value === 'string' ? parser.parse(value) : parser.fromJs(value)
      if (isProblem(parsed)) throw invalid(type, parsed.message.replace(/^expected /, ''), value)
      const micros = BigInt(parsed)
      const factor = logical.unit === 'MILLIS' ? 1000n : 1n
      return (stored) => sign(BigInt(stored as number | bigint) * factor, micros)
    }
  }
}

/** JavaScript compares numbers with bigints by their exact values. */
function inOrder(value: number | bigint): Comparison {
  return (stored) => sign(stored as number | bigint, value)
}

function sign(a: number | bigint, b: number | bigint): number {
  // biome-ignore lint/suspicious/noDoubleEquals: a number and a bigint of one value are equal only by ==.
  return a < b ? -1 : a > b ? 1 : a == b ? 0 : Number.NaN
}

/** Exact: both sides become whole numbers of the finer of the two scales. */
function decimalComparison(type: ColumnType, scale: number, value: unknown): Comparison {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
  if (typeof text !== 'string' || !NUMBER_GRAMMAR.test(text) || text.length > 1000) throw invalid(type, 'a decimal number', value)
  const [mantissa = '', exponentText = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > 1000) throw invalid(type, 'a decimal number with an exponent of at most 1000', value)
  const unscaled = BigInt(whole.replace(/^\+/, '') + fraction)
  const valueScale = fraction.length - exponent
  const storedFactor = 10n ** BigInt(Math.max(0, valueScale - scale))
  const bound = unscaled * 10n ** BigInt(Math.max(0, scale - valueScale))
  return (stored) => sign((typeof stored === 'object' ? signedBigEndian(stored) : BigInt(stored)) * storedFactor, bound)
}

function invalid(type: ColumnType, expected: string, value: unknown): IntakeError {
  const got = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
  return new IntakeError(
    'FILTER_INVALID',
    `A filter on column ${JSON.stringify(type.name)} (${type.logical.kind}) takes ${expected}; it was given ${got}`,
    {
      data: { column: type.name },
    },
  )
}
