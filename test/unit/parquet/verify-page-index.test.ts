import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PhysicalType } from '../../../src/columns/vector.js'
import { loadParquetTypes, serializeThrift } from '../../../src/parquet/load-parquetjs.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import {
  type ColumnIndex,
  columnIndexFault,
  decodeColumnIndex,
  decodeOffsetIndex,
  type PageFacts,
  pageIndexFault,
  readPageIndexes,
} from '../../../src/parquet/verify-page-index.js'
import { columnType, plainVector, writeParquet } from './sample-vectors.js'

const t = loadParquetTypes()

const PAGES: readonly PageFacts[] = [
  { startByte: 4, sizeBytes: 100, rows: 10, nulls: 0, reached: { min: 1, max: 5 } },
  { startByte: 104, sizeBytes: 50, rows: 20, nulls: 20, reached: 'none' },
  { startByte: 154, sizeBytes: 70, rows: 30, nulls: 3, reached: { min: 5, max: 9 } },
]
const int32 = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer)
const none = Buffer.alloc(0)

interface OffsetFields {
  offset: number
  compressed_page_size: number
  first_row_index: number
}
const LOCATIONS: readonly OffsetFields[] = [
  { offset: 4, compressed_page_size: 100, first_row_index: 0 },
  { offset: 104, compressed_page_size: 50, first_row_index: 10 },
  { offset: 154, compressed_page_size: 70, first_row_index: 30 },
]
const offsetIndex = (locations: readonly OffsetFields[] = LOCATIONS): Uint8Array =>
  serializeThrift(new t.OffsetIndex({ page_locations: locations.map((fields) => new t.PageLocation(fields as never)) }))

interface ColumnFields {
  null_pages: boolean[]
  min_values: Buffer[]
  max_values: Buffer[]
  boundary_order: number
  null_counts?: number[]
}
const FIELDS: ColumnFields = {
  null_pages: [false, true, false],
  min_values: [int32(1), none, int32(5)],
  max_values: [int32(5), none, int32(9)],
  boundary_order: 1,
  null_counts: [0, 20, 3],
}
const columnIndex = (fields: Partial<ColumnFields> = {}): Uint8Array =>
  serializeThrift(new t.ColumnIndex({ ...FIELDS, ...fields } as never))

const faultOf = (column: Partial<ColumnFields>, pages = PAGES): string | null =>
  pageIndexFault('INT32', { columnIndex: columnIndex(column), offsetIndex: offsetIndex() }, pages)
const replaced = <T>(list: readonly T[], at: number, value: T): T[] => list.map((old, i) => (i === at ? value : old))

describe('an index that holds', () => {
  test('is accepted, also with wider bounds, without counts, and without an order', () => {
    expect(faultOf({})).toBe(null)
    expect(faultOf({ min_values: [int32(-7), none, int32(4)], max_values: [int32(6), none, int32(1000)] })).toBe(null)
    const { null_counts: _, ...uncounted } = FIELDS
    const bytes = serializeThrift(new t.ColumnIndex(uncounted as never))
    expect(pageIndexFault('INT32', { columnIndex: bytes, offsetIndex: offsetIndex() }, PAGES)).toBe(null)
    expect(faultOf({ boundary_order: 0 })).toBe(null)
  })

  test('may have no bounds at all, for then every page is read', () => {
    expect(pageIndexFault('INT32', { columnIndex: null, offsetIndex: offsetIndex() }, PAGES)).toBe(null)
  })
})

describe('an index that does not hold is told', () => {
  test('where pages are elsewhere', () => {
    const fault = (locations: readonly OffsetFields[]): string | null =>
      pageIndexFault('INT32', { columnIndex: columnIndex(), offsetIndex: offsetIndex(locations) }, PAGES)
    expect(fault(LOCATIONS.slice(1))).toMatch('2 pages')
    expect(fault([...LOCATIONS, LOCATIONS[2]!])).toMatch('4 pages')
    for (const [i, location] of LOCATIONS.entries()) {
      expect(fault(replaced(LOCATIONS, i, { ...location, offset: location.offset + 1 }))).toMatch(`another place for page ${i}`)
      expect(fault(replaced(LOCATIONS, i, { ...location, compressed_page_size: location.compressed_page_size - 1 }))).toMatch(
        `another place for page ${i}`,
      )
      expect(fault(replaced(LOCATIONS, i, { ...location, first_row_index: location.first_row_index + 1 }))).toMatch(`page ${i} begin`)
    }
    expect(pageIndexFault('INT32', { columnIndex: columnIndex(), offsetIndex: null }, PAGES)).toMatch('no offset index')
  })

  test('where a value lies outside', () => {
    expect(faultOf({ min_values: [int32(2), none, int32(5)] })).toMatch('page 0 lies outside')
    expect(faultOf({ max_values: [int32(5), none, int32(8)] })).toMatch('page 2 lies outside')
  })

  test('where the bounds of another page stand', () => {
    expect(faultOf({ min_values: [int32(5), none, int32(1)], max_values: [int32(9), none, int32(5)], boundary_order: 2 })).toMatch(
      'lies outside',
    )
  })

  test('where missing rows are counted wrong, or a page is called empty that is not, and the other way round', () => {
    expect(faultOf({ null_counts: [1, 20, 3] })).toMatch('page 0')
    expect(faultOf({ null_counts: [0, 20, 2] })).toMatch('page 2')
    expect(faultOf({ null_pages: [true, true, false], min_values: [none, none, int32(5)], max_values: [none, none, int32(9)] })).toMatch(
      'whether page 0 has values',
    )
    expect(
      faultOf({
        null_pages: [false, false, false],
        min_values: [int32(1), int32(1), int32(5)],
        max_values: [int32(5), int32(5), int32(9)],
      }),
    ).toMatch('whether page 1 has values')
  })

  test('where the order is another one', () => {
    expect(faultOf({ boundary_order: 2 })).toMatch('not descending')
    const falling = [PAGES[2]!, PAGES[1]!, PAGES[0]!].map((page, i) => ({ ...page, startByte: PAGES[i]!.startByte }))
    const index: ColumnIndex = {
      order: 'ascending',
      pages: [
        { isEmpty: false, min: 5, max: 9, nulls: 3 },
        { isEmpty: true, min: null, max: null, nulls: 20 },
        { isEmpty: false, min: 1, max: 5, nulls: 0 },
      ],
    }
    expect(columnIndexFault('INT32', index, falling)).toMatch('not ascending')
    expect(columnIndexFault('INT32', { ...index, order: 'descending' }, falling)).toBe(null)
  })

  test('where bounds stand beside a NaN', () => {
    const double = (value: number): Buffer => Buffer.from(Float64Array.of(value).buffer)
    const bytes = columnIndex({ null_pages: [false], min_values: [double(1)], max_values: [double(2)], null_counts: [0] })
    const pages: PageFacts[] = [{ ...PAGES[0]!, reached: 'unordered' }]
    expect(pageIndexFault('DOUBLE', { columnIndex: bytes, offsetIndex: offsetIndex(LOCATIONS.slice(0, 1)) }, pages)).toMatch('NaN')
  })
})

describe('bytes that are no index are refused', () => {
  test('where they end early, or go on', () => {
    for (const whole of [columnIndex(), offsetIndex()]) {
      const decode = whole.length === columnIndex().length ? (b: Uint8Array) => decodeColumnIndex(b, 'INT32') : decodeOffsetIndex
      decode(whole)
      for (let end = 0; end < whole.length; end++)
        expect(() => decode(whole.subarray(0, end))).toThrow(expect.objectContaining({ code: 'PARQUET_INVALID' }))
      expect(() => decode(Buffer.concat([whole, Buffer.alloc(1)]))).toThrow(expect.objectContaining({ code: 'PARQUET_INVALID' }))
    }
  })

  test.each<[string, PhysicalType, Partial<ColumnFields>]>([
    ['lists of other lengths', 'INT32', { null_counts: [0, 20] }],
    ['a bound of another width', 'INT32', { min_values: [Buffer.alloc(8), none, int32(5)] }],
    ['a page with values and without bounds', 'INT32', { min_values: [none, none, int32(5)] }],
    ['an empty page with bounds', 'INT32', { max_values: [int32(5), int32(5), int32(9)] }],
    ['an order that there is not', 'INT32', { boundary_order: 3 }],
    [
      'a NaN as bound',
      'DOUBLE',
      {
        min_values: [Buffer.from(Float64Array.of(Number.NaN).buffer), none, Buffer.alloc(8)],
        max_values: [Buffer.alloc(8), none, Buffer.alloc(8)],
      },
    ],
    [
      'a boolean that is none',
      'BOOLEAN',
      { min_values: [Buffer.of(2), none, Buffer.of(0)], max_values: [Buffer.of(1), none, Buffer.of(1)] },
    ],
  ])('where they have %s', (_, physical, fields) => {
    expect(() => decodeColumnIndex(columnIndex(fields), physical)).toThrow(expect.objectContaining({ code: 'PARQUET_INVALID' }))
  })

  test('whatever they are, nothing but PARQUET_INVALID is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom<PhysicalType>('INT32', 'BYTE_ARRAY', 'DOUBLE'), (bytes, physical) => {
        for (const decode of [() => decodeOffsetIndex(bytes), () => decodeColumnIndex(bytes, physical)]) {
          try {
            decode()
          } catch (error) {
            expect(error).toMatchObject({ code: 'PARQUET_INVALID' })
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('every changed bit is noticed, but for what only widens', () => {
    const whole = { columnIndex: columnIndex(), offsetIndex: offsetIndex() }
    for (const part of ['columnIndex', 'offsetIndex'] as const) {
      for (let bit = 0; bit < whole[part].length * 8; bit++) {
        const bytes = Uint8Array.from(whole[part])
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        let fault: unknown
        try {
          fault = pageIndexFault('INT32', { ...whole, [part]: bytes }, PAGES)
        } catch (error) {
          expect(error).toMatchObject({ code: 'PARQUET_INVALID' })
          continue
        }
        if (fault !== null) continue
        // What is left is a sound index: bounds around the values, or an order that is not claimed.
        expect(part).toBe('columnIndex')
        const { pages } = decodeColumnIndex(bytes, 'INT32')
        for (const [i, { min, max }] of pages.entries()) {
          const { reached } = PAGES[i]!
          if (typeof reached === 'string') continue
          expect(min! <= reached.min && max! >= reached.max).toBe(true)
        }
      }
    }
  })
})

test('the sections of any rectangle of a file are read together', async () => {
  const columns = [columnType('a', { kind: 'integer', bits: 32 }), columnType('b', { kind: 'string' }), columnType('c', { kind: 'double' })]
  const group = (n: number) => [
    plainVector(columns[0]!, [n, n + 1]),
    plainVector(columns[1]!, [`${n}`, null]),
    plainVector(columns[2]!, [n === 2 ? Number.NaN : n, null]),
  ]
  const { file } = await writeParquet({ columns, rowGroups: [group(1), group(2), group(3)] })
  const parquet = await openParquet(bytesSource(file))
  let reads = 0
  const source = {
    ...bytesSource(file),
    async read(start: number, end: number) {
      reads++
      return file.subarray(start, end)
    },
  }
  for (const rowGroups of [
    [0, 3],
    [1, 2],
    [2, 3],
    [0, 0],
  ] as const) {
    for (const range of [
      [0, 3],
      [1, 3],
      [2, 3],
    ] as const) {
      reads = 0
      const bytesOf = await readPageIndexes(source, parquet, rowGroups, range)
      expect(reads).toBe(1)
      for (let g = rowGroups[0]; g < rowGroups[1]; g++) {
        for (let c = range[0]; c < range[1]; c++) {
          const { columnIndex: column, offsetIndex: offset } = bytesOf(g, c)
          const facts = parquet.rowGroups[g]!.columns[c]!
          expect(decodeOffsetIndex(offset!)).toEqual([{ startByte: facts.startByte, sizeBytes: facts.compressedBytes, firstRow: 0 }])
          if (g === 1 && c === 2) expect(column).toBe(null)
          else expect(decodeColumnIndex(column!, columns[c]!.physical).pages).toMatchObject([{ min: facts.min, max: facts.max }])
        }
      }
    }
  }
})
