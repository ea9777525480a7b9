import { beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType } from '../../../src/columns/vector.js'
import { isIntakeError } from '../../../src/errors.js'
import type { ChunkDigest } from '../../../src/parquet/chunk-digest.js'
import type { Compression } from '../../../src/parquet/file-writer.js'
import { type ByteSource, bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import { compareDecoders, type ExpectedFile, verifyParquet, type WrittenFacts } from '../../../src/parquet/verify-file.js'
import type { DecoderModule } from '../../../src/parquet/verify-memory.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, plainVector, writeParquet } from './sample-vectors.js'
import { compiledDecoder } from './verifier-forms.js'

/** A file against what its writer still knows of it: digests of its chunks, and what it wrote behind them. */

let module: DecoderModule
beforeAll(async () => {
  module = await compiledDecoder()
})

const columns = [
  columnType('text', { kind: 'string' }, 'm'),
  columnType('n', { kind: 'integer', bits: 64 }),
  columnType('is', { kind: 'boolean' }),
]
const cellsOf = (from: number, rows: number): Cell[][] => {
  const cells = <T extends Cell>(make: (i: number) => T): Cell[] => Array.from({ length: rows }, (_, i) => make(from + i))
  return [
    cells((i) => (i % 7 === 0 ? null : `text ${i % 4}`)),
    cells((i) => (i % 11 === 0 ? null : BigInt(i) * 1_000_000_007n)),
    cells((i) => i % 3 === 0),
  ]
}

function cellFor({ physical }: ColumnType, i: number): Cell {
  switch (physical) {
    case 'BOOLEAN':
      return i === 1
    case 'INT32':
    case 'DOUBLE':
      return i
    case 'BYTE_ARRAY':
      return `"${i}"`
    default:
      return BigInt(i)
  }
}

async function sample(options: { compression?: Compression; groups?: readonly (readonly Cell[][])[]; coded?: boolean } = {}) {
  const groups = options.groups ?? [cellsOf(0, 40), cellsOf(40, 30), cellsOf(70, 9)]
  const written = await writeParquet({
    columns,
    rowGroups: groups.map((cells) =>
      columns.map((column, c) => (c === 0 && options.coded !== false ? dictionaryVector : plainVector)(column, cells[c]!)),
    ),
    keyValue: new Map([['what', 'a sample']]),
    ...(options.compression === undefined ? {} : { compression: options.compression }),
  })
  const { file, rows, contentSha256, facts } = written
  const want: ExpectedFile = { columns, rows, contentSha256, written: facts }
  return { file, want, facts }
}

async function outcomeOf(source: ByteSource, want: ExpectedFile, options: Parameters<typeof verifyParquet>[3] = {}) {
  try {
    await verifyParquet(source, want, 'full', options)
    return 'equal'
  } catch (error) {
    if (!isIntakeError(error, 'VERIFY_MISMATCH')) throw error
    return { message: error.message, data: error.data }
  }
}

describe('a file that is as it was written passes', () => {
  test('in both forms, with any compression, in both modes', async () => {
    for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) {
      const { file, want } = await sample({ compression })
      for (const options of [{ module }, { webassembly: false }])
        for (const mode of ['full', 'paranoid'] as const) await verifyParquet(bytesSource(file), want, mode, options)
    }
  })

  test('with columns of every type, without rows, and with one row', async () => {
    const types = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    for (const rowGroups of [[], [types.map((type) => plainVector(type, [null]))]]) {
      const { file, rows, contentSha256, facts } = await writeParquet({ columns: types, rowGroups })
      await verifyParquet(bytesSource(file), { columns: types, rows, contentSha256, written: facts })
    }
  })

  test('and what hyparquet makes of the cells has their digests, for columns of every type; others are not its cells', async () => {
    const types = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const rowGroups = [1, 2].map((group) => types.map((type) => plainVector(type, [null, cellFor(type, group), null, cellFor(type, 1)])))
    const { file, rows, contentSha256, facts } = await writeParquet({ columns: types, rowGroups })
    const opened = await openParquet(bytesSource(file))
    for (let c = 0; c < types.length; c++) {
      const chunks = facts.chunks.map((group) => group.map((digest, i): ChunkDigest => (i === c ? [digest[0], digest[1] ^ 1] : digest)))
      const want = { columns: types, rows, contentSha256, written: facts }
      await compareDecoders(bytesSource(file), opened, want, 'full')
      await expect(compareDecoders(bytesSource(file), opened, { ...want, written: { ...facts, chunks } }, 'full')).rejects.toMatchObject({
        code: 'VERIFY_MISMATCH',
        data: { part: 'decoders', column: `c${c}` },
      })
    }
  })

  test('and none of it is read for a hash of all bytes, nor hashed for the content', async () => {
    const { file, want } = await sample()
    const unknown = { ...want, contentSha256: 'ab'.repeat(32), parquetSha256: 'cd'.repeat(32) }
    await verifyParquet(bytesSource(file), unknown)
    const { written: _, ...recorded } = unknown
    expect(await outcomeOf(bytesSource(file), recorded)).toMatchObject({ data: { part: 'content' } })
  })
})

describe('a difference is named', () => {
  test('a cell of another value, a gap, two rows in another order: row group and column', async () => {
    const groups = [cellsOf(0, 40), cellsOf(40, 30), cellsOf(70, 9)]
    const { facts } = await sample({ groups })
    const change = (g: number, c: number, make: (cells: Cell[]) => void) => {
      const copy = structuredClone(groups)
      make(copy[g]![c]!)
      return sample({ groups: copy })
    }
    for (const [g, c, make] of [
      [1, 0, (cells: Cell[]) => cells.splice(5, 1, 'other')],
      [0, 1, (cells: Cell[]) => cells.splice(39, 1, null)],
      [2, 1, (cells: Cell[]) => cells.reverse()],
      [2, 2, (cells: Cell[]) => cells.splice(4, 1, true)],
    ] as const) {
      const other = await change(g, c, make)
      for (const options of [{ module }, { webassembly: false }]) {
        const want = { ...other.want, written: { ...other.facts, chunks: facts.chunks } }
        expect(await outcomeOf(bytesSource(other.file), want, options)).toMatchObject({
          message: expect.stringContaining(`row group ${g}, column "${columns[c]!.name}"`),
          data: { part: 'content', column: columns[c]!.name, rowGroup: g },
        })
      }
    }
  })

  test('row groups in another order, or another number of them', async () => {
    const { file, want, facts } = await sample({ groups: [cellsOf(0, 20), cellsOf(1, 20)] })
    const outcome = (chunks: WrittenFacts['chunks']) => outcomeOf(bytesSource(file), { ...want, written: { ...facts, chunks } })
    expect(await outcome([...facts.chunks].reverse())).toMatchObject({ data: { part: 'content', rowGroup: 0 } })
    expect(await outcome(facts.chunks.slice(1))).toMatchObject({ data: { part: 'content' } })
    expect(await outcome([...facts.chunks, facts.chunks[0]!])).toMatchObject({ data: { part: 'content' } })
    expect(await outcome(facts.chunks.map((digests) => digests.slice(1)))).toMatchObject({ data: { part: 'content', rowGroup: 0 } })
    // Either word alone.
    for (const word of [0, 1]) {
      const flipped = facts.chunks.map((digests) =>
        digests.map(([low, high]): ChunkDigest => (word === 0 ? [low ^ 1, high] : [low, high ^ 1])),
      )
      expect(await outcome(flipped)).toMatchObject({ data: { part: 'content' } })
    }
  })

  test('not by how a column is encoded', async () => {
    const coded = await sample()
    const plain = await sample({ coded: false, compression: 'NONE' })
    expect(plain.facts.chunks).toEqual(coded.facts.chunks)
    expect(Buffer.compare(plain.file, coded.file)).not.toBe(0)
  })
})

describe('no byte is left out', () => {
  test('a flipped bit in any byte of the file is found, in both forms, with and without a dictionary', async () => {
    for (const [i, options] of [{ module }, { webassembly: false }].entries()) {
      const { file, want } = await sample({ compression: i === 0 ? 'SNAPPY' : 'NONE' })
      const opened = await openParquet(bytesSource(file))
      const { dictionaryPageBytes, columnIndex } = opened.rowGroups[0]!.columns[0]!
      expect([dictionaryPageBytes > 0, columnIndex !== null, opened.rowGroups.length]).toEqual([true, true, 3])
      for (let at = 0; at < file.length; at++) {
        const copy = file.slice()
        copy[at]! ^= 1 << ((at + i * 3) % 8)
        expect(await outcomeOf(bytesSource(copy), want, options), `byte ${at}`).not.toBe('equal')
      }
    }
  })

  test('nor is a byte more, or less: at the end, behind the pages, among them, or before them', async () => {
    const { file, want, facts } = await sample()
    const { startByte } = (await openParquet(bytesSource(file))).rowGroups[1]!.columns[1]!
    const tailStart = file.length - facts.tail.length
    for (const at of [0, 4, startByte, tailStart, file.length - 8, file.length]) {
      const more = Buffer.concat([file.subarray(0, at), Uint8Array.of(0), file.subarray(at)])
      expect(await outcomeOf(bytesSource(more), want), `${at}`).not.toBe('equal')
      if (at === file.length) continue
      const less = Buffer.concat([file.subarray(0, at), file.subarray(at + 1)])
      expect(await outcomeOf(bytesSource(less), want), `${at}`).not.toBe('equal')
    }
  })

  test('bytes that the footer passes over are found, even if the footer is what was written', async () => {
    const { file, want, facts } = await sample()
    const opened = await openParquet(bytesSource(file))
    const tailStart = file.length - facts.tail.length
    // As if the writer had thought of the pages as one byte shorter.
    const longer = Buffer.concat([Uint8Array.of(0), facts.tail])
    expect(await outcomeOf(bytesSource(file), { ...want, written: { ...facts, tail: longer } })).toMatchObject({
      message: expect.stringContaining(`the pages end at byte ${tailStart}`),
      data: { part: 'bytes' },
    })
    const other = facts.tail.map((byte, i) => (i === 7 ? byte ^ 1 : byte))
    expect(await outcomeOf(bytesSource(file), { ...want, written: { ...facts, tail: other } })).toMatchObject({ data: { part: 'bytes' } })
    expect(opened.rowGroups[0]!.columns[0]!.startByte).toBe(4)
  })

  test('what the footer says beside what is read, its key-values for instance, is held against what was written', async () => {
    const { file, want } = await sample()
    const at = Buffer.from(file).lastIndexOf('a sample')
    expect(at).toBeGreaterThan(0)
    const copy = file.slice()
    copy[at] = 0x41
    expect(await outcomeOf(bytesSource(copy), want)).toMatchObject({ data: { part: 'bytes' } })
  })

  test('errors of the source pass through', async () => {
    const { file, want } = await sample()
    const failure = new Error('EIO')
    let reads = 0
    const source = {
      sizeBytes: file.length,
      read: async (from: number, to: number) => (reads++ < 2 ? file.subarray(from, to) : Promise.reject(failure)),
    }
    await expect(verifyParquet(source, want)).rejects.toBe(failure)
  })
})
