import type { ColumnVector, Values } from '../columns/vector.js'
import { countOf } from '../columns/vector.js'

/**
 * Minimum, maximum and null count of a column chunk, by parquet-format's TypeDefinedOrder, so that engines can leave row groups out safely.
 * The rule above all others: no statistics rather than wrong ones.
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

/** Over the rows of a plain vector, or over the dictionary entries that `used` names. */
export function statisticsOf(vector: ColumnVector, used: Uint32Array | null): ColumnStatistics {
  const values = vector.form === 'plain' ? vector.values : vector.dictionary
  const none: ColumnStatistics = { nulls: vector.nulls, min: null, max: null, minExact: false, maxExact: false }
  const extremes = used === null ? extremesOfRows(values, vector.validity) : extremesOfEntries(values, used)
  if (extremes === null) return none
  const { min, max } = extremes
  switch (values.physical) {
    case 'BOOLEAN':
      return { ...none, min: Uint8Array.of(values.data[min]!), max: Uint8Array.of(values.data[max]!), minExact: true, maxExact: true }
    case 'INT32': {
      const { data } = values
      return { ...none, min: int32Bytes(data[min]!), max: int32Bytes(data[max]!), minExact: true, maxExact: true }
    }
    case 'INT64': {
      const { data } = values
      return { ...none, min: int64Bytes(data[min]!), max: int64Bytes(data[max]!), minExact: true, maxExact: true }
    }
    case 'DOUBLE': {
      const low = values.data[min]!
      const high = values.data[max]!
      return { ...none, min: doubleBytes(low === 0 ? -0 : low), max: doubleBytes(high === 0 ? 0 : high), minExact: true, maxExact: true }
    }
    case 'FIXED_LEN_BYTE_ARRAY': {
      const w = values.widthBytes
      return {
        ...none,
        min: values.data.slice(min * w, min * w + w),
        max: values.data.slice(max * w, max * w + w),
        minExact: true,
        maxExact: true,
      }
    }
    case 'BYTE_ARRAY': {
      const low = values.data.slice(values.offsets[min]!, values.offsets[min + 1]!)
      const high = values.data.slice(values.offsets[max]!, values.offsets[max + 1]!)
      const minShort = low.length > STATISTICS_MAX_BYTES
      const maxShort = high.length > STATISTICS_MAX_BYTES
      const roundedUp = maxShort ? roundedUpPrefix(high) : high
      return {
        ...none,
        min: minShort ? low.slice(0, characterBoundary(low, STATISTICS_MAX_BYTES)) : low,
        max: roundedUp,
        minExact: !minShort,
        maxExact: !maxShort && roundedUp !== null,
      }
    }
  }
}

/** Rows that hold the smallest and the largest value; null where there is none, or a NaN. */
function extremesOfRows(values: Values, validity: Uint8Array): { min: number; max: number } | null {
  const before = orderOf(values)
  let min = -1
  let max = -1
  const doubles = values.physical === 'DOUBLE' ? values.data : null
  for (let i = 0; i < validity.length; i++) {
    if (validity[i] === 0) continue
    if (doubles !== null && Number.isNaN(doubles[i])) return null
    if (min === -1) {
      min = i
      max = i
    } else if (before(i, min)) min = i
    else if (before(max, i)) max = i
  }
  return min === -1 ? null : { min, max }
}

function extremesOfEntries(values: Values, used: Uint32Array): { min: number; max: number } | null {
  if (used.length === 0) return null
  const before = orderOf(values)
  const doubles = values.physical === 'DOUBLE' ? values.data : null
  let min = used[0]!
  let max = min
  for (const i of used) {
    if (doubles !== null && Number.isNaN(doubles[i])) return null
    if (before(i, min)) min = i
    if (before(max, i)) max = i
  }
  return { min, max }
}

/** Whether value `a` sorts before value `b`. */
function orderOf(values: Values): (a: number, b: number) => boolean {
  switch (values.physical) {
    case 'BOOLEAN':
    case 'INT32':
    case 'DOUBLE': {
      const { data } = values
      return (a, b) => data[a]! < data[b]!
    }
    case 'INT64': {
      const { data } = values
      return (a, b) => data[a]! < data[b]!
    }
    case 'FIXED_LEN_BYTE_ARRAY': {
      const { data, widthBytes: w } = values
      return (a, b) => {
        // The first byte carries the sign; after it bytes compare unsigned.
        const first = ((data[a * w]! << 24) >> 24) - ((data[b * w]! << 24) >> 24)
        if (first !== 0) return first < 0
        for (let k = 1; k < w; k++) {
          const difference = data[a * w + k]! - data[b * w + k]!
          if (difference !== 0) return difference < 0
        }
        return false
      }
    }
    case 'BYTE_ARRAY': {
      const { data, offsets } = values
      return (a, b) => {
        const startA = offsets[a]!
        const startB = offsets[b]!
        const lengthA = offsets[a + 1]! - startA
        const lengthB = offsets[b + 1]! - startB
        const shared = Math.min(lengthA, lengthB)
        for (let k = 0; k < shared; k++) {
          const difference = data[startA + k]! - data[startB + k]!
          if (difference !== 0) return difference < 0
        }
        return lengthA < lengthB
      }
    }
  }
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

function int32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, true)
  return bytes
}

function int64Bytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigInt64(0, value, true)
  return bytes
}

function doubleBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value, true)
  return bytes
}

/** Dictionary entries that a present row uses, in order of first use, and the place of each; entries nobody uses have no place. */
export function usedEntries(vector: ColumnVector & { form: 'dictionary' }): { used: Uint32Array; placeOf: Uint32Array } {
  const entries = countOf(vector.dictionary)
  const placeOf = new Uint32Array(entries)
  const used = new Uint32Array(Math.min(entries, vector.rows))
  let count = 0
  for (let i = 0; i < vector.rows; i++) {
    if (vector.validity[i] === 0) continue
    const code = vector.codes[i]!
    if (placeOf[code] !== 0) continue
    used[count++] = code
    placeOf[code] = count
  }
  // Places were counted from 1 so that 0 could mean "not seen yet".
  for (let k = 0; k < count; k++) placeOf[used[k]!]! -= 1
  return { used: used.slice(0, count), placeOf }
}
