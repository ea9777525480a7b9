const FRAGMENT_BYTES: u32 = 65_536
const MAX_HASH_BITS: u32 = 14
const MARGIN_BYTES: u32 = 15
const MULTIPLIER: u32 = 0x1e35a7bd
/** 16,384 half words of the kernels' own memory. */
const TABLE: u32 = 1024

export function snappyCompress(source: u32, length: u32, out: u32): u32 {
  let op = out
  let rest = length
  while (rest > 0x7f) {
    store<u8>(op++, <u8>((rest & 0x7f) | 0x80))
    rest >>= 7
  }
  store<u8>(op++, <u8>rest)
  const end = source + length
  for (let start = source; start < end; start += FRAGMENT_BYTES) {
    op = compressFragment(start, min<u32>(start + FRAGMENT_BYTES, end), op)
  }
  return op - out
}

function compressFragment(start: u32, end: u32, out: u32): u32 {
  let op = out
  let emitted = start
  if (end - start >= MARGIN_BYTES) {
    let hashBits: u32 = 8
    while (hashBits < MAX_HASH_BITS && <u32>1 << hashBits < end - start) hashBits++
    const shift = 32 - hashBits
    memory.fill(TABLE, 0, <u32>2 << hashBits)
    const limit = end - MARGIN_BYTES
    let ip = start + 1
    let misses: u32 = 32
    while (ip <= limit) {
      const word = load<u32>(ip)
      const slot = TABLE + (((word * MULTIPLIER) >> shift) << 1)
      const candidate = start + <u32>load<u16>(slot)
      store<u16>(slot, <u16>(ip - start))
      if (load<u32>(candidate) != word || candidate >= ip) {
        ip += misses++ >> 5
        continue
      }
      if (emitted < ip) op = emitLiteral(emitted, ip, op)
      const match = 4 + sameLength(ip + 4, candidate + 4, end)
      op = emitCopy(op, ip - candidate, match)
      ip += match
      emitted = ip
      misses = 32
      if (ip <= limit) store<u16>(TABLE + (((load<u32>(ip - 1) * MULTIPLIER) >> shift) << 1), <u16>(ip - 1 - start))
    }
  }
  if (emitted < end) op = emitLiteral(emitted, end, op)
  return op
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function sameLength(at: u32, before: u32, end: u32): u32 {
  let p = at
  let q = before
  while (p + 8 <= end) {
    const difference = load<u64>(p) ^ load<u64>(q)
    if (difference != 0) return p - at + (<u32>ctz<u64>(difference) >> 3)
    p += 8
    q += 8
  }
  while (p < end && load<u8>(p) == load<u8>(q)) {
    p++
    q++
  }
  return p - at
}

function emitLiteral(from: u32, to: u32, out: u32): u32 {
  let op = out
  const length = to - from
  const n = length - 1
  if (n < 60) {
    store<u8>(op++, <u8>(n << 2))
  } else if (n < 256) {
    store<u8>(op++, 60 << 2)
    store<u8>(op++, <u8>n)
  } else {
    store<u8>(op++, 61 << 2)
    store<u16>(op, <u16>n)
    op += 2
  }
  // 16 bytes at once may write behind the end, where the output has room: snappyBound is 32 bytes more than the worst case.
  if (length <= 16) v128.store(op, v128.load(from))
  else memory.copy(op, from, length)
  return op + length
}

function emitCopy(out: u32, offset: u32, match: u32): u32 {
  let op = out
  let length = match
  while (length >= 68) {
    op = emitShortCopy(op, offset, 64)
    length -= 64
  }
  if (length > 64) {
    op = emitShortCopy(op, offset, 60)
    length -= 60
  }
  return emitShortCopy(op, offset, length)
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function emitShortCopy(op: u32, offset: u32, length: u32): u32 {
  if (length < 12 && offset < 2048) {
    store<u8>(op, <u8>(1 | ((length - 4) << 2) | ((offset >> 8) << 5)))
    store<u8>(op, <u8>offset, 1)
    return op + 2
  }
  store<u8>(op, <u8>(2 | ((length - 1) << 2)))
  store<u16>(op, <u16>offset, 1)
  return op + 3
}
