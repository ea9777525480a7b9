import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadParquetTypes, serializeThrift } from '../../../src/parquet/load-parquetjs.js'

const require = createRequire(import.meta.url)
const ofParquetjs = createRequire(require.resolve('@dsnp/parquetjs/dist/gen-nodejs/parquet_types.js'))
const thriftLoaded = (): boolean => require.cache[ofParquetjs.resolve('thrift')] !== undefined

// In this order: the first test must find a process that has not loaded Thrift.
test('the Thrift classes come without the Thrift library, and whoever asks for it afterwards gets all of it', () => {
  expect(thriftLoaded()).toBe(false)
  const before = Object.keys(require.cache).length
  const types = loadParquetTypes()
  expect(Object.keys(require.cache).length - before).toBeLessThanOrEqual(3)
  expect(thriftLoaded()).toBe(false)
  expect(types.Type.BYTE_ARRAY).toBe(6)
  expect(loadParquetTypes()).toBe(types)

  const thrift = ofParquetjs('thrift') as Record<string, unknown>
  expect(thrift.createConnection).toBeTypeOf('function')
  expect(thrift.TCompactProtocol).toBeTypeOf('function')
  expect(thriftLoaded()).toBe(true)
})

const t = loadParquetTypes()
const library = (structure: object): Buffer =>
  (require('@dsnp/parquetjs/dist/lib/util.js') as { serializeThrift(structure: object): Buffer }).serializeThrift(structure)

const whole = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 63, 64, 2 ** 31, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER))
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const bytes = fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b))
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })

const statistics = fc
  .record({ null_count: maybe(whole), max_value: maybe(bytes), min_value: maybe(bytes), is_max_value_exact: maybe(fc.boolean()) })
  .map((fields) => new t.Statistics(fields as never))

const columnChunk = fc
  .record({
    encodings: fc.array(fc.constantFrom(0, 3, 8), { maxLength: 20 }),
    path_in_schema: fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 }),
    codec: fc.constantFrom(0, 1, 2),
    num_values: whole,
    total_uncompressed_size: whole,
    total_compressed_size: whole,
    data_page_offset: whole,
    dictionary_page_offset: maybe(whole),
    bloom_filter_offset: maybe(whole),
    statistics: maybe(statistics),
  })
  .map((fields) => new t.ColumnChunk({ file_offset: 4, meta_data: new t.ColumnMetaData({ type: 6, ...fields } as never) } as never))

const schemaElement = fc.record({ name: fc.string({ unit: 'binary' }), precision: maybe(int32), utc: fc.boolean() }).map(
  ({ name, precision, utc }) =>
    new t.SchemaElement({
      name,
      precision,
      logicalType: new t.LogicalType({
        TIMESTAMP: new t.TimestampType({ isAdjustedToUTC: utc, unit: new t.TimeUnit({ MILLIS: new t.MilliSeconds() }) }),
      }),
    } as never),
)

const footer = fc
  .record({
    version: int32,
    schema: fc.array(schemaElement, { maxLength: 40 }),
    num_rows: whole,
    row_groups: fc.array(
      fc
        .record({
          columns: fc.array(columnChunk, { maxLength: 4 }),
          total_byte_size: whole,
          num_rows: whole,
          ordinal: maybe(fc.nat(0x7fff)),
        })
        .map((fields) => new t.RowGroup(fields as never)),
      { maxLength: 20 },
    ),
    key_value_metadata: fc.array(
      fc.record({ key: fc.string(), value: maybe(fc.string({ unit: 'binary' })) }).map((fields) => new t.KeyValue(fields as never)),
    ),
    created_by: fc.string(),
    column_orders: fc.array(fc.constant(new t.ColumnOrder({ TYPE_ORDER: new t.TypeDefinedOrder() } as never)), { maxLength: 40 }),
  })
  .map((fields) => new t.FileMetaData(fields as never))

test('footers are byte for byte those of the library', () => {
  fc.assert(
    fc.property(footer, (metadata) => {
      expect(Buffer.from(serializeThrift(metadata)).equals(library(metadata))).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('doubles and booleans in lists are written as the library does', () => {
  const header = new t.DataPageHeaderV2({
    num_values: 3,
    num_nulls: 0,
    num_rows: 3,
    encoding: 0,
    definition_levels_byte_length: 1,
    repetition_levels_byte_length: 0,
    is_compressed: false,
  } as never)
  expect(Buffer.from(serializeThrift(header))).toEqual(library(header))
  const index = new t.ColumnIndex({
    null_pages: [true, false, true],
    min_values: [Buffer.from('a'), Buffer.alloc(0), Buffer.from([255])],
    max_values: [Buffer.from('a'), Buffer.alloc(0), Buffer.from([255])],
    boundary_order: 1,
    null_counts: [0, 5, 2 ** 40],
  } as never)
  expect(Buffer.from(serializeThrift(index))).toEqual(library(index))
  const box = {
    [Symbol.for('write')]: (out: { writeDouble(v: number): void }) => {
      for (const value of [0, 1.5, -2.25, 1e300]) out.writeDouble(value)
    },
  }
  expect(Buffer.from(serializeThrift(box))).toEqual(library(box))
})

test('64-bit numbers that would not be exact are refused', () => {
  for (const offset of [-1, 0.5, 2 ** 53, Number.NaN]) {
    const location = new t.PageLocation({ offset, compressed_page_size: 1, first_row_index: 0 } as never)
    expect(() => serializeThrift(location)).toThrow('assertion failed')
  }
})
