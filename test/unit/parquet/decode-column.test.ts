import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector, PhysicalType, PlainVector } from '../../../src/columns/vector.js'
import { isIntakeError } from '../../../src/errors.js'
import { ColumnDecoder } from '../../../src/parquet/decode-column.js'
import type { EncodedChunk } from '../../../src/parquet/decode-pages.js'
import type { Compression } from '../../../src/parquet/file-writer.js'
import { type EncodingName, encodePageHeader } from '../../../src/parquet/page-header.js'
import { type ByteSource, bytesSource, type ColumnChunkFacts, openParquet } from '../../../src/parquet/read-file.js'
import type { ColumnVerifier } from '../../../src/parquet/verify-column.js'
import { readChunk } from '../../../src/parquet/verify-parts.js'
import { Engine } from './duckdb.js'
import { encodeHybrid, encodePlain, snappyCompress } from './plain-encoders.js'
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
import { bothVerifiers } from './verifier-forms.js'

const decoder = new ColumnDecoder()
let verifiers: readonly ColumnVerifier[] = []
beforeAll(async () => {
  verifiers = await bothVerifiers()
})

/** Cell by cell, the slow way: what the decoder's pages say. */
function cellsOf(chunk: EncodedChunk, column: ColumnType): Cell[] {
  expect(column.physical).toBe(chunk.physical)
  const cells: Cell[] = []
  let unmarked = 0
  for (const page of decoder.pages(chunk)) {
    expect(page.validity.length).toBe(page.rows)
    expect(page.nulls).toBe(page.validity.reduce((n, v) => n + 1 - v, 0))
    const values = page.form === 'plain' ? page.values : page.dictionary
    // Without gaps of its own, so that `cellOf` looks at the values alone.
    const vector: PlainVector = { form: 'plain', rows: 0, validity: new Uint8Array(0), nulls: 0, values }
    for (let i = 0; i < page.rows; i++) {
      if (page.validity[i] === 0) cells.push(null)
      else if (page.form === 'plain') cells.push(cellOf(vector, i))
      else {
        if (page.used[page.codes[i]!] !== 1) unmarked++
        cells.push(cellOf(vector, page.codes[i]!))
      }
    }
  }
  expect(unmarked).toBe(0)
  return cells
}

async function bothDecoders(source: ByteSource): Promise<{ ours: Cell[]; theirs: Cell[] }[]> {
  const file = await openParquet(source)
  const out: { ours: Cell[]; theirs: Cell[] }[] = []
  for (const [g] of file.rowGroups.entries()) {
    for (const [c, column] of file.columns.entries()) {
      const vector = await file.readColumn(g, c)
      const theirs = Array.from({ length: vector.rows }, (_, i) => cellOf(vector, i))
      out.push({ ours: cellsOf(await readChunk(source, file, g, c), column), theirs })
    }
  }
  return out
}

function cellArbitrary(column: ColumnType): fc.Arbitrary<Cell> {
  switch (column.physical) {
    case 'BOOLEAN':
      return fc.boolean()
    case 'INT32':
      return fc.oneof(fc.integer(), fc.constantFrom(0, -1, 2 ** 31 - 1, -(2 ** 31)))
    case 'INT64':
      return fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constantFrom(0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n),
      )
    case 'DOUBLE':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity))
    case 'FIXED_LEN_BYTE_ARRAY':
      return fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })
    case 'BYTE_ARRAY':
      return fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.constantFrom('', 'x'.repeat(64), 'y'.repeat(65), 'z'.repeat(400)))
  }
}

const vectorOf = (column: ColumnType, cells: readonly Cell[], coded: boolean): ColumnVector =>
  coded ? dictionaryVector(column, cells) : plainVector(column, cells)

describe('reads the cells that hyparquet reads', () => {
  for (const logical of ALL_LOGICAL_TYPES.filter(
    (l, i, all) => all.findIndex((o) => columnType('', o).physical === columnType('', l).physical) === i,
  )) {
    const column = columnType('value', logical)
    test(`${column.physical} (${labelOf(logical)}): any cells, gaps and compression, one memory for all`, async () => {
      const few = fc.array(cellArbitrary(column), { minLength: 1, maxLength: 4 })
      const any = fc.array(fc.option(cellArbitrary(column), { freq: 4 }), { minLength: 1, maxLength: 60 })
      const repeated = few.chain((pool) => fc.array(fc.constantFrom(...pool, null), { minLength: 1, maxLength: 200 }))
      const missing = fc.integer({ min: 1, max: 100 }).map((rows) => new Array<Cell>(rows).fill(null))
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(any, repeated, missing),
          fc.boolean(),
          fc.constantFrom('SNAPPY' as const, 'GZIP' as const, 'NONE' as const),
          async (cells, coded, compression) => {
            const { file } = await writeParquet({ columns: [column], rowGroups: [[vectorOf(column, cells, coded)]], compression })
            const [read] = await bothDecoders(bytesSource(file))
            expect(read!.ours).toEqual(cells)
            expect(read!.theirs).toEqual(cells)
          },
        ),
        { numRuns: 60 },
      )
    })
  }

  test('in row groups of several pages, with gaps in none, some and all of them', async () => {
    const random = randomOf(5)
    const columns = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const pools = columns.map((column) => fc.sample(cellArbitrary(column), { seed: 3, numRuns: 300 }))
    const rowGroups = [45_001, 100].map((rows, g) =>
      columns.map((column, c) => {
        const share = [0, 0.2, 0.95][(g + c) % 3]!
        // The second page has no row at all.
        const cell = (row: number): Cell =>
          (row >= 20_000 && row < 40_000 && c % 2 === 0) || random() < share ? null : pools[c]![Math.floor(random() * 300)]!
        return vectorOf(
          column,
          Array.from({ length: rows }, (_, row) => cell(row)),
          (g + c) % 2 === 0,
        )
      }),
    )
    const { file } = await writeParquet({ columns, rowGroups })
    for (const { ours, theirs } of await bothDecoders(bytesSource(file))) expect(firstDifference(ours, theirs)).toBe(-1)
  })

  test('in files of DuckDB', async () => {
    const engine = await Engine.start()
    const folder = await mkdtemp(join(tmpdir(), 'parquet-decode-'))
    try {
      const queries = [
        "SELECT i::BIGINT AS n, 'v' || (i % 5) AS t, (i % 3) = 0 AS b, (i / 4)::DOUBLE AS d, i::DECIMAL(12,2) AS m, DATE '2024-01-01' + (i % 9)::INT AS day FROM range(25000) r(i)",
        "SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE i::INTEGER END AS n, CASE WHEN i % 3 > 0 THEN repeat('ä', (i % 90)::INT) || i END AS t, NULL::DOUBLE AS d, (i * 10000000000000000000)::DECIMAL(38,3) AS big FROM range(21000) r(i)",
        'SELECT (i * i) % 1009 AS n, hash(i)::VARCHAR AS t, (hash(i) % 1000)::DOUBLE / 7 AS d FROM range(25000) r(i)',
      ]
      for (const [q, query] of queries.entries()) {
        for (const codec of ['snappy', 'gzip', 'uncompressed']) {
          const path = join(folder, `${q}-${codec}.parquet`)
          await engine.rows(`COPY (${query}) TO '${path}' (FORMAT parquet, COMPRESSION ${codec}, ROW_GROUP_SIZE 20480)`)
          const file = bytesSource(new Uint8Array(await readFile(path)))
          const opened = await openParquet(file)
          for (let g = 0; g < opened.rowGroups.length; g++) {
            for (const [c, column] of opened.columns.entries()) {
              const chunk = { ...(await readChunk(file, opened, g, c)), promises: null }
              const vector = await opened.readColumn(g, c)
              const theirs = Array.from({ length: vector.rows }, (_, i) => cellOf(vector, i))
              expect(firstDifference(cellsOf(chunk, column), theirs), `${query} ${codec} ${column.name}`).toBe(-1)
            }
          }
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
      await engine.stop()
    }
  })
})

interface Page {
  readonly kind: 'data' | 'dictionary'
  readonly encoding: EncodingName
  readonly values: number
  readonly bytes: Uint8Array
}

function packed(compression: Compression, bytes: Uint8Array): Uint8Array {
  if (compression === 'NONE') return bytes
  return compression === 'GZIP' ? gzipSync(bytes) : snappyCompress(bytes)
}

function chunkOf(
  pages: readonly Page[],
  options: { rows: number; physical: PhysicalType; compression?: Compression; optional?: boolean },
): EncodedChunk {
  const { compression = 'SNAPPY', optional = true } = options
  const parts: Uint8Array[] = []
  let uncompressedBytes = 0
  for (const { kind, encoding, values, bytes } of pages) {
    const body = packed(compression, bytes)
    const header = encodePageHeader({ kind, encoding, values, uncompressedBytes: bytes.length, body })
    parts.push(header, body)
    uncompressedBytes += header.length + bytes.length
  }
  return {
    bytes: new Uint8Array(Buffer.concat(parts)),
    rows: options.rows,
    physical: options.physical,
    widthBytes: 16,
    optional,
    compression: compression === 'NONE' ? 'UNCOMPRESSED' : compression,
    promises: {
      uncompressedBytes,
      dictionaryPageBytes: pages[0]?.kind === 'dictionary' ? parts[0]!.length + parts[1]!.length : 0,
      encodings: ['PLAIN', 'RLE', 'RLE_DICTIONARY'],
    },
  }
}

function levels(validity: readonly number[]): Uint8Array {
  const stream = encodeHybrid(Uint8Array.from(validity), 0, validity.length, 1)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(stream.length)
  return new Uint8Array(Buffer.concat([length, stream]))
}

const int64 = columnType('n', { kind: 'integer', bits: 64 })
const numbers = (...values: bigint[]): Uint8Array => encodePlain({ physical: 'INT64', data: BigInt64Array.from(values) })
const data = (encoding: EncodingName, validity: readonly number[], ...rest: Uint8Array[]): Page => ({
  kind: 'data',
  encoding,
  values: validity.length,
  bytes: new Uint8Array(Buffer.concat([levels(validity), ...rest])),
})
const dictionary = (...values: bigint[]): Page => ({
  kind: 'dictionary',
  encoding: 'PLAIN',
  values: values.length,
  bytes: numbers(...values),
})
const codes = (width: number, ...list: number[]): Uint8Array =>
  new Uint8Array(Buffer.concat([Uint8Array.of(width), encodeHybrid(Uint32Array.from(list), 0, list.length, width)]))

describe('chunks that our encoder does not make', () => {
  test('pages of any size, plain ones behind coded ones, codes wider than they need be, columns where nothing can be missing', () => {
    const mixed = chunkOf(
      [
        dictionary(10n, 20n, 30n),
        data('RLE_DICTIONARY', [1, 0, 1], codes(2, 2, 0)),
        data('RLE_DICTIONARY', [1], codes(31, 1)),
        data('PLAIN', [0, 1, 1, 0], numbers(40n, 50n)),
        data('PLAIN', [0, 0]),
        data('RLE_DICTIONARY', [1, 1], codes(32, 0, 0)),
      ],
      { rows: 12, physical: 'INT64' },
    )
    expect(cellsOf(mixed, int64)).toEqual([30n, null, 10n, 20n, null, 40n, 50n, null, null, null, 10n, 10n])
    const required = chunkOf([{ kind: 'data', encoding: 'PLAIN', values: 3, bytes: numbers(1n, 2n, 3n) }], {
      rows: 3,
      physical: 'INT64',
      optional: false,
    })
    expect(cellsOf(required, int64)).toEqual([1n, 2n, 3n])
  })

  test('which entries of the dictionary have a row is known when the chunk ends', () => {
    const chunk = chunkOf(
      [dictionary(10n, 20n, 30n, 40n), data('RLE_DICTIONARY', [1, 0], codes(2, 3)), data('RLE_DICTIONARY', [1, 1], codes(2, 1, 1))],
      { rows: 4, physical: 'INT64' },
    )
    let used: number[] = []
    for (const page of decoder.pages(chunk)) if (page.form === 'dictionary') used = [...page.used]
    expect(used).toEqual([0, 1, 0, 1])
  })
})

const NO_BOUNDS = { min: null, max: null, nullCount: null } as ColumnChunkFacts

/** What is said of a chunk that is refused, by both forms of the verifier and by the decoder alone. */
const refused = (chunk: EncodedChunk): string | null => {
  const words = (decode: () => void): string | null => {
    try {
      decode()
      return null
    } catch (error) {
      if (isIntakeError(error, 'PARQUET_INVALID')) return error.message
      throw error
    }
  }
  const alone = words(() => {
    for (const _ of decoder.pages(chunk));
  })
  for (const verifier of verifiers) {
    verifier.begin(chunk.physical)
    expect(words(() => verifier.check(chunk, NO_BOUNDS))).toBe(alone)
  }
  return alone
}

test('both forms of the verifier read chunks of any pages alike', () => {
  const texts = (...list: string[]): Uint8Array => encodePlain(plainVector(columnType('t', { kind: 'string' }), list).values)
  const chunks = [
    chunkOf([dictionary(10n, 20n, 30n), data('RLE_DICTIONARY', [1, 0, 1], codes(2, 2, 0)), data('PLAIN', [0, 1, 1], numbers(7n, 8n))], {
      rows: 6,
      physical: 'INT64',
    }),
    chunkOf([data('PLAIN', [1, 1], numbers(7n, 8n)), data('PLAIN', [0, 0], new Uint8Array(0))], { rows: 4, physical: 'DOUBLE' }),
    chunkOf(
      [
        { kind: 'dictionary', encoding: 'PLAIN', values: 2, bytes: texts('a', 'longer than sixteen bytes') },
        data('RLE_DICTIONARY', [1, 1, 0], codes(1, 1, 0)),
        data('PLAIN', [1, 0, 1], texts('', 'plain')),
        data('RLE_DICTIONARY', [1, 0, 1], codes(1, 0, 0)),
      ],
      { rows: 9, physical: 'BYTE_ARRAY' },
    ),
  ]
  for (const chunk of chunks) {
    const [ours, theirs] = verifiers.map((verifier) => {
      verifier.begin(chunk.physical)
      return [verifier.check(chunk, NO_BOUNDS), verifier.finish()]
    })
    expect(ours![0]).toBe(null)
    expect(ours).toEqual(theirs)
  }
})

describe('a chunk that does not keep its word is refused', () => {
  const plain = [data('PLAIN', [1, 0, 1], numbers(1n, 2n))]
  const coded = [dictionary(10n, 20n, 30n), data('RLE_DICTIONARY', [1, 0, 1], codes(2, 2, 0))]
  const options = { rows: 3, physical: 'INT64' as const }

  test('the same chunks as they should be are not', () => {
    for (const pages of [plain, coded])
      for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) expect(refused(chunkOf(pages, { ...options, compression }))).toBe(null)
  })

  test.each([
    ['more rows than it has', chunkOf([...plain, ...plain], options)],
    ['fewer rows', chunkOf(plain, { ...options, rows: 4 })],
    ['no pages', chunkOf([], options)],
    ['a value too few', chunkOf([data('PLAIN', [1, 0, 1], numbers(1n))], options)],
    ['a value too many', chunkOf([data('PLAIN', [1, 0, 1], numbers(1n, 2n, 3n))], options)],
    ['half a value', chunkOf([data('PLAIN', [1, 0, 1], numbers(1n, 2n).subarray(0, 12))], options)],
    ['a code outside the dictionary', chunkOf([dictionary(10n), data('RLE_DICTIONARY', [1, 0, 1], codes(1, 0, 1))], options)],
    [
      'a code far outside the dictionary',
      chunkOf([dictionary(10n), data('RLE_DICTIONARY', [1, 0, 1], codes(32, 0, 0xffff_ffff))], options),
    ],
    ['codes and no dictionary', chunkOf(coded.slice(1), options)],
    ['two dictionaries', chunkOf([coded[0]!, ...coded], options)],
    ['a dictionary behind data', chunkOf([...plain, dictionary(1n)], options)],
    ['a dictionary that is larger than its entries', chunkOf([{ ...dictionary(1n, 2n), values: 1 }, ...plain], options)],
    ['a dictionary that is smaller', chunkOf([{ ...dictionary(1n, 2n), values: 3 }, ...plain], options)],
    ['codes without a width', chunkOf([coded[0]!, data('RLE_DICTIONARY', [1, 0, 1])], options)],
    ['codes of 33 bits', chunkOf([coded[0]!, data('RLE_DICTIONARY', [1, 0, 1], Uint8Array.of(33, 4, 0, 0, 0, 0, 0))], options)],
    ['values in RLE', chunkOf([data('RLE', [1, 0, 1], numbers(1n, 2n))], options)],
    [
      'levels longer than the page',
      chunkOf([{ kind: 'data', encoding: 'PLAIN', values: 3, bytes: Uint8Array.of(255, 255, 255, 255, 6, 1) }], options),
    ],
    ['no levels', chunkOf([{ kind: 'data', encoding: 'PLAIN', values: 3, bytes: Uint8Array.of(1, 2) }], options)],
    [
      'levels for fewer rows',
      chunkOf([{ ...data('PLAIN', [1, 1, 0, 0, 0, 0, 0, 0], numbers(1n, 2n)), values: 9 }], { ...options, rows: 9 }),
    ],
    ['an unknown compression', { ...chunkOf(plain, options), compression: 'LZO' }],
    ['bytes behind the last page', { ...chunkOf(plain, options), bytes: new Uint8Array([...chunkOf(plain, options).bytes, 0]) }],
    [
      'a dictionary of booleans',
      chunkOf([{ kind: 'dictionary', encoding: 'PLAIN', values: 1, bytes: Uint8Array.of(1) }, ...coded.slice(1)], {
        rows: 3,
        physical: 'BOOLEAN',
      }),
    ],
  ])('%s', (_, chunk) => {
    expect(refused({ ...chunk, promises: null })).not.toBe(null)
    expect(refused(chunk)).not.toBe(null)
  })

  test('in what the footer promises: size before compression, place of the dictionary, encodings, checksums', () => {
    const chunk = chunkOf(coded, options)
    const promises = chunk.promises!
    for (const wrong of [
      { ...promises, uncompressedBytes: promises.uncompressedBytes + 1 },
      { ...promises, dictionaryPageBytes: 0 },
      { ...promises, dictionaryPageBytes: promises.dictionaryPageBytes + 1 },
      { ...promises, encodings: ['RLE', 'PLAIN'] },
    ])
      expect(refused({ ...chunk, promises: wrong })).not.toBe(null)
    const withoutDictionary = chunkOf(plain, options)
    expect(refused({ ...withoutDictionary, promises: { ...withoutDictionary.promises!, dictionaryPageBytes: 5 } })).not.toBe(null)
  })
})

describe('damage', () => {
  const encoded = async (column: ColumnType, cells: readonly Cell[], compression: Compression, coded: boolean): Promise<EncodedChunk> => {
    const { file } = await writeParquet({ columns: [column], rowGroups: [[vectorOf(column, cells, coded)]], compression })
    const source = bytesSource(file)
    const chunk = await readChunk(source, await openParquet(source), 0, 0)
    return { ...chunk, bytes: chunk.bytes.slice() }
  }

  test('without checksums any changed or missing bytes are refused or decoded: nothing hangs, crashes, or takes memory that was not there', async () => {
    const text = columnType('t', { kind: 'string' })
    const cells = Array.from({ length: 300 }, (_, i) => (i % 11 === 0 ? null : `text ${i % 17}`))
    const bare = (chunk: EncodedChunk): EncodedChunk => ({ ...chunk, bytes: withoutChecksums(chunk.bytes), promises: null })
    const chunks: EncodedChunk[] = []
    for (const coded of [true, false])
      for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) chunks.push(bare(await encoded(text, cells, compression, coded)))
    for (const chunk of chunks) expect(refused(chunk)).toBe(null)
    fc.assert(
      fc.property(
        fc.constantFrom(...chunks),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(3),
        (chunk, changes, cut) => {
          const bytes = chunk.bytes.slice(0, chunk.bytes.length - cut)
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          refused({ ...chunk, bytes })
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('with checksums and promises every changed bit of a chunk is refused, in headers too', async () => {
    const cells = Array.from({ length: 300 }, (_, i) => (i % 11 === 0 ? null : BigInt(i % 17)))
    const unseen: string[] = []
    for (const coded of [true, false]) {
      for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) {
        const chunk = await encoded(int64, cells, compression, coded)
        for (let bit = 0; bit < chunk.bytes.length * 8; bit++) {
          const bytes = chunk.bytes.slice()
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          if (refused({ ...chunk, bytes }) === null) unseen.push(`${compression} ${coded} byte ${bit >> 3} bit ${bit & 7}`)
        }
      }
    }
    expect(unseen).toEqual([])
  })
})

/** The same pages, their headers without the field of the checksum: what a writer without CRCs would have written. */
function withoutChecksums(bytes: Uint8Array): Uint8Array {
  const out: number[] = []
  let at = 0
  const varint = (): number[] => {
    const start = at
    while (bytes[at++]! > 0x7f);
    return [...bytes.subarray(start, at)]
  }
  while (at < bytes.length) {
    // Three numbers, then the checksum, all as i32 fields of our own page-header.ts.
    let size = 0
    for (let field = 0; field < 3; field++) {
      out.push(bytes[at++]!)
      const number = varint()
      out.push(...number)
      size = number.reduce((n, byte, i) => n + (byte & 0x7f) * 2 ** (7 * i), 0) / 2
    }
    at++
    varint()
    // The struct came one field after the checksum; its distance from the field before grows by one.
    out.push(bytes[at++]! + 0x10)
    while (bytes[at] !== 0) {
      out.push(bytes[at++]!)
      out.push(...varint())
    }
    out.push(0, 0)
    at += 2
    out.push(...bytes.subarray(at, at + size))
    at += size
  }
  return Uint8Array.from(out)
}

function firstDifference(a: readonly Cell[], b: readonly Cell[]): number {
  if (a.length !== b.length) return Math.min(a.length, b.length)
  return a.findIndex((cell, i) => !Object.is(cell, b[i]))
}
