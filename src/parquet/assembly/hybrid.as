import {
  CODES_END,
  CODES_PACKED_CUT,
  CODES_RUN_CUT,
  CODES_RUN_LONG,
  LEVEL_UNKNOWN,
  LEVELS_END,
  LEVELS_PACKED_CUT,
  LEVELS_RUN_LONG,
  RUN_EMPTY,
  RUN_HEADER_CUT,
  RUN_HEADER_LONG,
} from './faults'
import { unpackBits } from './bits'

/** Where the header of a run ended. */
let cursor: u32 = 0

/** Number of values times two, plus one when they are packed; or a fault. */
function readRun(start: u32, end: u32): i64 {
  let at = start
  let header: u32 = 0
  for (let shift: u32 = 0; ; shift += 7) {
    if (at >= end || shift > 28) return RUN_HEADER_CUT
    const byte = <u32>load<u8>(at++)
    if (shift == 28 && byte > 0x0f) return RUN_HEADER_LONG
    header |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  cursor = at
  if (header >> 1 == 0) return RUN_EMPTY
  return header & 1 ? (<i64>(header >> 1) << 4) | 1 : <i64>(header >> 1) << 1
}

/** Returns the present rows or a fault. Where all rows are present in one run, which is most pages, `out` is left as it is. */
export function decodeLevels(start: u32, end: u32, rows: u32, out: u32): i32 {
  let at = start
  let present: u32 = 0
  let row: u32 = 0
  while (row < rows) {
    const run = readRun(at, end)
    if (run < 0) return <i32>run
    at = cursor
    const count = <u64>(run >> 1)
    const n = <u32>min<u64>(count, rows - row)
    if (run & 1) {
      if (count >> 3 > <u64>(end - at)) return LEVELS_PACKED_CUT
      present += unpackBits(at, n, out + row)
      at += <u32>(count >> 3)
    } else {
      if (count != <u64>n) return LEVELS_RUN_LONG
      if (at >= end) return LEVEL_UNKNOWN
      const level = load<u8>(at++)
      if (level > 1) return LEVEL_UNKNOWN
      if (level == 1) {
        present += n
        if (n == rows) break
      }
      memory.fill(out + row, level, n)
    }
    row += n
  }
  return at == end ? present : LEVELS_END
}

/** Codes of up to 32 bits, as words. Returns 0 or a fault. */
export function decodeCodes(start: u32, end: u32, width: u32, count: u32, out: u32): i32 {
  const valueBytes = (width + 7) >> 3
  let at = start
  let done: u32 = 0
  let prepared = false
  while (done < count) {
    const run = readRun(at, end)
    if (run < 0) return <i32>run
    at = cursor
    const values = <u64>(run >> 1)
    const n = <u32>min<u64>(values, count - done)
    const to = out + (done << 2)
    if (run & 1) {
      const packedBytes = (values >> 3) * width
      if (packedBytes > <u64>(end - at)) return CODES_PACKED_CUT
      if (width == 0 || width > 25) unpackWide(at, width, n, to)
      else {
        if (!prepared) prepare(width)
        prepared = true
        unpack(at, width, n, to)
      }
      at += <u32>packedBytes
    } else {
      if (values != <u64>n) return CODES_RUN_LONG
      if (valueBytes > end - at) return CODES_RUN_CUT
      const value = valueBytes == 0 ? 0 : load<u32>(at) & ((<u32>0xffffffff) >> (32 - 8 * valueBytes))
      fill(to, value, n)
      at += valueBytes
    }
    done += n
  }
  return at == end ? 0 : CODES_END
}

function fill(to: u32, value: u32, count: u32): void {
  const words = i32x4.splat(value)
  const end = to + (count << 2)
  for (let at = to; at < end; at += 16) v128.store(at, words)
}

// How four packed values become four words, for the two halves of a group of eight: which bytes go to which word, and by what a word is
// multiplied, so that all values begin at bit 7.
const SHUFFLE_LOW: u32 = 64
const SHUFFLE_HIGH: u32 = 80
const FACTORS_LOW: u32 = 96
const FACTORS_HIGH: u32 = 112

function prepare(width: u32): void {
  for (let half: u32 = 0; half < 2; half++) {
    const first = half * ((4 * width) & 7)
    for (let lane: u32 = 0; lane < 4; lane++) {
      const bit = first + lane * width
      for (let b: u32 = 0; b < 4; b++) store<u8>(SHUFFLE_LOW + half * 16 + lane * 4 + b, <u8>((bit >> 3) + b))
      store<u32>(FACTORS_LOW + half * 16 + lane * 4, 1 << (7 - (bit & 7)))
    }
  }
}

/** Whole groups of eight: up to seven words behind the last are written too. */
function unpack(from: u32, width: u32, count: u32, out: u32): void {
  const shuffleLow = v128.load(SHUFFLE_LOW)
  const shuffleHigh = v128.load(SHUFFLE_HIGH)
  const factorsLow = v128.load(FACTORS_LOW)
  const factorsHigh = v128.load(FACTORS_HIGH)
  const mask = i32x4.splat((1 << width) - 1)
  const half = (4 * width) >> 3
  const end = out + (count << 2)
  let at = from
  for (let to = out; to < end; to += 32) {
    const low = i32x4.mul(i8x16.swizzle(v128.load(at), shuffleLow), factorsLow)
    const high = i32x4.mul(i8x16.swizzle(v128.load(at + half), shuffleHigh), factorsHigh)
    v128.store(to, v128.and(i32x4.shr_u(low, 7), mask))
    v128.store(to, v128.and(i32x4.shr_u(high, 7), mask), 16)
    at += width
  }
}

function unpackWide(from: u32, width: u32, count: u32, out: u32): void {
  const mask = (<u64>1 << width) - 1
  let bit: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(out + (i << 2), <u32>((load<u64>(from + <u32>(bit >> 3)) >> (bit & 7)) & mask))
    bit += width
  }
}
