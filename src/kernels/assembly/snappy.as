/** Half words of positions: a match reaches back 65,535 bytes at most. */
const MAX_HASH_BITS: u32 = 14
const MARGIN_BYTES: u32 = 15
const MULTIPLIER: u32 = 0x1e35a7bd
const LONGEST_STRIDE: u32 = 64
const SHORT_OFFSET: u32 = 2048
/** 16,384 half words of the kernels' own memory. */
const TABLE: u32 = 1024
/** By which of eight bytes are equal (a bit each): where four or more in a row begin, times 16, and how many they are; 0: nowhere. */
const RUNS: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 5,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 36, 21, 6,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 5,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 52, 52, 52, 52, 37, 37, 22, 7,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 5,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 36, 21, 6,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 5,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 68, 68, 68, 68, 68, 68, 68, 68, 53, 53, 53, 53, 38, 38, 23, 8,
])

export function snappyCompress(source: u32, length: u32, out: u32): u32 {
  let op = preamble(length, out)
  const end = source + length
  let emitted = source
  if (length >= MARGIN_BYTES) {
    const shift = clearTable(length)
    const limit = end - MARGIN_BYTES
    let ip = source + 1
    let misses: u32 = 32
    while (ip <= limit) {
      const word = load<u32>(ip)
      const slot = slotOf(word, shift)
      const distance = (ip - source - <u32>load<u16>(slot)) & 0xffff
      store<u16>(slot, <u16>(ip - source))
      const candidate = ip - distance
      if (load<u32>(candidate) != word || distance == 0) {
        ip += min<u32>(misses++ >> 5, LONGEST_STRIDE)
        continue
      }
      if (emitted < ip) op = emitLiteral(emitted, ip, op)
      const match = 4 + sameLength(ip + 4, candidate + 4, end)
      op = emitCopy(op, distance, match)
      ip += match
      emitted = ip
      misses = 32
      if (ip <= limit) store<u16>(slotOf(load<u32>(ip - 1), shift), <u16>(ip - 1 - source))
    }
  }
  if (emitted < end) op = emitLiteral(emitted, end, op)
  return op - out
}

export function snappyFixed(source: u32, length: u32, first: u32, out: u32): u32 {
  let op = preamble(length, out)
  const end = source + length
  let emitted = source
  if (length >= MARGIN_BYTES) {
    const shift = clearTable(length)
    const limit = end - MARGIN_BYTES
    for (let ip = source + first; ip <= limit; ip += 8) {
      if (ip < emitted) continue
      const word = load<u32>(ip)
      const slot = slotOf(word, shift)
      const distance = (ip - source - <u32>load<u16>(slot)) & 0xffff
      store<u16>(slot, <u16>(ip - source))
      const candidate = ip - distance
      if (load<u32>(candidate) != word || distance == 0) continue
      const match = 4 + sameLength(ip + 4, candidate + 4, end)
      // Such a copy, and the literal that it begins anew, take as much as they give.
      if (match == 4 && distance >= SHORT_OFFSET) continue
      if (emitted < ip) op = emitLiteral(emitted, ip, op)
      op = emitCopy(op, distance, match)
      emitted = ip + match
    }
  }
  if (emitted < end) op = emitLiteral(emitted, end, op)
  return op - out
}

export function snappyTexts(source: u32, length: u32, first: u32, out: u32): u32 {
  let op = preamble(length, out)
  const end = source + length
  let emitted = source
  if (length >= MARGIN_BYTES) {
    const shift = clearTable(length)
    const limit = end - MARGIN_BYTES
    let next: u32 = 0
    // Where the text before ends; 0: it has no eight bytes.
    let before: u32 = 0
    for (let ip = source + first; ip <= limit; ip = next) {
      const size = load<u32>(ip)
      // What is cut off in its middle is the last one.
      next = size < end - ip - 4 ? ip + 4 + size : end
      const eight = load<u64>(ip)
      const slot = slotOf(<u32>eight ^ (<u32>(eight >> 32) * 0x85ebca6b), shift)
      const sizeSlot = slotOf(size, shift)
      let distance = (ip - source - <u32>load<u16>(slot)) & 0xffff
      if (load<u64>(ip - distance) != eight || distance == 0) {
        distance = (ip - source - <u32>load<u16>(sizeSlot)) & 0xffff
        // As above: only a copy from nearby gains something.
        if (distance >= SHORT_OFFSET || load<u32>(ip - distance) != size) distance = 0
      }
      store<u16>(slot, <u16>(ip - source))
      store<u16>(sizeSlot, <u16>(ip - source))
      if (distance != 0 && emitted <= ip) {
        if (emitted < ip) op = emitLiteral(emitted, ip, op)
        const match = 4 + sameLength(ip + 4, ip + 4 - distance, end)
        op = emitCopy(op, distance, match)
        emitted = ip + match
      }
      const isLong = size >= 8
      if (isLong && before != 0 && next - before < SHORT_OFFSET) {
        const same = i8x16.bitmask(i8x16.eq(v128.load64_zero(next - 8), v128.load64_zero(before - 8)))
        const run = <u32>load<u8>(RUNS + (same & 0xff))
        const at = next - 8 + (run >> 4)
        if (run != 0 && at >= emitted) {
          if (emitted < at) op = emitLiteral(emitted, at, op)
          op = emitShortCopy(op, next - before, run & 15)
          emitted = at + (run & 15)
        }
      }
      before = isLong ? next : 0
    }
  }
  if (emitted < end) op = emitLiteral(emitted, end, op)
  return op - out
}

function preamble(length: u32, out: u32): u32 {
  let op = out
  let rest = length
  while (rest > 0x7f) {
    store<u8>(op++, <u8>((rest & 0x7f) | 0x80))
    rest >>= 7
  }
  store<u8>(op++, <u8>rest)
  return op
}

/** Returns by how much a hash is shifted to be a place in the table. */
function clearTable(length: u32): u32 {
  let hashBits: u32 = 8
  while (hashBits < MAX_HASH_BITS && <u32>1 << hashBits < length) hashBits++
  memory.fill(TABLE, 0, <u32>2 << hashBits)
  return 32 - hashBits
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function slotOf(word: u32, shift: u32): u32 {
  return TABLE + (((word * MULTIPLIER) >> shift) << 1)
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

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function emitLiteral(from: u32, to: u32, out: u32): u32 {
  const length = to - from
  // 16 bytes at once may write behind the end, where the output has room: snappyBound is 32 bytes more than the worst case.
  if (length <= 16) {
    store<u8>(out, <u8>((length - 1) << 2))
    v128.store(out, v128.load(from), 1)
    return out + 1 + length
  }
  return emitLongLiteral(from, length, out)
}

function emitLongLiteral(from: u32, length: u32, out: u32): u32 {
  let op = out
  const n = length - 1
  if (n < 60) {
    store<u8>(op, <u8>(n << 2))
    v128.store(op, v128.load(from), 1)
    v128.store(op, v128.load(from, 16), 17)
    if (length > 32) {
      // Up to the end, and not beyond it.
      v128.store(op + length - 31, v128.load(from + length - 32))
      v128.store(op + length - 15, v128.load(from + length - 16))
    }
    return op + 1 + length
  }
  if (n < 256) {
    store<u8>(op, 60 << 2)
    store<u8>(op, <u8>n, 1)
    op += 2
  } else if (n < 65_536) {
    store<u8>(op, 61 << 2)
    store<u16>(op, <u16>n, 1)
    op += 3
  } else {
    store<u8>(op, 63 << 2)
    store<u32>(op, n, 1)
    op += 5
  }
  memory.copy(op, from, length)
  return op + length
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function emitCopy(out: u32, offset: u32, match: u32): u32 {
  return match <= 64 ? emitShortCopy(out, offset, match) : emitLongCopy(out, offset, match)
}

function emitLongCopy(out: u32, offset: u32, match: u32): u32 {
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

/** Which form it takes is nothing that the processor could foresee: both are made, and four bytes stored, where the output has room as above. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function emitShortCopy(op: u32, offset: u32, length: u32): u32 {
  const isShort = <u32>(length < 12) & <u32>(offset < SHORT_OFFSET)
  const short = 1 | ((length - 4) << 2) | ((offset >> 8) << 5) | ((offset & 0xff) << 8)
  const long = 2 | ((length - 1) << 2) | (offset << 8)
  store<u32>(op, select<u32>(short, long, isShort != 0))
  return op + 3 - isShort
}
