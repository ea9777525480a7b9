import type { KernelColumn, KernelValues } from '../columns/kernel-column.js'
import { LANES_BYTES } from '../kernels/digests.js'
import type { Kernels } from '../kernels/kernels.js'
import type { ChunkDigest } from './chunk-digest.js'

/** Rows that are hashed at a time, so that their hashes stay in the processor's cache until they are folded. A multiple of eight. */
const SLICE_ROWS = 2048

/** Of so many rows without a value, whose type does not show. Row groups of one file have the same rows, save the last one. */
const empty = new Map<number, ChunkDigest>()
const EMPTY_KEPT = 16

/** The digest of a column's rows as one chunk (chunk-digest.ts). The memory of the kernels is left as it was found. */
export function digestOfColumn(kernels: Kernels, column: KernelColumn): ChunkDigest {
  if (column.nulls < column.rows) return digestOf(kernels, column)
  let digest = empty.get(column.rows)
  if (digest === undefined) {
    if (empty.size === EMPTY_KEPT) empty.clear()
    digest = digestOf(kernels, column)
    empty.set(column.rows, digest)
  }
  return digest
}

function digestOf(kernels: Kernels, column: KernelColumn): ChunkDigest {
  const mark = kernels.mark()
  try {
    const { rows, validity } = column
    // The sixteen words, the number of rows, the digest, and the offsets of the text that they are.
    const lanes = kernels.allocate(LANES_BYTES + 4 + 8 + 8)
    const words = lanes >>> 2
    for (let i = 0; i < 16; i++) kernels.i32[words + i] = Math.imul(i + 1, 0x9e3779b1)
    if (column.form === 'dictionary') {
      const { dictionary, codes } = column
      const hashes = kernels.allocate(dictionary.count * 8)
      hashValues(kernels, dictionary, 0, dictionary.count, hashes)
      kernels.foldRows(hashes, codes, validity, rows, lanes)
    } else {
      const hashes = kernels.allocate(Math.min(rows, SLICE_ROWS) * 8)
      for (let from = 0; from < rows; from += SLICE_ROWS) {
        const count = Math.min(SLICE_ROWS, rows - from)
        hashValues(kernels, column.values, from, count, hashes)
        kernels.foldRows(hashes, 0, validity === 0 ? 0 : validity + from, count, lanes)
      }
    }
    const { u32 } = kernels
    u32[words + 16] = rows
    u32[words + 19] = 0
    u32[words + 20] = LANES_BYTES + 4
    kernels.hashTexts(lanes, lanes + 76, 1, lanes + 68)
    return [u32[words + 17]!, u32[words + 18]!]
  } finally {
    kernels.release(mark)
  }
}

function hashValues(kernels: Kernels, values: KernelValues, from: number, count: number, out: number): void {
  if (values.physical === 'BYTE_ARRAY') kernels.hashTexts(values.data, values.offsets + from * 4, count, out)
  else kernels.hashFixed(values.data + from * values.width, values.width, count, out)
}
