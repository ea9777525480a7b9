import type { PhysicalType } from '../columns/vector.js'
import { CompactProtocol, THRIFT } from './compact-protocol.js'
import type { EncodedPage } from './encode-column.js'
import { type ColumnStatistics, compareValues } from './statistics.js'

/** Where the indexes of one column chunk stand, each counted from the first byte of its section. */
export interface ChunkIndexes {
  /** null: its pages have values whose bounds are not known. */
  readonly column: Section | null
  readonly offset: Section
}

interface Section {
  readonly start: number
  readonly bytes: number
}

/** parquet.thrift's BoundaryOrder. */
const ORDER = { unordered: 0, ascending: 1, descending: 2 } as const

/**
 * The page index of a file: for each column chunk what its data pages hold (parquet.thrift, ColumnIndex: bounds, missing rows) and where they
 * are (OffsetIndex), so that an engine reads only the pages that can have a row it wants. Both are sections of their own behind the last row
 * group: all column indexes, then all offset indexes (parquet-format, PageIndex.md). They are made as row groups come, in bytes, since a large
 * file has many pages; and without objects, since a small file has as many indexes as columns.
 */
export class PageIndex {
  private readonly columns = new CompactProtocol()
  private readonly offsets = new CompactProtocol()

  /** Adds a column chunk. `start` is the place of its first data page in the file; the others follow one another. */
  add(physical: PhysicalType, start: number, pages: readonly EncodedPage[]): ChunkIndexes {
    const columnStart = this.columns.sizeBytes
    const bounded = pages.every(isBounded)
    if (bounded) writeColumnIndex(this.columns, physical, pages)
    const offsetStart = this.offsets.sizeBytes
    writeOffsetIndex(this.offsets, start, pages)
    return {
      column: bounded ? { start: columnStart, bytes: this.columns.sizeBytes - columnStart } : null,
      offset: { start: offsetStart, bytes: this.offsets.sizeBytes - offsetStart },
    }
  }

  /** All that was added, in the order in which it stands in the file. */
  sections(): { readonly columns: Uint8Array; readonly offsets: Uint8Array } {
    return { columns: this.columns.written(), offsets: this.offsets.written() }
  }
}

/**
 * A page without values needs no bounds, every other one both: a column index has no word for "not known" (NaN beside other values, a text
 * above which there is none), and a reader that is given a wrong bound leaves rows out.
 */
function isBounded({ rows, statistics }: EncodedPage): boolean {
  return isEmpty(rows, statistics) || (statistics.min !== null && statistics.max !== null)
}

function isEmpty(rows: number, statistics: ColumnStatistics): boolean {
  return statistics.nulls === rows
}

const NO_BYTES = new Uint8Array(0)

function writeColumnIndex(out: CompactProtocol, physical: PhysicalType, pages: readonly EncodedPage[]): void {
  const { length } = pages
  out.writeStructBegin('ColumnIndex')
  out.writeFieldBegin('null_pages', THRIFT.list, 1)
  out.writeListBegin(THRIFT.boolean, length)
  for (const { rows, statistics } of pages) out.writeBool(isEmpty(rows, statistics))
  out.writeFieldBegin('min_values', THRIFT.list, 2)
  out.writeListBegin(THRIFT.text, length)
  for (const { statistics } of pages) out.writeBinary(statistics.min ?? NO_BYTES)
  out.writeFieldBegin('max_values', THRIFT.list, 3)
  out.writeListBegin(THRIFT.text, length)
  for (const { statistics } of pages) out.writeBinary(statistics.max ?? NO_BYTES)
  out.writeFieldBegin('boundary_order', THRIFT.i32, 4)
  out.writeI32(ORDER[boundaryOrder(physical, pages)])
  out.writeFieldBegin('null_counts', THRIFT.list, 5)
  out.writeListBegin(THRIFT.i64, length)
  for (const { statistics } of pages) out.writeI64(statistics.nulls)
  out.writeFieldStop()
  out.writeStructEnd()
}

function writeOffsetIndex(out: CompactProtocol, start: number, pages: readonly EncodedPage[]): void {
  out.writeStructBegin('OffsetIndex')
  out.writeFieldBegin('page_locations', THRIFT.list, 1)
  out.writeListBegin(THRIFT.struct, pages.length)
  let offset = start
  let firstRow = 0
  for (const { rows, bytes } of pages) {
    out.writeStructBegin('PageLocation')
    out.writeFieldBegin('offset', THRIFT.i64, 1)
    out.writeI64(offset)
    out.writeFieldBegin('compressed_page_size', THRIFT.i32, 2)
    out.writeI32(bytes)
    out.writeFieldBegin('first_row_index', THRIFT.i64, 3)
    out.writeI64(firstRow)
    out.writeFieldStop()
    out.writeStructEnd()
    offset += bytes
    firstRow += rows
  }
  out.writeFieldStop()
  out.writeStructEnd()
}

/**
 * How the bounds that are written (rounded ones, for long texts) follow one another, pages without values left out. Bounds that are all the
 * same, or of one page only, ascend.
 */
function boundaryOrder(physical: PhysicalType, pages: readonly EncodedPage[]): keyof typeof ORDER {
  let ascending = true
  let descending = true
  let last: ColumnStatistics | null = null
  for (const { rows, statistics } of pages) {
    if (isEmpty(rows, statistics)) continue
    if (last !== null) {
      const low = compareValues(physical, last.min!, statistics.min!)
      const high = compareValues(physical, last.max!, statistics.max!)
      if (low > 0 || high > 0) ascending = false
      if (low < 0 || high < 0) descending = false
      if (!ascending && !descending) return 'unordered'
    }
    last = statistics
  }
  return ascending ? 'ascending' : 'descending'
}
