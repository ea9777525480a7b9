import { createHash, hash } from 'node:crypto'
import type { KernelColumn } from '../columns/kernel-column.js'
import type { PhysicalType } from '../columns/vector.js'
import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { ByteSink } from './byte-sink.js'

/** Rows of a block of the content hash (documents/FORMAT.md). */
export const CONTENT_BLOCK_ROWS = 65_536
/** Rows that are put in line at a time, so that values stay in the processor's cache until they are hashed. */
const SLICE_ROWS = 8192
/** Texts beyond it go to the hash in parts. */
const SLAB_BYTES = 1 << 20

/** Validity of rows of which none is missing. */
export const ONES = new Uint8Array(CONTENT_BLOCK_ROWS).fill(1)
/** What missing rows of a block are in each stream, also in that of the widest values. */
export const ZEROS = new Uint8Array(CONTENT_BLOCK_ROWS * 16)
let digestOfOnes: { readonly rows: number; readonly digest: Buffer } | null = null
/** Of blocks without any value, by the bytes of a row among the values; 0 for texts. */
const emptyBlocks = new Map<number, Buffer>()

/** Where the three streams of a block go, in order; each may come in several parts. The bytes hold during the call only. */
export interface ContentStreams {
  validity(bytes: Uint8Array): void
  values(bytes: Uint8Array): void
  texts(bytes: Uint8Array): void
  /** All rows are there. */
  end(): void
}

/** Bytes `[from, to)` of an array that stands elsewhere. */
export type Span = readonly [from: number, to: number]

/** Consecutive rows of one column as the content hash takes them; the bytes stand in an array beside it. Plain data. */
export type ContentPiece =
  | {
      readonly kind: 'rows'
      readonly rows: number
      /** null: no row is missing. */
      readonly validity: Span | null
      readonly values: Span
      readonly texts: Span | null
    }
  /** Digests of whole blocks, 32 bytes each. The last one of a file may have fewer rows than the others. */
  | { readonly kind: 'blocks'; readonly rows: number; readonly digests: Span }

/** Sends the rows `[from, to)` of a column down their streams. The memory of the kernels is left as it was found. */
export function streamRows(kernels: Kernels, column: KernelColumn, from: number, to: number, streams: ContentStreams): void {
  const rows = to - from
  if (column.nulls === column.rows && rows <= CONTENT_BLOCK_ROWS) {
    streams.validity(ZEROS.subarray(0, rows))
    streams.values(ZEROS.subarray(0, rows * (widthIn(column) || 4)))
    streams.end()
    return
  }
  if (column.validity === 0) for (let at = 0; at < rows; at += ONES.length) streams.validity(ONES.subarray(0, rows - at))
  else streams.validity(kernels.u8.subarray(column.validity + from, column.validity + to))
  const mark = kernels.mark()
  try {
    if (column.form === 'plain') streamPlain(kernels, column, from, to, streams)
    else streamCoded(kernels, column, from, to, streams)
  } finally {
    kernels.release(mark)
  }
  streams.end()
}

function streamPlain(kernels: Kernels, column: KernelColumn & { form: 'plain' }, from: number, to: number, streams: ContentStreams): void {
  const { values } = column
  if (values.physical !== 'BYTE_ARRAY') {
    streams.values(kernels.u8.subarray(values.data + from * values.width, values.data + to * values.width))
    return
  }
  const lengths = kernels.allocate((to - from) * 4)
  kernels.lengthsOf(values.offsets + from * 4, to - from, lengths)
  const { u8, u32 } = kernels
  const words = values.offsets >>> 2
  streams.values(u8.subarray(lengths, lengths + (to - from) * 4))
  streams.texts(u8.subarray(values.data + u32[words + from]!, values.data + u32[words + to]!))
}

function streamCoded(
  kernels: Kernels,
  column: KernelColumn & { form: 'dictionary' },
  from: number,
  to: number,
  streams: ContentStreams,
): void {
  const { dictionary, codes, validity } = column
  const width = dictionary.physical === 'BYTE_ARRAY' ? 4 : dictionary.width
  const out = kernels.allocate(Math.min(to - from, SLICE_ROWS) * width)
  for (let at = from; at < to; at += SLICE_ROWS) {
    const count = Math.min(SLICE_ROWS, to - at)
    const flags = validity === 0 ? 0 : validity + at
    if (dictionary.physical !== 'BYTE_ARRAY') {
      kernels.gather(dictionary.data, width as 1 | 4 | 8 | 16, codes + at * 4, flags, count, out)
      streams.values(kernels.u8.subarray(out, out + count * width))
      continue
    }
    kernels.gatherLengths(dictionary.offsets, codes + at * 4, flags, count, out)
    streams.values(kernels.u8.subarray(out, out + count * 4))
    for (let done = 0; done < count; ) {
      const { rows, bytes } = slab(kernels.u32, out >>> 2, done, count)
      const mark = kernels.mark()
      const texts = kernels.allocate(bytes)
      kernels.gatherTexts(dictionary.data, dictionary.offsets, codes + (at + done) * 4, out + done * 4, rows, texts, texts + bytes)
      streams.texts(kernels.u8.subarray(texts, texts + bytes))
      kernels.release(mark)
      done += rows
    }
  }
}

/** Rows from `from` on whose texts come to a slab; one at least. */
function slab(words: Uint32Array, lengths: number, from: number, to: number): { rows: number; bytes: number } {
  let bytes = 0
  let row = from
  while (row < to && (row === from || bytes + words[lengths + row]! <= SLAB_BYTES)) bytes += words[lengths + row++]!
  return { rows: row - from, bytes }
}

/**
 * A column's rows as pieces that another thread can hash on: digests of the blocks that lie within these rows, and the rows before and after
 * them as they are. Their bytes go to the end of `sink`. `before`: how many rows stand before these in the file. `endsFile`: none stand behind
 * them, which makes the last ones a block too.
 */
export function contentPieces(kernels: Kernels, column: KernelColumn, before: number, sink: ByteSink, endsFile = false): ContentPiece[] {
  const { rows } = column
  const pieces: ContentPiece[] = []
  const first = Math.min((CONTENT_BLOCK_ROWS - (before % CONTENT_BLOCK_ROWS)) % CONTENT_BLOCK_ROWS, rows)
  if (first > 0) pieces.push(copiedRows(kernels, column, 0, first, sink))
  const digests = sink.length
  let at = first
  while (at + CONTENT_BLOCK_ROWS <= rows || (endsFile && at < rows)) {
    const end = Math.min(at + CONTENT_BLOCK_ROWS, rows)
    sink.append(blockDigest(kernels, column, at, end))
    at = end
  }
  if (sink.length > digests) pieces.push({ kind: 'blocks', rows: at - first, digests: [digests, sink.length] })
  if (at < rows) pieces.push(copiedRows(kernels, column, at, rows, sink))
  return pieces
}

function blockDigest(kernels: Kernels, column: KernelColumn, from: number, to: number): Buffer {
  if (column.nulls < column.rows || to - from < CONTENT_BLOCK_ROWS) return digestOfBlock(kernels, column, from, to)
  const width = widthIn(column)
  let digest = emptyBlocks.get(width)
  if (digest === undefined) {
    digest = digestOfBlock(kernels, column, from, to)
    emptyBlocks.set(width, digest)
  }
  return digest
}

function digestOfBlock(kernels: Kernels, column: KernelColumn, from: number, to: number): Buffer {
  const validity = column.validity === 0 ? null : createHash('sha256')
  const values = createHash('sha256')
  const texts = physicalOf(column) === 'BYTE_ARRAY' ? createHash('sha256') : null
  streamRows(kernels, column, from, to, {
    validity: (bytes) => void validity?.update(bytes),
    values: (bytes) => void values.update(bytes),
    texts: (bytes) => void texts!.update(bytes),
    end: () => {},
  })
  if (digestOfOnes?.rows !== to - from) digestOfOnes = { rows: to - from, digest: hash('sha256', ONES.subarray(0, to - from), 'buffer') }
  const block = createHash('sha256')
    .update(validity === null ? digestOfOnes.digest : validity.digest())
    .update(values.digest())
  if (texts !== null) block.update(texts.digest())
  return block.digest()
}

function copiedRows(kernels: Kernels, column: KernelColumn, from: number, to: number, sink: ByteSink): ContentPiece {
  const rows = to - from
  const hasTexts = physicalOf(column) === 'BYTE_ARRAY'
  const validityBytes = column.validity === 0 ? 0 : rows
  const valueBytes = rows * (widthIn(column) || 4)
  if (hasTexts && column.form === 'plain') {
    const words = column.values.physical === 'BYTE_ARRAY' ? column.values.offsets >>> 2 : 0
    sink.reserve(validityBytes + valueBytes + kernels.u32[words + to]! - kernels.u32[words + from]!)
  }
  // Slices of values and of texts come in turns, and each stream is to be in one piece.
  const validity = sink.leave(validityBytes)
  const values = sink.leave(valueBytes)
  const valuesEnd = sink.length
  let validityAt = validity
  let valuesAt = values
  streamRows(kernels, column, from, to, {
    validity: (bytes) => {
      if (validityBytes > 0) sink.fill(validityAt, bytes)
      validityAt += bytes.length
    },
    values: (bytes) => {
      sink.fill(valuesAt, bytes)
      valuesAt += bytes.length
    },
    texts: (bytes) => sink.append(bytes),
    end: () => {},
  })
  assert(valuesAt === valuesEnd, 'each row has its value in the stream')
  return {
    kind: 'rows',
    rows,
    validity: column.validity === 0 ? null : [validity, values],
    values: [values, valuesEnd],
    texts: hasTexts ? [valuesEnd, sink.length] : null,
  }
}

/** Bytes of a value; 0: texts, of which the lengths stand among the values. */
function widthIn(column: KernelColumn): number {
  const values = column.form === 'plain' ? column.values : column.dictionary
  return values.physical === 'BYTE_ARRAY' ? 0 : values.width
}

function physicalOf(column: KernelColumn): PhysicalType {
  return column.form === 'plain' ? column.values.physical : column.dictionary.physical
}
