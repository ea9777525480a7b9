import type { KernelValues } from '../columns/kernel-column.js'
import type { PhysicalType } from '../columns/vector.js'
import type { Kernels } from '../kernels/kernels.js'

/**
 * Minimum, maximum and null count of a column chunk or a page, by parquet-format's TypeDefinedOrder, so that engines can leave them out
 * safely. The rule above all others: no statistics rather than wrong ones.
 *
 * - integers, dates, times, timestamps and decimals compare as signed numbers (decimals of 16 bytes: big-endian two's complement);
 * - doubles: a chunk with a NaN gets no minimum and no maximum, for engines disagree on where NaN sorts, and one that sorts it above
 *   infinity (DuckDB) would leave out rows that match; a minimum of zero is written as -0 and a maximum of zero as +0 (parquet.thrift, ColumnOrder);
 * - strings and JSON compare as unsigned bytes; beyond 64 bytes they are cut at a character and the maximum is rounded up.
 */
export interface ColumnStatistics {
  readonly nulls: number
  /** PLAIN bytes without a length; null: not known. */
  readonly min: Uint8Array | null
  readonly max: Uint8Array | null
  readonly minExact: boolean
  readonly maxExact: boolean
}

export const STATISTICS_MAX_BYTES = 64

/** Least and greatest value as they are, PLAIN bytes without a length. none: there is no value. unordered: one is NaN. */
export type Extremes = { readonly min: Uint8Array; readonly max: Uint8Array } | 'none' | 'unordered'

/** Of the `count` values from row `from` on that are present; `validity` is that of row 0, or 0. */
export function extremesOf(kernels: Kernels, values: KernelValues, validity: number, from: number, count: number): Extremes {
  const mark = kernels.mark()
  const out = kernels.allocate(16)
  kernels.release(mark)
  const flags = validity === 0 ? 0 : validity + from
  switch (values.physical) {
    case 'BOOLEAN':
      return extremesOfBooleans(kernels, values.data + from, flags, count)
    case 'INT32':
      return fixedExtremes(kernels, kernels.extremesInt32(values.data + from * 4, flags, count, out), out, 4)
    case 'INT64':
      return fixedExtremes(kernels, kernels.extremesInt64(values.data + from * 8, flags, count, out), out, 8)
    case 'DOUBLE':
      return fixedExtremes(kernels, kernels.extremesDouble(values.data + from * 8, flags, count, out), out, 8)
    case 'FIXED_LEN_BYTE_ARRAY':
      return extremesOfDecimals(kernels.u8, values.data + from * 16, flags, count)
    case 'BYTE_ARRAY': {
      const { data } = values
      const offsets = values.offsets + from * 4
      if (kernels.extremesTexts(data, offsets, flags, count, out) === 0) return 'none'
      const { u8, u32 } = kernels
      const textAt = (row: number): Uint8Array => {
        const word = (offsets >>> 2) + row
        return u8.slice(data + u32[word]!, data + u32[word + 1]!)
      }
      return { min: textAt(u32[out >>> 2]!), max: textAt(u32[(out >>> 2) + 2]!) }
    }
  }
}

function fixedExtremes(kernels: Kernels, found: number, out: number, bytes: number): Extremes {
  if (found <= 0) return found === 0 ? 'none' : 'unordered'
  return { min: kernels.u8.slice(out, out + bytes), max: kernels.u8.slice(out + 8, out + 8 + bytes) }
}

function extremesOfBooleans(kernels: Kernels, values: number, validity: number, count: number): Extremes {
  const present = validity === 0 ? count : kernels.countByte(validity, validity + count, 1)
  if (present === 0) return 'none'
  // A missing row is not true.
  const trues = kernels.countByte(values, values + count, 1)
  return { min: Uint8Array.of(trues === present ? 1 : 0), max: Uint8Array.of(trues === 0 ? 0 : 1) }
}

/** Decimals of more than 18 digits are rare enough for a loop of their own. */
function extremesOfDecimals(u8: Uint8Array, values: number, validity: number, count: number): Extremes {
  let min: Uint8Array | null = null
  let max: Uint8Array | null = null
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const value = u8.subarray(values + i * 16, values + i * 16 + 16)
    if (min === null || compareValues('FIXED_LEN_BYTE_ARRAY', value, min) < 0) min = value
    if (max === null || compareValues('FIXED_LEN_BYTE_ARRAY', value, max) > 0) max = value
  }
  return min === null || max === null ? 'none' : { min: min.slice(), max: max.slice() }
}

export function mergeExtremes(physical: PhysicalType, a: Extremes, b: Extremes): Extremes {
  if (a === 'unordered' || b === 'unordered') return 'unordered'
  if (a === 'none') return b
  if (b === 'none') return a
  return {
    min: compareValues(physical, b.min, a.min) < 0 ? b.min : a.min,
    max: compareValues(physical, b.max, a.max) > 0 ? b.max : a.max,
  }
}

/** Negative where `a` sorts before `b`: PLAIN bytes without a length, as bounds are written. */
export function compareValues(physical: PhysicalType, a: Uint8Array, b: Uint8Array): number {
  const [x, y] = [viewOf(a), viewOf(b)]
  switch (physical) {
    case 'BOOLEAN':
      return a[0]! - b[0]!
    case 'INT32':
      return x.getInt32(0, true) - y.getInt32(0, true)
    case 'INT64': {
      const [p, q] = [x.getBigInt64(0, true), y.getBigInt64(0, true)]
      return p < q ? -1 : p > q ? 1 : 0
    }
    case 'DOUBLE': {
      const [p, q] = [x.getFloat64(0, true), y.getFloat64(0, true)]
      return p < q ? -1 : p > q ? 1 : 0
    }
    case 'FIXED_LEN_BYTE_ARRAY': {
      // The first byte carries the sign; after it bytes compare unsigned.
      const first = x.getInt8(0) - y.getInt8(0)
      return first !== 0 ? first : Buffer.compare(a, b)
    }
    case 'BYTE_ARRAY':
      return Buffer.compare(a, b)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function statisticsOf(physical: PhysicalType, nulls: number, extremes: Extremes): ColumnStatistics {
  if (typeof extremes === 'string') return { nulls, min: null, max: null, minExact: false, maxExact: false }
  const { min, max } = extremes
  if (physical === 'DOUBLE') {
    return { nulls, min: withZero(min, -0), max: withZero(max, 0), minExact: true, maxExact: true }
  }
  if (physical !== 'BYTE_ARRAY') return { nulls, min, max, minExact: true, maxExact: true }
  const minShort = min.length > STATISTICS_MAX_BYTES
  const maxShort = max.length > STATISTICS_MAX_BYTES
  const roundedUp = maxShort ? roundedUpPrefix(max) : max
  return {
    nulls,
    min: minShort ? min.slice(0, characterBoundary(min, STATISTICS_MAX_BYTES)) : min,
    max: roundedUp,
    minExact: !minShort,
    maxExact: !maxShort && roundedUp !== null,
  }
}

function withZero(bytes: Uint8Array, zero: number): Uint8Array {
  if (viewOf(bytes).getFloat64(0, true) !== 0) return bytes
  const out = new Uint8Array(8)
  viewOf(out).setFloat64(0, zero, true)
  return out
}

/** The largest cut at or below `limit` that does not split a UTF-8 character. */
function characterBoundary(bytes: Uint8Array, limit: number): number {
  let cut = limit
  while (cut > 0 && (bytes[cut]! & 0xc0) === 0x80) cut--
  return cut
}

/**
 * A short text above every text that starts with the first 64 bytes: the cut text with its last character replaced by the next one. What is
 * already the last character of Unicode is dropped and the one before it raised. null: there is no such text.
 */
function roundedUpPrefix(bytes: Uint8Array): Uint8Array | null {
  const prefix = Buffer.from(bytes.subarray(0, characterBoundary(bytes, STATISTICS_MAX_BYTES))).toString('utf8')
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  while (points.length > 0) {
    const last = points.pop()!
    if (last === 0x10ffff) continue
    // Surrogates are no characters: U+D7FF is followed by U+E000.
    points.push(last === 0xd7ff ? 0xe000 : last + 1)
    return new Uint8Array(Buffer.from(String.fromCodePoint(...points), 'utf8'))
  }
  return null
}
