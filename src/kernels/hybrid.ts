/**
 * RLE / bit-packed hybrid of parquet-format's Encodings.md: runs of one value as (count << 1, value), everything between them as groups of
 * eight values packed from the lowest bit up, (groups << 1 | 1, bytes). The last group is filled up with zeros; readers know the row count.
 *
 * `encodeWords` and `encodeBytes` write `values[from..to)` at `out[at]` and return the place behind. `bitWidth`: 1 to 32. There are two of each
 * function because loads are several times as slow in a loop that sees two kinds of arrays.
 */

/** A run has to save more than the two headers it costs; narrow values pack so well that only long runs do. */
function shortestRun(bitWidth: number): number {
  return bitWidth <= 2 ? 32 : bitWidth <= 4 ? 16 : 8
}

export function encodeWords(values: Int32Array, from: number, to: number, bitWidth: number, out: Uint8Array, at: number): number {
  const minRun = shortestRun(bitWidth)
  let o = at
  // Every run that counts is looked at within its first half, so places between can be passed over.
  const stride = minRun >> 1
  let literals = from
  for (let probe = from; probe + 1 < to; ) {
    const value = values[probe]!
    if (values[probe + 1] !== value) {
      probe += stride
      continue
    }
    let i = probe
    while (i > from && values[i - 1] === value) i--
    let next = probe + 2
    while (next < to && values[next] === value) next++
    if (next - i >= minRun) {
      // Literals before a run must be whole groups of eight, so the run lends them what is missing.
      const first = i + ((8 - ((i - literals) & 7)) & 7)
      if (next - first >= minRun) {
        if (first > literals) o = packWords(values, literals, first, bitWidth, out, writeLiteralHeader(first - literals, out, o))
        o = writeRun(next - first, value, bitWidth, out, o)
        literals = next
      }
    }
    probe = next
  }
  return literals === to ? o : packWords(values, literals, to, bitWidth, out, writeLiteralHeader(to - literals, out, o))
}

export function encodeBytes(values: Uint8Array, from: number, to: number, bitWidth: number, out: Uint8Array, at: number): number {
  const minRun = shortestRun(bitWidth)
  let o = at
  // Every run that counts is looked at within its first half, so places between can be passed over.
  const stride = minRun >> 1
  let literals = from
  for (let probe = from; probe + 1 < to; ) {
    const value = values[probe]!
    if (values[probe + 1] !== value) {
      probe += stride
      continue
    }
    let i = probe
    while (i > from && values[i - 1] === value) i--
    let next = probe + 2
    while (next < to && values[next] === value) next++
    if (next - i >= minRun) {
      const first = i + ((8 - ((i - literals) & 7)) & 7)
      if (next - first >= minRun) {
        if (first > literals) o = packBytes(values, literals, first, bitWidth, out, writeLiteralHeader(first - literals, out, o))
        o = writeRun(next - first, value, bitWidth, out, o)
        literals = next
      }
    }
    probe = next
  }
  return literals === to ? o : packBytes(values, literals, to, bitWidth, out, writeLiteralHeader(to - literals, out, o))
}

function writeLiteralHeader(count: number, out: Uint8Array, at: number): number {
  return writeVarint(((count + 7) >>> 3) * 2 + 1, out, at)
}

function writeRun(count: number, value: number, bitWidth: number, out: Uint8Array, at: number): number {
  let o = writeVarint(count * 2, out, at)
  for (let shift = 0; shift < bitWidth; shift += 8) out[o++] = value >>> shift
  return o
}

function writeVarint(value: number, out: Uint8Array, at: number): number {
  let v = value
  let o = at
  while (v > 0x7f) {
    out[o++] = (v & 0x7f) | 0x80
    v = Math.floor(v / 128)
  }
  out[o++] = v
  return o
}

/** Packs `values[from..to)` from the lowest bit of `out[at]` upwards, fills the last group of eight up with zeros and returns the place behind. */
export function packWords(values: Int32Array, from: number, to: number, bitWidth: number, out: Uint8Array, at: number): number {
  let pending = 0
  let bits = 0
  let o = at
  let i = from
  // Values that fit into 32 bits together are put there by shifts alone, without asking after each whether the word is full.
  const together = bitWidth <= 8 ? 4 : bitWidth <= 16 ? 2 : 1
  if (together > 1) {
    const whole = to - ((to - from) % together)
    const width = bitWidth * together
    for (; i < whole; i += together) {
      const value =
        together === 4
          ? values[i]! | (values[i + 1]! << bitWidth) | (values[i + 2]! << (2 * bitWidth)) | (values[i + 3]! << (3 * bitWidth))
          : values[i]! | (values[i + 1]! << bitWidth)
      pending |= value << bits
      bits += width
      if (bits >= 32) {
        out[o] = pending
        out[o + 1] = pending >>> 8
        out[o + 2] = pending >>> 16
        out[o + 3] = pending >>> 24
        o += 4
        bits -= 32
        // What did not fit into the 32 bits. A shift by 32 is a shift by 0 in JavaScript, hence the case of its own.
        pending = bits === 0 ? 0 : value >>> (width - bits)
      }
    }
  }
  for (; i < to; i++) {
    const value = values[i]!
    pending |= value << bits
    bits += bitWidth
    if (bits >= 32) {
      out[o] = pending
      out[o + 1] = pending >>> 8
      out[o + 2] = pending >>> 16
      out[o + 3] = pending >>> 24
      o += 4
      bits -= 32
      pending = bits === 0 ? 0 : value >>> (bitWidth - bits)
    }
  }
  return finishPacking(pending, bits, out, o, at + ((to - from + 7) >>> 3) * bitWidth)
}

function packBytes(values: Uint8Array, from: number, to: number, bitWidth: number, out: Uint8Array, at: number): number {
  let pending = 0
  let bits = 0
  let o = at
  for (let i = from; i < to; i++) {
    const value = values[i]!
    pending |= value << bits
    bits += bitWidth
    if (bits >= 32) {
      out[o] = pending
      out[o + 1] = pending >>> 8
      out[o + 2] = pending >>> 16
      out[o + 3] = pending >>> 24
      o += 4
      bits -= 32
      pending = bits === 0 ? 0 : value >>> (bitWidth - bits)
    }
  }
  return finishPacking(pending, bits, out, o, at + ((to - from + 7) >>> 3) * bitWidth)
}

function finishPacking(pending: number, pendingBits: number, out: Uint8Array, at: number, end: number): number {
  let rest = pending
  let o = at
  for (let bits = pendingBits; bits > 0; bits -= 8) {
    out[o++] = rest
    rest >>>= 8
  }
  while (o < end) out[o++] = 0
  return end
}
