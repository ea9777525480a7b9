import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ColumnType, type LogicalType, physicalTypeOf } from '../../../src/columns/vector.js'
import { canonicalJson } from '../../../src/core/canonical-json.js'
import { CREATED_BY } from '../../../src/parquet/created-by.js'
import { encodeFooter, type WrittenChunk, type WrittenRowGroup } from '../../../src/parquet/footer.js'
import { loadParquetTypes, serializeThrift } from '../../../src/parquet/load-parquetjs.js'
import { UNIT_KEY, UNITS_KEY } from '../../../src/parquet/metadata-keys.js'
import { schemaElements } from '../../../src/parquet/schema-elements.js'

const t = loadParquetTypes()

/** The same footer, all of it in the classes of @dsnp/parquetjs. */
function model(
  columns: readonly ColumnType[],
  keyValue: ReadonlyMap<string, string>,
  rowGroups: readonly WrittenRowGroup[],
  places: { columns: number; offsets: number },
): Uint8Array {
  const pairs = [...keyValue]
  if (rowGroups.length === 0 && columns.some((c) => c.unit !== null)) pairs.push([UNITS_KEY, canonicalJson(columns.map((c) => c.unit))])
  const sum = (of: (chunk: WrittenChunk['chunk']) => number, group: WrittenRowGroup): number =>
    group.columns.reduce((bytes, { chunk }) => bytes + of(chunk), 0)
  return serializeThrift(
    Object.assign(new t.FileMetaData(), {
      version: 1,
      schema: schemaElements(t, columns),
      num_rows: rowGroups.reduce((rows, group) => rows + group.rows, 0),
      row_groups: rowGroups.map((group, ordinal) =>
        Object.assign(new t.RowGroup(), {
          columns: group.columns.map((written, i) => columnChunk(columns[i]!, written, places)),
          total_byte_size: sum((chunk) => chunk.uncompressedBytes, group),
          num_rows: group.rows,
          file_offset: group.startByte,
          total_compressed_size: sum((chunk) => chunk.compressedBytes, group),
          ...(ordinal <= 0x7fff ? { ordinal } : {}),
        }),
      ),
      key_value_metadata: pairs.map(([key, value]) => new t.KeyValue({ key, value })),
      created_by: CREATED_BY,
      column_orders: columns.map(() => new t.ColumnOrder({ TYPE_ORDER: new t.TypeDefinedOrder() })),
    }),
  )
}

function columnChunk(column: ColumnType, { startByte, chunk, pages, indexes }: WrittenChunk, places: { columns: number; offsets: number }) {
  const { nulls, min, max, minExact, maxExact } = chunk.statistics
  const coded = chunk.dictionaryPageBytes > 0
  const encoding = t.Encoding[chunk.dataEncoding]
  const stats = (page_type: number, of: number, count: number) =>
    Object.assign(new t.PageEncodingStats(), { page_type, encoding: of, count })
  const metadata = Object.assign(new t.ColumnMetaData(), {
    type: t.Type[column.physical],
    encodings: coded ? [t.Encoding.RLE, t.Encoding.PLAIN, encoding] : [t.Encoding.RLE, encoding],
    path_in_schema: [column.name],
    codec: t.CompressionCodec[chunk.compression === 'NONE' ? 'UNCOMPRESSED' : chunk.compression],
    num_values: chunk.rows,
    total_uncompressed_size: chunk.uncompressedBytes,
    total_compressed_size: chunk.compressedBytes,
    data_page_offset: startByte + chunk.dictionaryPageBytes,
    statistics: Object.assign(new t.Statistics(), {
      null_count: nulls,
      ...(min === null ? {} : { min_value: Buffer.from(min), is_min_value_exact: minExact }),
      ...(max === null ? {} : { max_value: Buffer.from(max), is_max_value_exact: maxExact }),
    }),
    encoding_stats: [
      ...(coded ? [stats(t.PageType.DICTIONARY_PAGE, t.Encoding.PLAIN, 1)] : []),
      stats(t.PageType.DATA_PAGE, encoding, pages),
    ],
    ...(coded ? { dictionary_page_offset: startByte } : {}),
    ...(column.unit === null ? {} : { key_value_metadata: [new t.KeyValue({ key: UNIT_KEY, value: column.unit })] }),
  })
  return Object.assign(new t.ColumnChunk(), {
    file_offset: startByte,
    meta_data: metadata,
    offset_index_offset: places.offsets + indexes.offset.start,
    offset_index_length: indexes.offset.bytes,
    ...(indexes.column === null
      ? {}
      : { column_index_offset: places.columns + indexes.column.start, column_index_length: indexes.column.bytes }),
  })
}

const place = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.maxSafeNat().map((n) => Math.floor(n / 8)),
)
const count = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }))
const bound = fc.option(fc.uint8Array({ maxLength: 70 }), { nil: null })

const logical = fc.constantFrom<LogicalType>(
  { kind: 'string' },
  { kind: 'json' },
  { kind: 'boolean' },
  { kind: 'double' },
  { kind: 'date' },
  { kind: 'integer', bits: 32 },
  { kind: 'integer', bits: 64 },
  { kind: 'decimal', precision: 38, scale: 3 },
  { kind: 'decimal', precision: 9, scale: 2 },
  { kind: 'time', unit: 'MICROS' },
  { kind: 'timestamp', unit: 'MILLIS', utc: true },
)
const column = fc
  .record({ name: fc.string({ unit: 'binary' }), logical, unit: fc.option(fc.string(), { nil: null }) })
  .map((parts): ColumnType => ({ ...parts, physical: physicalTypeOf(parts.logical) }))

const writtenChunk: fc.Arbitrary<WrittenChunk> = fc.record({
  startByte: place,
  chunk: fc.record({
    rows: count,
    compression: fc.constantFrom('NONE', 'SNAPPY', 'GZIP', 'ZSTD'),
    compressedBytes: place,
    uncompressedBytes: place,
    dictionaryPageBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 31 })),
    dataEncoding: fc.constantFrom('PLAIN', 'RLE_DICTIONARY'),
    statistics: fc.record({ nulls: count, min: bound, max: bound, minExact: fc.boolean(), maxExact: fc.boolean() }),
  }),
  pages: fc.integer({ min: 0, max: 200 }),
  indexes: fc.record({
    column: fc.option(fc.record({ start: count, bytes: count }), { nil: null }),
    offset: fc.record({ start: count, bytes: count }),
  }),
})

const file = fc.array(column, { minLength: 1, maxLength: 20 }).chain((columns) =>
  fc.record({
    columns: fc.constant(columns),
    keyValue: fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string())).map((pairs) => new Map(pairs)),
    rowGroups: fc.array(
      fc.record({
        rows: count,
        startByte: place,
        columns: fc.array(writtenChunk, { minLength: columns.length, maxLength: columns.length }),
      }),
      { maxLength: 20 },
    ),
    places: fc.record({ columns: place, offsets: place }),
  }),
)

test('a footer is, byte for byte, what the classes of @dsnp/parquetjs make of the same facts', () => {
  fc.assert(
    fc.property(file, ({ columns, keyValue, rowGroups, places }) => {
      const expected = Buffer.from(model(columns, keyValue, rowGroups, places))
      expect(Buffer.from(encodeFooter(columns, keyValue, rowGroups, places)).equals(expected)).toBe(true)
      // What is kept of the table from the first time says the same.
      expect(Buffer.from(encodeFooter(columns, keyValue, rowGroups, places)).equals(expected)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('what is kept of a table is not taken for another one: other key-values, other columns, no row groups', () => {
  const columns: ColumnType[] = [{ name: 'a', logical: { kind: 'double' }, physical: 'DOUBLE', unit: 'm' }]
  const places = { columns: 4, offsets: 4 }
  const [chunk] = fc.sample(writtenChunk, { numRuns: 1, seed: 1 })
  const groups: WrittenRowGroup[] = [{ rows: 1, startByte: 4, columns: [chunk!] }]
  const calls: [readonly ColumnType[], ReadonlyMap<string, string>, readonly WrittenRowGroup[]][] = [
    [columns, new Map([['k', '1']]), groups],
    [columns, new Map([['k', '2']]), groups],
    [columns, new Map([['k', '2']]), []],
    [columns, new Map([['k', '2']]), groups],
    [[{ ...columns[0]!, name: 'b' }], new Map([['k', '2']]), groups],
    [columns, new Map(), groups],
  ]
  const made = calls.map(([c, k, g]) => Buffer.from(encodeFooter(c, k, g, places)))
  for (const [i, [c, k, g]] of calls.entries()) expect(made[i]!.equals(Buffer.from(model(c, k, g, places))), `${i}`).toBe(true)
  expect(new Set(made.map((bytes) => bytes.toString('hex'))).size).toBe(5)
})

test('after so many row groups that a 16-bit number does not count them, they have no ordinal', () => {
  const columns: ColumnType[] = [{ name: 'a', logical: { kind: 'double' }, physical: 'DOUBLE', unit: null }]
  const [chunk] = fc.sample(writtenChunk, { numRuns: 1, seed: 2 })
  const groups = Array.from({ length: 0x8003 }, (): WrittenRowGroup => ({ rows: 1, startByte: 4, columns: [chunk!] }))
  const places = { columns: 4, offsets: 4 }
  expect(Buffer.from(encodeFooter(columns, new Map(), groups, places)).equals(Buffer.from(model(columns, new Map(), groups, places)))).toBe(
    true,
  )
})
