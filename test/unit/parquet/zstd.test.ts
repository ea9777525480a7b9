import { describe, expect, test } from 'vitest'
import { HAS_ZSTD } from '../../../src/documents/compression.js'
import { zstdDecompress } from '../../../src/parquet/decode-zstd.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import { verifyParquet } from '../../../src/parquet/verify-file.js'
import { Engine } from './duckdb.js'
import { ALL_LOGICAL_TYPES, type Cell, cellOf, columnType, dictionaryVector, plainVector, writeParquet } from './sample-vectors.js'

const columns = [columnType('t', { kind: 'string' }), columnType('n', { kind: 'integer', bits: 64 }), columnType('d', { kind: 'double' })]
const ROWS = 25_000
const texts: Cell[] = Array.from({ length: ROWS }, (_, i) => (i % 7 === 0 ? null : `layer of clay number ${i % 300}`))
const numbers: Cell[] = Array.from({ length: ROWS }, (_, i) => BigInt(i) * 1_000_003n)
const doubles: Cell[] = Array.from({ length: ROWS }, (_, i) => (i % 5 === 0 ? null : i / 3))
const rowGroups = () => [
  [dictionaryVector(columns[0]!, texts), plainVector(columns[1]!, numbers), plainVector(columns[2]!, doubles)],
  [plainVector(columns[0]!, texts), dictionaryVector(columns[1]!, numbers), dictionaryVector(columns[2]!, doubles)],
]

describe.runIf(HAS_ZSTD)('where the runtime has ZSTD', () => {
  test('a file is written, verified by both decoders, and read by DuckDB', async () => {
    const written = await writeParquet({ columns, rowGroups: rowGroups(), compression: 'ZSTD' })
    const again = await writeParquet({ columns, rowGroups: rowGroups(), compression: 'ZSTD' })
    expect(Buffer.compare(written.file, again.file)).toBe(0)
    const source = bytesSource(written.file)
    for (const mode of ['full', 'paranoid'] as const)
      await verifyParquet(source, { columns, rows: 2 * ROWS, contentSha256: written.contentSha256, content: written.content }, mode)
    const plain = await writeParquet({ columns, rowGroups: rowGroups(), compression: 'NONE' })
    expect(written.contentSha256).toBe(plain.contentSha256)
    expect(written.bytes).toBeLessThan(plain.bytes)
    const file = await openParquet(source)
    expect(file.rowGroups[0]!.columns.map(({ compression }) => compression)).toEqual(['ZSTD', 'ZSTD', 'ZSTD'])
    const [t, n] = await file.readRowGroup(1, ['t', 'n'])
    expect(Array.from({ length: ROWS }, (_, i) => cellOf(t!, i))).toEqual(texts)
    expect(Array.from({ length: ROWS }, (_, i) => cellOf(n!, i))).toEqual(numbers)
    const engine = await Engine.start()
    try {
      const [one, other] = [await engine.table(written.file), await engine.table(plain.file)]
      for (const [a, b] of [
        [one, other],
        [other, one],
      ])
        expect(await engine.rows(`SELECT count(*) FROM (SELECT * FROM ${a} EXCEPT ALL SELECT * FROM ${b})`)).toEqual([[0n]])
    } finally {
      await engine.stop()
    }
  })

  test('every type goes through it, values or none', async () => {
    const all = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const written = await writeParquet({
      columns: all,
      rowGroups: [all.map((column) => plainVector(column, [null, null]))],
      compression: 'ZSTD',
    })
    await verifyParquet(bytesSource(written.file), { columns: all, rows: 2, contentSha256: written.contentSha256 }, 'paranoid')
  })

  test('a page is exactly as long as it says, or refused', async () => {
    const { zstdCompressSync } = (await import('node:zlib')) as unknown as { zstdCompressSync(bytes: Uint8Array): Buffer }
    const packed = zstdCompressSync(Buffer.alloc(1000, 'a'))
    expect(Buffer.from(zstdDecompress(packed, 1000))).toEqual(Buffer.alloc(1000, 'a'))
    expect(zstdDecompress(zstdCompressSync(Buffer.alloc(0)), 0)).toHaveLength(0)
    for (const [bytes, size] of [
      [packed, 999],
      [packed, 1001],
      [packed, 0],
      [packed.subarray(0, packed.length - 1), 1000],
      [Buffer.alloc(0), 0],
      [Buffer.from('no frame'), 10],
      // No frame gets so much out of so few bytes.
      [packed, 2 ** 31 - 1],
    ] as const)
      expect(() => zstdDecompress(bytes, size)).toThrow(expect.objectContaining({ code: 'PARQUET_INVALID' }))
  })
})

describe.runIf(!HAS_ZSTD)('where the runtime has no ZSTD', () => {
  test('a writer refuses it, and a reader says what is missing', async () => {
    const missing = { code: 'CONFIG_INVALID', message: expect.stringContaining('Node.js 22.15') }
    await expect(writeParquet({ columns, rowGroups: rowGroups(), compression: 'ZSTD' })).rejects.toMatchObject(missing)
    expect(() => zstdDecompress(new Uint8Array(10), 10)).toThrow(expect.objectContaining(missing))
  })
})
