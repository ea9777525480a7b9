/**
 * Snappy's raw format (google/snappy, format_description.txt), greedy matches by a hash of what stands at a place, up to 65,535 bytes back.
 * Deterministic: the same bytes in give the same bytes out on every machine, in both forms of the kernels.
 *
 * There are three ways to look for matches; readers cannot tell them apart. Each compresses `input[from..to)` to `out[at]` and returns the place
 * behind; it takes `snappyBound(to - from)` bytes at most. The views are of the same bytes as the arrays: four bytes at any place are one load
 * of a view.
 */
const MAX_HASH_BITS = 14
/** Close to the end nothing is matched, so that loads never cross it. */
const MARGIN_BYTES = 15
const MULTIPLIER = 0x1e35a7bd
/** The stride grows by one byte every 32 misses, up to this: what does not compress is passed quickly. */
const LONGEST_STRIDE = 64
/** Copies of fewer than 12 bytes from nearer than this take two bytes, others three. */
const SHORT_OFFSET = 2048

const hashTable = new Uint16Array(1 << MAX_HASH_BITS)

/** A look at every place. */
export function compressSnappy(
  input: Uint8Array,
  inputView: DataView,
  from: number,
  to: number,
  out: Uint8Array,
  outView: DataView,
  at: number,
): number {
  let op = preamble(to - from, out, at)
  let emitted = from
  if (to - from >= MARGIN_BYTES) {
    const table = hashTable
    const shift = clearTable(to - from)
    const limit = to - MARGIN_BYTES
    let ip = from + 1
    let misses = 32
    while (ip <= limit) {
      const word = inputView.getInt32(ip, true)
      const slot = Math.imul(word, MULTIPLIER) >>> shift
      // Positions are kept modulo 65,536. One that is older shows as another, and what stands there is compared anyway.
      const distance = (ip - from - table[slot]!) & 0xffff
      table[slot] = ip - from
      if (inputView.getInt32(ip - distance, true) !== word || distance === 0) {
        ip += Math.min(misses++ >>> 5, LONGEST_STRIDE)
        continue
      }
      if (emitted < ip) op = putLiteral(input, inputView, emitted, ip, out, outView, op)
      const match = matchLength(input, inputView, ip, distance, to)
      op = emitCopy(out, op, distance, match)
      ip += match
      emitted = ip
      misses = 32
      if (ip <= limit) table[Math.imul(inputView.getInt32(ip - 1, true), MULTIPLIER) >>> shift] = ip - 1 - from
    }
  }
  return emitted < to ? emitLiteral(input, emitted, to, out, op) : op
}

/** A look at each value of eight bytes: `first` bytes behind the beginning, and at every eighth byte from there on. */
export function compressSnappyFixed(
  input: Uint8Array,
  inputView: DataView,
  from: number,
  to: number,
  first: number,
  out: Uint8Array,
  outView: DataView,
  at: number,
): number {
  let op = preamble(to - from, out, at)
  let emitted = from
  if (to - from >= MARGIN_BYTES) {
    const table = hashTable
    const shift = clearTable(to - from)
    const limit = to - MARGIN_BYTES
    for (let ip = from + first; ip <= limit; ip += 8) {
      if (ip < emitted) continue
      const word = inputView.getInt32(ip, true)
      const slot = Math.imul(word, MULTIPLIER) >>> shift
      const distance = (ip - from - table[slot]!) & 0xffff
      table[slot] = ip - from
      if (inputView.getInt32(ip - distance, true) !== word || distance === 0) continue
      const match = matchLength(input, inputView, ip, distance, to)
      // Such a copy, and the literal that it begins anew, take as much as they give.
      if (match === 4 && distance >= SHORT_OFFSET) continue
      if (emitted < ip) op = putLiteral(input, inputView, emitted, ip, out, outView, op)
      op = emitCopy(out, op, distance, match)
      emitted = ip + match
    }
  }
  return emitted < to ? emitLiteral(input, emitted, to, out, op) : op
}

/**
 * A look at each text with its length before it, the first `first` bytes behind the beginning: for a text of the same length that begins with the
 * same four bytes, and else for one of the same length; and at its last eight bytes, for those of the text before.
 */
export function compressSnappyTexts(
  input: Uint8Array,
  inputView: DataView,
  from: number,
  to: number,
  first: number,
  out: Uint8Array,
  outView: DataView,
  at: number,
): number {
  let op = preamble(to - from, out, at)
  let emitted = from
  if (to - from >= MARGIN_BYTES) {
    const table = hashTable
    const shift = clearTable(to - from)
    const limit = to - MARGIN_BYTES
    let next = 0
    // Where the text before ends; -1: it has no eight bytes.
    let before = -1
    for (let ip = from + first; ip <= limit; ip = next) {
      const size = inputView.getInt32(ip, true)
      // What is cut off in its middle is the last one.
      next = size >>> 0 < to - ip - 4 ? ip + 4 + size : to
      const begin = inputView.getInt32(ip + 4, true)
      const slot = Math.imul(size ^ Math.imul(begin, 0x85ebca6b), MULTIPLIER) >>> shift
      const sizeSlot = Math.imul(size, MULTIPLIER) >>> shift
      let distance = (ip - from - table[slot]!) & 0xffff
      if (inputView.getInt32(ip - distance, true) !== size || inputView.getInt32(ip + 4 - distance, true) !== begin || distance === 0) {
        distance = (ip - from - table[sizeSlot]!) & 0xffff
        // As above: only a copy from nearby gains something.
        if (distance >= SHORT_OFFSET || inputView.getInt32(ip - distance, true) !== size) distance = 0
      }
      table[slot] = ip - from
      table[sizeSlot] = ip - from
      if (distance !== 0 && emitted <= ip) {
        if (emitted < ip) op = putLiteral(input, inputView, emitted, ip, out, outView, op)
        const match = matchLength(input, inputView, ip, distance, to)
        op = emitCopy(out, op, distance, match)
        emitted = ip + match
      }
      const isLong = size >>> 0 >= 8
      if (isLong && before >= 0 && next - before < SHORT_OFFSET) {
        const end = runEnd(input, next, before)
        let start = end
        while (start > next - 8 && input[start - 1] === input[start - 1 - (next - before)]) start--
        if (end - start >= 4 && start >= emitted) {
          if (emitted < start) op = putLiteral(input, inputView, emitted, start, out, outView, op)
          op = emitShortCopy(out, op, next - before, end - start)
          emitted = end
        }
      }
      before = isLong ? next : -1
    }
  }
  return emitted < to ? emitLiteral(input, emitted, to, out, op) : op
}

/** Of the last eight bytes before two places: where the last four in a row end that are equal; eight bytes before the first place if none are. */
function runEnd(input: Uint8Array, next: number, before: number): number {
  let run = 0
  for (let i = 1; i <= 8; i++) {
    run = input[next - i] === input[before - i] ? run + 1 : 0
    if (run === 4) return next - i + 4
  }
  return next - 8
}

function preamble(bytes: number, out: Uint8Array, at: number): number {
  let op = at
  let length = bytes
  while (length > 0x7f) {
    out[op++] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  out[op++] = length
  return op
}

/** Returns by how much a hash is shifted to be a place in the table. */
function clearTable(bytes: number): number {
  let hashBits = 8
  while (hashBits < MAX_HASH_BITS && 1 << hashBits < bytes) hashBits++
  hashTable.fill(0, 0, 1 << hashBits)
  return 32 - hashBits
}

/** Four bytes are known to be equal. */
function matchLength(input: Uint8Array, inputView: DataView, ip: number, distance: number, to: number): number {
  const longest = to - ip
  const before = ip - distance
  let match = 4
  for (;;) {
    if (match + 4 > longest) {
      while (match < longest && input[ip + match] === input[before + match]) match++
      return match
    }
    const difference = inputView.getInt32(ip + match, true) ^ inputView.getInt32(before + match, true)
    // The lowest bit that differs lies in the first byte that does.
    if (difference !== 0) return match + ((31 - Math.clz32(difference & -difference)) >>> 3)
    match += 4
  }
}

/** One that a copy follows: a few bytes at once may write behind its end, where the output has room, for snappyBound has 32 more. */
function putLiteral(
  input: Uint8Array,
  inputView: DataView,
  from: number,
  to: number,
  out: Uint8Array,
  outView: DataView,
  op: number,
): number {
  const length = to - from
  if (length > 8) return emitLiteral(input, from, to, out, op)
  out[op] = (length - 1) << 2
  outView.setInt32(op + 1, inputView.getInt32(from, true), true)
  if (length > 4) outView.setInt32(op + 5, inputView.getInt32(from + 4, true), true)
  return op + 1 + length
}

function emitLiteral(input: Uint8Array, from: number, to: number, out: Uint8Array, outAt: number): number {
  let op = outAt
  const n = to - from - 1
  if (n < 60) {
    out[op++] = n << 2
  } else {
    // The length itself, in as many bytes as the tag says; three are left to others.
    const lengthBytes = n < 256 ? 1 : n < 65_536 ? 2 : 4
    out[op++] = (59 + lengthBytes) << 2
    for (let i = 0; i < lengthBytes; i++) out[op++] = (n >>> (i * 8)) & 0xff
  }
  if (to - from > 64) {
    out.set(input.subarray(from, to), op)
    return op + to - from
  }
  for (let i = from; i < to; i++) out[op++] = input[i]!
  return op
}

function emitCopy(out: Uint8Array, outAt: number, offset: number, matchBytes: number): number {
  let op = outAt
  let length = matchBytes
  // A copy holds at most 64 bytes, and the short form at least 4: never leave a rest below 4.
  while (length >= 68) {
    op = emitShortCopy(out, op, offset, 64)
    length -= 64
  }
  if (length > 64) {
    op = emitShortCopy(out, op, offset, 60)
    length -= 60
  }
  return emitShortCopy(out, op, offset, length)
}

function emitShortCopy(out: Uint8Array, op: number, offset: number, length: number): number {
  if (length < 12 && offset < SHORT_OFFSET) {
    out[op] = 1 | ((length - 4) << 2) | ((offset >>> 8) << 5)
    out[op + 1] = offset & 0xff
    return op + 2
  }
  out[op] = 2 | ((length - 1) << 2)
  out[op + 1] = offset & 0xff
  out[op + 2] = offset >>> 8
  return op + 3
}
