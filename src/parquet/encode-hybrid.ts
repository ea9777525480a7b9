import { assert } from '../errors.js'

/**
 * RLE / bit-packed hybrid of parquet-format's Encodings.md: runs of one value as (count << 1, value), everything between them as groups of
 * eight values packed from the lowest bit up, (groups << 1 | 1, bytes). The last group is filled up with zeros; readers know the row count.
 */
export function encodeHybrid(values: Uint32Array | Uint8Array, start: number, end: number, bitWidth: number): Uint8Array {
  assert(bitWidth >= 1 && bitWidth <= 32, `bit width ${bitWidth}`)
  const count = end - start
  // A run has to save more than the two headers it costs; narrow values pack so well that only long runs do.
  const minRun = bitWidth <= 2 ? 32 : bitWidth <= 4 ? 16 : 8
  const groups = Math.ceil(count / 8)
  const out = new Uint8Array(groups * bitWidth + (groups + 1) * 14 + 16)
  const valueBytes = (bitWidth + 7) >> 3
  let at = 0

  const varint = (value: number): void => {
    let v = value
    while (v > 0x7f) {
      out[at++] = (v & 0x7f) | 0x80
      v = Math.floor(v / 128)
    }
    out[at++] = v
  }
  const literals = (from: number, to: number): void => {
    if (from === to) return
    const packedGroups = Math.ceil((to - from) / 8)
    varint(packedGroups * 2 + 1)
    packBits(values, from, to, bitWidth, out, at)
    at += packedGroups * bitWidth
  }

  let literalStart = start
  let i = start
  while (i < end) {
    const value = values[i]!
    let next = i + 1
    while (next < end && values[next] === value) next++
    // Literals before a run must be whole groups of eight, so the run lends them what is missing.
    const lent = (8 - ((i - literalStart) & 7)) & 7
    const run = next - i - lent
    if (run >= minRun) {
      literals(literalStart, i + lent)
      varint(run * 2)
      let rest = value
      for (let b = 0; b < valueBytes; b++) {
        out[at++] = rest & 0xff
        rest >>>= 8
      }
      literalStart = next
    }
    i = next
  }
  literals(literalStart, end)
  // A copy, so that the scratch of the worst case does not stay alive behind a few bytes.
  return out.slice(0, at)
}

/** Packs `values[from..to)` from the lowest bit of `out[at]` upwards. The bytes of `out` must be zero or are overwritten whole. */
export function packBits(values: Uint32Array | Uint8Array, from: number, to: number, bitWidth: number, out: Uint8Array, at: number): void {
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
}

/** Bits that hold every code below `entries`; one at least, since a width of nothing is where readers differ. */
export function bitWidthOf(entries: number): number {
  return entries <= 2 ? 1 : 32 - Math.clz32(entries - 1)
}
