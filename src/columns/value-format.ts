import { dateText, timeText } from './calendar.js'
import type { CellParser, Scalar } from './cell.js'
import { decimalText } from './decimal.js'
import { doubleText } from './double.js'
import { timeParts } from './time.js'
import { timestampText } from './timestamp.js'
import { decimalAt } from './values-writer.js'
import type { ColumnType, Values } from './vector.js'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Value `i` in its physical form (see Scalar): text for BYTE_ARRAY, the unscaled bigint for FIXED_LEN_BYTE_ARRAY. */
export function valueAt(values: Values, i: number): Scalar {
  switch (values.physical) {
    case 'BYTE_ARRAY':
      return decoder.decode(values.data.subarray(values.offsets[i]!, values.offsets[i + 1]!))
    case 'FIXED_LEN_BYTE_ARRAY':
      return decimalAt(values.data, i, values.widthBytes)
    default:
      return values.data[i]!
  }
}

/**
 * Value `i` as the library's rows() give it: integers of 32 bits and doubles are numbers, of 64 bits bigints; decimals exact strings with all
 * digits of their scale; dates, times and timestamps ISO 8601 strings, with `Z` only where the column holds instants; JSON is parsed.
 */
export function toJs(column: ColumnType, values: Values, i: number): unknown {
  const value = valueAt(values, i)
  const { logical } = column
  switch (logical.kind) {
    case 'boolean':
      return value === 1
    case 'json':
      return JSON.parse(value as string) as unknown
    case 'decimal':
      return decimalText(value, logical.scale)
    case 'timestamp':
      return timestampText(value, logical.unit, logical.utc, true)
    case 'date':
    case 'time':
      return plainText(column, value)
    default:
      return value
  }
}

/**
 * Value `i` as the text of a CSV cell that reads back as the same value: in the field's own format where the column is one of a compiled table
 * (it carries its parser), in the default formats of Table Schema otherwise.
 */
export function toText(column: ColumnType & { readonly parser?: CellParser }, values: Values, i: number): string {
  const value = valueAt(values, i)
  return column.parser === undefined ? plainText(column, value) : column.parser.format(value)
}

function plainText(column: ColumnType, value: Scalar): string {
  const { logical } = column
  switch (logical.kind) {
    case 'string':
    case 'json':
    case 'integer':
      return String(value)
    case 'boolean':
      return value === 1 ? 'true' : 'false'
    case 'double':
      return doubleText(value as number)
    case 'decimal':
      return decimalText(value, logical.scale)
    case 'date':
      return dateText(value as number)
    case 'time': {
      const { second, micros } = timeParts(value, logical.unit)
      return timeText(second, micros)
    }
    case 'timestamp':
      return timestampText(value, logical.unit, logical.utc, false)
  }
}
