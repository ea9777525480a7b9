import type { ColumnType, PhysicalType } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { assert } from '../errors.js'
import { CompactProtocol, THRIFT } from './compact-protocol.js'
import type { Compression } from './compress-page.js'
import { CREATED_BY } from './created-by.js'
import type { EncodedColumnChunk } from './encode-column.js'
import { loadParquetTypes, serializeThrift } from './load-parquetjs.js'
import { UNIT_KEY, UNITS_KEY } from './metadata-keys.js'
import { ENCODING } from './page-header.js'
import type { ChunkIndexes } from './page-index.js'
import { schemaElements } from './schema-elements.js'
import type { ColumnStatistics } from './statistics.js'

/**
 * The footer of a file. What all files of a table have in common (schema, key-value members, who made it) is made by the Thrift classes of
 * @dsnp/parquetjs, once, and kept in bytes; row groups, which differ, are written field by field as parquet.thrift numbers them (RowGroup,
 * ColumnChunk, ColumnMetaData, Statistics). A small file has a dozen columns and few rows: objects of those classes for each would take
 * longer than its rows. A test holds the two ways to the same bytes.
 */

export interface WrittenChunk {
  /** Of its first page in the file. */
  readonly startByte: number
  /** Its pages stand in the page index already: a large file has too many of them to keep their bounds until the end. */
  readonly chunk: Omit<EncodedColumnChunk, 'pages' | 'digest'>
  readonly pages: number
  readonly indexes: ChunkIndexes
}

export interface WrittenRowGroup {
  readonly rows: number
  readonly startByte: number
  readonly columns: readonly WrittenChunk[]
}

/** Where the two sections of the page index begin in the file. */
export interface IndexPlaces {
  readonly columns: number
  readonly offsets: number
}

/** Bytes of the structure, without the length and the magic that follow it. */
export function encodeFooter(
  columns: readonly ColumnType[],
  keyValue: ReadonlyMap<string, string>,
  rowGroups: readonly WrittenRowGroup[],
  places: IndexPlaces,
): Uint8Array {
  const { head, tail, names } = frameOf(columns, keyValue, rowGroups.length === 0)
  const out = new CompactProtocol()
  out.writeRaw(head)
  out.writeStructBegin('FileMetaData')
  out.continueAfter(2)
  out.writeFieldBegin('num_rows', THRIFT.i64, 3)
  out.writeI64(rowGroups.reduce((rows, group) => rows + group.rows, 0))
  out.writeFieldBegin('row_groups', THRIFT.list, 4)
  out.writeListBegin(THRIFT.struct, rowGroups.length)
  for (const [ordinal, group] of rowGroups.entries()) writeRowGroup(out, group, ordinal, columns, names, places)
  out.writeRaw(tail)
  return out.written()
}

interface Frame {
  readonly keyValue: ReadonlyMap<string, string>
  /** Fields 1 and 2 of FileMetaData. */
  readonly head: Uint8Array
  /** Fields 5 to 7, behind field 4, and the end. */
  readonly tail: Uint8Array
  readonly names: readonly Uint8Array[]
}

/** A table of a thousand records writes a thousand files with the same frame. */
const frames = new WeakMap<readonly ColumnType[], Frame>()

function frameOf(columns: readonly ColumnType[], keyValue: ReadonlyMap<string, string>, isEmpty: boolean): Frame {
  const known = frames.get(columns)
  if (known !== undefined && known.keyValue === keyValue && !isEmpty) return known
  const pairs = [...keyValue]
  if (isEmpty && columns.some((c) => c.unit !== null)) pairs.push([UNITS_KEY, canonicalJson(columns.map((c) => c.unit))])
  const t = loadParquetTypes()
  // Each is a structure of its own: without the last byte, which ends it, and with another number of fields passed over before the first.
  const head = serializeThrift(Object.assign(new t.FileMetaData(), { version: 1, schema: schemaElements(t, columns) }))
  const tail = serializeThrift(
    Object.assign(new t.FileMetaData(), {
      key_value_metadata: pairs.map(([key, value]) => new t.KeyValue({ key, value })),
      created_by: CREATED_BY,
      // Without it readers must not use min_value and max_value.
      column_orders: columns.map(() => new t.ColumnOrder({ TYPE_ORDER: new t.TypeDefinedOrder() })),
    }),
  )
  assert(tail[0]! >>> 4 === 5 && head.at(-1) === 0, 'the fields of a footer are where parquet.thrift has them')
  tail[0] = (1 << 4) | (tail[0]! & 0x0f)
  const frame = { keyValue, head: head.subarray(0, -1), tail, names: columns.map(({ name }) => Buffer.from(name, 'utf8')) }
  if (!isEmpty) frames.set(columns, frame)
  return frame
}

/** Numbers of parquet.thrift's enums. */
const TYPE: Readonly<Record<PhysicalType, number>> = { BOOLEAN: 0, INT32: 1, INT64: 2, DOUBLE: 5, BYTE_ARRAY: 6, FIXED_LEN_BYTE_ARRAY: 7 }
const CODEC: Readonly<Record<Compression, number>> = { NONE: 0, SNAPPY: 1, GZIP: 2, ZSTD: 6 }
const PAGE_TYPE = { data: 0, dictionary: 2 } as const
/** A 16-bit field: beyond it the ordinal is left out, which is allowed. */
const ORDINAL_MOST = 0x7fff

function writeRowGroup(
  out: CompactProtocol,
  { rows, startByte, columns }: WrittenRowGroup,
  ordinal: number,
  types: readonly ColumnType[],
  names: readonly Uint8Array[],
  places: IndexPlaces,
): void {
  let compressedBytes = 0
  let uncompressedBytes = 0
  out.writeStructBegin('RowGroup')
  out.writeFieldBegin('columns', THRIFT.list, 1)
  out.writeListBegin(THRIFT.struct, columns.length)
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!
    writeColumnChunk(out, column, types[i]!, names[i]!, places)
    compressedBytes += column.chunk.compressedBytes
    uncompressedBytes += column.chunk.uncompressedBytes
  }
  out.writeFieldBegin('total_byte_size', THRIFT.i64, 2)
  out.writeI64(uncompressedBytes)
  out.writeFieldBegin('num_rows', THRIFT.i64, 3)
  out.writeI64(rows)
  out.writeFieldBegin('file_offset', THRIFT.i64, 5)
  out.writeI64(startByte)
  out.writeFieldBegin('total_compressed_size', THRIFT.i64, 6)
  out.writeI64(compressedBytes)
  if (ordinal <= ORDINAL_MOST) {
    out.writeFieldBegin('ordinal', THRIFT.i16, 7)
    out.writeI16(ordinal)
  }
  out.writeFieldStop()
  out.writeStructEnd()
}

function writeColumnChunk(
  out: CompactProtocol,
  { startByte, chunk, pages, indexes }: WrittenChunk,
  type: ColumnType,
  name: Uint8Array,
  places: IndexPlaces,
): void {
  out.writeStructBegin('ColumnChunk')
  out.writeFieldBegin('file_offset', THRIFT.i64, 2)
  out.writeI64(startByte)
  out.writeFieldBegin('meta_data', THRIFT.struct, 3)
  writeColumnMetadata(out, startByte, chunk, pages, type, name)
  out.writeFieldBegin('offset_index_offset', THRIFT.i64, 4)
  out.writeI64(places.offsets + indexes.offset.start)
  out.writeFieldBegin('offset_index_length', THRIFT.i32, 5)
  out.writeI32(indexes.offset.bytes)
  if (indexes.column !== null) {
    out.writeFieldBegin('column_index_offset', THRIFT.i64, 6)
    out.writeI64(places.columns + indexes.column.start)
    out.writeFieldBegin('column_index_length', THRIFT.i32, 7)
    out.writeI32(indexes.column.bytes)
  }
  out.writeFieldStop()
  out.writeStructEnd()
}

function writeColumnMetadata(
  out: CompactProtocol,
  startByte: number,
  chunk: WrittenChunk['chunk'],
  pages: number,
  type: ColumnType,
  name: Uint8Array,
): void {
  const withDictionary = chunk.dictionaryPageBytes > 0
  const dataEncoding = ENCODING[chunk.dataEncoding]
  out.writeStructBegin('ColumnMetaData')
  out.writeFieldBegin('type', THRIFT.i32, 1)
  out.writeI32(TYPE[type.physical])
  out.writeFieldBegin('encodings', THRIFT.list, 2)
  out.writeListBegin(THRIFT.i32, withDictionary ? 3 : 2)
  out.writeI32(ENCODING.RLE)
  if (withDictionary) out.writeI32(ENCODING.PLAIN)
  out.writeI32(dataEncoding)
  out.writeFieldBegin('path_in_schema', THRIFT.list, 3)
  out.writeListBegin(THRIFT.text, 1)
  out.writeBinary(name)
  out.writeFieldBegin('codec', THRIFT.i32, 4)
  out.writeI32(CODEC[chunk.compression])
  out.writeFieldBegin('num_values', THRIFT.i64, 5)
  out.writeI64(chunk.rows)
  out.writeFieldBegin('total_uncompressed_size', THRIFT.i64, 6)
  out.writeI64(chunk.uncompressedBytes)
  out.writeFieldBegin('total_compressed_size', THRIFT.i64, 7)
  out.writeI64(chunk.compressedBytes)
  if (type.unit !== null) {
    out.writeFieldBegin('key_value_metadata', THRIFT.list, 8)
    out.writeListBegin(THRIFT.struct, 1)
    out.writeStructBegin('KeyValue')
    out.writeFieldBegin('key', THRIFT.text, 1)
    out.writeString(UNIT_KEY)
    out.writeFieldBegin('value', THRIFT.text, 2)
    out.writeString(type.unit)
    out.writeFieldStop()
    out.writeStructEnd()
  }
  out.writeFieldBegin('data_page_offset', THRIFT.i64, 9)
  out.writeI64(startByte + chunk.dictionaryPageBytes)
  if (withDictionary) {
    out.writeFieldBegin('dictionary_page_offset', THRIFT.i64, 11)
    out.writeI64(startByte)
  }
  out.writeFieldBegin('statistics', THRIFT.struct, 12)
  writeStatistics(out, chunk.statistics)
  out.writeFieldBegin('encoding_stats', THRIFT.list, 13)
  out.writeListBegin(THRIFT.struct, withDictionary ? 2 : 1)
  if (withDictionary) writeEncodingStats(out, PAGE_TYPE.dictionary, ENCODING.PLAIN, 1)
  writeEncodingStats(out, PAGE_TYPE.data, dataEncoding, pages)
  out.writeFieldStop()
  out.writeStructEnd()
}

/** min_value and max_value only: the older min and max have no defined order for byte arrays. */
function writeStatistics(out: CompactProtocol, { nulls, min, max, minExact, maxExact }: ColumnStatistics): void {
  out.writeStructBegin('Statistics')
  out.writeFieldBegin('null_count', THRIFT.i64, 3)
  out.writeI64(nulls)
  if (max !== null) {
    out.writeFieldBegin('max_value', THRIFT.text, 5)
    out.writeBinary(max)
  }
  if (min !== null) {
    out.writeFieldBegin('min_value', THRIFT.text, 6)
    out.writeBinary(min)
  }
  if (max !== null) {
    out.writeFieldBegin('is_max_value_exact', THRIFT.boolean, 7)
    out.writeBool(maxExact)
  }
  if (min !== null) {
    out.writeFieldBegin('is_min_value_exact', THRIFT.boolean, 8)
    out.writeBool(minExact)
  }
  out.writeFieldStop()
  out.writeStructEnd()
}

function writeEncodingStats(out: CompactProtocol, page: number, encoding: number, count: number): void {
  out.writeStructBegin('PageEncodingStats')
  out.writeFieldBegin('page_type', THRIFT.i32, 1)
  out.writeI32(page)
  out.writeFieldBegin('encoding', THRIFT.i32, 2)
  out.writeI32(encoding)
  out.writeFieldBegin('count', THRIFT.i32, 3)
  out.writeI32(count)
  out.writeFieldStop()
  out.writeStructEnd()
}
