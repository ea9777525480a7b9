/** A field without its quotes: the start of the text in the low half, its end in the high half. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function textOf(field: u32, quote: u32): u64 {
  let start = load<u32>(field)
  let end = load<u32>(field, 4) - 1
  if (quote != 0 && start < end && load<u8>(start) == <u8>quote) {
    start++
    end--
  }
  return <u64>start | (<u64>end << 32)
}

const ZEROS: u64 = 0x3030303030303030
const TOP_BITS: u64 = 0x8080808080808080
/** Added to a byte it sets the top bit from 10 on. */
const BEYOND_NINE: u64 = 0x7676767676767676

/** The 1 to 8 characters at `p`, each less '0' and the first of them lowest, at the upper end of a word; below, zeros stand for what is missing. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function charactersAt(p: u32, length: u32): u64 {
  return (load<u64>(p) ^ ZEROS) << (64 - (<u64>length << 3))
}

/** Not 0 where one of eight such characters is no digit. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function otherThanDigits(characters: u64): u64 {
  return (characters | (characters + BEYOND_NINE)) & TOP_BITS
}

/** Eight digits as a number: by pairs, by fours, then both fours. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function numberOfDigits(digits: u64): u64 {
  const pairs = ((digits * 2561) >> 8) & 0x00ff00ff00ff00ff
  const fours = ((pairs * 6_553_601) >> 16) & 0x0000ffff0000ffff
  return (fours * 42_949_672_960_001) >> 32
}

/** 10^0 to 10^19. */
export const POWERS_OF_TEN: usize = memory.data<u64>([
  1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000, 1_000_000_000_000,
  10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000, 10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000,
  10_000_000_000_000_000_000,
])

const PLACES: v128 = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/** What stands before the first point among `length` characters (16 at most), each less '0'. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function beforePoint(characters: v128, length: u32): u32 {
  return ctz<u32>(<u32>i8x16.bitmask(i8x16.eq(characters, i8x16.splat(0x2e ^ 0x30))) | ((<u32>1) << length))
}

/**
 * `length` characters without the one at `before`, at the upper end of 16 bytes, zeros below them; where `before` is `length`, one place higher
 * at all: the last one is gone then, which is none of them.
 */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function withoutPoint(characters: v128, length: u32, before: u32): v128 {
  const from = i8x16.add(PLACES, i8x16.splat(<i8>(length - 16)))
  // All ones is -1: what stood before the point moves up by one.
  const moved = i8x16.le_s(from, i8x16.splat(<i8>before))
  return i8x16.swizzle(characters, i8x16.add(from, moved))
}

/** All 16 are digits. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function areDigits(characters: v128): bool {
  return !v128.any_true(i8x16.gt_u(characters, i8x16.splat(9)))
}

/** 16 digits as a number: by pairs, by fours, by eights. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function numberOf16(digits: v128): i64 {
  const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(digits, 8))
  const fours = i32x4.dot_i16x8_s(pairs, i16x8(100, 1, 100, 1, 100, 1, 100, 1))
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(fours, fours), i16x8(10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1))
  const both = i64x2.extract_lane(eights, 0)
  return (both & 0xffffffff) * 100_000_000 + (both >> 32)
}
