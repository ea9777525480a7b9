import { assert } from '../errors.js'
import { encodeHybrid as encodeInto } from '../kernels/hybrid.js'
import { hybridBound, type Kernels } from '../kernels/kernels.js'

/**
 * RLE / bit-packed hybrid of `values[start..end)` (parquet-format, Encodings.md), with the encoder of the kernels; in the memory of `kernels`
 * where they are given, with the same bytes. `bitWidth`: 1 to 32.
 */
export function encodeHybrid(
  values: Uint32Array | Uint8Array,
  start: number,
  end: number,
  bitWidth: number,
  kernels: Kernels | null = null,
): Uint8Array {
  assert(bitWidth >= 1 && bitWidth <= 32, `bit width ${bitWidth}`)
  const bound = hybridBound(end - start, bitWidth)
  if (kernels === null) {
    const out = new Uint8Array(bound)
    // A copy, so that the scratch of the worst case does not stay alive behind a few bytes.
    return out.slice(0, encodeInto(values, start, end, bitWidth, out, 0))
  }
  const mark = kernels.mark()
  try {
    const count = end - start
    const source = kernels.allocate(count * values.BYTES_PER_ELEMENT)
    const out = kernels.allocate(bound)
    // Views only now: allocating may have replaced them.
    const part = values.subarray(start, end)
    if (part instanceof Uint8Array) kernels.u8.set(part, source)
    else kernels.u32.set(part, source >>> 2)
    const length = kernels.encodeHybrid(source, part instanceof Uint8Array ? 1 : 4, count, bitWidth, out)
    return kernels.u8.slice(out, out + length)
  } finally {
    kernels.release(mark)
  }
}

/** Bits that hold every code below `entries`; one at least, since a width of nothing is where readers differ. */
export function bitWidthOf(entries: number): number {
  return entries <= 2 ? 1 : 32 - Math.clz32(entries - 1)
}
