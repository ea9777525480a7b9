import { CODE_OUTSIDE } from './faults'

/** Returns how many entries were not used before; a fault when a code is outside. */
export function markUsed(codes: u32, count: u32, entries: u32, used: u32): i32 {
  let fresh: i32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const code = load<u32>(codes + (i << 2))
    if (code >= entries) return CODE_OUTSIDE
    fresh += 1 - <i32>load<u8>(used + code)
    store<u8>(used + code, 1)
  }
  return fresh
}

/** The same where every entry is known to be used. */
export function checkCodes(codes: u32, count: u32, entries: u32): i32 {
  let highest = i32x4.splat(0)
  let i: u32 = 0
  for (; i + 4 <= count; i += 4) highest = i32x4.max_u(highest, v128.load(codes + (i << 2)))
  let most = max<u32>(
    max<u32>(i32x4.extract_lane(highest, 0), i32x4.extract_lane(highest, 1)),
    max<u32>(i32x4.extract_lane(highest, 2), i32x4.extract_lane(highest, 3)),
  )
  for (; i < count; i++) most = max<u32>(most, load<u32>(codes + (i << 2)))
  return count > 0 && most >= entries ? CODE_OUTSIDE : 0
}

export function gather4(dictionary: u32, codes: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u32>(out + (i << 2), load<u32>(dictionary + (load<u32>(codes + (i << 2)) << 2)))
}

export function gather8(dictionary: u32, codes: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u64>(out + (i << 3), load<u64>(dictionary + (load<u32>(codes + (i << 2)) << 3)))
}

export function gather16(dictionary: u32, codes: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) v128.store(out + (i << 4), v128.load(dictionary + (load<u32>(codes + (i << 2)) << 4)))
}

// Present values to their rows, zero to the others: by a mask, since nothing foresees which rows are missing.

export function spread1(from: u32, validity: u32, rows: u32, out: u32): void {
  let at = from
  for (let row: u32 = 0; row < rows; row++) {
    const here = <u32>load<u8>(validity + row)
    store<u8>(out + row, <u8>(load<u8>(at) & (0 - here)))
    at += here
  }
}

export function spread4(from: u32, validity: u32, rows: u32, out: u32): void {
  let at = from
  for (let row: u32 = 0; row < rows; row++) {
    const here = <u32>load<u8>(validity + row)
    store<u32>(out + (row << 2), load<u32>(at) & (0 - here))
    at += here << 2
  }
}

export function spread8(from: u32, validity: u32, rows: u32, out: u32): void {
  let at = from
  for (let row: u32 = 0; row < rows; row++) {
    const here = <u32>load<u8>(validity + row)
    store<u64>(out + (row << 3), load<u64>(at) & (0 - <u64>here))
    at += here << 3
  }
}

export function spread16(from: u32, validity: u32, rows: u32, out: u32): void {
  let at = from
  for (let row: u32 = 0; row < rows; row++) {
    const here = <u32>load<u8>(validity + row)
    v128.store(out + (row << 4), v128.and(v128.load(at), i64x2.splat(0 - <i64>here)))
    at += here << 4
  }
}

/** Every NaN as 0x7ff8000000000000, in place. */
export function oneNan(at: u32, count: u32): void {
  const end = at + (count << 3)
  const canonical = i64x2.splat(0x7ff8000000000000)
  let p = at
  for (; p + 16 <= end; p += 16) {
    const pair = v128.load(p)
    v128.store(p, v128.bitselect(pair, canonical, f64x2.eq(pair, pair)))
  }
  if (p < end) {
    const value = load<f64>(p)
    if (value != value) store<u64>(p, 0x7ff8000000000000)
  }
}

/** Puts the values whose flag is 1 one after the other; returns how many. */
export function compact(from: u32, flags: u32, count: u32, width: u32, out: u32): u32 {
  let to = out
  for (let i: u32 = 0; i < count; i++) {
    const at = from + i * width
    if (width == 16) v128.store(to, v128.load(at))
    else store<u64>(to, load<u64>(at))
    to += width & (0 - <u32>load<u8>(flags + i))
  }
  return (to - out) / width
}
