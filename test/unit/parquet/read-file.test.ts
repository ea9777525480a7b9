import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetHeader } from 'hyparquet/src/column.js'
import { describe, expect, test } from 'vitest'
import { isIntakeError } from '../../../src/errors.js'
import { bytesSource, fileSource, openParquet } from '../../../src/parquet/read-file.js'
import { verifyParquet } from '../../../src/parquet/verify-file.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { Engine } from './duckdb.js'
import { ALL_LOGICAL_TYPES, cellOf, columnType, dictionaryVector, plainVector, writeParquet } from './sample-vectors.js'

const columns = [
  columnType('name', { kind: 'string' }, 'm'),
  columnType('n', { kind: 'integer', bits: 64 }),
  columnType('d', { kind: 'double' }),
]

async function sample(compression: 'SNAPPY' | 'GZIP' | 'NONE' = 'SNAPPY') {
  const texts = Array.from({ length: 300 }, (_, i) => (i % 11 === 0 ? null : `text ${i % 17}`))
  const numbers = Array.from({ length: 300 }, (_, i) => BigInt(i) * 1_000_000_007n)
  const doubles = Array.from({ length: 300 }, (_, i) => (i % 5 === 0 ? null : i / 3))
  return writeParquet({
    columns,
    rowGroups: [[dictionaryVector(columns[0]!, texts), plainVector(columns[1]!, numbers), plainVector(columns[2]!, doubles)]],
    compression,
  })
}

describe('a schema that was read before', () => {
  test('is not taken for another one: a type, a parameter, a unit, a name, the number of columns', async () => {
    const a = columnType('a', { kind: 'decimal', precision: 9, scale: 2 }, 'm')
    const schemas = [
      [a],
      [columnType('a', { kind: 'decimal', precision: 9, scale: 3 }, 'm')],
      [columnType('a', { kind: 'decimal', precision: 9, scale: 2 }, 'km')],
      [columnType('a', { kind: 'decimal', precision: 9, scale: 2 })],
      [columnType('b', { kind: 'decimal', precision: 9, scale: 2 }, 'm')],
      [columnType('a', { kind: 'timestamp', unit: 'MILLIS', utc: true })],
      [columnType('a', { kind: 'timestamp', unit: 'MILLIS', utc: false })],
      [columnType('a', { kind: 'timestamp', unit: 'MICROS', utc: true })],
      [a, columnType('b', { kind: 'json' })],
      ...Array.from({ length: 20 }, (_, i) => [columnType(`c${i}`, { kind: 'boolean' } as const)]),
    ]
    const files = await Promise.all(
      schemas.flatMap((types) => [
        writeParquet({ columns: types, rowGroups: [types.map((type) => plainVector(type, [null]))] }),
        writeParquet({ columns: types, rowGroups: [] }),
      ]),
    )
    for (let round = 0; round < 2; round++)
      for (const [i, { file }] of files.entries()) {
        const opened = await openParquet(bytesSource(file.slice()))
        expect(opened.columns).toEqual(schemas[i >> 1])
        expect((await openParquet(bytesSource(file))).columns).toEqual(schemas[i >> 1])
      }
  })

  test('stays what it was when the bytes it was read from are written over', async () => {
    const types = [columnType('kept', { kind: 'string' }, 'unit')]
    const { file } = await writeParquet({ columns: types, rowGroups: [[plainVector(types[0]!, ['x'])]] })
    const first = file.slice()
    expect((await openParquet(bytesSource(first))).columns).toEqual(types)
    first.fill(0)
    expect((await openParquet(bytesSource(file))).columns).toEqual(types)
  })
})

describe('damage', () => {
  test('a file cut anywhere is PARQUET_INVALID', async () => {
    const { file } = await sample()
    for (let length = 0; length < file.length; length += length < 40 || length > file.length - 40 ? 1 : 13) {
      await expect(openParquet(bytesSource(file.subarray(0, length)))).rejects.toMatchObject({ code: 'PARQUET_INVALID' })
    }
  })

  test('flipped magic, a footer length that makes no sense, other files', async () => {
    const { file } = await sample()
    const damaged = (change: (bytes: Uint8Array) => void): Uint8Array => {
      const copy = file.slice()
      change(copy)
      return copy
    }
    for (const bytes of [
      damaged((b) => b.fill(0x58, 0, 1)),
      damaged((b) => b.fill(0x58, b.length - 1)),
      damaged((b) => b.fill(0xff, b.length - 8, b.length - 4)),
      damaged((b) => b.fill(0, b.length - 8, b.length - 4)),
      new Uint8Array(Buffer.from('a,b\n1,2\n3,4\n5,6\n')),
      new Uint8Array(Buffer.from('PAR1PAR1')),
      new Uint8Array(Buffer.from('PAR1\0\0\0\0PAR1')),
    ]) {
      await expect(openParquet(bytesSource(bytes))).rejects.toMatchObject({ code: 'PARQUET_INVALID' })
    }
  })

  test('a changed byte of a page or of its header is found by verification, with every compression', async () => {
    for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) {
      const { file, rows, contentSha256, content } = await sample(compression)
      const end = file.length - 8 - new DataView(file.buffer, file.byteOffset).getUint32(file.length - 8, true)
      const reader = { view: new DataView(file.buffer as ArrayBuffer, file.byteOffset), offset: 4 }
      while (reader.offset < end) {
        const headerStart = reader.offset
        const { compressed_page_size: size } = parquetHeader(reader)
        const bodyStart = reader.offset
        for (let at = headerStart; at < bodyStart + size; at += at < bodyStart ? 1 : 5) {
          const copy = file.slice()
          copy[at]! ^= 1 << (at % 8)
          const outcome = await verifyParquet(bytesSource(copy), { columns, rows, contentSha256, content }).then(
            () => 'equal',
            (error: unknown) => (isIntakeError(error, 'VERIFY_MISMATCH') ? 'found' : Promise.reject(error)),
          )
          expect(outcome, `${compression} ${at}`).toBe('found')
        }
        reader.offset = bodyStart + size
      }
    }
  })

  test('a changed byte of the footer never gives another error than PARQUET_INVALID, nor other cells in silence', async () => {
    const { file, rows, contentSha256 } = await sample()
    const footerBytes = new DataView(file.buffer, file.byteOffset).getUint32(file.length - 8, true) + 8
    let found = 0
    for (let at = file.length - footerBytes; at < file.length; at++) {
      for (const bit of [0, 3, 7]) {
        const copy = file.slice()
        copy[at]! ^= 1 << bit
        try {
          const read = await openParquet(bytesSource(copy))
          for (let g = 0; g < read.rowGroups.length; g++) await read.readRowGroup(g)
        } catch (error) {
          expect(isIntakeError(error, 'PARQUET_INVALID'), String((error as Error).stack)).toBe(true)
        }
        const outcome = await verifyParquet(bytesSource(copy), { columns, rows, contentSha256 }).then(
          () => 'equal',
          (error: unknown) => (isIntakeError(error, 'VERIFY_MISMATCH') ? 'found' : Promise.reject(error)),
        )
        if (outcome === 'found') found++
      }
    }
    // The rest changes nothing that this reader goes by (created_by, sizes that only inform, Thrift types it is lenient about); parquet_sha256 covers it.
    expect(found).toBeGreaterThan(footerBytes)
  })

  test('errors of the source itself are not called damage', async () => {
    const { file } = await sample()
    const failure = new Error('EIO')
    const source = { sizeBytes: file.length, read: () => Promise.reject(failure) }
    await expect(openParquet(source)).rejects.toBe(failure)
  })
})

describe('columns', () => {
  test('come in the order asked for, by exact name, and an unknown one is UNKNOWN_COLUMN', async () => {
    const names = ['2', '1', '__proto__', 'toString']
    const types = names.map((name) => columnType(name, { kind: 'integer', bits: 32 }))
    const { file } = await writeParquet({ columns: types, rowGroups: [types.map((t, i) => plainVector(t, [i]))] })
    const read = await openParquet(bytesSource(file))
    expect(read.columns.map((c) => c.name)).toEqual(names)
    expect((await read.readRowGroup(0)).map((v) => cellOf(v, 0))).toEqual([0, 1, 2, 3])
    expect((await read.readRowGroup(0, ['toString', '1'])).map((v) => cellOf(v, 0))).toEqual([3, 1])
    for (const name of ['', 'constructor', 'hasOwnProperty', ' 1']) {
      await expect(read.readRowGroup(0, [name])).rejects.toMatchObject({ code: 'UNKNOWN_COLUMN' })
    }
  })

  test('of every type have their statistics as they are stored', async () => {
    const types = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const { file } = await writeParquet({ columns: types, rowGroups: [types.map((t) => plainVector(t, [null, null, null]))] })
    const [group] = (await openParquet(bytesSource(file))).rowGroups
    for (const chunk of group!.columns) expect(chunk).toMatchObject({ min: null, max: null, nullCount: 3 })
  })
})

describe('files of other makers', () => {
  test('DuckDB files of our types are read; types we do not have are refused', async () => {
    const engine = await Engine.start()
    const folder = await mkdtemp(join(tmpdir(), 'parquet-other-'))
    try {
      const copy = async (select: string): Promise<string> => {
        const path = join(folder, `${Math.abs(select.length * 7919)}.parquet`)
        await engine.rows(`COPY (${select}) TO '${path}' (FORMAT parquet)`)
        return path
      }
      const path = await copy(
        "SELECT i::BIGINT AS n, 'v' || (i % 5) AS t, (i % 3) = 0 AS b, (i / 4)::DOUBLE AS d, i::DECIMAL(12,2) AS m, DATE '2024-01-01' + i::INT AS day FROM range(5000) r(i)",
      )
      const file = await nodeFiles.openRead(path)
      const read = await openParquet(await fileSource(file!))
      expect(read.columns.map((c) => c.logical.kind)).toEqual(['integer', 'string', 'boolean', 'double', 'decimal', 'date'])
      const vectors = await read.readRowGroup(0)
      expect(vectors.map((v) => cellOf(v, 9))).toEqual([9n, 'v4', true, 2.25, 900n, 19732])
      await read.close()
      for (const select of [
        'SELECT [1, 2] AS l',
        "SELECT {'a': 1} AS s",
        'SELECT 1::UTINYINT AS u',
        'SELECT 1::FLOAT AS f',
        "SELECT 'x'::BLOB AS b",
      ]) {
        const other = await nodeFiles.openRead(await copy(select))
        await expect(openParquet(await fileSource(other!))).rejects.toMatchObject({ code: 'PARQUET_INVALID' })
        await other!.close()
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
      await engine.stop()
    }
  })
})

test('a file that gets shorter while it is read is PARQUET_INVALID', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parquet-short-'))
  try {
    const path = join(folder, 'f.parquet')
    const { file } = await sample()
    await writeFile(path, file)
    const open = (await nodeFiles.openRead(path))!
    const read = await openParquet(await fileSource(open))
    await writeFile(path, file.subarray(0, 10))
    await expect(read.readRowGroup(0)).rejects.toMatchObject({ code: 'PARQUET_INVALID' })
    await read.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
