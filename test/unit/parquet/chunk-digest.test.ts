import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import type { ChunkDigest } from '../../../src/parquet/chunk-digest.js'
import type { Compression } from '../../../src/parquet/file-writer.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import { ChunkDigester } from '../../../src/parquet/verify-chunk-digest.js'
import type { ColumnVerifier } from '../../../src/parquet/verify-column.js'
import { readChunk } from '../../../src/parquet/verify-parts.js'
import { loadBothForms } from '../kernels/both-forms.js'
import { encodeIn } from './encode-kit.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, plainVector, randomOf, writeParquet } from './sample-vectors.js'
import { bothVerifiers } from './verifier-forms.js'

let kernelForms: readonly Kernels[]
let verifiers: readonly ColumnVerifier[]
beforeAll(async () => {
  kernelForms = await loadBothForms()
  verifiers = await bothVerifiers()
})

const types = ALL_LOGICAL_TYPES.map((logical) => columnType('value', logical)).filter(
  (type, i, all) => all.findIndex((other) => other.physical === type.physical) === i,
)
const typeOf = (physical: ColumnType['physical']): ColumnType => types.find((type) => type.physical === physical)!

function cellArbitrary({ physical }: ColumnType): fc.Arbitrary<Cell> {
  switch (physical) {
    case 'BOOLEAN':
      return fc.boolean()
    case 'INT32':
      return fc.integer()
    case 'INT64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'DOUBLE':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN))
    case 'FIXED_LEN_BYTE_ARRAY':
      return fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })
    case 'BYTE_ARRAY':
      return fc.string({ unit: 'grapheme', maxLength: 40 })
  }
}

/** What the writer says, in both forms of the kernels. */
function writtenDigests(vector: ColumnVector, compression: Compression = 'SNAPPY'): ChunkDigest[] {
  return kernelForms.map((kernels) => encodeIn(kernels, vector, compression).chunk.digest!)
}

/** What verification reads of the chunks of a file of one column, in both forms. */
async function readDigests(file: Uint8Array): Promise<(readonly ChunkDigest[])[]> {
  const source = bytesSource(file)
  const opened = await openParquet(source)
  const found: (readonly ChunkDigest[])[] = []
  for (const verifier of verifiers) {
    verifier.begin(opened.columns[0]!.physical, 'chunks')
    for (const [g, { columns }] of opened.rowGroups.entries())
      expect(verifier.check(await readChunk(source, opened, g, 0), columns[0]!)).toBeNull()
    found.push(verifier.finishChunks())
  }
  return found
}

async function expectOneDigest(column: ColumnType, cells: readonly Cell[], compression: Compression = 'SNAPPY'): Promise<ChunkDigest> {
  const vectors = [plainVector(column, cells), dictionaryVector(column, cells)]
  const digests = vectors.flatMap((vector) => writtenDigests(vector, compression))
  const { file, facts } = await writeParquet({ columns: [column], rowGroups: vectors.map((vector) => [vector]), compression })
  digests.push(...facts.chunks.flat())
  for (const read of await readDigests(file)) digests.push(...read)
  for (const digest of digests) expect(digest).toEqual(digests[0])
  expect(digests).toHaveLength(10)
  return digests[0]!
}

describe('the digest of a column chunk', () => {
  test('is that of the definition', async () => {
    // Worked out from the definition with another program, in another language.
    const known: [ColumnType, Cell[], ChunkDigest][] = [
      [typeOf('INT32'), [3, null, 1, 4, 1, 5, 9, 2, 6, 5, 3, null], [0x8783d72e, 0x87b75d72]],
      [typeOf('BYTE_ARRAY'), ['a', 'bc', null, '', 'a longer text of a cell', 'a'], [0xee2f6e3c, 0xc88c7374]],
      [typeOf('DOUBLE'), [1.5, null, -0, Number.NaN], [0xba6ecd22, 0xa4ce9fd8]],
      [typeOf('FIXED_LEN_BYTE_ARRAY'), [12345678901234567890n, null, -1n], [0xe0eef10f, 0x381e62ea]],
    ]
    for (const [column, cells, digest] of known) expect(await expectOneDigest(column, cells)).toEqual(digest)
  })

  for (const column of types) {
    test(`${column.physical}: is one and the same for the writer and for verification, in both forms, coded or not`, async () => {
      const any = fc.array(fc.option(cellArbitrary(column), { freq: 4 }), { minLength: 1, maxLength: 60 })
      const repeated = fc
        .array(cellArbitrary(column), { minLength: 1, maxLength: 9 })
        .chain((pool) => fc.array(fc.constantFrom(...pool, null), { minLength: 1, maxLength: 300 }))
      const present = fc.array(cellArbitrary(column), { minLength: 1, maxLength: 60 })
      const missing = fc.integer({ min: 1, max: 30 }).map((rows) => new Array<Cell>(rows).fill(null))
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(any, repeated, present, missing),
          fc.constantFrom('SNAPPY' as const, 'GZIP' as const, 'NONE' as const),
          async (cells, compression) => void (await expectOneDigest(column, cells, compression)),
        ),
        { numRuns: 50 },
      )
    })

    test(`${column.physical}: does not depend on where pages end`, async () => {
      const random = randomOf(5)
      const pool = fc.sample(cellArbitrary(column), { seed: 3, numRuns: 500 })
      for (const gaps of [0, 0.3]) {
        const cells = Array.from({ length: 45_003 }, (): Cell => (random() < gaps ? null : pool[Math.floor(random() * pool.length)]!))
        await expectOneDigest(column, cells)
      }
    })
  }

  test('of texts too long for pages of a round number of rows', async () => {
    const random = randomOf(6)
    const cells = Array.from({ length: 700 }, (_, i): Cell => (i % 31 === 0 ? null : `${i} `.repeat(Math.floor(random() * 3000))))
    await expectOneDigest(typeOf('BYTE_ARRAY'), cells)
  })

  test('is another one for another cell, another order, a gap elsewhere, a row more or less', () => {
    for (const column of types) {
      if (column.physical === 'BOOLEAN') continue
      fc.assert(
        fc.property(
          fc.uniqueArray(cellArbitrary(column), { minLength: 3, maxLength: 40, selector: String }),
          fc.nat(),
          fc.nat(),
          (cells, one, two) => {
            const [i, j] = [one % cells.length, two % cells.length]
            fc.pre(i !== j)
            const change = (make: (copy: Cell[]) => void): Cell[] => {
              const copy: Cell[] = [...cells]
              make(copy)
              return copy
            }
            const others = [
              cells,
              change((copy) => copy.splice(i, 1, cells[j]!)),
              change((copy) => ([copy[i], copy[j]] = [cells[j]!, cells[i]!])),
              change((copy) => copy.splice(i, 1, null)),
              change((copy) => copy.splice(j, 1, null)),
              change((copy) => copy.splice(i, 1)),
              change((copy) => copy.push(null)),
              change((copy) => copy.push(cells[i]!)),
            ]
            const digests = others.map((other) => String(encodeIn(kernelForms[1]!, plainVector(column, other), 'NONE').chunk.digest))
            expect(new Set(digests).size).toBe(others.length)
          },
        ),
        { numRuns: 40 },
      )
    }
  })

  test('every NaN is one, and no other double', () => {
    const digestOf = (bits: bigint): ChunkDigest => {
      const data = new Float64Array(BigUint64Array.of(bits).buffer)
      const digester = new ChunkDigester()
      digester.take({ form: 'plain', rows: 1, validity: Uint8Array.of(1), values: { physical: 'DOUBLE', data } })
      return digester.finish()
    }
    const [nan] = writtenDigests(plainVector(typeOf('DOUBLE'), [Number.NaN]))
    for (const bits of [0x7ff8000000000000n, 0xfff8000000000000n, 0x7ff0000000000001n, 0x7fffffffffffffffn, 0xfff0000100000000n])
      expect(digestOf(bits)).toEqual(nan)
    for (const bits of [0x7ff0000000000000n, 0xfff0000000000000n, 0x7fefffffffffffffn, 0n, 1n]) expect(digestOf(bits)).not.toEqual(nan)
  })

  test('of one column is not left over for the next, also after damage', async () => {
    const column = typeOf('INT32')
    const { file, facts } = await writeParquet({ columns: [column], rowGroups: [[plainVector(column, [1, 2, 3])]], compression: 'NONE' })
    const source = bytesSource(file)
    const opened = await openParquet(source)
    const chunk = await readChunk(source, opened, 0, 0)
    const damaged = { ...chunk, bytes: chunk.bytes.slice() }
    damaged.bytes[damaged.bytes.length - 1]! ^= 1
    for (const verifier of verifiers) {
      expect(() => verifier.finishChunks()).toThrow('assertion failed')
      verifier.begin('INT32', 'chunks')
      expect(() => verifier.check(damaged, opened.rowGroups[0]!.columns[0]!)).toThrow('checksum')
      verifier.begin('INT32', 'chunks')
      verifier.check(chunk, opened.rowGroups[0]!.columns[0]!)
      expect(() => verifier.finish()).toThrow('assertion failed')
      expect(verifier.finishChunks()).toEqual(facts.chunks[0])
      expect(() => verifier.check(chunk, opened.rowGroups[0]!.columns[0]!)).toThrow('assertion failed')
    }
  })
})
