/**
 * RLE / bit-packed hybrid of parquet-format's Encodings.md: runs of one value as (count << 1, value), everything between them as groups of
 * eight values packed from the lowest bit up, (groups << 1 | 1, bytes). The last group is filled up with zeros; readers know the row count.
 *
 * Writes `values[from..to)` at `out[at]` and returns the place behind. `bitWidth`: 1 to 32.
 */
export function encodeHybrid(
  values: Uint32Array | Uint8Array,
  from: number,
  to: number,
  bitWidth: number,
  out: Uint8Array,
  at: number,
): number {
  // A run has to save more than the two headers it costs; narrow values pack so well that only long runs do.
  const minRun = bitWidth <= 2 ? 32 : bitWidth <= 4 ? 16 : 8
  const valueBytes = (bitWidth + 7) >> 3
  let o = at
  let literalStart = from
  let i = from
  while (i < to) {
    const value = values[i]!
    let next = i + 1
    while (next < to && values[next] === value) next++
    // Literals before a run must be whole groups of eight, so the run lends them what is missing.
    const lent = (8 - ((i - literalStart) & 7)) & 7
    const run = next - i - lent
    if (run >= minRun) {
      o = writeLiterals(values, literalStart, i + lent, bitWidth, out, o)
      o = writeVarint(run * 2, out, o)
      let rest = value
      for (let b = 0; b < valueBytes; b++) {
        out[o++] = rest & 0xff
        rest >>>= 8
      }
      literalStart = next
    }
    i = next
  }
  return writeLiterals(values, literalStart, to, bitWidth, out, o)
}

function writeLiterals(values: Uint32Array | Uint8Array, from: number, to: number, bitWidth: number, out: Uint8Array, at: number): number {
  if (from === to) return at
  const o = writeVarint(Math.ceil((to - from) / 8) * 2 + 1, out, at)
  return packBits(values, from, to, bitWidth, out, o)
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
export function packBits(
  values: Uint32Array | Uint8Array,
  from: number,
  to: number,
  bitWidth: number,
  out: Uint8Array,
  at: number,
): number {
  let pending = 0
  let bits = 0
  let o = at
  for (let i = from; i < to; i++) {
    const value = values[i]!
    pending |= value << bits
    bits += bitWidth
    if (bits >= 32) {
      out[o] = pending & 0xff
      out[o + 1] = (pending >>> 8) & 0xff
      out[o + 2] = (pending >>> 16) & 0xff
      out[o + 3] = pending >>> 24
      o += 4
      bits -= 32
      // What did not fit into the 32 bits. A shift by 32 is a shift by 0 in JavaScript, hence the case of its own.
      pending = bits === 0 ? 0 : value >>> (bitWidth - bits)
    }
  }
  while (bits > 0) {
    out[o++] = pending & 0xff
    pending >>>= 8
    bits -= 8
  }
  const end = at + Math.ceil((to - from) / 8) * bitWidth
  while (o < end) out[o++] = 0
  return end
}
