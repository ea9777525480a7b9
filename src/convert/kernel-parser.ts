import { isProblem, type Scalar } from '../columns/cell.js'
import type { Column } from '../columns/column.js'
import type { KernelValues } from '../columns/kernel-column.js'
import type { LogicalType } from '../columns/vector.js'
import type { Kernels } from '../kernels/kernels.js'
import { extremesOf } from '../parquet/statistics.js'
import { fieldText, QUOTE } from './field-text.js'

/** Constraints that hold for all values of a column if they hold for the least and the greatest. */
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const
/** Members of a field that change how its text is read: the kernels know the defaults only. */
const STYLES = ['format', 'decimalChar', 'groupChar', 'bareNumber'] as const

/** What kernels can do for a column: parse its numbers, take its texts as they stand, or nothing. */
export function kernelFormOf(column: Column): 'numbers' | 'texts' | 'none' {
  const rules = (column.field.constraints ?? {}) as Record<string, unknown>
  const bounded = BOUNDS.filter((name) => rules[name] !== undefined).length
  if (column.constraints.length !== bounded || !column.missingValues.has('')) return 'none'
  if (STYLES.some((name) => column.field[name] !== undefined && column.field[name] !== 'default' && column.field[name] !== true))
    return 'none'
  const { logical } = column
  if (column.field.type === 'string') return column.constraints.length === 0 ? 'texts' : 'none'
  if (TYPE_OF_NUMBERS[logical.kind] !== column.field.type || hasNumericMissing(column)) return 'none'
  return logical.kind === 'decimal' && logical.precision > 18 ? 'none' : 'numbers'
}

/** The Table Schema type whose texts the kernels know, by what they become. Others become the same (a year is an integer) and are written otherwise. */
const TYPE_OF_NUMBERS: Partial<Record<LogicalType['kind'], string>> = {
  integer: 'integer',
  double: 'number',
  decimal: 'number',
  date: 'date',
  time: 'time',
  timestamp: 'datetime',
}

/** The number -999 would be taken for a number where it stands for "no value". */
function hasNumericMissing(column: Column): boolean {
  return [...column.missingValues].some((text) => /^[+\-.\d]/.test(text.trim()))
}

/** Parses fields of a column of numbers to `values` and `validity`, which are the addresses of the first row. Returns the rows done (see `Kernels`). */
function parseFields(
  kernels: Kernels,
  column: Column,
  fields: number,
  stride: number,
  position: number,
  rows: number,
  values: number,
  validity: number,
): number {
  const { logical } = column
  switch (logical.kind) {
    case 'integer':
      return logical.bits === 32
        ? kernels.parseInt32(fields, stride, position, rows, QUOTE, values, validity)
        : kernels.parseInt64(fields, stride, position, rows, QUOTE, values, validity)
    case 'double':
      return kernels.parseDouble(fields, stride, position, rows, QUOTE, values, validity)
    case 'decimal':
      return logical.precision <= 9
        ? kernels.parseDecimal32(fields, stride, position, rows, QUOTE, values, validity, logical.precision, logical.scale)
        : kernels.parseDecimal64(fields, stride, position, rows, QUOTE, values, validity, logical.precision, logical.scale)
    case 'date':
      return kernels.parseDate(fields, stride, position, rows, QUOTE, values, validity)
    case 'time':
      return kernels.parseTime(fields, stride, position, rows, QUOTE, values, validity, logical.unit === 'MILLIS' ? 1000 : 1_000_000)
    case 'timestamp': {
      const perSecond = logical.unit === 'MILLIS' ? 1000 : 1_000_000
      return kernels.parseTimestamp(fields, stride, position, rows, QUOTE, values, validity, perSecond, logical.utc)
    }
    default:
      return 0
  }
}

/**
 * Fields of a column of numbers as values: the kernels take the simple forms, the field's own parser judges every other text. False: one of
 * them is no value of the column. `values` and `validity` have room for `rows`.
 */
export function parseNumbers(
  kernels: Kernels,
  column: Column,
  fields: number,
  stride: number,
  position: number,
  rows: number,
  values: number,
  validity: number,
): boolean {
  const width = column.physical === 'INT32' ? 4 : 8
  for (let done = 0; ; done++) {
    const at = fields + done * stride * 4
    done += parseFields(kernels, column, at, stride, position, rows - done, values + done * width, validity + done)
    if (done === rows) return true
    const text = fieldText(kernels, fields + done * stride * 4, position)
    let value: Scalar | null = null
    if (!column.missingValues.has(text)) {
      const parsed = column.parser.parse(text)
      if (isProblem(parsed)) return false
      value = parsed
    }
    kernels.u8[validity + done] = value === null ? 0 : 1
    if (column.physical === 'INT32') kernels.i32[(values >>> 2) + done] = Number(value ?? 0)
    else if (column.physical === 'INT64') kernels.i64[(values >>> 3) + done] = BigInt(value ?? 0)
    else kernels.f64[(values >>> 3) + done] = Number(value ?? 0)
  }
}

/** A field that says "no value" in words becomes one that says it with no bytes: its words are rewritten, so columns go in the order of their cells. */
export function blankMissing(
  kernels: Kernels,
  missing: readonly Uint8Array[],
  fields: number,
  stride: number,
  position: number,
  rows: number,
): void {
  if (missing.length === 0) return
  const { u8, u32 } = kernels
  const base = (fields >>> 2) + position
  for (let r = 0; r < rows; r++) {
    const start = u32[base + r * stride]!
    const end = u32[base + r * stride + 1]! - 1
    const quoted = u8[start] === QUOTE && end - start >= 2 ? 1 : 0
    for (const text of missing) {
      if (text.length !== end - start - 2 * quoted) continue
      let i = 0
      while (i < text.length && text[i] === u8[start + quoted + i]) i++
      if (i === text.length) u32[base + r * stride] = end
    }
  }
}

/** Missing values other than the empty text, as bytes of a field: quotes are doubled, for only a field in quotes can have one. */
export function missingTexts(column: Column): readonly Uint8Array[] {
  return [...column.missingValues].filter((text) => text !== '').map((text) => Buffer.from(text.replaceAll('"', '""'), 'utf8'))
}

/** Whether values that kernels parsed keep the column's bounds. */
export function boundsHold(kernels: Kernels, column: Column, values: KernelValues, validity: number): boolean {
  if (column.constraints.length === 0) return true
  const extremes = extremesOf(kernels, values, validity, 0, values.count)
  if (extremes === 'none') return true
  // NaN is in no order: it breaks every bound.
  if (extremes === 'unordered') return false
  return [extremes.min, extremes.max].every((bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const value: Scalar =
      column.physical === 'INT32'
        ? view.getInt32(0, true)
        : column.physical === 'INT64'
          ? view.getBigInt64(0, true)
          : view.getFloat64(0, true)
    return column.constraints.every((check) => check(value) === null)
  })
}
