import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType } from '../../../src/columns/vector.js'
import { isIntakeError } from '../../../src/errors.js'
import type { EncodedChunk } from '../../../src/parquet/decode-pages.js'
import type { Compression } from '../../../src/parquet/file-writer.js'
import { bytesSource, type ColumnChunkFacts, openParquet } from '../../../src/parquet/read-file.js'
import type { ColumnVerifier } from '../../../src/parquet/verify-column.js'
import { readChunk, verifyPart, wholeFile } from '../../../src/parquet/verify-parts.js'
import { WebassemblyVerifier } from '../../../src/parquet/verify-webassembly.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, plainVector, randomOf, writeParquet } from './sample-vectors.js'
import { bothVerifiers, compiledDecoder } from './verifier-forms.js'

let typescript: ColumnVerifier
let compiled: WebassemblyVerifier
beforeAll(async () => {
  ;[typescript, compiled] = await bothVerifiers()
})

const types = ALL_LOGICAL_TYPES.map((logical) => columnType('value', logical)).filter(
  (type, i, all) => all.findIndex((other) => other.physical === type.physical) === i,
)

function cellArbitrary({ physical }: ColumnType): fc.Arbitrary<Cell> {
  switch (physical) {
    case 'BOOLEAN':
      return fc.boolean()
    case 'INT32':
      return fc.oneof(fc.integer(), fc.constantFrom(0, -1, 2 ** 31 - 1, -(2 ** 31)))
    case 'INT64':
      return fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom(0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)))
    case 'DOUBLE':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity))
    case 'FIXED_LEN_BYTE_ARRAY':
      return fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })
    case 'BYTE_ARRAY':
      return fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.constantFrom('', 'same begin', 'same begin and more', 'x'.repeat(64), 'y'.repeat(65), 'z'.repeat(400)),
      )
  }
}

interface Chunks {
  readonly column: ColumnType
  readonly chunks: readonly { readonly chunk: EncodedChunk; readonly facts: ColumnChunkFacts }[]
}

async function chunksOf(
  column: ColumnType,
  groups: readonly (readonly Cell[])[],
  coded: boolean,
  compression: Compression,
): Promise<Chunks> {
  const rowGroups = groups.map((cells) => [coded ? dictionaryVector(column, cells) : plainVector(column, cells)])
  const { file } = await writeParquet({ columns: [column], rowGroups, compression })
  const source = bytesSource(file)
  const opened = await openParquet(source)
  const chunks = await Promise.all(
    groups.map(async (_, g) => {
      const chunk = await readChunk(source, opened, g, 0)
      return { chunk: { ...chunk, bytes: chunk.bytes.slice() }, facts: opened.rowGroups[g]!.columns[0]! }
    }),
  )
  return { column, chunks }
}

/** Digests and verdicts, or the refusal. */
function outcome(verifier: ColumnVerifier, { column, chunks }: Chunks): unknown {
  verifier.begin(column.physical)
  try {
    const verdicts = chunks.map(({ chunk, facts }) => verifier.check(chunk, facts))
    return { verdicts, digests: verifier.finish() }
  } catch (error) {
    if (isIntakeError(error, 'PARQUET_INVALID')) return error.message
    throw error
  }
}

const expectSame = (chunks: Chunks): void => expect(outcome(compiled, chunks)).toEqual(outcome(typescript, chunks))

const compressions = fc.constantFrom('SNAPPY' as const, 'GZIP' as const, 'NONE' as const)

describe('the compiled form finds what the TypeScript form finds', () => {
  for (const column of types) {
    test(`${column.physical}: any cells, gaps, codes, compression and row groups, in memory that was used before`, async () => {
      const any = fc.array(fc.option(cellArbitrary(column), { freq: 4 }), { minLength: 1, maxLength: 60 })
      const repeated = fc
        .array(cellArbitrary(column), { minLength: 1, maxLength: 9 })
        .chain((pool) => fc.array(fc.constantFrom(...pool, null), { minLength: 1, maxLength: 400 }))
      const missing = fc.integer({ min: 1, max: 100 }).map((rows) => new Array<Cell>(rows).fill(null))
      const group = fc.oneof(any, repeated, missing)
      await fc.assert(
        fc.asyncProperty(
          fc.array(group, { minLength: 1, maxLength: 3 }),
          fc.boolean(),
          compressions,
          async (groups, coded, compression) => {
            const chunks = await chunksOf(column, groups, coded, compression)
            const found = outcome(typescript, chunks) as { verdicts: unknown[] }
            expect(found.verdicts.every((verdict) => verdict === null)).toBe(true)
            expect(outcome(compiled, chunks)).toEqual(found)
          },
        ),
        { numRuns: 80 },
      )
    })
  }

  test.each(types.map((type) => [type.physical, type] as const))('%s: pages and blocks of full size', async (_, column) => {
    const random = randomOf(11)
    const pool = fc.sample(cellArbitrary(column), { seed: 7, numRuns: 700 })
    for (const [share, coded] of [
      [0, true],
      [0.3, true],
      [0, false],
      [0.3, false],
    ] as const) {
      const cells = (rows: number): Cell[] =>
        Array.from({ length: rows }, (_, row) =>
          // A block without gaps, pages without rows, and the rest mixed.
          row < 30_000 || (row < 60_000 && random() >= share)
            ? pool[Math.floor(random() * pool.length)]!
            : random() < share
              ? null
              : pool[0]!,
        )
      expectSame(await chunksOf(column, [cells(50_000), cells(66_000), cells(3)], coded, 'SNAPPY'))
    }
  })

  test('texts that are longer than what is hashed at once', async () => {
    const column = columnType('t', { kind: 'string' })
    const cells = [
      'a'.repeat(1 << 18),
      null,
      'b'.repeat((1 << 18) + 1),
      '',
      'c'.repeat(600_000),
      'd',
      ...Array.from({ length: 5000 }, (_, i) => 'x'.repeat(i % 100)),
    ]
    for (const coded of [true, false]) expectSame(await chunksOf(column, [cells, cells.slice(4)], coded, 'SNAPPY'))
  })

  test('statistics that do not hold, in the same words', async () => {
    for (const column of types) {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.option(cellArbitrary(column)), { minLength: 1, maxLength: 6 }),
          fc.array(cellArbitrary(column), { minLength: 1, maxLength: 2 }),
          fc.boolean(),
          fc.boolean(),
          fc.boolean(),
          fc.constantFrom(0, 0, 0, 1),
          async (cells, others, coded, exact, both, more) => {
            const { chunks } = await chunksOf(column, [cells], coded, 'SNAPPY')
            const { min, max } = (await chunksOf(column, [others], false, 'NONE')).chunks[0]!.facts
            const { chunk, facts } = chunks[0]!
            const claim: ColumnChunkFacts = {
              ...facts,
              min,
              max: both ? max : facts.max,
              minExact: exact,
              maxExact: exact,
              nullCount: facts.nullCount! + more,
            }
            expectSame({ column, chunks: [{ chunk, facts: claim }] })
          },
        ),
        { numRuns: 80 },
      )
    }
  })

  test('rows of a window', async () => {
    const column = columnType('t', { kind: 'string' })
    const cells = Array.from({ length: 90_000 }, (_, i) => (i % 7 === 0 ? null : `text ${i % 1000}`))
    for (const coded of [true, false]) {
      const { chunks } = await chunksOf(column, [cells], coded, 'SNAPPY')
      for (const [from, to] of [
        [0, 1],
        [19_999, 20_001],
        [40_000, 42_000],
        [89_999, 90_000],
        [1, 90_000],
      ] as const) {
        const [ours, theirs] = [compiled, typescript].map((verifier) => {
          verifier.begin(column.physical)
          verifier.window(chunks[0]!.chunk, from, to)
          return verifier.finish()
        })
        expect(ours).toEqual(theirs)
      }
    }
  })
})

/** The same chunk, held to nothing but what it says itself. */
function bare({ column, chunks }: Chunks): Chunks {
  return {
    column,
    chunks: chunks.map(({ chunk, facts }) => ({ chunk: { ...chunk, bytes: withoutChecksums(chunk.bytes), promises: null }, facts })),
  }
}

function damagedBy({ column, chunks }: Chunks, change: (bytes: Uint8Array) => Uint8Array): Chunks {
  return { column, chunks: chunks.map(({ chunk, facts }) => ({ chunk: { ...chunk, bytes: change(chunk.bytes.slice()) }, facts })) }
}

describe('damage', () => {
  for (const column of types) {
    test(`${column.physical}: without checksums, the same refusal or the same cells, whatever the bytes are`, async () => {
      const random = randomOf(3)
      const pool = fc.sample(cellArbitrary(column), { seed: 5, numRuns: 40 })
      const cells = Array.from({ length: 300 }, (_, i) => (i % 11 === 0 && i > 100 ? null : pool[Math.floor(random() * pool.length)]!))
      const samples: Chunks[] = []
      for (const coded of [true, false])
        for (const compression of ['SNAPPY', 'NONE', 'GZIP'] as const)
          samples.push(bare(await chunksOf(column, [cells], coded, compression)))
      for (const sample of samples) expect(typeof outcome(typescript, sample)).toBe('object')
      fc.assert(
        fc.property(
          fc.constantFrom(...samples),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
          fc.nat(3),
          (sample, changes, cut) => {
            expectSame(
              damagedBy(sample, (bytes) => {
                for (const [at, value] of changes) bytes[at % bytes.length] = value
                return bytes.subarray(0, bytes.length - cut)
              }),
            )
          },
        ),
        { numRuns: 1500 },
      )
    })
  }

  test('with checksums and promises every changed bit of a chunk is refused', async () => {
    const column = columnType('n', { kind: 'integer', bits: 64 })
    const cells = Array.from({ length: 300 }, (_, i) => (i % 11 === 0 ? null : BigInt(i % 17)))
    const unseen: string[] = []
    for (const coded of [true, false]) {
      for (const compression of ['SNAPPY', 'GZIP', 'NONE'] as const) {
        const chunks = await chunksOf(column, [cells], coded, compression)
        for (let bit = 0; bit < chunks.chunks[0]!.chunk.bytes.length * 8; bit++) {
          const found = outcome(
            compiled,
            damagedBy(chunks, (bytes) => {
              bytes[bit >> 3]! ^= 1 << (bit & 7)
              return bytes
            }),
          )
          if (typeof found !== 'string') unseen.push(`${compression} ${coded} byte ${bit >> 3} bit ${bit & 7}`)
        }
      }
    }
    expect(unseen).toEqual([])
  })

  test('does not reach the file that comes next', async () => {
    const column = columnType('t', { kind: 'string' })
    const chunks = await chunksOf(column, [Array.from({ length: 500 }, (_, i) => `text ${i % 30}`)], true, 'SNAPPY')
    const before = outcome(compiled, chunks)
    for (let cut = 1; cut < 40; cut++) {
      outcome(
        compiled,
        damagedBy(bare(chunks), (bytes) => bytes.subarray(0, bytes.length - cut)),
      )
      expect(outcome(compiled, chunks)).toEqual(before)
    }
  })
})

describe('memory', () => {
  test('that does not suffice is a RangeError, and the file is verified in the TypeScript form', async () => {
    const column = columnType('t', { kind: 'string' })
    const module = await compiledDecoder()
    const tight = new WebassemblyVerifier(module, 4 * 65_536)
    const { chunks } = await chunksOf(column, [Array.from({ length: 300 }, (_, i) => `${i}`.repeat(900))], false, 'SNAPPY')
    tight.begin(column.physical)
    expect(() => tight.check(chunks[0]!.chunk, chunks[0]!.facts)).toThrow(RangeError)
    // As good as new.
    const small = await chunksOf(column, [['a', null]], false, 'SNAPPY')
    expect(outcome(tight, small)).toEqual(outcome(typescript, small))
  })

  test('is moderate for pages of full size', async () => {
    const fresh = new WebassemblyVerifier(await compiledDecoder())
    const column = columnType('t', { kind: 'string' })
    const cells = Array.from({ length: 60_000 }, (_, i) => `some text of some length, ${i}`)
    outcome(fresh, await chunksOf(column, [cells, cells], false, 'SNAPPY'))
    outcome(fresh, await chunksOf(columnType('n', { kind: 'double' }), [cells.map((_, i) => i / 7)], true, 'SNAPPY'))
    expect(fresh.memoryBytes).toBeLessThanOrEqual(16 << 20)
  })

  test('is filled by the source where it can be, and both forms give the same parts either way', async () => {
    const columns = types.map((type, i) => ({ ...type, name: `c${i}` }))
    const rowGroups = [2000, 70_000].map((rows) =>
      columns.map((type) => {
        const pool = fc.sample(cellArbitrary(type), { seed: 9, numRuns: 50 })
        const cells = Array.from({ length: rows }, (_, i) => (i % 13 === 0 ? null : pool[i % 50]!))
        return type.physical === 'BOOLEAN' ? plainVector(type, cells) : dictionaryVector(type, cells)
      }),
    )
    const { file } = await writeParquet({ columns, rowGroups })
    const plain = bytesSource(file)
    let into = 0
    const source = {
      ...plain,
      readInto: async (start: number, room: Uint8Array) => {
        into++
        room.set(file.subarray(start, start + room.length))
      },
    }
    const layout = await openParquet(plain)
    const module = await compiledDecoder()
    const expected = await verifyPart(plain, layout, wholeFile(layout), { webassembly: false })
    for (const from of [plain, source]) {
      for (const options of [{ webassembly: false }, { module }, { module: null }])
        expect(await verifyPart(from, layout, wholeFile(layout), options)).toEqual(expected)
    }
    expect(into).toBe(3 * 2 * columns.length)
    // At the same time in one thread: each has a memory of its own.
    expect(await Promise.all([1, 2, 3].map(() => verifyPart(source, layout, wholeFile(layout), { module })))).toEqual([
      expected,
      expected,
      expected,
    ])
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
