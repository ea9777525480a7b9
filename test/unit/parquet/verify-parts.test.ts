import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { bytesSource, openParquet, type ParquetFile, type RowGroupFacts } from '../../../src/parquet/read-file.js'
import { combineChunks, combineParts, type FileLayout, partsOf, verifyPart, wholeFile } from '../../../src/parquet/verify-parts.js'
import { columnType, dictionaryVector, plainVector, writeParquet } from './sample-vectors.js'

const columns = [columnType('n', { kind: 'integer', bits: 32 }), columnType('t', { kind: 'string' }), columnType('d', { kind: 'double' })]

async function fileOf(groups: readonly number[]) {
  let row = 0
  const rowGroups = groups.map((rows) => {
    const start = row
    row += rows
    const cells = <T>(make: (i: number) => T): T[] => Array.from({ length: rows }, (_, i) => make(start + i))
    return [
      plainVector(
        columns[0]!,
        cells((i) => (i % 5 === 0 ? null : i)),
      ),
      dictionaryVector(
        columns[1]!,
        cells((i) => `text ${i % 100}`),
      ),
      plainVector(
        columns[2]!,
        cells((i) => i / 7),
      ),
    ]
  })
  const written = await writeParquet({ columns, rowGroups })
  const source = bytesSource(written.file)
  return { ...written, source, layout: layoutOf(await openParquet(source)) }
}

/** As it arrives in a worker: a copy of the data, and no class behind it. */
function layoutOf({ columns: types, rowGroups }: ParquetFile): FileLayout {
  return structuredClone({ columns: types, rowGroups })
}

function fakeLayout(rows: readonly number[], bytes: readonly (readonly number[])[]): FileLayout {
  return {
    columns: bytes[0]!.map((_, c) => columnType(`c${c}`, { kind: 'double' })),
    rowGroups: rows.map(
      (n, g) => ({ rows: n, columns: bytes[g]!.map((uncompressedBytes) => ({ uncompressedBytes })) }) as unknown as RowGroupFacts,
    ),
  }
}

describe('parts', () => {
  test('cover every cell of any file once, and begin where blocks begin', () => {
    const rowsArbitrary = fc.array(fc.constantFrom(65_536, 131_072, 50_000, 1, 82_496), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(
        rowsArbitrary,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        (rows, columnCount, wanted, seed) => {
          const layout = fakeLayout(
            rows,
            rows.map((n, g) => Array.from({ length: columnCount }, (_, c) => n * ((seed + g * 31 + c * 17) % 13))),
          )
          const parts = partsOf(layout, wanted)
          const seen = rows.map(() => new Array<number>(columnCount).fill(0))
          for (const part of parts) {
            expect(part.columns[1]).toBeGreaterThan(part.columns[0])
            expect(part.rowGroups[1]).toBeGreaterThan(part.rowGroups[0])
            expect(rows.slice(0, part.rowGroups[0]).reduce((a, b) => a + b, 0) % 65_536).toBe(0)
            for (let g = part.rowGroups[0]; g < part.rowGroups[1]; g++)
              for (let c = part.columns[0]; c < part.columns[1]; c++) seen[g]![c]!++
          }
          expect(seen.flat().every((n) => n === 1)).toBe(true)
          expect(parts.length).toBeLessThanOrEqual(Math.max(wanted + columnCount, 1))
        },
      ),
    )
  })

  test('of a file with many columns are columns, of one with a single column row groups', () => {
    const even = (rows: number, groups: number, count: number) =>
      fakeLayout(
        new Array<number>(groups).fill(rows),
        Array.from({ length: groups }, () => new Array<number>(count).fill(1000)),
      )
    expect(partsOf(even(131_072, 4, 10), 2)).toEqual([
      { digests: 'blocks', columns: [0, 5], rowGroups: [0, 4] },
      { digests: 'blocks', columns: [5, 10], rowGroups: [0, 4] },
    ])
    expect(partsOf(even(131_072, 4, 1), 2)).toEqual([
      { digests: 'blocks', columns: [0, 1], rowGroups: [0, 2] },
      { digests: 'blocks', columns: [0, 1], rowGroups: [2, 4] },
    ])
    expect(partsOf(even(50_000, 4, 1), 2)).toEqual([{ digests: 'blocks', columns: [0, 1], rowGroups: [0, 4] }])
    expect(partsOf({ columns, rowGroups: [] }, 4)).toEqual([])
  })

  test('for digests of chunks begin with any row group, are no more than wanted, and cover every chunk once', () => {
    const rowsArbitrary = fc.array(fc.constantFrom(131_072, 50_000, 1, 82_496), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(
        rowsArbitrary,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        (rows, columnCount, wanted, seed) => {
          const bytes = rows.map((n, g) => Array.from({ length: columnCount }, (_, c) => n * ((seed + g * 31 + c * 17) % 13)))
          const parts = partsOf(fakeLayout(rows, bytes), wanted, 'chunks')
          const seen = rows.map(() => new Array<number>(columnCount).fill(0))
          for (const {
            digests,
            columns: [fromColumn, toColumn],
            rowGroups: [from, to],
          } of parts) {
            expect(digests).toBe('chunks')
            for (let g = from; g < to; g++) for (let c = fromColumn; c < toColumn; c++) seen[g]![c]!++
          }
          expect(seen.flat().every((n) => n === 1)).toBe(true)
          expect(parts.length).toBeLessThanOrEqual(wanted)
        },
      ),
    )
    expect(partsOf({ columns, rowGroups: [] }, 4, 'chunks')).toEqual([])
  })

  test('for digests of chunks are cut where work is even: a heavy column among few row groups, or a heavy row group', () => {
    const heavyColumn = fakeLayout([10, 10, 10, 10], new Array<number[]>(4).fill([100, 9000, 100, 100]))
    expect(partsOf(heavyColumn, 2, 'chunks')).toEqual([
      { digests: 'chunks', columns: [0, 4], rowGroups: [0, 2] },
      { digests: 'chunks', columns: [0, 4], rowGroups: [2, 4] },
    ])
    const heavyGroup = fakeLayout([10, 10], [new Array<number>(4).fill(9000), new Array<number>(4).fill(10)])
    expect(partsOf(heavyGroup, 2, 'chunks')).toEqual([
      { digests: 'chunks', columns: [0, 2], rowGroups: [0, 2] },
      { digests: 'chunks', columns: [2, 4], rowGroups: [0, 2] },
    ])
  })

  test('a heavy column is a part of its own', () => {
    expect(partsOf(fakeLayout([10], [[10, 10, 5000, 10]]), 3).map((part) => part.columns)).toContainEqual([3, 4])
  })
})

describe('what parts find', () => {
  let aligned: Awaited<ReturnType<typeof fileOf>>
  let ragged: Awaited<ReturnType<typeof fileOf>>
  beforeAll(async () => {
    aligned = await fileOf([65_536, 131_072, 1000])
    ragged = await fileOf([50_000, 50_001, 40_000])
  })

  test('adds up to the content hash, with the digests of the writer, in any order and number', async () => {
    for (const { source, layout, content } of [aligned, ragged]) {
      for (const wanted of [1, 2, 3, 5, 100]) {
        const parts = await Promise.all(partsOf(layout, wanted).map((part) => verifyPart(source, layout, part)))
        expect(combineParts(layout, parts.reverse())).toEqual(content)
      }
    }
  })

  test('is the digest of each chunk where those are wanted, in any order and number, from row groups of any size', async () => {
    for (const { source, layout, facts } of [aligned, ragged]) {
      for (const wanted of [1, 2, 3, 5, 100]) {
        const parts = await Promise.all(partsOf(layout, wanted, 'chunks').map((part) => verifyPart(source, layout, part)))
        expect(combineChunks(layout, parts.reverse())).toEqual(facts.chunks)
        expect(() => combineChunks(layout, parts.slice(1))).toThrow('assertion failed')
        expect(() => combineChunks(layout, [...parts, parts[0]!])).toThrow('assertion failed')
      }
    }
  })

  test('of a file without rows too', async () => {
    const { source, layout, content } = await fileOf([])
    expect(combineParts(layout, [await verifyPart(source, layout, wholeFile(layout))])).toEqual(content)
    expect(combineParts(layout, [])).toEqual(content)
  })

  test('is asked for again rather than guessed: missing parts and parts within a block are refused', async () => {
    const [first] = partsOf(aligned.layout, 2)
    const digests = await verifyPart(aligned.source, aligned.layout, first!)
    expect(() => combineParts(aligned.layout, [digests])).toThrow('assertion failed')
    const within = { digests: 'blocks', columns: [0, 1], rowGroups: [1, 2] } as const
    await expect(verifyPart(ragged.source, ragged.layout, within)).rejects.toThrow('assertion failed')
  })

  test('damage is PARQUET_INVALID and names its place, and is found by the part that it is in', async () => {
    const { layout, file } = aligned
    const chunk = layout.rowGroups[1]!.columns[1]!
    const bytes = file.slice()
    bytes[chunk.startByte + chunk.compressedBytes - 1]! ^= 1
    const source = bytesSource(bytes)
    await expect(verifyPart(source, layout, { digests: 'blocks', columns: [1, 2], rowGroups: [0, 3] })).rejects.toMatchObject({
      code: 'PARQUET_INVALID',
      message: expect.stringContaining('(row group 1, column 2)'),
    })
    for (const part of [
      { columns: [1, 2], rowGroups: [0, 1] },
      { columns: [0, 1], rowGroups: [0, 3] },
      { columns: [2, 3], rowGroups: [0, 3] },
    ] as const)
      for (const digests of ['blocks', 'chunks'] as const) await verifyPart(source, layout, { digests, ...part })
  })

  test('statistics that do not hold are VERIFY_MISMATCH', async () => {
    const { layout, source } = aligned
    const wrong = structuredClone(layout) as unknown as { rowGroups: { columns: { max: unknown }[] }[] }
    wrong.rowGroups[0]!.columns[0]!.max = 12
    await expect(verifyPart(source, wrong as unknown as FileLayout, wholeFile(layout))).rejects.toMatchObject({
      code: 'VERIFY_MISMATCH',
      data: { part: 'statistics' },
    })
  })
})
