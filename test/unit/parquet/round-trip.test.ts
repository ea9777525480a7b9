import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector, LogicalType } from '../../../src/columns/vector.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import { verifyParquet } from '../../../src/parquet/verify-file.js'
import { cellFromDuckdb, Engine } from './duckdb.js'
import {
  ALL_LOGICAL_TYPES,
  type Cell,
  cellOf,
  columnType,
  dictionaryVector,
  labelOf,
  plainVector,
  randomOf,
  writeParquet,
} from './sample-vectors.js'

let engine: Engine
beforeAll(async () => {
  engine = await Engine.start()
})
afterAll(async () => {
  await engine.stop()
})

const FIRST_DAY = -719162
const LAST_DAY = 2932896
const DAY_MS = 86_400_000n

/** Ordinary values and the edges of each type. */
function cellArbitrary(logical: LogicalType): fc.Arbitrary<Cell> {
  switch (logical.kind) {
    case 'string':
      return fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 12 }),
        fc.constantFrom(
          '',
          'a',
          'z',
          'Z',
          '😀',
          '￿',
          '\u{10ffff}',
          'ä',
          'NULL',
          '\u0001',
          'ÿ'.repeat(80),
          '😀'.repeat(40),
          '\u{10ffff}'.repeat(30),
        ),
        fc.string({ unit: 'grapheme', minLength: 60, maxLength: 140 }),
      )
    case 'json':
      return fc.json({ maxDepth: 2 })
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return logical.bits === 32
        ? fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0, -1, 1))
        : fc.oneof(
            fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
            fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 53n + 1n),
          )
    case 'double':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, 0.1, -0.29))
    case 'decimal': {
      const limit = 10n ** BigInt(logical.precision) - 1n
      const value = fc.oneof(fc.bigInt({ min: -limit, max: limit }), fc.constantFrom(limit, -limit, 0n, -1n, 1n, 255n, 256n, -256n))
      return logical.precision <= 9 ? value.map(Number) : value
    }
    case 'date':
      return fc.oneof(fc.integer({ min: FIRST_DAY, max: LAST_DAY }), fc.constantFrom(FIRST_DAY, LAST_DAY, 0, -1))
    case 'time':
      return logical.unit === 'MILLIS' ? fc.integer({ min: 0, max: 86_399_999 }) : fc.bigInt({ min: 0n, max: 86_399_999_999n })
    case 'timestamp': {
      const scale = logical.unit === 'MILLIS' ? 1n : 1000n
      const min = BigInt(FIRST_DAY) * DAY_MS * scale
      const max = (BigInt(LAST_DAY) + 1n) * DAY_MS * scale - 1n
      return fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, -1n))
    }
  }
}

function columnArbitrary(logical: LogicalType, rows: number): fc.Arbitrary<Cell[]> {
  const cell = cellArbitrary(logical)
  return fc.oneof(
    fc.array(fc.oneof({ weight: 4, arbitrary: cell }, { weight: 1, arbitrary: fc.constant(null) }), { minLength: rows, maxLength: rows }),
    // Few distinct values in runs: what dictionaries and run-length encoding are for.
    fc
      .array(cell, { minLength: 1, maxLength: 5 })
      .chain((few) => fc.array(fc.constantFrom(...few, null), { minLength: rows, maxLength: rows })),
    fc.array(cell, { minLength: rows, maxLength: rows }),
  )
}

async function readBack(file: Uint8Array, columns: readonly ColumnType[]): Promise<Cell[][]> {
  const parquet = await openParquet(bytesSource(file))
  expect(parquet.columns).toEqual(columns)
  const cells: Cell[][] = columns.map(() => [])
  for (let g = 0; g < parquet.rowGroups.length; g++) {
    const vectors = await parquet.readRowGroup(g)
    vectors.forEach((vector, c) => {
      for (let i = 0; i < vector.rows; i++) cells[c]!.push(cellOf(vector, i))
    })
  }
  return cells
}

async function readByDuckdb(file: Uint8Array, columns: readonly ColumnType[]): Promise<Cell[][]> {
  const rows = await engine.rows(`SELECT * FROM ${await engine.table(file)}`)
  return columns.map((column, c) => rows.map((row) => cellFromDuckdb(column.logical, row[c])))
}

function vectorOf(type: ColumnType, cells: readonly Cell[], form: 'plain' | 'dictionary', unused: readonly Cell[] = []): ColumnVector {
  return form === 'plain' ? plainVector(type, cells) : dictionaryVector(type, cells, unused)
}

describe('a file reads back equal in DuckDB and hyparquet', () => {
  for (const logical of ALL_LOGICAL_TYPES) {
    test(`${labelOf(logical)}: any cells, plain or dictionary, in one or more row groups, with any compression`, async () => {
      const type = columnType('value', logical, 'm')
      const rowsAndCells = fc.integer({ min: 1, max: 40 }).chain((rows) => columnArbitrary(logical, rows))
      await fc.assert(
        fc.asyncProperty(
          rowsAndCells,
          fc.constantFrom('plain' as const, 'dictionary' as const),
          fc.constantFrom('SNAPPY' as const, 'GZIP' as const, 'NONE' as const),
          fc.integer({ min: 1, max: 40 }),
          fc.array(cellArbitrary(logical), { maxLength: 4 }),
          async (cells, form, compression, groupRows, unused) => {
            const rowGroups: ColumnVector[][] = []
            for (let i = 0; i < cells.length; i += groupRows) rowGroups.push([vectorOf(type, cells.slice(i, i + groupRows), form, unused)])
            const written = await writeParquet({ columns: [type], rowGroups, compression })
            expect(written.rows).toBe(cells.length)
            expect(written.bytes).toBe(written.file.length)
            expect(await readBack(written.file, [type])).toEqual([cells])
            expect(await readByDuckdb(written.file, [type])).toEqual([cells])
            await verifyParquet(bytesSource(written.file), {
              columns: [type],
              rows: cells.length,
              contentSha256: written.contentSha256,
              content: written.content,
            })
          },
        ),
        { numRuns: 25 },
      )
    })
  }

  test('columns of every type side by side, with names that break other tools', async () => {
    const names = [
      'a,b',
      '__proto__',
      'constructor',
      '1',
      '0',
      '😀',
      'with "quotes"',
      'dot.ted',
      ' space ',
      'toString',
      'hasOwnProperty',
      'schema',
      'ä\u0000b',
      'A',
      'a',
      'x'.repeat(300),
    ]
    const columns = ALL_LOGICAL_TYPES.map((logical, i) => columnType(names[i]!, logical, i % 2 === 0 ? null : `unit ${i}`))
    const columnCells = columns.map((column) => fc.sample(columnArbitrary(column.logical, 50), { seed: 7, numRuns: 1 })[0]!)
    const written = await writeParquet({ columns, rowGroups: [columns.map((c, i) => plainVector(c, columnCells[i]!))] })
    expect(await readBack(written.file, columns)).toEqual(columnCells)
    const described = await engine.rows(
      `SELECT name FROM parquet_schema('${(await engine.table(written.file)).slice(14, -2)}') WHERE name <> 'schema' OR type IS NOT NULL`,
    )
    expect(described.map(([name]) => name)).toEqual(names)
    // DuckDB compares names without case and renames twins ("a" to "a_1"); positions are what counts.
    expect(await readByDuckdb(written.file, columns)).toEqual(columnCells)
  })
})

describe('sizes', () => {
  const type = columnType('n', { kind: 'integer', bits: 32 })

  test('no rows, with and without units', async () => {
    for (const unit of [null, 'kPa']) {
      const columns = [columnType('a', { kind: 'string' }, unit), columnType('b', { kind: 'double' })]
      const written = await writeParquet({ columns, rowGroups: [] })
      expect(await readBack(written.file, columns)).toEqual([[], []])
      expect(await engine.rows(`SELECT * FROM ${await engine.table(written.file)}`)).toEqual([])
      await verifyParquet(bytesSource(written.file), { columns, rows: 0, contentSha256: written.contentSha256 })
    }
  })

  test('a row group without rows is left out', async () => {
    const written = await writeParquet({
      columns: [type],
      rowGroups: [[plainVector(type, [])], [plainVector(type, [1])], [plainVector(type, [])]],
    })
    const file = await openParquet(bytesSource(written.file))
    expect(file.rowGroups.map((g) => g.rows)).toEqual([1])
  })

  test('every number of distinct values around powers of two, so that every code width and group border comes up', async () => {
    const counts = [
      1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 4095, 4096,
      4097,
    ]
    const int64 = columnType('n', { kind: 'integer', bits: 64 })
    for (const distinct of counts) {
      const rows = distinct * 4 + 3
      const cells = Array.from({ length: rows }, (_, i) => BigInt((i * 7919) % distinct) * 1_000_003n)
      const written = await writeParquet({ columns: [int64], rowGroups: [[dictionaryVector(int64, cells)]] })
      expect(await readBack(written.file, [int64])).toEqual([cells])
      const [row] = await engine.rows(`SELECT count(*), count(DISTINCT n), sum(n) FROM ${await engine.table(written.file)}`)
      expect(row).toEqual([BigInt(rows), BigInt(distinct), cells.reduce((a, b) => a + b, 0n)])
    }
  })

  test('140,000 distinct values in a dictionary: codes of 18 bits', async () => {
    const text = columnType('t', { kind: 'string' })
    const distinct = 140_000
    const cells = Array.from({ length: distinct * 2 }, (_, i) => `value number ${(i * 31) % distinct}`)
    const written = await writeParquet({ columns: [text], rowGroups: [[dictionaryVector(text, cells)]] })
    const file = await openParquet(bytesSource(written.file))
    expect(file.rowGroups[0]!.columns[0]!.encodings).toContain('RLE_DICTIONARY')
    expect(differingRow((await readBack(written.file, [text]))[0]!, cells)).toBe(-1)
    expect(differingRow((await readByDuckdb(written.file, [text]))[0]!, cells)).toBe(-1)
  })

  test('200,000 rows of all types in several row groups and pages', async () => {
    const random = randomOf(42)
    const columns = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const pools = columns.map((column) => fc.sample(cellArbitrary(column.logical), { seed: 11, numRuns: 500 }))
    const groups = [50_000, 90_001, 59_999]
    const all: Cell[][] = columns.map(() => [])
    const rowGroups = groups.map((rows, g) =>
      columns.map((column, c) => {
        const share = [0, 0.1, 0.9][(g + c) % 3]!
        const cells = Array.from({ length: rows }, () => (random() < share ? null : pools[c]![Math.floor(random() * 500)]!))
        for (const cell of cells) all[c]!.push(cell)
        return vectorOf(column, cells, (g + c) % 2 === 0 ? 'plain' : 'dictionary')
      }),
    )
    const written = await writeParquet({ columns, rowGroups })
    await verifyParquet(bytesSource(written.file), {
      columns,
      rows: 200_000,
      contentSha256: written.contentSha256,
      content: written.content,
    })
    const back = await readBack(written.file, columns)
    const duck = await readByDuckdb(written.file, columns)
    for (const [c] of columns.entries()) {
      expect(differingRow(back[c]!, all[c]!)).toBe(-1)
      expect(differingRow(duck[c]!, all[c]!)).toBe(-1)
    }
  })

  test('a cell larger than a page, and pages cut by bytes', async () => {
    const text = columnType('t', { kind: 'string' })
    const cells: Cell[] = [
      'x'.repeat(3_000_000),
      null,
      '',
      'ä'.repeat(700_000),
      'y'.repeat(400_000),
      'z'.repeat(400_000),
      'w'.repeat(400_000),
    ]
    for (const form of ['plain', 'dictionary'] as const) {
      const written = await writeParquet({ columns: [text], rowGroups: [[vectorOf(text, cells, form)]] })
      expect(await readBack(written.file, [text])).toEqual([cells])
      expect(await readByDuckdb(written.file, [text])).toEqual([cells])
    }
  })

  test('a page with nothing but missing rows, between pages with values', async () => {
    const text = columnType('t', { kind: 'string' })
    const cells: Cell[] = Array.from({ length: 60_000 }, (_, i) => (i < 20_000 || i >= 40_000 ? `v${i % 3}` : null))
    for (const form of ['plain', 'dictionary'] as const) {
      const written = await writeParquet({ columns: [text], rowGroups: [[vectorOf(text, cells, form)]] })
      expect(differingRow((await readBack(written.file, [text]))[0]!, cells)).toBe(-1)
      expect(differingRow((await readByDuckdb(written.file, [text]))[0]!, cells)).toBe(-1)
    }
  })
})

function differingRow(a: readonly Cell[], b: readonly Cell[]): number {
  if (a.length !== b.length) return Math.min(a.length, b.length)
  return a.findIndex((cell, i) => !Object.is(cell, b[i]))
}
