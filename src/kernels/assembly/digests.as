// Hashes of values and of rows in order; see ../digests.ts. Two pairs of words make a vector.

const FACTORS: v128 = i32x4(0x9e3779b1, 0x85ebca77, 0x9e3779b1, 0x85ebca77)
/** Low word: missing rows' `low`. */
const MISSING: u64 = 0x27d4eb2f6d697373
const FIRST: v128 = i32x4(0, 0x85ebca6b, 0, 0x85ebca6b)
const SECOND: v128 = i32x4(0xc2b2ae35, 0, 0xc2b2ae35, 0)

/** The halves of each word change places. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function turned(words: v128): v128 {
  return i8x16.shuffle(words, words, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
}

/** The same, and the words of a pair change places too. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function crossed(words: v128): v128 {
  return i8x16.shuffle(words, words, 6, 7, 4, 5, 2, 3, 0, 1, 14, 15, 12, 13, 10, 11, 8, 9)
}

/** What is multiplied by 0 adds nothing to the other word of its pair. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function hashPairs(pairs: v128): v128 {
  const low = i32x4.add(pairs, crossed(i32x4.mul(pairs, FIRST)))
  return i32x4.add(low, crossed(i32x4.mul(low, SECOND)))
}

export function hashFixed1(values: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    v128.store64_lane(out + (i << 3), hashPairs(i64x2.splat(<i64>load<u8>(values + i))), 0)
  }
}

export function hashFixed4(values: u32, count: u32, out: u32): void {
  let i: u32 = 0
  for (; i + 4 <= count; i += 4) {
    const words = v128.load(values + (i << 2))
    v128.store(out + (i << 3), hashPairs(i64x2.extend_low_i32x4_u(words)))
    v128.store(out + (i << 3), hashPairs(i64x2.extend_high_i32x4_u(words)), 16)
  }
  for (; i < count; i++) {
    v128.store64_lane(out + (i << 3), hashPairs(i64x2.splat(<i64>load<u32>(values + (i << 2)))), 0)
  }
}

export function hashFixed8(values: u32, count: u32, out: u32): void {
  let i: u32 = 0
  for (; i + 2 <= count; i += 2) v128.store(out + (i << 3), hashPairs(v128.load(values + (i << 3))))
  if (i < count) v128.store64_lane(out + (i << 3), hashPairs(v128.load64_zero(values + (i << 3))), 0)
}

export function hashFixed16(values: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u64>(out + (i << 3), hashText(values + (i << 4), 16))
}

export function hashTexts(data: u32, offsets: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const at = offsets + (i << 2)
    const from = load<u32>(at)
    store<u64>(out + (i << 3), hashText(data + from, load<u32>(at, 4) - from))
  }
}

function hashText(from: u32, length: u32): u64 {
  let low: u32 = length ^ 0x2545f491
  let high: u32 = 0x165667b1
  const end = from + length
  let at = from
  for (; at + 8 <= end; at += 8) {
    low = rotl<u32>(low ^ load<u32>(at), 16) * 0x9e3779b1 + high
    high = rotl<u32>(high ^ load<u32>(at, 4), 16) * 0x85ebca77 + low
  }
  if (at < end) {
    const rest = load<u64>(at) & (u64.MAX_VALUE >> (64 - (<u64>(end - at) << 3)))
    low = rotl<u32>(low ^ <u32>rest, 16) * 0x9e3779b1 + high
    high = rotl<u32>(high ^ <u32>(rest >> 32), 16) * 0x85ebca77 + low
  }
  low = (low ^ (low >> 15)) * 0xc2b2ae3d
  high = (high ^ low ^ (high >> 13)) * 0x27d4eb2f
  low ^= high >> 16
  return <u64>low | (<u64>high << 32)
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function fold(lanes: v128, hashes: v128): v128 {
  return i32x4.mul(turned(v128.xor(lanes, hashes)), FACTORS)
}

/** The hashes of two codes. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function two(hashes: u32, codes: u32): v128 {
  return v128.load64_lane(hashes + (load<u32>(codes, 4) << 3), v128.load64_zero(hashes + (load<u32>(codes) << 3)), 1)
}

/** By a mask: which rows are missing is nothing that the processor could foresee. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function rowHash(hashes: u32, codes: u32, validity: u32, i: u32): u64 {
  const code = codes == 0 ? i : load<u32>(codes + (i << 2))
  const mask: u64 = validity == 0 ? u64.MAX_VALUE : 0 - <u64>load<u8>(validity + i)
  return MISSING ^ ((MISSING ^ load<u64>(hashes + (code << 3))) & mask)
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function twoRows(hashes: u32, codes: u32, validity: u32, i: u32): v128 {
  return i64x2.replace_lane(i64x2.splat(rowHash(hashes, codes, validity, i)), 1, rowHash(hashes, codes, validity, i + 1))
}

export function foldRows(hashes: u32, codes: u32, validity: u32, count: u32, lanes: u32): void {
  let a = v128.load(lanes)
  let b = v128.load(lanes, 16)
  let c = v128.load(lanes, 32)
  let d = v128.load(lanes, 48)
  let i: u32 = 0
  if (validity != 0) {
    for (; i + 8 <= count; i += 8) {
      a = fold(a, twoRows(hashes, codes, validity, i))
      b = fold(b, twoRows(hashes, codes, validity, i + 2))
      c = fold(c, twoRows(hashes, codes, validity, i + 4))
      d = fold(d, twoRows(hashes, codes, validity, i + 6))
    }
  } else if (codes != 0) {
    for (; i + 8 <= count; i += 8) {
      const at = codes + (i << 2)
      a = fold(a, two(hashes, at))
      b = fold(b, two(hashes, at + 8))
      c = fold(c, two(hashes, at + 16))
      d = fold(d, two(hashes, at + 24))
    }
  } else {
    for (; i + 8 <= count; i += 8) {
      const at = hashes + (i << 3)
      a = fold(a, v128.load(at))
      b = fold(b, v128.load(at, 16))
      c = fold(c, v128.load(at, 32))
      d = fold(d, v128.load(at, 48))
    }
  }
  v128.store(lanes, a)
  v128.store(lanes, b, 16)
  v128.store(lanes, c, 32)
  v128.store(lanes, d, 48)
  for (; i < count; i++) {
    const hash = rowHash(hashes, codes, validity, i)
    const lane = lanes + ((i & 7) << 3)
    store<u32>(lane, rotl<u32>(load<u32>(lane) ^ <u32>hash, 16) * 0x9e3779b1)
    store<u32>(lane, rotl<u32>(load<u32>(lane, 4) ^ <u32>(hash >> 32), 16) * 0x85ebca77, 4)
  }
}
