export function packBits(codes: u32, count: u32, width: u32, out: u32): u32 {
  return pack<u32>(codes, 0, count, width, out) - out
}

export function encodeHybrid8(values: u32, count: u32, width: u32, out: u32): u32 {
  return encode<u8>(values, count, width, out) - out
}

export function encodeHybrid32(values: u32, count: u32, width: u32, out: u32): u32 {
  return encode<u32>(values, count, width, out) - out
}

function encode<T>(values: u32, count: u32, width: u32, out: u32): u32 {
  const minRun: i32 = width <= 2 ? 32 : width <= 4 ? 16 : 8
  const valueBytes = (width + 7) >> 3
  let literals: u32 = 0
  let o = out
  let i: u32 = 0
  while (i < count) {
    const value = <u32>load<T>(values + i * sizeof<T>())
    let next = i + 1
    while (next < count && <u32>load<T>(values + next * sizeof<T>()) == value) next++
    const lent = (8 - ((i - literals) & 7)) & 7
    if (<i32>(next - i - lent) >= minRun) {
      o = writeLiterals<T>(values, literals, i + lent, width, o)
      o = varint((next - i - lent) << 1, o)
      let rest = value
      for (let b: u32 = 0; b < valueBytes; b++) {
        store<u8>(o++, <u8>rest)
        rest >>= 8
      }
      literals = next
    }
    i = next
  }
  return writeLiterals<T>(values, literals, count, width, o)
}

function writeLiterals<T>(values: u32, from: u32, to: u32, width: u32, out: u32): u32 {
  if (from == to) return out
  return pack<T>(values, from, to, width, varint((((to - from + 7) >> 3) << 1) + 1, out))
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

function pack<T>(values: u32, from: u32, to: u32, width: u32, out: u32): u32 {
  const end = out + ((to - from + 7) >> 3) * width
  let pending: u64 = 0
  let bits: u64 = 0
  let o = out
  const last = values + to * sizeof<T>()
  for (let p = values + from * sizeof<T>(); p < last; p += sizeof<T>()) {
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
