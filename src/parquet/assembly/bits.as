/** Which byte of two a flag of sixteen comes from, and which bit of it. */
const SPREAD: v128 = i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
const BITS: v128 = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128)

/** Writes a byte of 0 or 1 for each of `count` bits, up to fifteen more, and returns how many are 1. */
export function unpackBits(from: u32, count: u32, out: u32): u32 {
  for (let i: u32 = 0; i < count; i += 16) {
    const two = i16x8.splat(load<i16>(from + (i >> 3)))
    const flags = i8x16.ne(v128.and(i8x16.swizzle(two, SPREAD), BITS), i8x16.splat(0))
    v128.store(out + i, v128.and(flags, i8x16.splat(1)))
  }
  return countBits(from, count)
}

export function countBits(from: u32, count: u32): u32 {
  let ones: u64 = 0
  let i: u32 = 0
  for (; i + 64 <= count; i += 64) ones += popcnt<u64>(load<u64>(from + (i >> 3)))
  if (i < count) ones += popcnt<u64>(load<u64>(from + (i >> 3)) & (u64.MAX_VALUE >> (64 - (count - i))))
  return <u32>ones
}

/** Of bytes that are 0 or 1. */
export function countOnes(from: u32, count: u32): u32 {
  let ones: u64 = 0
  let i: u32 = 0
  for (; i + 8 <= count; i += 8) ones += popcnt<u64>(load<u64>(from + i))
  for (; i < count; i++) ones += load<u8>(from + i)
  return <u32>ones
}
