import { assert } from '../errors.js'
import { encodeHybrid as encodeInto } from '../kernels/hybrid.js'
import { hybridBound } from '../kernels/kernels.js'

/** RLE / bit-packed hybrid of `values[start..end)` (parquet-format, Encodings.md), with the encoder of the kernels. `bitWidth`: 1 to 32. */
export function encodeHybrid(values: Uint32Array | Uint8Array, start: number, end: number, bitWidth: number): Uint8Array {
  assert(bitWidth >= 1 && bitWidth <= 32, `bit width ${bitWidth}`)
  const out = new Uint8Array(hybridBound(end - start, bitWidth))
  // A copy, so that the scratch of the worst case does not stay alive behind a few bytes.
  return out.slice(0, encodeInto(values, start, end, bitWidth, out, 0))
}

/** Bits that hold every code below `entries`; one at least, since a width of nothing is where readers differ. */
export function bitWidthOf(entries: number): number {
  return entries <= 2 ? 1 : 32 - Math.clz32(entries - 1)
}
