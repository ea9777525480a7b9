import { parquetMetadata } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import type { PhysicalType } from '../../../src/columns/vector.js'
import { bytesSource, type ParquetFile } from '../../../src/parquet/read-file.js'
import { type PhysicalValue, physicalValueAt } from '../../../src/parquet/value-order.js'
import { type ChunkIndexBytes, type PageFacts, readPageIndexes } from '../../../src/parquet/verify-page-index.js'

export interface ChunkPages {
  readonly place: string
  readonly physical: PhysicalType
  readonly bytes: ChunkIndexBytes
  /** Found by walking the page headers and looking at every cell, both with hyparquet: nothing of the index is used. */
  readonly pages: readonly PageFacts[]
}

/** The pages of every column chunk of a file, and its index as it stands there. */
export async function pagesOfFile(bytes: Uint8Array, file: ParquetFile): Promise<ChunkPages[]> {
  const { columns, rowGroups } = file
  const indexBytes = await readPageIndexes(bytesSource(bytes), file, [0, rowGroups.length], [0, columns.length])
  const metadata = parquetMetadata(bytes, { geoparquet: false })
  const chunks: ChunkPages[] = []
  for (const [g, group] of rowGroups.entries()) {
    for (const [c, { physical, name }] of columns.entries()) {
      const { validity, values } = await file.readColumn(g, c)
      const { data_page_offset: first } = metadata.row_groups[g]!.columns[c]!.meta_data!
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: Number(first) }
      const pages: PageFacts[] = []
      for (let row = 0; row < group.rows; ) {
        const startByte = reader.offset
        const header = parquetHeader(reader)
        reader.offset += header.compressed_page_size
        const rows = header.data_page_header!.num_values
        const present: PhysicalValue[] = []
        for (let i = row; i < row + rows; i++) if (validity[i] === 1) present.push(physicalValueAt(values, i))
        const sizeBytes = reader.offset - startByte
        pages.push({ startByte, sizeBytes, rows, nulls: rows - present.length, reached: reachedBy(physical, present) })
        row += rows
      }
      chunks.push({ place: `row group ${g}, column ${name}`, physical, bytes: indexBytes(g, c), pages })
    }
  }
  return chunks
}

function reachedBy(physical: PhysicalType, values: readonly PhysicalValue[]): PageFacts['reached'] {
  if (values.length === 0) return 'none'
  if (values.some((value) => Number.isNaN(value))) return 'unordered'
  let min = values[0]!
  let max = values[0]!
  for (const value of values) {
    if (isBelow(physical, value, min)) min = value
    if (isBelow(physical, max, value)) max = value
  }
  return { min, max }
}

/** Written once more, so that no mistake of the encoder's order or of the verifier's is repeated here. */
export function isBelow(physical: PhysicalType, a: PhysicalValue, b: PhysicalValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a < b
  if (physical === 'BYTE_ARRAY') return Buffer.from(a).compare(b) < 0
  // Two's complement: with the sign bit turned over, numbers sort like their bytes.
  const turned = (bytes: Uint8Array): string => Buffer.from(bytes.map((byte, i) => (i === 0 ? byte ^ 0x80 : byte))).toString('hex')
  return turned(a) < turned(b)
}
