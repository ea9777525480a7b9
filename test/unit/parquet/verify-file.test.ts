import { describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector } from '../../../src/columns/vector.js'
import { bytesSource, openParquet, type ParquetFile } from '../../../src/parquet/read-file.js'
import { compareDecoders, type ExpectedFile, SAMPLE_ROWS, verifyParquet } from '../../../src/parquet/verify-file.js'
import { readChunk } from '../../../src/parquet/verify-parts.js'
import { ALL_LOGICAL_TYPES, type Cell, cellOf, columnType, dictionaryVector, plainVector, writeParquet } from './sample-vectors.js'

const columns = [columnType('a', { kind: 'string' }, 'm'), columnType('when', { kind: 'timestamp', unit: 'MILLIS', utc: false })]
const cells: Cell[][] = [
  ['x', null, 'y'],
  [1n, 2n, null],
]
const vectors = (types: readonly ColumnType[] = columns, content = cells): ColumnVector[] =>
  types.map((t, c) => plainVector(t, content[c]!))

async function expected(types: readonly ColumnType[] = columns, content = cells): Promise<{ file: Uint8Array; expected: ExpectedFile }> {
  const written = await writeParquet({ columns: types, rowGroups: [vectors(types, content)] })
  return {
    file: written.file,
    expected: { columns: types, rows: written.rows, contentSha256: written.contentSha256, content: written.content },
  }
}

describe('a file that is what it should be passes', () => {
  test('whatever its row groups and compression', async () => {
    const { expected: want } = await expected()
    const split = await writeParquet({
      columns,
      rowGroups: [0, 1, 2].map((i) => columns.map((t, c) => plainVector(t, [cells[c]![i]!]))),
      compression: 'GZIP',
    })
    await verifyParquet(bytesSource(split.file), want)
  })

  test('and is left open', async () => {
    const { file, expected: want } = await expected()
    let closed = 0
    const source = { ...bytesSource(file), close: async () => void closed++ }
    await verifyParquet(source, want)
    expect(closed).toBe(0)
  })
})

describe('a difference is named', () => {
  const mismatchOf = async (file: Uint8Array, want: ExpectedFile): Promise<{ message: string; data: unknown }> => {
    const error: unknown = await verifyParquet(bytesSource(file), want).then(
      () => null,
      (e: unknown) => e,
    )
    expect(error).toMatchObject({ code: 'VERIFY_MISMATCH' })
    return error as { message: string; data: unknown }
  }

  test('schema: name, type, zone, unit of time, unit, precision, number and order of columns', async () => {
    const { file, expected: want } = await expected()
    const [a, when] = columns as [ColumnType, ColumnType]
    for (const other of [
      [{ ...a, name: 'A' }, when],
      [{ ...a, unit: null }, when],
      [columnType('a', { kind: 'json' }, 'm'), when],
      [a, columnType('when', { kind: 'timestamp', unit: 'MILLIS', utc: true })],
      [a, columnType('when', { kind: 'timestamp', unit: 'MICROS', utc: false })],
      [a, columnType('when', { kind: 'integer', bits: 64 })],
      [a],
      [when, a],
      [a, when, a],
    ]) {
      const { data } = await mismatchOf(file, { ...want, columns: other })
      expect(data).toMatchObject({ part: 'schema' })
    }
  })

  test('row count', async () => {
    const { file, expected: want } = await expected()
    expect((await mismatchOf(file, { ...want, rows: 4 })).data).toEqual({ part: 'row count', rows: 3, expectedRows: 4 })
  })

  test('cells: the column, and the block of rows', async () => {
    const many: Cell[][] = [Array.from({ length: 70_000 }, (_, i) => `t${i % 9}`), Array.from({ length: 70_000 }, (_, i) => BigInt(i))]
    const { expected: want } = await expected(columns, many)
    const changed: Cell[][] = [many[0]!, many[1]!.with(66_000, null)]
    const { file } = await expected(columns, changed)
    const { message, data } = await mismatchOf(file, want)
    expect(data).toEqual({ part: 'content', column: 'when', block: 1 })
    expect(message).toContain('rows 65537 to 70000')
    const { content: _, ...withoutFacts } = want
    expect((await mismatchOf(file, withoutFacts)).data).toEqual({ part: 'content' })
  })

  test('cells: missing is not empty, and rows are in order', async () => {
    const { expected: want } = await expected()
    for (const other of [
      [['x', '', 'y'], cells[1]!],
      [['y', null, 'x'], cells[1]!],
      [cells[0]!, [1n, 2n, 0n]],
    ] as Cell[][][]) {
      const { file } = await expected(columns, other)
      expect((await mismatchOf(file, want)).data).toMatchObject({ part: 'content' })
    }
  })

  test('statistics that do not hold', async () => {
    // The right pages with the statistics of other cells: the bounds of one file are written over those of the other.
    const type = columnType('n', { kind: 'integer', bits: 64 })
    const patch = async (from: bigint, to: bigint): Promise<{ file: Uint8Array; want: ExpectedFile }> => {
      const { file, expected: want } = await expected([type], [[100n, 200n, 300n, null]])
      const bytes = Buffer.from(file)
      const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)
      const needle = Buffer.alloc(8)
      needle.writeBigInt64LE(from)
      const at = bytes.indexOf(needle, footer)
      expect(at).toBeGreaterThan(0)
      bytes.writeBigInt64LE(to, at)
      return { file: new Uint8Array(bytes), want }
    }
    for (const [from, to] of [
      [100n, 101n],
      [300n, 299n],
      [100n, 99n],
      [300n, 301n],
    ] as const) {
      const { file, want } = await patch(from, to)
      expect((await mismatchOf(file, want)).data).toMatchObject({ part: 'statistics' })
    }
  })

  test('a file that is no Parquet', async () => {
    const { expected: want } = await expected()
    expect((await mismatchOf(new Uint8Array(100), want)).data).toMatchObject({ part: 'file' })
  })

  test('errors of the source pass through', async () => {
    const { file, expected: want } = await expected()
    const failure = new Error('EIO')
    let reads = 0
    const source = {
      sizeBytes: file.length,
      read: (start: number, end: number) => (++reads > 2 ? Promise.reject(failure) : bytesSource(file).read(start, end)),
    }
    await expect(verifyParquet(source, want)).rejects.toBe(failure)
  })
})

describe('the second decoder', () => {
  const types = [columnType('n', { kind: 'integer', bits: 32 }), columnType('t', { kind: 'string' })]

  /** Row groups of the given rows, and the same file with an eye on what hyparquet is asked for. */
  async function watched(groups: readonly number[]) {
    const rowGroups = groups.map((rows, g) => [
      plainVector(
        types[0]!,
        Array.from({ length: rows }, (_, i) => (i % 9 === 0 ? null : i + g)),
      ),
      dictionaryVector(
        types[1]!,
        Array.from({ length: rows }, (_, i) => `t${i % 50}`),
      ),
    ])
    const written = await writeParquet({ columns: types, rowGroups })
    const source = bytesSource(written.file)
    const file = await openParquet(source)
    const asked: { rowGroup: number; column: number; from: number; to: number }[] = []
    const spy: ParquetFile = {
      columns: file.columns,
      rowGroups: file.rowGroups,
      rowCount: file.rowCount,
      keyValue: file.keyValue,
      createdBy: file.createdBy,
      readColumn: () => Promise.reject(new Error('not used')),
      readRowGroup: () => Promise.reject(new Error('not used')),
      close: () => file.close(),
      readPages: (rowGroup, column, from, to) => {
        asked.push({ rowGroup, column, from, to })
        return file.readPages(rowGroup, column, from, to)
      },
      readSample: (rowGroup, column, row, most, bytes) => {
        const sample = file.readSample(rowGroup, column, row, most, bytes)
        asked.push({ rowGroup, column, from: sample.firstRow, to: sample.firstRow + sample.vector.rows })
        return sample
      },
    }
    const want: ExpectedFile = { columns: types, rows: written.rows, contentSha256: written.contentSha256 }
    return { source, file, spy, asked, want }
  }

  const hashes = Array.from({ length: 40 }, (_, i) => ((i * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0').repeat(8))

  test.each([
    ['all rows of a small file', [10, 20, 5], 35],
    ['of many row groups some', [30_000, 30_000, 30_000, 30_000], SAMPLE_ROWS],
    ['of a large row group some rows', [131_072, 100_000], SAMPLE_ROWS],
    ['of small row groups as many as make the sample', [500, 500, 500, 500, 500, 500], SAMPLE_ROWS],
  ])('reads %s, every column alike, and never more than its share', async (_, groups, rows) => {
    const { source, spy, asked, want } = await watched(groups)
    const starts = new Set<string>()
    for (const contentSha256 of hashes.slice(0, 6)) {
      asked.length = 0
      await compareDecoders(source, spy, { ...want, contentSha256 }, 'full')
      for (const column of [0, 1]) {
        const windows = asked.filter((window) => window.column === column)
        const seen = windows.reduce((n, { from, to }) => n + to - from, 0)
        expect(seen).toBeLessThanOrEqual(rows)
        // The last row group may be cut in its last page, which may be shorter than what is left.
        expect(seen).toBeGreaterThanOrEqual(Math.min(rows, 500))
        expect(new Set(windows.map(({ rowGroup }) => rowGroup)).size).toBe(windows.length)
        for (const { rowGroup, from, to } of windows) {
          expect(from).toBeGreaterThanOrEqual(0)
          expect(to).toBeLessThanOrEqual(groups[rowGroup]!)
        }
      }
      starts.add(JSON.stringify(asked[0]))
    }
    // The hash picks, so that not always the same rows are looked at.
    expect(starts.size).toBeGreaterThan(1)
  })

  test('reads everything when it is paranoid, and nothing of a file without rows', async () => {
    const many = await watched([70_000, 70_000])
    await compareDecoders(many.source, many.spy, many.want, 'paranoid')
    expect(many.asked.map(({ rowGroup, column, from, to }) => [rowGroup, column, from, to])).toEqual([
      [0, 0, 0, 70_000],
      [0, 1, 0, 70_000],
      [1, 0, 0, 70_000],
      [1, 1, 0, 70_000],
    ])
    const none = await watched([])
    await compareDecoders(none.source, none.spy, none.want, 'full')
    expect(none.asked).toEqual([])
    await verifyParquet(many.source, many.want, 'paranoid')
    await verifyParquet(none.source, none.want, 'paranoid')
  })

  test('that reads another cell, a gap where there is none, or fewer rows, stops the file', async () => {
    const { source, file, spy, want } = await watched([25_000])
    for (const change of ['value', 'gap', 'text'] as const) {
      const lying: ParquetFile = {
        ...spy,
        readSample(rowGroup, column, row, most, bytes) {
          const pages = file.readSample(rowGroup, column, row, most, bytes)
          const { values, validity } = pages.vector
          if (change === 'value' && values.physical === 'INT32') values.data[998]! ^= 1
          if (change === 'text' && values.physical === 'BYTE_ARRAY') values.data[3]! ^= 1
          if (change === 'gap' && values.physical === 'INT32') {
            validity[1] = 0
            values.data[1] = 0
            return { ...pages, vector: { ...pages.vector, nulls: pages.vector.nulls + 1 } }
          }
          return pages
        },
      }
      await expect(compareDecoders(source, lying, want, 'full')).rejects.toMatchObject({
        code: 'VERIFY_MISMATCH',
        data: { part: 'decoders', column: change === 'text' ? 't' : 'n' },
      })
    }
    await compareDecoders(source, spy, want, 'full')
  })

  test('samples are what the whole page has there, for every type, with gaps and without', async () => {
    const all = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical)).filter(
      (type, i, types) => types.findIndex((other) => other.physical === type.physical) >= i - 1,
    )
    const cell = (type: ColumnType, i: number): Cell => {
      if (type.physical === 'BOOLEAN') return i % 3 === 0
      if (type.physical === 'BYTE_ARRAY') return `text ${i % 40}`
      return type.physical === 'INT32' || type.physical === 'DOUBLE' ? i % 40 : BigInt(i % 40)
    }
    for (const share of [0, 3, 1]) {
      const rowGroups = [
        all.map((type, c) => {
          const column = Array.from({ length: 45_000 }, (_, i) => (share > 0 && i % share === 0 ? null : cell(type, i)))
          return c % 2 === 0 || type.physical === 'BOOLEAN' ? plainVector(type, column) : dictionaryVector(type, column)
        }),
      ]
      const source = bytesSource((await writeParquet({ columns: all, rowGroups })).file)
      const file = await openParquet(source)
      for (const column of all.keys()) {
        for (const [row, most] of [
          [0, 1],
          [20_000, 7],
          [39_999, 300],
          [44_999, 60_000],
        ] as const) {
          const { firstRow, vector } = file.readSample(0, column, row, most, (await readChunk(source, file, 0, column)).bytes)
          const page = await file.readPages(0, column, row, row + 1)
          expect(firstRow).toBe(page.firstRow)
          expect(vector.rows).toBe(Math.min(most, page.vector.rows))
          const [ours, theirs] = [vector, page.vector].map((v) => Array.from({ length: vector.rows }, (_, i) => cellOf(v, i)))
          expect(ours).toEqual(theirs)
        }
      }
    }
  })

  test('pages are passed over that have no row of the window', async () => {
    const { file } = await watched([70_000])
    for (const [from, to, first, rows] of [
      [0, 1, 0, 20_000],
      [19_999, 20_000, 0, 20_000],
      [20_000, 20_001, 20_000, 20_000],
      [39_999, 40_001, 20_000, 40_000],
      [69_999, 70_000, 60_000, 10_000],
    ] as const) {
      for (const column of [0, 1]) {
        const { firstRow, vector } = await file.readPages(0, column, from, to)
        expect([firstRow, vector.rows]).toEqual([first, rows])
      }
    }
  })
})
