import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { placeVector } from '../../../src/columns/kernel-column.js'
import { CREATED_BY, PRODUCT_VERSION } from '../../../src/parquet/created-by.js'
import { encodeKernels } from '../../../src/parquet/encode-kernels.js'
import { encodeRowGroup } from '../../../src/parquet/encode-row-group.js'
import { ParquetFileWriter } from '../../../src/parquet/file-writer.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import { ALL_LOGICAL_TYPES, columnType, dictionaryVector, MemoryFile, plainVector, writeParquet } from './sample-vectors.js'

const columns = [columnType('a', { kind: 'string' }, 'm'), columnType('b', { kind: 'integer', bits: 64 })]
const vectors = () => [dictionaryVector(columns[0]!, ['x', 'x', null, 'y']), plainVector(columns[1]!, [1n, 2n, 3n, null])]

describe('the bytes', () => {
  test('are the same for the same input', async () => {
    for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) {
      const one = await writeParquet({ columns, rowGroups: [vectors(), vectors()], compression })
      const two = await writeParquet({ columns, rowGroups: [vectors(), vectors()], compression })
      expect(Buffer.compare(one.file, two.file)).toBe(0)
      expect(one.parquetSha256).toBe(createHash('sha256').update(one.file).digest('hex'))
    }
  })

  test('have the same content hash whatever the compression and the row groups', async () => {
    const joined = [
      dictionaryVector(columns[0]!, ['x', 'x', null, 'y', 'x', 'x', null, 'y']),
      plainVector(columns[1]!, [1n, 2n, 3n, null, 1n, 2n, 3n, null]),
    ]
    const hashes = [
      await writeParquet({ columns, rowGroups: [vectors(), vectors()], compression: 'GZIP' }),
      await writeParquet({ columns, rowGroups: [joined], compression: 'NONE' }),
    ].map((written) => written.contentSha256)
    expect(new Set(hashes).size).toBe(1)
  })

  test('do not hold dictionary entries that no row uses', async () => {
    const type = columnType('t', { kind: 'string' })
    const cells = Array.from({ length: 2000 }, (_, i) => (i % 2 ? 'kept in the file' : 'kept as well'))
    const with_ = await writeParquet({
      columns: [type],
      rowGroups: [[dictionaryVector(type, cells, ['secret of another record', 'and one more'])]],
      compression: 'NONE',
    })
    const without = await writeParquet({ columns: [type], rowGroups: [[dictionaryVector(type, cells)]], compression: 'NONE' })
    expect(Buffer.from(with_.file).includes('secret')).toBe(false)
    expect(Buffer.compare(with_.file, without.file)).toBe(0)
  })

  test('use a dictionary where it is smaller and not where it is not', async () => {
    const type = columnType('t', { kind: 'integer', bits: 64 })
    const encodingsOf = async (cells: bigint[]): Promise<readonly string[]> => {
      const written = await writeParquet({ columns: [type], rowGroups: [[dictionaryVector(type, cells)]] })
      return (await openParquet(bytesSource(written.file))).rowGroups[0]!.columns[0]!.encodings
    }
    expect(await encodingsOf(Array.from({ length: 1000 }, (_, i) => BigInt(i % 10)))).toContain('RLE_DICTIONARY')
    expect(await encodingsOf(Array.from({ length: 1000 }, (_, i) => BigInt(i)))).not.toContain('RLE_DICTIONARY')
    expect(await encodingsOf([5n])).not.toContain('RLE_DICTIONARY')
  })

  test('say who made them, and carry key-value pairs in their order', async () => {
    const keyValue = new Map([
      ['z', '1'],
      ['a', 'ä'],
      ['__proto__', ''],
    ])
    const written = await writeParquet({ columns, rowGroups: [vectors()], keyValue })
    const file = await openParquet(bytesSource(written.file))
    expect([...file.keyValue]).toEqual([...keyValue])
    expect(file.createdBy).toBe(CREATED_BY)
    const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
    expect(PRODUCT_VERSION).toBe(version)
  })
})

describe('nothing goes wrong in silence', () => {
  test('a failed write surfaces, and the file cannot be finished after it', async () => {
    // Columns of a megabyte are written as they come, and what is left at the end: each of these writes fails once.
    const large = () => [dictionaryVector(columns[0]!, ['x'.repeat(600_000), 'y'.repeat(600_000)]), plainVector(columns[1]!, [1n, null])]
    for (let failing = 1; failing <= 3; failing++) {
      const file = new MemoryFile()
      let writes = 0
      file.beforeWrite = () => {
        if (++writes === failing) throw new Error(`write ${failing} failed`)
      }
      const attempt = (async () => {
        const writer = await ParquetFileWriter.open({ file, columns, compression: 'NONE', keyValue: new Map() })
        for (let i = 0; i < 2; i++) {
          const failed = await writer.writeRowGroup(large()).then(
            () => null,
            (error: unknown) => error,
          )
          if (failed !== null) {
            await expect(writer.writeRowGroup(large())).rejects.toBe(failed)
            await expect(writer.finish()).rejects.toBe(failed)
            throw failed
          }
        }
        const failed = await writer.finish().catch((error: unknown) => error)
        await expect(writer.finish()).rejects.toBe(failed)
        throw failed
      })()
      await expect(attempt).rejects.toThrow(`write ${failing} failed`)
      expect(writes).toBe(failing)
    }
  })

  test('digests that were not asked for are nothing that a file could be held against, and the file is the same', async () => {
    const written = async (digested: boolean): Promise<{ writer: ParquetFileWriter; bytes: Uint8Array }> => {
      const file = new MemoryFile()
      const writer = await ParquetFileWriter.open({ file, columns, compression: 'SNAPPY', keyValue: new Map(), digested })
      await writer.writeRowGroup(vectors())
      await writer.finish()
      return { writer, bytes: file.bytes }
    }
    const [without, with_] = [await written(false), await written(true)]
    expect(without.bytes).toEqual(with_.bytes)
    expect(with_.writer.writtenFacts().chunks).toHaveLength(1)
    expect(() => without.writer.writtenFacts()).toThrow('assertion failed: digests were asked for')
  })

  test('a small file is written at once, and a row group of another thread before that thread has its memory again', async () => {
    const writesOf = async (write: (writer: ParquetFileWriter, file: MemoryFile) => Promise<void>): Promise<number> => {
      const file = new MemoryFile()
      const writer = await ParquetFileWriter.open({ file, columns, compression: 'SNAPPY', keyValue: new Map() })
      await write(writer, file)
      const written = await writer.finish()
      expect(written.bytes).toBe(file.sizeBytes)
      expect(written.parquetSha256).toBe(createHash('sha256').update(file.bytes).digest('hex'))
      return file.chunks.length
    }
    expect(await writesOf((writer) => writer.writeRowGroup(vectors()))).toBe(1)
    expect(await writesOf(async () => {})).toBe(1)
    const kernels = await encodeKernels()
    const placed = vectors().map((vector, i) => placeVector(kernels, vector, columns[i]!.physical))
    const group = encodeRowGroup(kernels, placed, 'SNAPPY', 1000, () => 0)
    const writes = await writesOf(async (writer, file) => {
      await writer.writeEncodedRowGroup(group)
      expect(file.sizeBytes).toBe(4 + group.columns.reduce((bytes, { chunk }) => bytes + chunk.compressedBytes, 0))
    })
    expect(writes).toBe(2)
  })

  test('a call that does not wait for the one before is refused, and the file cannot be finished: rows would be missing', async () => {
    const file = new MemoryFile()
    const writer = await ParquetFileWriter.open({ file, columns, compression: 'SNAPPY', keyValue: new Map() })
    const calls = [writer.writeRowGroup(vectors()), writer.writeRowGroup(vectors()), writer.finish()]
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/awaited/) } })
    await expect(writer.finish()).rejects.toThrow(/awaited/)
    await expect(openParquet(bytesSource(file.bytes))).rejects.toMatchObject({ code: 'PARQUET_INVALID' })
  })

  test('a finished file takes nothing more', async () => {
    const writer = await ParquetFileWriter.open({ file: new MemoryFile(), columns, compression: 'SNAPPY', keyValue: new Map() })
    await writer.writeRowGroup(vectors())
    expect((await writer.finish()).rows).toBe(4)
    await expect(writer.finish()).rejects.toThrow(/finished/)
    await expect(writer.writeRowGroup(vectors())).rejects.toThrow(/finished/)
  })

  test('vectors that do not fit are refused before anything of the row group is written', async () => {
    for (const wrong of [
      [vectors()[0]!],
      [vectors()[1]!, vectors()[0]!],
      [vectors()[0]!, plainVector(columns[1]!, [1n])],
      [{ ...vectors()[0]!, nulls: 0 }, vectors()[1]!],
    ]) {
      const file = new MemoryFile()
      const writer = await ParquetFileWriter.open({ file, columns, compression: 'SNAPPY', keyValue: new Map() })
      await expect(writer.writeRowGroup(wrong)).rejects.toThrow(/assertion/)
      expect(file.sizeBytes).toBe(0)
      await expect(writer.finish()).rejects.toThrow(/assertion/)
    }
  })

  test('a file without columns is refused', async () => {
    await expect(
      ParquetFileWriter.open({ file: new MemoryFile(), columns: [], compression: 'SNAPPY', keyValue: new Map() }),
    ).rejects.toThrow(/columns/)
  })
})

test('every column says its type as logical and, where that says the same, as converted type', async () => {
  const all = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
  const { file } = await writeParquet({ columns: all, rowGroups: [] })
  const { parquetMetadata } = await import('hyparquet')
  const { schema } = parquetMetadata(file)
  const said = schema.slice(1).map((e) => [e.converted_type ?? null, e.logical_type ?? null, e.repetition_type])
  expect(said).toEqual([
    ['UTF8', { type: 'STRING' }, 'OPTIONAL'],
    ['JSON', { type: 'JSON' }, 'OPTIONAL'],
    [null, null, 'OPTIONAL'],
    ['INT_32', { type: 'INTEGER', bitWidth: 32, isSigned: true }, 'OPTIONAL'],
    ['INT_64', { type: 'INTEGER', bitWidth: 64, isSigned: true }, 'OPTIONAL'],
    [null, null, 'OPTIONAL'],
    ['DECIMAL', { type: 'DECIMAL', precision: 9, scale: 2 }, 'OPTIONAL'],
    ['DECIMAL', { type: 'DECIMAL', precision: 18, scale: 6 }, 'OPTIONAL'],
    ['DECIMAL', { type: 'DECIMAL', precision: 38, scale: 10 }, 'OPTIONAL'],
    ['DATE', { type: 'DATE' }, 'OPTIONAL'],
    [null, { type: 'TIME', isAdjustedToUTC: false, unit: 'MILLIS' }, 'OPTIONAL'],
    [null, { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' }, 'OPTIONAL'],
    ['TIMESTAMP_MILLIS', { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' }, 'OPTIONAL'],
    [null, { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MILLIS' }, 'OPTIONAL'],
    ['TIMESTAMP_MICROS', { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' }, 'OPTIONAL'],
    [null, { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' }, 'OPTIONAL'],
  ])
})
