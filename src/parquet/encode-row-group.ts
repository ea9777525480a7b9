import type { KernelColumn } from '../columns/kernel-column.js'
import type { Kernels } from '../kernels/kernels.js'
import { ByteSink } from './byte-sink.js'
import type { Compression } from './compress-page.js'
import { type ContentPiece, contentPieces } from './content-streams.js'
import { type EncodedColumnChunk, encodeColumn } from './encode-column.js'

/** A row group made by another thread than the one that writes it. Plain data. */
export interface EncodedRowGroup {
  readonly rows: number
  /** All column chunks, one after the other; behind them the bytes that the pieces of content point to. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly columns: readonly { readonly chunk: EncodedColumnChunk; readonly content: readonly ContentPiece[] }[]
}

/**
 * Encodes some columns as a row group. `room`: see ByteSink. `before` is asked when all is encoded, for it may have to wait: how many rows
 * stand before these in the file. `endsFile`: none stand behind them. `digested`: see `encodeColumn`.
 */
export function encodeRowGroup(
  kernels: Kernels,
  columns: readonly KernelColumn[],
  compression: Compression,
  room: ArrayBuffer | number,
  before: () => number,
  { endsFile = false, digested = true } = {},
): EncodedRowGroup {
  const sink = new ByteSink(room)
  const chunks = columns.map((column) => encodeColumn(kernels, column, compression, sink, digested))
  const rowsBefore = before()
  const content = columns.map((column) => contentPieces(kernels, column, rowsBefore, sink, endsFile))
  return {
    rows: columns[0]?.rows ?? 0,
    bytes: sink.bytes(),
    columns: chunks.map((chunk, i) => ({ chunk, content: content[i]! })),
  }
}
