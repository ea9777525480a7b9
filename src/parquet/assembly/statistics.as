// Results are put at address 0: the lowest, then the highest at 16; and in one word at 32 whether there was a NaN.

export function extremes4(from: u32, count: u32): void {
  let low = i32x4.splat(i32.MAX_VALUE)
  let high = i32x4.splat(i32.MIN_VALUE)
  let i: u32 = 0
  for (; i + 4 <= count; i += 4) {
    const four = v128.load(from + (i << 2))
    low = i32x4.min_s(low, four)
    high = i32x4.max_s(high, four)
  }
  let lowest = min(
    min(i32x4.extract_lane(low, 0), i32x4.extract_lane(low, 1)),
    min(i32x4.extract_lane(low, 2), i32x4.extract_lane(low, 3)),
  )
  let highest = max(
    max(i32x4.extract_lane(high, 0), i32x4.extract_lane(high, 1)),
    max(i32x4.extract_lane(high, 2), i32x4.extract_lane(high, 3)),
  )
  for (; i < count; i++) {
    const value = load<i32>(from + (i << 2))
    lowest = min(lowest, value)
    highest = max(highest, value)
  }
  store<i32>(0, lowest)
  store<i32>(16, highest)
}

export function extremes8(from: u32, count: u32): void {
  let low0 = i64.MAX_VALUE
  let high0 = i64.MIN_VALUE
  let low1 = low0
  let high1 = high0
  let i: u32 = 0
  for (; i + 2 <= count; i += 2) {
    const a = load<i64>(from + (i << 3))
    const b = load<i64>(from + (i << 3), 8)
    low0 = a < low0 ? a : low0
    high0 = a > high0 ? a : high0
    low1 = b < low1 ? b : low1
    high1 = b > high1 ? b : high1
  }
  if (i < count) {
    const a = load<i64>(from + (i << 3))
    low0 = a < low0 ? a : low0
    high0 = a > high0 ? a : high0
  }
  store<i64>(0, min(low0, low1))
  store<i64>(16, max(high0, high1))
}

export function extremesDouble(from: u32, count: u32): void {
  let low = f64x2.splat(Infinity)
  let high = f64x2.splat(-Infinity)
  let numbers = i64x2.splat(-1)
  let i: u32 = 0
  for (; i + 2 <= count; i += 2) {
    const pair = v128.load(from + (i << 3))
    low = f64x2.pmin(low, pair)
    high = f64x2.pmax(high, pair)
    numbers = v128.and(numbers, f64x2.eq(pair, pair))
  }
  let lowest = f64x2.extract_lane(low, 0)
  if (f64x2.extract_lane(low, 1) < lowest) lowest = f64x2.extract_lane(low, 1)
  let highest = f64x2.extract_lane(high, 0)
  if (f64x2.extract_lane(high, 1) > highest) highest = f64x2.extract_lane(high, 1)
  let nan = !i64x2.all_true(numbers)
  if (i < count) {
    const value = load<f64>(from + (i << 3))
    if (value < lowest) lowest = value
    if (value > highest) highest = value
    if (value != value) nan = true
  }
  store<f64>(0, lowest)
  store<f64>(16, highest)
  store<u32>(32, nan ? 1 : 0)
}

// Bounds of texts and wide decimals. The result has bit 0 when a value lies outside, bit 1 when one is the minimum, bit 2 the maximum; an
// address of 0 is a bound that there is not.

/** Big-endian, two's complement. */
export function bounds16(from: u32, count: u32, least: u32, most: u32): u32 {
  let found: u32 = 0
  const leastHigh = bswap<i64>(load<i64>(least))
  const leastLow = bswap<u64>(load<u64>(least, 8))
  const mostHigh = bswap<i64>(load<i64>(most))
  const mostLow = bswap<u64>(load<u64>(most, 8))
  for (let i: u32 = 0; i < count; i++) {
    const at = from + (i << 4)
    const high = bswap<i64>(load<i64>(at))
    const low = bswap<u64>(load<u64>(at, 8))
    if (least != 0) {
      if (high < leastHigh || (high == leastHigh && low < leastLow)) found |= 1
      else if (high == leastHigh && low == leastLow) found |= 2
    }
    if (most != 0) {
      if (high > mostHigh || (high == mostHigh && low > mostLow)) found |= 1
      else if (high == mostHigh && low == mostLow) found |= 4
    }
  }
  return found
}

/** Texts in line, by their lengths; of those with a flag of 1, or of all (`flags` 0). */
export function boundsTexts(
  texts: u32,
  lengths: u32,
  flags: u32,
  count: u32,
  least: u32,
  leastLength: u32,
  most: u32,
  mostLength: u32,
): u32 {
  let found: u32 = 0
  const leastHead = least == 0 ? 0 : headOf(least, leastLength)
  const mostHead = most == 0 ? u64.MAX_VALUE : headOf(most, mostLength)
  let at = texts
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(lengths + (i << 2))
    if (flags == 0 || load<u8>(flags + i) != 0) {
      const head = headOf(at, length)
      // Only texts that begin like a bound need a closer look.
      if (head <= leastHead || head >= mostHead) found |= placeOf(at, length, least, leastLength, most, mostLength)
    }
    at += length
  }
  return found
}

/** How one text lies to the bounds: the bits of the result. */
export function placeOf(at: u32, length: u32, least: u32, leastLength: u32, most: u32, mostLength: u32): u32 {
  let found: u32 = 0
  if (least != 0) {
    const order = compare(at, length, least, leastLength)
    if (order <= 0) found |= order < 0 ? 1 : 2
  }
  if (most != 0) {
    const order = compare(at, length, most, mostLength)
    if (order >= 0) found |= order > 0 ? 1 : 4
  }
  return found
}

/** The first eight bytes as a number that sorts as they do; zeros where there are fewer. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
export function headOf(at: u32, length: u32): u64 {
  const head = bswap<u64>(load<u64>(at))
  // Shifts are modulo 64, so that of no bytes at all must be made of two.
  return length >= 8 ? head : head & ((<u64>-2) << (63 - (<u64>length << 3)))
}

function compare(a: u32, aLength: u32, b: u32, bLength: u32): i32 {
  const shared = min(aLength, bLength)
  for (let i: u32 = 0; i < shared; i++) {
    const difference = <i32>load<u8>(a + i) - <i32>load<u8>(b + i)
    if (difference != 0) return difference
  }
  return aLength == bLength ? 0 : aLength < bLength ? -1 : 1
}
