export function packBits(codes: u32, count: u32, width: u32, out: u32): u32 {
  return pack<u32>(codes, codes + (count << 2), width, out) - out
}

export function encodeHybrid8(values: u32, count: u32, width: u32, out: u32): u32 {
  return encode<u8>(values, count, width, out) - out
}

export function encodeHybrid32(values: u32, count: u32, width: u32, out: u32): u32 {
  return encode<u32>(values, count, width, out) - out
}

function encode<T>(values: u32, count: u32, width: u32, out: u32): u32 {
  const minRun: u32 = width <= 2 ? 32 : width <= 4 ? 16 : 8
  const valueBytes = (width + 7) >> 3
  // Every run that counts is looked at within its first half, so places between can be passed over.
  const stride = (minRun >> 1) * sizeof<T>()
  const end = values + count * sizeof<T>()
  let literals = values
  let o = out
  let probe = values
  while (probe + sizeof<T>() < end) {
    const value = load<T>(probe)
    if (load<T>(probe, sizeof<T>()) != value) {
      probe += stride
      continue
    }
    let first = probe
    while (first > literals && load<T>(first - sizeof<T>()) == value) first -= sizeof<T>()
    let next = sameAs<T>(probe + 2 * sizeof<T>(), end, value)
    // Literals before a run must be whole groups of eight, so the run lends them what is missing.
    first += (8 * sizeof<T>() - (first - literals)) & (8 * sizeof<T>() - 1)
    if (next >= first + minRun * sizeof<T>()) {
      o = writeLiterals<T>(literals, first, width, o)
      o = varint(((next - first) / sizeof<T>()) << 1, o)
      let rest = <u32>value
      for (let b: u32 = 0; b < valueBytes; b++) {
        store<u8>(o++, <u8>rest)
        rest >>= 8
      }
      literals = next
    }
    probe = next
  }
  return writeLiterals<T>(literals, end, width, o)
}

/** Where the first value from `at` on stands that is another one. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function sameAs<T>(at: u32, end: u32, value: T): u32 {
  let p = at
  if (sizeof<T>() == 1) {
    const all = i8x16.splat(<i8>value)
    while (p + 16 <= end && i8x16.all_true(i8x16.eq(v128.load(p), all))) p += 16
  } else {
    const all = i32x4.splat(<i32>value)
    while (p + 16 <= end && i32x4.all_true(i32x4.eq(v128.load(p), all))) p += 16
  }
  while (p < end && load<T>(p) == value) p += sizeof<T>()
  return p
}

function writeLiterals<T>(from: u32, to: u32, width: u32, out: u32): u32 {
  if (from == to) return out
  const count = (to - from) / sizeof<T>()
  return pack<T>(from, to, width, varint((((count + 7) >> 3) << 1) + 1, out))
}

function varint(value: u32, out: u32): u32 {
  let v = value
  let o = out
  while (v > 0x7f) {
    store<u8>(o++, <u8>((v & 0x7f) | 0x80))
    v >>= 7
  }
  store<u8>(o, <u8>v)
  return o + 1
}

function pack<T>(from: u32, to: u32, width: u32, out: u32): u32 {
  const end = out + (((to - from) / sizeof<T>() + 7) >> 3) * width
  let o = out
  let p = from
  if (sizeof<T>() == 1) {
    if (width == 1) for (; p + 16 <= to; p += 16, o += 2) store<u16>(o, <u16>i8x16.bitmask(i8x16.shl(v128.load(p), 7)))
  } else if (width <= 8) {
    // Eight values are as many bytes as one has bits; what a store writes behind them is written over, save at the end.
    for (; p + 32 <= to && o + 8 <= end; p += 32, o += width) {
      store<u64>(o, four(p, width) | (four(p + 16, width) << (4 * width)))
    }
  } else if (width <= 16) {
    for (; p + 32 <= to && o + 16 <= end; p += 32, o += width) {
      const low = four(p, width)
      const high = four(p + 16, width)
      const bits = 4 * width
      // At 64 bits they meet at the border of the words; a shift by 64 would be none.
      store<u64>(o, bits == 64 ? low : low | (high << bits))
      store<u64>(o, bits == 64 ? high : high >> (64 - bits), 8)
    }
  }
  let pending: u64 = 0
  let bits: u64 = 0
  for (; p < to; p += sizeof<T>()) {
    pending |= <u64>load<T>(p) << bits
    bits += width
    if (bits >= 32) {
      store<u32>(o, <u32>pending)
      o += 4
      pending >>= 32
      bits -= 32
    }
  }
  while (o < end) {
    store<u8>(o++, <u8>pending)
    pending >>= 8
  }
  return end
}

/** Four words of up to 16 bits, one behind the other. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function four(at: u32, width: u32): u64 {
  const pairs = v128.load(at)
  const packed = v128.or(pairs, i64x2.shr_u(pairs, 32 - width))
  const mask = ((<u64>1) << (2 * width)) - 1
  return (i64x2.extract_lane(packed, 0) & mask) | ((i64x2.extract_lane(packed, 1) & mask) << (2 * width))
}
