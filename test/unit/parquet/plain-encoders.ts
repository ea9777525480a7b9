import type { Values } from '../../../src/columns/vector.js'
import { countOf } from '../../../src/columns/vector.js'
import { assert } from '../../../src/errors.js'
import { encodeBytes, encodeWords } from '../../../src/kernels/hybrid.js'
import { hybridBound, snappyBound } from '../../../src/kernels/kernels.js'
import { compressSnappy } from '../../../src/kernels/snappy.js'

/** Parts of pages made over arrays, value by value: what the encoder in the memory of kernels is held against, and what decoders are fed. */

/** RLE / bit-packed hybrid of `values[start..end)` (parquet-format, Encodings.md). `bitWidth`: 1 to 32. */
export function encodeHybrid(values: Uint32Array | Uint8Array, start: number, end: number, bitWidth: number): Uint8Array {
  assert(bitWidth >= 1 && bitWidth <= 32, `bit width ${bitWidth}`)
  const out = new Uint8Array(hybridBound(end - start, bitWidth))
  if (values instanceof Uint8Array) return out.slice(0, encodeBytes(values, start, end, bitWidth, out, 0))
  const words = new Int32Array(values.buffer, values.byteOffset, values.length)
  return out.slice(0, encodeWords(words, start, end, bitWidth, out, 0))
}

/** Snappy's raw format. */
export function snappyCompress(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(snappyBound(input.length))
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  return out.slice(0, compressSnappy(input, view, 0, input.length, out, new DataView(out.buffer), 0))
}

/** PLAIN of parquet-format's Encodings.md for the values `[from, to)`: all of them, so missing rows must have been left out before. */
export function encodePlain(values: Values, from = 0, to = countOf(values)): Uint8Array {
  switch (values.physical) {
    case 'BOOLEAN': {
      const out = new Uint8Array((to - from + 7) >> 3)
      for (let i = from; i < to; i++) if (values.data[i] === 1) out[(i - from) >> 3]! |= 1 << ((i - from) & 7)
      return out
    }
    case 'INT32':
    case 'INT64':
    case 'DOUBLE': {
      const { buffer, byteOffset, BYTES_PER_ELEMENT: width } = values.data
      return new Uint8Array(buffer, byteOffset + from * width, (to - from) * width)
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      return values.data.subarray(from * values.widthBytes, to * values.widthBytes)
    case 'BYTE_ARRAY': {
      const parts: Uint8Array[] = []
      for (let i = from; i < to; i++) {
        const text = values.data.subarray(values.offsets[i]!, values.offsets[i + 1]!)
        const length = Buffer.alloc(4)
        length.writeUInt32LE(text.length)
        parts.push(length, text)
      }
      return new Uint8Array(Buffer.concat(parts))
    }
  }
}

/** Bytes that PLAIN takes for the value at `i`; an eighth of a byte for a BOOLEAN. */
export function plainSizeBytes(values: Values, i: number): number {
  switch (values.physical) {
    case 'BOOLEAN':
      return 1 / 8
    case 'INT32':
      return 4
    case 'INT64':
    case 'DOUBLE':
      return 8
    case 'FIXED_LEN_BYTE_ARRAY':
      return values.widthBytes
    case 'BYTE_ARRAY':
      return 4 + values.offsets[i + 1]! - values.offsets[i]!
  }
}
