import { DECIMAL_WIDTH_BYTES, type PhysicalType } from '../columns/vector.js'
import { must, undecodable } from './decode-fault.js'
import type { ByteSource, FileSection, RowGroupFacts } from './read-file.js'
import { comparePhysical, type PhysicalValue } from './value-order.js'

/**
 * The reading side of the page index: decodes the two structures of a column chunk (parquet.thrift, OffsetIndex and ColumnIndex, in Thrift's
 * compact protocol) and holds them against what its pages are. An engine that believes a wrong index leaves out rows that match, and nobody
 * notices. It knows nothing of page-index.ts, which writes them.
 */

/** What a decoder found of one data page. */
export interface PageFacts {
  /** Of its header in the file. */
  readonly startByte: number
  /** With its header. */
  readonly sizeBytes: number
  /** Missing ones included. */
  readonly rows: number
  readonly nulls: number
  /** Least and greatest value, by Parquet's order. none: all rows are missing. unordered: one is NaN. */
  readonly reached: { readonly min: PhysicalValue; readonly max: PhysicalValue } | 'none' | 'unordered'
}

export interface PageLocation {
  readonly startByte: number
  readonly sizeBytes: number
  /** Counted from the first row of the row group. */
  readonly firstRow: number
}

export interface PageBounds {
  /** All rows are missing; the bounds are null then, and never otherwise. */
  readonly isEmpty: boolean
  readonly min: PhysicalValue | null
  readonly max: PhysicalValue | null
  /** null: the index does not say. */
  readonly nulls: number | null
}

export interface ColumnIndex {
  readonly pages: readonly PageBounds[]
  readonly order: 'unordered' | 'ascending' | 'descending'
}

/** The two sections of one column chunk as they stand in the file; null: the footer names none. */
export interface ChunkIndexBytes {
  readonly columnIndex: Uint8Array | null
  readonly offsetIndex: Uint8Array | null
}

/** What is wrong with the page index of a column chunk, or null. Throws PARQUET_INVALID for bytes that are no index. */
export function pageIndexFault(physical: PhysicalType, bytes: ChunkIndexBytes, pages: readonly PageFacts[]): string | null {
  if (bytes.offsetIndex === null) return 'it has no offset index'
  const wrong = offsetIndexFault(decodeOffsetIndex(bytes.offsetIndex), pages)
  // A chunk may do without bounds: then every page is read.
  if (wrong !== null || bytes.columnIndex === null) return wrong
  return columnIndexFault(physical, decodeColumnIndex(bytes.columnIndex, physical), pages)
}

export function offsetIndexFault(locations: readonly PageLocation[], pages: readonly PageFacts[]): string | null {
  if (locations.length !== pages.length) return `its offset index has ${locations.length} pages, and it has ${pages.length}`
  let row = 0
  for (const [i, { startByte, sizeBytes, firstRow }] of locations.entries()) {
    const page = pages[i]!
    if (startByte !== page.startByte || sizeBytes !== page.sizeBytes) return `its offset index has another place for page ${i}`
    if (firstRow !== row) return `its offset index lets page ${i} begin at row ${firstRow}, and it begins at ${row}`
    row += page.rows
  }
  return null
}

export function columnIndexFault(physical: PhysicalType, index: ColumnIndex, pages: readonly PageFacts[]): string | null {
  if (index.pages.length !== pages.length) return `its column index has ${index.pages.length} pages, and it has ${pages.length}`
  for (const [i, { isEmpty, min, max, nulls }] of index.pages.entries()) {
    const { rows, nulls: missing, reached } = pages[i]!
    if (nulls !== null && nulls !== missing) return `its column index counts ${nulls} missing rows in page ${i}, and ${missing} are missing`
    if (isEmpty !== (missing === rows)) return `its column index is wrong about whether page ${i} has values`
    if (reached === 'unordered') return `its column index has bounds for page ${i}, which has a NaN`
    if (reached === 'none' || min === null || max === null) continue
    if (comparePhysical(physical, min, reached.min) > 0 || comparePhysical(physical, max, reached.max) < 0)
      return `a value of page ${i} lies outside the bounds of its column index`
  }
  return inOrder(physical, index) ? null : `the bounds of its column index are not ${index.order}`
}

function inOrder(physical: PhysicalType, { pages, order }: ColumnIndex): boolean {
  if (order === 'unordered') return true
  const sign = order === 'ascending' ? 1 : -1
  const bounded = pages.filter((page) => !page.isEmpty)
  return bounded.every((page, i) => {
    const last = bounded[i - 1]
    if (last === undefined) return true
    return sign * comparePhysical(physical, page.min!, last.min!) >= 0 && sign * comparePhysical(physical, page.max!, last.max!) >= 0
  })
}

/**
 * The index sections of some column chunks, read with one call: they stand together. `rowGroups` and `columns` are ranges `[from, to)`.
 * Memory: all sections between the first and the last of them.
 */
export async function readPageIndexes(
  source: ByteSource,
  layout: { readonly rowGroups: readonly RowGroupFacts[] },
  rowGroups: readonly [from: number, to: number],
  columns: readonly [from: number, to: number],
): Promise<(rowGroup: number, column: number) => ChunkIndexBytes> {
  const sections = layout.rowGroups
    .slice(...rowGroups)
    .flatMap((group) => group.columns.slice(...columns).flatMap(({ columnIndex, offsetIndex }) => [columnIndex, offsetIndex]))
    .filter((section) => section !== null)
  const start = sections.reduce((least, { startByte }) => Math.min(least, startByte), source.sizeBytes)
  const end = sections.reduce((most, { startByte, sizeBytes }) => Math.max(most, startByte + sizeBytes), start)
  const bytes = await source.read(start, end)
  const cut = (section: FileSection | null): Uint8Array | null =>
    section === null ? null : bytes.subarray(section.startByte - start, section.startByte - start + section.sizeBytes)
  return (rowGroup, column) => {
    const { columnIndex, offsetIndex } = layout.rowGroups[rowGroup]!.columns[column]!
    return { columnIndex: cut(columnIndex), offsetIndex: cut(offsetIndex) }
  }
}

/** Throws PARQUET_INVALID. Fields: 1 page_locations, of 1 offset, 2 compressed_page_size, 3 first_row_index. */
export function decodeOffsetIndex(bytes: Uint8Array): PageLocation[] {
  const reader = new StructReader(bytes)
  let locations: PageLocation[] | null = null
  for (let id = reader.field(0); id !== 0; id = reader.field(id)) {
    must(id === 1, `an offset index has the unknown field ${id}`)
    locations = reader.list(STRUCT, () => {
      const [startByte, sizeBytes, firstRow] = [reader.member(1, I64), reader.member(2, I32), reader.member(3, I64)]
      must(reader.field(3) === 0, 'a page location has an unknown field')
      return { startByte, sizeBytes, firstRow }
    })
  }
  reader.end()
  must(locations !== null, 'an offset index without pages')
  return locations
}

const ORDERS = ['unordered', 'ascending', 'descending'] as const

/** Throws PARQUET_INVALID. Fields: 1 null_pages, 2 min_values, 3 max_values, 4 boundary_order, 5 null_counts. */
export function decodeColumnIndex(bytes: Uint8Array, physical: PhysicalType): ColumnIndex {
  const reader = new StructReader(bytes)
  let empty: boolean[] | null = null
  let mins: Uint8Array[] | null = null
  let maxs: Uint8Array[] | null = null
  let order: ColumnIndex['order'] | undefined
  let nulls: number[] | null = null
  for (let id = reader.field(0); id !== 0; id = reader.field(id)) {
    if (id === 1) empty = reader.list(BOOLEAN, () => reader.boolean())
    else if (id === 2) mins = reader.list(BINARY, () => reader.binary())
    else if (id === 3) maxs = reader.list(BINARY, () => reader.binary())
    else if (id === 4) order = ORDERS[reader.number(I32)]
    else if (id === 5) nulls = reader.list(I64, () => reader.integer())
    else throw undecodable(`a column index has the unknown field ${id}`)
  }
  reader.end()
  must(empty !== null && mins !== null && maxs !== null && order !== undefined, 'a column index lacks a part')
  const { length } = empty
  must(
    mins.length === length && maxs.length === length && (nulls === null || nulls.length === length),
    'the lists of a column index differ',
  )
  const pages = empty.map((isEmpty, i) => {
    const [min, max] = [mins[i]!, maxs[i]!]
    if (isEmpty) must(min.length === 0 && max.length === 0, 'a page without values has bounds')
    return {
      isEmpty,
      min: isEmpty ? null : boundOf(physical, min),
      max: isEmpty ? null : boundOf(physical, max),
      nulls: nulls?.[i] ?? null,
    }
  })
  return { pages, order }
}

function boundOf(physical: PhysicalType, bytes: Uint8Array): PhysicalValue {
  const widths = { BOOLEAN: 1, INT32: 4, INT64: 8, DOUBLE: 8, FIXED_LEN_BYTE_ARRAY: DECIMAL_WIDTH_BYTES, BYTE_ARRAY: bytes.length }
  must(bytes.length === widths[physical], 'a bound of a page has another size than its type')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (physical) {
    case 'BOOLEAN':
      must(bytes[0]! <= 1, 'a bound of a page is no boolean')
      return bytes[0]!
    case 'INT32':
      return view.getInt32(0, true)
    case 'INT64':
      return view.getBigInt64(0, true)
    case 'DOUBLE': {
      const bound = view.getFloat64(0, true)
      must(!Number.isNaN(bound), 'a bound of a page is NaN')
      return bound
    }
    default:
      return bytes
  }
}

/** Types of the compact protocol. A list of booleans may be of either of its two. */
const BOOLEAN = 1
const I32 = 5
const I64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12

class StructReader {
  private at = 0
  private type = 0

  constructor(private readonly bytes: Uint8Array) {}

  /** Number of the next field, 0 at the end of the structure. */
  field(last: number): number {
    const head = this.byte()
    if (head === 0) return 0
    this.type = head & 0x0f
    must(head >>> 4 !== 0, 'the fields of a page index are out of order')
    return last + (head >>> 4)
  }

  /** The number in the field `id`, which comes next. */
  member(id: number, type: number): number {
    must(this.field(id - 1) === id, 'a page location lacks a part')
    return this.number(type)
  }

  number(type: number): number {
    must(this.type === type, 'a number of a page index has another type')
    return this.integer()
  }

  /** Unsigned ones only: there are no others. At most 52 bits. */
  integer(): number {
    const zigzag = this.varint()
    must(zigzag % 2 === 0, 'a number of a page index is negative')
    return zigzag / 2
  }

  boolean(): boolean {
    const byte = this.byte()
    must(byte === 1 || byte === 2, 'a boolean of a page index is neither')
    return byte === 1
  }

  binary(): Uint8Array {
    const size = this.varint()
    must(size <= this.bytes.length - this.at, 'a page index ends before it is whole')
    this.at += size
    return this.bytes.subarray(this.at - size, this.at)
  }

  list<T>(type: number, element: () => T): T[] {
    must(this.type === LIST, 'a list of a page index is none')
    const head = this.byte()
    const of = head & 0x0f
    must(of === type || (type === BOOLEAN && of === 2), 'a list of a page index has elements of another type')
    const size = head >>> 4 === 15 ? this.varint() : head >>> 4
    // Every element takes a byte at least, so the bytes that are there bound this loop.
    const elements: T[] = []
    for (let i = 0; i < size; i++) elements.push(element())
    return elements
  }

  end(): void {
    must(this.at === this.bytes.length, 'a page index is shorter than the footer says')
  }

  private byte(): number {
    if (this.at >= this.bytes.length) throw undecodable('a page index ends before it is whole')
    return this.bytes[this.at++]!
  }

  private varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      must(factor <= 2 ** 49 && value <= Number.MAX_SAFE_INTEGER, 'a number of a page index has more than 52 bits')
      if (byte < 0x80) return value
    }
  }
}
