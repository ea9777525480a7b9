import fc from 'fast-check'
import { parquetMetadata, readColumnIndex, readOffsetIndex } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector, LogicalType, PhysicalType } from '../../../src/columns/vector.js'
import type { EncodedPage } from '../../../src/parquet/encode-column.js'
import { loadParquetTypes, serializeThrift } from '../../../src/parquet/load-parquetjs.js'
import { PageIndex } from '../../../src/parquet/page-index.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import { type ColumnIndex, decodeColumnIndex, pageIndexFault } from '../../../src/parquet/verify-page-index.js'
import { Engine } from './duckdb.js'
import { isBelow, pagesOfFile } from './page-facts.js'
import {
  ALL_LOGICAL_TYPES,
  type Cell,
  columnType,
  dictionaryVector,
  labelOf,
  plainVector,
  randomOf,
  writeParquet,
} from './sample-vectors.js'

const t = loadParquetTypes()

const page = (rows: number, nulls: number, min: Uint8Array | null, max = min, bytes = 100): EncodedPage => ({
  rows,
  bytes,
  statistics: { nulls, min, max, minExact: true, maxExact: true },
})
const int32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer)
const int64 = (value: bigint): Uint8Array => new Uint8Array(BigInt64Array.of(value).buffer)
const double = (value: number): Uint8Array => new Uint8Array(Float64Array.of(value).buffer)
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value))

function orderOf(physical: PhysicalType, pages: readonly EncodedPage[]): ColumnIndex['order'] {
  const index = new PageIndex()
  index.add(physical, 4, pages)
  return decodeColumnIndex(index.sections().columns, physical).order
}

describe('the bytes', () => {
  test("are those of parquetjs's Thrift classes", () => {
    const bound = fc.uint8Array({ minLength: 0, maxLength: 64 })
    const arbitrary = fc.array(
      fc.record({
        rows: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        bytes: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        min: bound,
        max: bound,
        isEmpty: fc.boolean(),
        nulls: fc.nat(),
      }),
      { minLength: 1, maxLength: 40 },
    )
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 4, max: 2 ** 50 }), (made, start) => {
        const pages = made.map(({ rows, bytes, min, max, isEmpty, nulls }) =>
          isEmpty ? page(rows, rows, null, null, bytes) : page(rows, nulls % rows, min, max, bytes),
        )
        const index = new PageIndex()
        const places = index.add('BYTE_ARRAY', start, pages)
        const { columns, offsets } = index.sections()
        let offset = start
        let row = 0
        const locations = pages.map(({ rows, bytes }) => {
          const location = new t.PageLocation({ offset, compressed_page_size: bytes, first_row_index: row } as never)
          offset += bytes
          row += rows
          return location
        })
        const columnIndex = new t.ColumnIndex({
          null_pages: pages.map(({ rows, statistics }) => rows === statistics.nulls),
          min_values: pages.map(({ statistics }) => Buffer.from(statistics.min ?? [])),
          max_values: pages.map(({ statistics }) => Buffer.from(statistics.max ?? [])),
          boundary_order: t.BoundaryOrder[orderOf('BYTE_ARRAY', pages).toUpperCase() as 'UNORDERED'],
          null_counts: pages.map(({ statistics }) => statistics.nulls) as never,
        })
        expect(Buffer.from(columns)).toEqual(Buffer.from(serializeThrift(columnIndex)))
        expect(Buffer.from(offsets)).toEqual(Buffer.from(serializeThrift(new t.OffsetIndex({ page_locations: locations }))))
        expect(places).toEqual({ column: { start: 0, bytes: columns.length }, offset: { start: 0, bytes: offsets.length } })
      }),
      { numRuns: 200 },
    )
  })

  test('of several column chunks stand one after the other', () => {
    const index = new PageIndex()
    const first = index.add('INT32', 4, [page(10, 0, int32(1))])
    const unbounded = index.add('DOUBLE', 104, [page(10, 0, null)])
    const last = index.add('INT32', 204, [page(10, 10, null)])
    expect(unbounded.column).toBe(null)
    expect(last.column!.start).toBe(first.column!.bytes)
    expect(last.offset.start).toBe(first.offset.bytes + unbounded.offset.bytes)
    const { columns, offsets } = index.sections()
    expect(columns.length).toBe(last.column!.start + last.column!.bytes)
    expect(offsets.length).toBe(last.offset.start + last.offset.bytes)
  })
})

describe('bounds', () => {
  test('are left out for the whole chunk where one page with values has none, or only one', () => {
    for (const pages of [
      [page(10, 0, int32(1)), page(10, 9, null)],
      [page(10, 0, text('a'), null)],
      [page(10, 0, null, text('a')), page(10, 10, null)],
    ]) {
      const index = new PageIndex()
      expect(index.add('BYTE_ARRAY', 4, pages).column).toBe(null)
      expect(index.sections().columns).toHaveLength(0)
    }
  })

  test('are not left out for pages without values, nor for empty texts', () => {
    for (const pages of [[page(10, 10, null)], [page(10, 10, null), page(10, 9, text(''))]])
      expect(new PageIndex().add('BYTE_ARRAY', 4, pages).column).not.toBe(null)
  })

  test.each<[string, PhysicalType, (Uint8Array | [Uint8Array, Uint8Array] | null)[], ColumnIndex['order']]>([
    ['one page', 'INT32', [int32(1)], 'ascending'],
    ['no page with values', 'INT32', [null, null], 'ascending'],
    ['the same bounds', 'INT32', [int32(1), int32(1)], 'ascending'],
    ['up', 'INT32', [int32(-1), int32(0), int32(256)], 'ascending'],
    ['down', 'INT32', [int32(256), int32(0), int32(-1)], 'descending'],
    ['up and down', 'INT32', [int32(0), int32(1), int32(0)], 'unordered'],
    ['up over pages without values', 'INT32', [null, int32(0), null, int32(1), null], 'ascending'],
    ['down over pages without values', 'INT32', [int32(1), null, null, int32(0)], 'descending'],
    [
      'minima up and maxima down',
      'INT32',
      [
        [int32(0), int32(9)],
        [int32(1), int32(8)],
      ],
      'unordered',
    ],
    [
      'minima the same and maxima up',
      'INT32',
      [
        [int32(0), int32(8)],
        [int32(0), int32(9)],
      ],
      'ascending',
    ],
    [
      'minima the same and maxima down',
      'INT32',
      [
        [int32(0), int32(9)],
        [int32(0), int32(8)],
      ],
      'descending',
    ],
    ['64 bits by number, not by byte', 'INT64', [int64(-1n), int64(1n), int64(256n)], 'ascending'],
    ['doubles by number, not by byte', 'DOUBLE', [double(-2), double(-1), double(0.5)], 'ascending'],
    [
      '-0 and 0 are one number',
      'DOUBLE',
      [
        [double(-0), double(0)],
        [double(-0), double(0)],
      ],
      'ascending',
    ],
    ['texts by unsigned byte', 'BYTE_ARRAY', [text('z'), text('ä'), text('\u{ffff}'), text('\u{10000}')], 'ascending'],
    ['a text before its continuation', 'BYTE_ARRAY', [text(''), text('a'), text('aa')], 'ascending'],
    ['decimals by sign', 'FIXED_LEN_BYTE_ARRAY', [new Uint8Array(16).fill(255), new Uint8Array(16)], 'ascending'],
    ['false before true', 'BOOLEAN', [Uint8Array.of(0), Uint8Array.of(1)], 'ascending'],
  ])('are ordered: %s', (_, physical, bounds, order) => {
    const pages = bounds.map((bound) =>
      bound === null ? page(5, 5, null) : Array.isArray(bound) ? page(5, 0, ...bound) : page(5, 1, bound),
    )
    expect(orderOf(physical, pages)).toBe(order)
  })
})

/** More rows than two pages hold. Sorted, blocks of missing rows, a few values, or anything, as the seed says. */
const ROWS = 45_000

function cellsOf(logical: LogicalType, seed: number): Cell[] {
  const random = randomOf(seed)
  const shape = seed % 4
  const limit = shape === 2 ? 5 : 2 ** 30
  const number = (i: number): number => (shape === 0 ? i : shape === 1 ? -i : Math.floor(random() * limit) - (limit >> 1))
  const cellAt = (i: number): Cell => {
    // A page of missing rows, a page with a few, and rows that are missing here and there.
    if (shape === 3 ? i < 21_000 || i > 40_000 : random() < 0.1) return null
    const n = number(i)
    switch (logical.kind) {
      case 'json':
        return JSON.stringify([n, 'é'.repeat(Math.abs(n) % 70)])
      case 'string':
        return shape === 1 && i % 9000 === 0 ? `${'\u{10ffff}'.repeat(i < 20_000 ? 3 : 40)}${n}` : `${'é'.repeat(Math.abs(n) % 70)}${n}`
      case 'boolean':
        return shape === 0 ? i > 20_000 : n % 2 === 0
      case 'double':
        return shape === 2 && i === 30_000 ? Number.NaN : n / 7
      case 'decimal':
        return logical.precision <= 9 ? n % 10 ** 9 : BigInt(n) * 10n ** (logical.precision > 18 ? 20n : 5n)
      case 'integer':
        return logical.bits === 32 ? n : BigInt(n) * 2n ** 20n
      case 'time':
        return logical.unit === 'MILLIS' ? Math.abs(n) % 86_400_000 : BigInt(Math.abs(n))
      case 'date':
        return n % 700_000
      case 'timestamp':
        return BigInt(n)
    }
  }
  return Array.from({ length: ROWS }, (_, i) => cellAt(i))
}

let engine: Engine
beforeAll(async () => {
  engine = await Engine.start()
})
afterAll(async () => {
  await engine.stop()
})

describe.each(ALL_LOGICAL_TYPES.map((logical, i) => ({ label: labelOf(logical), logical, i })))('a file of $label', ({ logical, i }) => {
  const column = columnType('c', logical)
  test.each([0, 1, 2, 3])('has an index that says what its pages are, shape %i', async (shape) => {
    const cells = cellsOf(logical, i * 4 + shape)
    const whole = shape % 2 === 0 ? dictionaryVector(column, cells) : plainVector(column, cells)
    const { file } = await writeParquet({ columns: [column], rowGroups: [[plainVector(column, cells.slice(0, 100))], [whole]] })
    const parquet = await openParquet(bytesSource(file))
    const chunks = await pagesOfFile(file, parquet)
    for (const { physical, bytes, pages } of chunks) {
      expect(pageIndexFault(physical, bytes, pages)).toBe(null)
      expect(bytes.columnIndex === null).toBe(expectedNoBounds(logical, shape) && pages.length > 1)
      if (bytes.columnIndex === null) continue
      const index = decodeColumnIndex(bytes.columnIndex, physical)
      // Bounds no wider than need be: those of short values are the extremes themselves.
      for (const [p, { min, max }] of index.pages.entries()) {
        const { reached } = pages[p]!
        if (typeof reached === 'string' || sizeOf(reached.min) > 64 || sizeOf(reached.max) > 64) continue
        expect(isBelow(physical, min!, reached.min) || isBelow(physical, reached.max, max!)).toBe(false)
      }
    }
    expect(chunks.map((chunk) => chunk.pages.length > 1)).toEqual([false, true])
    const table = await engine.table(file)
    expect(await engine.rows(`SELECT count(*), count(c) FROM ${table}`)).toEqual([
      [BigInt(ROWS + 100), BigInt([...cells, ...cells.slice(0, 100)].filter((cell) => cell !== null).length)],
    ])
  })
})

/** The shapes above that have a NaN, or a text above which there is none. */
function expectedNoBounds(logical: LogicalType, shape: number): boolean {
  return (logical.kind === 'double' && shape === 2) || (logical.kind === 'string' && shape === 1)
}

function sizeOf(value: unknown): number {
  return value instanceof Uint8Array ? value.length : 0
}

const COLUMNS: readonly ColumnType[] = [
  columnType('n', { kind: 'integer', bits: 32 }),
  columnType('s', { kind: 'string' }, 'm'),
  columnType('d', { kind: 'double' }),
]

function sortedVectors(from: number): ColumnVector[] {
  const numbers = Array.from({ length: ROWS }, (_, i) => from + i)
  return [
    plainVector(COLUMNS[0]!, numbers),
    dictionaryVector(
      COLUMNS[1]!,
      numbers.map((n) => `v${String(Math.floor(n / 1000)).padStart(4, '0')}`),
    ),
    plainVector(
      COLUMNS[2]!,
      numbers.map((n) => (n === 70_000 ? Number.NaN : n / 2)),
    ),
  ]
}

describe('other readers', () => {
  test('find the rows that they look for by bounds of pages', async () => {
    const { file } = await writeParquet({ columns: COLUMNS, rowGroups: [sortedVectors(0), sortedVectors(ROWS)] })
    const table = await engine.table(file)
    for (const n of [0, 19_999, 20_000, 39_999, 40_000, 44_999, 45_000, 64_999, 65_000, 89_999]) {
      const value = `v${String(Math.floor(n / 1000)).padStart(4, '0')}`
      expect(await engine.rows(`SELECT s FROM ${table} WHERE n = ${n}`)).toEqual([[value]])
      expect(await engine.rows(`SELECT count(*) FROM ${table} WHERE s = '${value}'`)).toEqual([[1000n]])
      if (n !== 70_000) expect(await engine.rows(`SELECT n FROM ${table} WHERE d = ${n / 2}`)).toEqual([[n]])
    }
    expect(await engine.rows(`SELECT n FROM ${table} WHERE isnan(d)`)).toEqual([[70_000]])
  })

  test('hyparquet reads the index, and with its help only the pages that can match', async () => {
    const { file } = await writeParquet({ columns: COLUMNS, rowGroups: [sortedVectors(0), sortedVectors(ROWS)] })
    const metadata = parquetMetadata(file, { geoparquet: false })
    const chunk = metadata.row_groups[1]!.columns[1]!
    const readerAt = (offset: bigint | undefined) => ({ view: new DataView(file.buffer, file.byteOffset), offset: Number(offset) })
    const columnIndex = readColumnIndex(readerAt(chunk.column_index_offset), metadata.schema[2]!)
    expect(columnIndex).toMatchObject({
      null_pages: [false, false, false],
      min_values: ['v0045', 'v0065', 'v0085'],
      max_values: ['v0064', 'v0084', 'v0089'],
      boundary_order: 'ASCENDING',
      null_counts: [0n, 0n, 0n],
    })
    const { page_locations: locations } = readOffsetIndex(readerAt(chunk.offset_index_offset))
    expect(locations.map((location) => location.first_row_index)).toEqual([0n, 20_000n, 40_000n])
    expect(metadata.row_groups[1]!.columns[2]!.column_index_offset).toBe(undefined)
    expect(metadata.row_groups[0]!.columns[2]!.column_index_offset).not.toBe(undefined)

    const { parquetReadObjects } = await import('hyparquet')
    let bytesRead = 0
    const source = {
      byteLength: file.length,
      slice: (start: number, end = file.length) => {
        bytesRead += end - start
        return file.slice(start, end).buffer
      },
    }
    const rows = await parquetReadObjects({
      file: source,
      metadata,
      columns: ['n', 's'],
      filter: { n: { $eq: 66_123 } },
      usePageIndex: true,
    } as never)
    expect(rows).toEqual([{ n: 66_123, s: 'v0066' }])
    expect(bytesRead).toBeLessThan(file.length / 3)
  })

  test("parquetjs's reader takes the index, and finds pages by it", async () => {
    const { file } = await writeParquet({ columns: COLUMNS, rowGroups: [sortedVectors(0), sortedVectors(ROWS)] })
    const { ParquetReader } = await import('@dsnp/parquetjs')
    const reader = await ParquetReader.openBuffer(Buffer.from(file))
    const envelope = reader.envelopeReader!
    const column = envelope.getColumn('n', 1)
    const index = await envelope.readColumnIndex(column, 1, {} as never)
    expect(index.min_values).toEqual([45_000, 65_000, 85_000])
    expect(index.max_values).toEqual([64_999, 84_999, 89_999])
    expect(index.boundary_order).toBe(t.BoundaryOrder.ASCENDING)
    const rows = await envelope.readPage(column, 1, [], {} as never)
    expect(rows).toHaveLength(20_000)
    expect([rows[0], rows.at(-1)]).toEqual([{ n: 65_000 }, { n: 84_999 }])
    await reader.close()
  })

  test('a file without rows has none, and a thousand columns have theirs', async () => {
    const empty = await writeParquet({ columns: COLUMNS, rowGroups: [] })
    expect((await openParquet(bytesSource(empty.file))).rowGroups).toEqual([])
    const many = Array.from({ length: 1000 }, (_, i) => columnType(`c${i}`, ALL_LOGICAL_TYPES[i % 6]!))
    const { file } = await writeParquet({ columns: many, rowGroups: [many.map((column) => plainVector(column, [null]))] })
    const parquet = await openParquet(bytesSource(file))
    for (const { place, physical, bytes, pages } of await pagesOfFile(file, parquet))
      expect([place, pageIndexFault(physical, bytes, pages)]).toEqual([place, null])
    expect(parquet.rowGroups[0]!.columns.every(({ columnIndex }) => columnIndex !== null)).toBe(true)
  })
})
