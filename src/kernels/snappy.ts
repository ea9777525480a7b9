/**
 * Snappy's raw format (google/snappy, format_description.txt), one fragment of 64 KB after the other, greedy matches by a hash of four
 * bytes. Deterministic: the same bytes in give the same bytes out on every machine, in both forms of the kernels.
 */
const FRAGMENT_BYTES = 65_536
const MAX_HASH_BITS = 14
/** Close to the end of a fragment nothing is matched, so that loads of four bytes never cross it. */
const MARGIN_BYTES = 15
const MULTIPLIER = 0x1e35a7bd

const hashTable = new Uint16Array(1 << MAX_HASH_BITS)

/**
 * Compresses `input[from..to)` to `out[at]` and returns the place behind; it takes `snappyBound(to - from)` bytes at most. The views are of the
 * same bytes as the arrays: four bytes at any place are one load of a view.
 */
export function compressSnappy(
  input: Uint8Array,
  inputView: DataView,
  from: number,
  to: number,
  out: Uint8Array,
  outView: DataView,
  at: number,
): number {
  let op = at
  let length = to - from
  while (length > 0x7f) {
    out[op++] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  out[op++] = length
  for (let start = from; start < to; start += FRAGMENT_BYTES) {
    op = compressFragment(input, inputView, start, Math.min(start + FRAGMENT_BYTES, to), out, outView, op)
  }
  return op
}

function compressFragment(
  input: Uint8Array,
  inputView: DataView,
  start: number,
  end: number,
  out: Uint8Array,
  outView: DataView,
  outAt: number,
): number {
  let op = outAt
  let emitted = start
  if (end - start >= MARGIN_BYTES) {
    const table = hashTable
    let hashBits = 8
    while (hashBits < MAX_HASH_BITS && 1 << hashBits < end - start) hashBits++
    const shift = 32 - hashBits
    table.fill(0, 0, 1 << hashBits)
    const limit = end - MARGIN_BYTES
    let ip = start + 1
    // The stride grows by one byte every 32 misses: what does not compress is passed quickly.
    let misses = 32
    while (ip <= limit) {
      const word = inputView.getInt32(ip, true)
      const slot = Math.imul(word, MULTIPLIER) >>> shift
      const candidate = start + table[slot]!
      table[slot] = ip - start
      if (inputView.getInt32(candidate, true) !== word || candidate >= ip) {
        ip += misses++ >>> 5
        continue
      }
      const literal = ip - emitted
      if (literal > 0) {
        // A few bytes at once may write behind the end of the literal, where the output has room: a copy follows, and snappyBound has 32 more.
        if (literal <= 8) {
          out[op] = (literal - 1) << 2
          outView.setInt32(op + 1, inputView.getInt32(emitted, true), true)
          if (literal > 4) outView.setInt32(op + 5, inputView.getInt32(emitted + 4, true), true)
          op += 1 + literal
        } else op = emitLiteral(input, emitted, ip, out, op)
      }
      let match = 4
      const longest = end - ip
      for (;;) {
        if (match + 4 > longest) {
          while (match < longest && input[ip + match] === input[candidate + match]) match++
          break
        }
        const difference = inputView.getInt32(ip + match, true) ^ inputView.getInt32(candidate + match, true)
        if (difference !== 0) {
          // The lowest bit that differs lies in the first byte that does.
          match += (31 - Math.clz32(difference & -difference)) >>> 3
          break
        }
        match += 4
      }
      const offset = ip - candidate
      if (match < 12 && offset < 2048) {
        out[op] = 1 | ((match - 4) << 2) | ((offset >>> 8) << 5)
        out[op + 1] = offset
        op += 2
      } else op = emitCopy(out, op, offset, match)
      ip += match
      emitted = ip
      misses = 32
      if (ip <= limit) table[Math.imul(inputView.getInt32(ip - 1, true), MULTIPLIER) >>> shift] = ip - 1 - start
    }
  }
  if (emitted < end) op = emitLiteral(input, emitted, end, out, op)
  return op
}

function emitLiteral(input: Uint8Array, from: number, to: number, out: Uint8Array, outAt: number): number {
  let op = outAt
  const n = to - from - 1
  if (n < 60) {
    out[op++] = n << 2
  } else if (n < 256) {
    out[op++] = 60 << 2
    out[op++] = n
  } else {
    out[op++] = 61 << 2
    out[op++] = n & 0xff
    out[op++] = n >>> 8
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
  if (length < 12 && offset < 2048) {
    out[op] = 1 | ((length - 4) << 2) | ((offset >>> 8) << 5)
    out[op + 1] = offset & 0xff
    return op + 2
  }
  out[op] = 2 | ((length - 1) << 2)
  out[op + 1] = offset & 0xff
  out[op + 2] = offset >>> 8
  return op + 3
}
