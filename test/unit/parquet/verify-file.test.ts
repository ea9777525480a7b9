import { describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector } from '../../../src/columns/vector.js'
import { bytesSource } from '../../../src/parquet/read-file.js'
import { type ExpectedFile, verifyParquet } from '../../../src/parquet/verify-file.js'
import { type Cell, columnType, plainVector, writeParquet } from './sample-vectors.js'

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
