/** `Kernels.extremesInt64`, with the two halves of a value as numbers: the high one with its sign, the low one without. */
export function extremesInt64(
  u8: Uint8Array,
  i32: Int32Array,
  u32: Uint32Array,
  values: number,
  validity: number,
  rows: number,
  out: number,
): number {
  let count = 0
  let leastHigh = 0x7fffffff
  let leastLow = 0xffffffff
  let greatestHigh = -0x80000000
  let greatestLow = 0
  let at = values >>> 2
  for (let row = 0; row < rows; row++, at += 2) {
    if (u8[validity + row] === 0) continue
    const low = u32[at]!
    const high = i32[at + 1]!
    if (high < leastHigh || (high === leastHigh && low < leastLow)) {
      leastHigh = high
      leastLow = low
    }
    if (high > greatestHigh || (high === greatestHigh && low > greatestLow)) {
      greatestHigh = high
      greatestLow = low
    }
    count++
  }
  u32[out >>> 2] = leastLow
  i32[(out >>> 2) + 1] = leastHigh
  u32[(out >>> 2) + 2] = greatestLow
  i32[(out >>> 2) + 3] = greatestHigh
  return count
}
