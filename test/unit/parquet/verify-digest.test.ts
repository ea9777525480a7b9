import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector, PlainVector } from '../../../src/columns/vector.js'
import { ContentHasher, columnDescription } from '../../../src/parquet/content-hash.js'
import { BlockDigester, columnDigest, contentDigest } from '../../../src/parquet/verify-digest.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, labelOf, plainVector, randomOf } from './sample-vectors.js'

/** What the golden file holds content-hash.ts to, this is held to through it. */
function byHasher(column: ColumnType, vector: ColumnVector) {
  const hasher = new ContentHasher([column])
  hasher.append([vector])
  return hasher.finish()
}

function byDigester(column: ColumnType, pieces: readonly { vector: ColumnVector; from: number; to: number }[]) {
  const digester = new BlockDigester(column.physical)
  for (const { vector, from, to } of pieces) digester.append(vector, from, to)
  const blocks = digester.finish()
  const digest = columnDigest(columnDescription(column), blocks)
  const rows = pieces.reduce((n, { from, to }) => n + to - from, 0)
  return { contentSha256: contentDigest(rows, [digest]), rows, columns: [{ digest, blocks }] }
}

function cellOfSeed(column: ColumnType, random: () => number): Cell {
  const n = Math.floor(random() * 40) - 20
  switch (column.physical) {
    case 'BOOLEAN':
      return n > 0
    case 'INT32':
      return n * 1_000_003
    case 'INT64':
    case 'FIXED_LEN_BYTE_ARRAY':
      return BigInt(n) * 1_000_000_000_003n
    case 'DOUBLE':
      return [n / 3, -0, 0, Number.NaN, Infinity, -Infinity, 5e-324][(n + 20) % 7]!
    case 'BYTE_ARRAY':
      return 'tä'.repeat(n + 20).slice(0, (n + 20) * 7)
  }
}

describe('digests are those of FORMAT.md, as the writer makes them', () => {
  for (const logical of ALL_LOGICAL_TYPES) {
    test(`${labelOf(logical)}: plain and coded, in pieces of any size, over block borders`, () => {
      const column = columnType('name', logical)
      const random = randomOf(logical.kind.length)
      const rows = 150_000
      // Blocks without a gap, with few, with a first gap late in the block, and all missing.
      const missing = (row: number): boolean =>
        row < 65_536 ? false : row < 131_072 ? row > 120_000 && random() < 0.3 : row < 140_000 || random() < 0.1
      const cells = Array.from({ length: rows }, (_, row) => (missing(row) ? null : cellOfSeed(column, random)))
      const plain = plainVector(column, cells)
      const expected = byHasher(column, plain)
      const forms = column.physical === 'BOOLEAN' ? [plain] : [plain, dictionaryVector(column, cells)]
      for (const cuts of [
        [],
        [1],
        [65_535, 65_537],
        [65_536, 131_072],
        [20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 140_000, 149_999],
      ]) {
        const borders = [0, ...cuts, rows]
        const pieces = borders.slice(1).map((to, i) => ({ vector: forms[i % forms.length]!, from: borders[i]!, to }))
        expect(byDigester(column, pieces)).toEqual(expected)
      }
    })
  }

  test('of few rows, and of none', () => {
    const column = columnType('t', { kind: 'string' })
    fc.assert(
      fc.property(fc.array(fc.option(fc.string()), { maxLength: 20 }), (cells) => {
        const plain = plainVector(column, cells)
        const expected = byHasher(column, plain)
        expect(byDigester(column, [{ vector: plain, from: 0, to: cells.length }])).toEqual(expected)
        if (cells.some((cell) => cell !== null))
          expect(byDigester(column, [{ vector: dictionaryVector(column, cells), from: 0, to: cells.length }])).toEqual(expected)
      }),
    )
  })

  test('of texts that are longer than what is hashed at once, and of many that add up to more', () => {
    const column = columnType('t', { kind: 'string' })
    const cells = [
      'a'.repeat(1 << 17),
      null,
      'b'.repeat((1 << 17) + 1),
      '',
      'c'.repeat(300_000),
      'd',
      ...Array.from({ length: 5000 }, (_, i) => 'x'.repeat(i % 100)),
    ]
    const expected = byHasher(column, plainVector(column, cells))
    expect(byDigester(column, [{ vector: dictionaryVector(column, cells), from: 0, to: cells.length }])).toEqual(expected)
  })
})

describe('other cells have other digests', () => {
  const column = columnType('n', { kind: 'double' })
  const digestOf = (cells: readonly Cell[]): string =>
    byDigester(column, [{ vector: plainVector(column, cells), from: 0, to: cells.length }]).contentSha256

  test('order, number, gaps, the sign of zero', () => {
    const all = [[1, 2], [2, 1], [1, 2, 2], [1], [], [1, null], [null, 1], [0, 1], [-0, 1], [Number.NaN, 1]].map(digestOf)
    expect(new Set(all).size).toBe(all.length)
  })

  test('but one NaN is as good as another', () => {
    const vector = plainVector(column, [1, Number.NaN, 3]) as PlainVector & { values: { data: Float64Array } }
    const bits = new BigUint64Array(vector.values.data.buffer)
    const expected = digestOf([1, Number.NaN, 3])
    for (const pattern of [0x7ff8000000000001n, 0xfff8000000000000n, 0x7ff0000000000001n]) {
      bits[1] = pattern
      expect(byDigester(column, [{ vector, from: 0, to: 3 }]).contentSha256).toBe(expected)
      // The vector is not changed by being looked at.
      expect(bits[1]).toBe(pattern)
    }
  })
})
