// The digest of a column chunk as its pages are decoded; ../chunk-digest.ts defines it, ../verify-chunk-digest.ts is the twin.

/** Sixteen words: the pairs that rows are folded into. */
const PAIRS: u32 = 128
/** Behind them, so that both are the one text that the digest is the hash of: how many rows there were. */
const ROWS: u32 = 192
/** Where `endDigest` puts its two words. */
const RESULT: u32 = 0

const MISSING: u64 = 0x27d4eb2f6d697373

export function startDigest(): void {
  for (let word: u32 = 0; word < 16; word++) store<u32>(PAIRS + (word << 2), (word + 1) * 0x9e3779b1)
  store<u32>(ROWS, 0)
}

export function endDigest(): void {
  store<u64>(RESULT, textHash(PAIRS, 68))
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function turn(word: u32): u32 {
  return rotl<u32>(word, 16)
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function hashOf(a: u32, b: u32): u64 {
  const low = a + turn(b * 0x85ebca6b)
  const high = b + turn(low * 0xc2b2ae35)
  return <u64>low | (<u64>high << 32)
}

// Four values at a time, one word of each in a vector.

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function turn4(words: v128): v128 {
  return v128.or(i32x4.shl(words, 16), i32x4.shr_u(words, 16))
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function storePairs(low: v128, high: v128, out: u32): void {
  v128.store(out, i32x4.shuffle(low, high, 0, 4, 1, 5))
  v128.store(out, i32x4.shuffle(low, high, 2, 6, 3, 7), 16)
}

export function hashes1(from: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u64>(out + (i << 3), hashOf(load<u8>(from + i), 0))
}

export function hashes4(from: u32, count: u32, out: u32): void {
  let i: u32 = 0
  for (; i + 4 <= count; i += 4) {
    const low = v128.load(from + (i << 2))
    storePairs(low, turn4(i32x4.mul(low, i32x4.splat(0xc2b2ae35))), out + (i << 3))
  }
  for (; i < count; i++) store<u64>(out + (i << 3), hashOf(load<u32>(from + (i << 2)), 0))
}

/** The same for INT64, and for DOUBLE once its NaNs are one. */
export function hashes8(from: u32, count: u32, out: u32): void {
  let i: u32 = 0
  for (; i + 4 <= count; i += 4) {
    const at = from + (i << 3)
    const first = v128.load(at)
    const second = v128.load(at, 16)
    const a = i32x4.shuffle(first, second, 0, 2, 4, 6)
    const b = i32x4.shuffle(first, second, 1, 3, 5, 7)
    const low = i32x4.add(a, turn4(i32x4.mul(b, i32x4.splat(0x85ebca6b))))
    storePairs(low, i32x4.add(b, turn4(i32x4.mul(low, i32x4.splat(0xc2b2ae35)))), out + (i << 3))
  }
  for (; i < count; i++) store<u64>(out + (i << 3), hashOf(load<u32>(from + (i << 3)), load<u32>(from + (i << 3), 4)))
}

export function hashes16(from: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u64>(out + (i << 3), textHash(from + (i << 4), 16))
}

/** Of texts in line, by their lengths. */
export function hashesOfTexts(texts: u32, lengths: u32, count: u32, out: u32): void {
  let at = texts
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(lengths + (i << 2))
    store<u64>(out + (i << 3), textHash(at, length))
    at += length
  }
}

export function textHash(from: u32, length: u32): u64 {
  let low: u32 = length ^ 0x2545f491
  let high: u32 = 0x165667b1
  const whole = length & ~7
  for (let done: u32 = 0; done < whole; done += 8) {
    const eight = load<u64>(from + done)
    low = turn(low ^ <u32>eight) * 0x9e3779b1 + high
    high = turn(high ^ <u32>(eight >> 32)) * 0x85ebca77 + low
  }
  if (whole < length) {
    // What lies behind the end is not the text's.
    const eight = load<u64>(from + whole) & (u64.MAX_VALUE >> (64 - (<u64>(length - whole) << 3)))
    low = turn(low ^ <u32>eight) * 0x9e3779b1 + high
    high = turn(high ^ <u32>(eight >> 32)) * 0x85ebca77 + low
  }
  low = (low ^ (low >> 15)) * 0xc2b2ae3d
  high = (high ^ low ^ (high >> 13)) * 0x27d4eb2f
  return <u64>(low ^ (high >> 16)) | (<u64>high << 32)
}

/**
 * A hash for each row, missing ones included, where `hashes` are those of the values that are there, or of the dictionary behind `codes`. Behind the
 * last value nothing is read but the first of all.
 */
export function hashesByRow(hashes: u32, codes: u32, validity: u32, rows: u32, out: u32): void {
  let next: u32 = 0
  for (let row: u32 = 0; row < rows; row++) {
    const here = <u32>load<u8>(validity + row)
    const value = next & (0 - here)
    const code = codes == 0 ? value : load<u32>(codes + (value << 2)) & (0 - here)
    store<u64>(out + (row << 3), MISSING ^ ((MISSING ^ load<u64>(hashes + (code << 3))) & (0 - <u64>here)))
    next += here
  }
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function hashAt(hashes: u32, codes: u32, row: u32): u64 {
  return load<u64>(hashes + ((codes == 0 ? row : load<u32>(codes + (row << 2))) << 3))
}

function foldOne(rowOfChunk: u32, hash: u64): void {
  const pair = PAIRS + ((rowOfChunk & 7) << 3)
  store<u32>(pair, turn(load<u32>(pair) ^ <u32>hash) * 0x9e3779b1)
  store<u32>(pair, turn(load<u32>(pair, 4) ^ <u32>(hash >> 32)) * 0x85ebca77, 4)
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function foldTwo(pairs: v128, first: u64, second: u64): v128 {
  const mixed = v128.xor(pairs, i64x2.replace_lane(i64x2.splat(first), 1, second))
  const halves = i16x8.shuffle(mixed, mixed, 1, 0, 3, 2, 5, 4, 7, 6)
  return i32x4.mul(halves, i32x4(0x9e3779b1, 0x85ebca77, 0x9e3779b1, 0x85ebca77))
}

/** The next rows of the chunk, none missing: by their hashes, or by those of the dictionary behind `codes`. */
export function foldHashes(hashes: u32, codes: u32, rows: u32): void {
  const before = load<u32>(ROWS)
  let row: u32 = 0
  for (; row < rows && ((before + row) & 7) != 0; row++) foldOne(before + row, hashAt(hashes, codes, row))
  let pairs01 = v128.load(PAIRS)
  let pairs23 = v128.load(PAIRS, 16)
  let pairs45 = v128.load(PAIRS, 32)
  let pairs67 = v128.load(PAIRS, 48)
  for (; row + 8 <= rows; row += 8) {
    pairs01 = foldTwo(pairs01, hashAt(hashes, codes, row), hashAt(hashes, codes, row + 1))
    pairs23 = foldTwo(pairs23, hashAt(hashes, codes, row + 2), hashAt(hashes, codes, row + 3))
    pairs45 = foldTwo(pairs45, hashAt(hashes, codes, row + 4), hashAt(hashes, codes, row + 5))
    pairs67 = foldTwo(pairs67, hashAt(hashes, codes, row + 6), hashAt(hashes, codes, row + 7))
  }
  v128.store(PAIRS, pairs01)
  v128.store(PAIRS, pairs23, 16)
  v128.store(PAIRS, pairs45, 32)
  v128.store(PAIRS, pairs67, 48)
  for (; row < rows; row++) foldOne(before + row, hashAt(hashes, codes, row))
  store<u32>(ROWS, before + rows)
}
