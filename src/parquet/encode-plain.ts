import { countOf, takeValues, type Values } from '../columns/vector.js'

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
    case 'DOUBLE':
      // The machine is little-endian like the file (content-hash.ts asserts it), so the memory of the array is its encoding.
      return bytesOf(values.data).subarray(from * values.data.BYTES_PER_ELEMENT, to * values.data.BYTES_PER_ELEMENT)
    case 'FIXED_LEN_BYTE_ARRAY':
      return values.data.subarray(from * values.widthBytes, to * values.widthBytes)
    case 'BYTE_ARRAY': {
      const { data, offsets } = values
      const out = new Uint8Array((to - from) * 4 + offsets[to]! - offsets[from]!)
      let at = 0
      for (let i = from; i < to; i++) {
        const start = offsets[i]!
        const length = offsets[i + 1]! - start
        out[at] = length & 0xff
        out[at + 1] = (length >>> 8) & 0xff
        out[at + 2] = (length >>> 16) & 0xff
        out[at + 3] = length >>> 24
        at += 4
        if (length > 24) out.set(data.subarray(start, start + length), at)
        else for (let b = 0; b < length; b++) out[at + b] = data[start + b]!
        at += length
      }
      return out
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

/** Values of the present rows of `[from, to)`, in row order. */
export function takePresent(values: Values, validity: Uint8Array, from: number, to: number, present: number): Values {
  const indices = new Uint32Array(present)
  let n = 0
  for (let i = from; i < to; i++) if (validity[i] === 1) indices[n++] = i
  return takeValues(values, indices)
}

/** The memory behind a typed array, without a copy. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
