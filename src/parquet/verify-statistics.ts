import type { PhysicalType, Values } from '../columns/vector.js'
import type { CodedPage, DecodedPage } from './decode-column.js'
import type { ColumnChunkFacts } from './read-file.js'
import type { PhysicalValue } from './value-order.js'

/**
 * Holds the statistics of a column chunk against its decoded values. Statistics are promises: every present value lies between the bounds,
 * exact bounds are values of the chunk, and the missing rows are counted; an engine that believes a wrong one leaves out rows that match.
 *
 * Order: parquet-format, ColumnOrder, TypeDefinedOrder. Written apart from statistics.ts, which makes the statistics.
 */
export class StatisticsCheck {
  private readonly seen: Bounds | null
  private nulls = 0
  private coded: CodedPage | null = null

  constructor(
    physical: PhysicalType,
    private readonly chunk: ColumnChunkFacts,
  ) {
    this.seen = chunk.min === null && chunk.max === null ? null : boundsOf(physical, chunk.min, chunk.max)
  }

  take(page: DecodedPage): void {
    this.nulls += page.nulls
    if (this.seen === null) return
    // Entries of a dictionary are looked at once, at the end, when it is known which of them a row has.
    if (page.form === 'dictionary') this.coded = page
    else this.seen.take(page.values, page.validity)
  }

  /** What is wrong, or null. */
  finish(): string | null {
    const { chunk, seen, nulls, coded } = this
    if (seen !== null && coded !== null) seen.take(coded.dictionary, coded.used)
    return statisticsFault(chunk, nulls, seen)
  }
}

/** What was seen of the values of a chunk, compared with its bounds. */
export interface SeenBounds {
  outside(): boolean
  minSeen(): boolean
  maxSeen(): boolean
}

/** What is wrong with the statistics of a chunk, or null. `seen` null: they have no bounds. */
export function statisticsFault(chunk: ColumnChunkFacts, nulls: number, seen: SeenBounds | null): string | null {
  if (chunk.nullCount !== null && chunk.nullCount !== nulls) return `the null count says ${chunk.nullCount}, ${nulls} rows are missing`
  if (seen === null) return null
  // A NaN compares as neither, and bounds beside it mislead engines that sort NaN above everything.
  if (seen.outside()) return 'a value lies outside minimum and maximum'
  if ((chunk.min !== null && chunk.minExact && !seen.minSeen()) || (chunk.max !== null && chunk.maxExact && !seen.maxSeen()))
    return 'a bound is said to be exact and is no value of the column'
  return null
}

interface Bounds extends SeenBounds {
  /** The values whose flag is 1. */
  take(values: Values, flags: Uint8Array): void
}

function boundsOf(physical: PhysicalType, min: PhysicalValue | null, max: PhysicalValue | null): Bounds {
  switch (physical) {
    case 'INT64':
      return new Int64Bounds(min as bigint | null, max as bigint | null)
    case 'BYTE_ARRAY':
    case 'FIXED_LEN_BYTE_ARRAY':
      return new ByteBounds(min as Uint8Array | null, max as Uint8Array | null, physical === 'FIXED_LEN_BYTE_ARRAY' ? 0x80 : 0)
    default:
      return new NumberBounds(min as number | null, max as number | null)
  }
}

class NumberBounds implements Bounds {
  /** Lowest, highest, and 1 when there was a NaN. Lowest above highest: there was no value. */
  private readonly seen = Float64Array.of(Infinity, -Infinity, 0)

  constructor(
    private readonly min: number | null,
    private readonly max: number | null,
  ) {}

  take(values: Values, flags: Uint8Array): void {
    if (values.physical === 'INT32') seeInt32(values.data, flags, this.seen)
    else if (values.physical === 'DOUBLE') seeDouble(values.data, flags, this.seen)
    else seeBoolean((values as Extract<Values, { physical: 'BOOLEAN' }>).data, flags, this.seen)
  }

  outside(): boolean {
    const [low, high, nan] = this.seen as unknown as [number, number, number]
    if (nan === 1) return true
    return low <= high && ((this.min !== null && low < this.min) || (this.max !== null && high > this.max))
  }

  // -0 and 0 are one number here: a minimum of zero is written as -0, a maximum of zero as 0.
  minSeen(): boolean {
    return this.seen[0]! <= this.seen[1]! && this.seen[0] === this.min
  }

  maxSeen(): boolean {
    return this.seen[0]! <= this.seen[1]! && this.seen[1] === this.max
  }
}

// One loop per kind of array, for a loop that meets several is slow in all of them; and nothing after a loop (see `inflate` in
// decode-snappy.ts), which is why the extremes are kept in arrays.

function seeInt32(data: Int32Array, flags: Uint8Array, seen: Float64Array): void {
  for (let i = 0; i < data.length; i++) {
    if (flags[i] === 0) continue
    const value = data[i]!
    if (value < seen[0]!) seen[0] = value
    if (value > seen[1]!) seen[1] = value
  }
}

function seeDouble(data: Float64Array, flags: Uint8Array, seen: Float64Array): void {
  for (let i = 0; i < data.length; i++) {
    if (flags[i] === 0) continue
    const value = data[i]!
    if (value < seen[0]!) seen[0] = value
    if (value > seen[1]!) seen[1] = value
    if (Number.isNaN(value)) seen[2] = 1
  }
}

function seeBoolean(data: Uint8Array, flags: Uint8Array, seen: Float64Array): void {
  for (let i = 0; i < data.length; i++) {
    if (flags[i] === 0) continue
    const value = data[i]!
    if (value < seen[0]!) seen[0] = value
    if (value > seen[1]!) seen[1] = value
  }
}

/** Turns an unsigned word into a signed one of the same order, which is quicker to compare. */
const TURN = -0x80000000

/** 64-bit numbers as their two words: a bigint per row would be an object per row. */
class Int64Bounds implements Bounds {
  /** Upper and lower word of the lowest, upper and lower word of the highest; lower words turned. Lowest above highest: there was no value. */
  private readonly seen = Int32Array.of(0x7fffffff, 0x7fffffff, -0x80000000, -0x80000000)

  constructor(
    private readonly min: bigint | null,
    private readonly max: bigint | null,
  ) {}

  take(values: Values, flags: Uint8Array): void {
    const { buffer, byteOffset, length } = (values as Extract<Values, { physical: 'INT64' }>).data
    seeInt64(new Int32Array(buffer, byteOffset, length * 2), flags, this.seen)
  }

  private at(word: number): bigint {
    return (BigInt(this.seen[word]!) << 32n) | BigInt((this.seen[word + 1]! ^ TURN) >>> 0)
  }

  outside(): boolean {
    const low = this.at(0)
    const high = this.at(2)
    return low <= high && ((this.min !== null && low < this.min) || (this.max !== null && high > this.max))
  }

  minSeen(): boolean {
    return this.at(0) <= this.at(2) && this.at(0) === this.min
  }

  maxSeen(): boolean {
    return this.at(0) <= this.at(2) && this.at(2) === this.max
  }
}

function seeInt64(words: Int32Array, flags: Uint8Array, seen: Int32Array): void {
  for (let i = 0; i < words.length; i += 2) {
    if (flags[i >> 1] === 0) continue
    const upper = words[i + 1]!
    const lower = words[i]! ^ TURN
    if (upper < seen[0]! || (upper === seen[0] && lower < seen[1]!)) {
      seen[0] = upper
      seen[1] = lower
    }
    if (upper > seen[2]! || (upper === seen[2] && lower > seen[3]!)) {
      seen[2] = upper
      seen[3] = lower
    }
  }
}

/** Texts, unsigned byte by byte; and big-endian numbers in two's complement, which sort the same way once their sign bit is turned over. */
class ByteBounds implements Bounds {
  private out = false
  private sawMin = false
  private sawMax = false

  constructor(
    private readonly min: Uint8Array | null,
    private readonly max: Uint8Array | null,
    private readonly signMask: number,
  ) {}

  take(values: Values, flags: Uint8Array): void {
    const { min, max, signMask } = this
    const data = values.data as Uint8Array
    const offsets = values.physical === 'BYTE_ARRAY' ? values.offsets : null
    const width = values.physical === 'FIXED_LEN_BYTE_ARRAY' ? values.widthBytes : 0
    const count = offsets === null ? data.length / width : offsets.length - 1
    for (let i = 0; i < count; i++) {
      if (flags[i] === 0) continue
      const start = offsets === null ? i * width : offsets[i]!
      const end = offsets === null ? start + width : offsets[i + 1]!
      if (min !== null) {
        const order = compareBytes(data, start, end, min, signMask)
        if (order < 0) this.out = true
        else if (order === 0) this.sawMin = true
      }
      if (max !== null) {
        const order = compareBytes(data, start, end, max, signMask)
        if (order > 0) this.out = true
        else if (order === 0) this.sawMax = true
      }
    }
  }

  outside(): boolean {
    return this.out
  }

  minSeen(): boolean {
    return this.sawMin
  }

  maxSeen(): boolean {
    return this.sawMax
  }
}

function compareBytes(data: Uint8Array, start: number, end: number, bound: Uint8Array, signMask: number): number {
  const length = end - start
  const shared = Math.min(length, bound.length)
  if (shared > 0) {
    const difference = (data[start]! ^ signMask) - (bound[0]! ^ signMask)
    if (difference !== 0) return difference
  }
  for (let i = 1; i < shared; i++) {
    const difference = data[start + i]! - bound[i]!
    if (difference !== 0) return difference
  }
  return length - bound.length
}
