import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ColumnType } from '../../../src/columns/vector.js'
import type { DecodedPage } from '../../../src/parquet/decode-column.js'
import type { ColumnChunkFacts } from '../../../src/parquet/read-file.js'
import { comparePhysical, type PhysicalValue, physicalValueAt } from '../../../src/parquet/value-order.js'
import { StatisticsCheck } from '../../../src/parquet/verify-statistics.js'
import { type Cell, columnType, dictionaryVector, fixedBytes, plainVector } from './sample-vectors.js'

const TYPES = {
  boolean: columnType('v', { kind: 'boolean' }),
  int32: columnType('v', { kind: 'integer', bits: 32 }),
  int64: columnType('v', { kind: 'integer', bits: 64 }),
  double: columnType('v', { kind: 'double' }),
  text: columnType('v', { kind: 'string' }),
  decimal: columnType('v', { kind: 'decimal', precision: 38, scale: 0 }),
} as const

function pageOf(column: ColumnType, cells: readonly Cell[], coded: boolean): DecodedPage {
  if (!coded) return plainVector(column, cells)
  const vector = dictionaryVector(column, cells, unusedOf(column))
  if (vector.form !== 'dictionary') throw new Error('not a dictionary')
  const used = new Uint8Array(1000)
  cells.forEach((cell, i) => {
    if (cell !== null) used[vector.codes[i]!] = 1
  })
  return { ...vector, used }
}

/** Entries that no row has, and that lie outside every bound: they must not count. */
function unusedOf(column: ColumnType): Cell[] {
  switch (column.physical) {
    case 'INT32':
      return [-(2 ** 31), 2 ** 31 - 1]
    case 'INT64':
      return [-(2n ** 63n), 2n ** 63n - 1n]
    case 'DOUBLE':
      return [-Infinity, Infinity, Number.NaN]
    case 'BYTE_ARRAY':
      return ['', '\u{10ffff}\u{10ffff}']
    case 'FIXED_LEN_BYTE_ARRAY':
      return [-(10n ** 38n) + 1n, 10n ** 38n - 1n]
    default:
      return []
  }
}

interface Claim {
  readonly min: PhysicalValue | null
  readonly max: PhysicalValue | null
  readonly minExact?: boolean
  readonly maxExact?: boolean
  readonly nullCount?: number | null
}

function wrong(column: ColumnType, pages: readonly DecodedPage[], claim: Claim): string | null {
  const nulls = pages.reduce((n, page) => n + page.nulls, 0)
  const check = new StatisticsCheck(column.physical, { minExact: true, maxExact: true, nullCount: nulls, ...claim } as ColumnChunkFacts)
  for (const page of pages) check.take(page)
  return check.finish()
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** Low to high, with what lies below, between and above. */
const CASES: readonly { column: ColumnType; cells: readonly Cell[]; values: readonly PhysicalValue[] }[] = [
  { column: TYPES.boolean, cells: [false, true], values: [0, 1] },
  { column: TYPES.int32, cells: [-5, 7], values: [-6, -5, 0, 7, 8] },
  { column: TYPES.int64, cells: [-(2n ** 40n), 2n ** 33n - 1n], values: [-(2n ** 40n) - 1n, -(2n ** 40n), 0n, 2n ** 33n - 1n, 2n ** 33n] },
  { column: TYPES.double, cells: [-1.5, 2.5], values: [-1.6, -1.5, 0, 2.5, 2.6] },
  { column: TYPES.text, cells: ['b', 'ä'], values: ['a', 'b', 'c', 'ä', 'ö'].map(bytes) },
  { column: TYPES.decimal, cells: [-300n, 300n], values: [-301n, -300n, 0n, 300n, 301n].map(fixedBytes) },
]

describe('statistics that hold pass, others do not', () => {
  for (const { column, cells, values } of CASES) {
    for (const coded of column.physical === 'BOOLEAN' ? [false] : [false, true]) {
      test(`${column.physical}, ${coded ? 'coded' : 'plain'}`, () => {
        const pages = [pageOf(column, [cells[1]!, null], coded), pageOf(column, [null], coded), pageOf(column, [...cells, null], coded)]
        // A dictionary belongs to the whole chunk: the last page knows all that is used of it.
        const given = coded ? [pages[2]!] : pages
        const low = values.length === 2 ? 0 : 1
        const high = values.length === 2 ? 1 : 3
        for (const [i, min] of values.entries()) {
          for (const [j, max] of values.entries()) {
            const inside = i <= low && j >= high
            expect(wrong(column, given, { min, max }) === null, `${i} ${j} exact`).toBe(i === low && j === high)
            expect(wrong(column, given, { min, max, minExact: false, maxExact: false }) === null, `${i} ${j}`).toBe(inside)
          }
          expect(wrong(column, given, { min, max: null }) === null).toBe(i === low)
          expect(wrong(column, given, { min: null, max: min }) === null).toBe(i === high)
        }
        expect(wrong(column, given, { min: null, max: null })).toBe(null)
      })
    }
  }

  test('null counts are counted, and may be absent', () => {
    const page = pageOf(TYPES.int32, [1, null, null], false)
    const claim = { min: 1, max: 1 }
    expect(wrong(TYPES.int32, [page], { ...claim, nullCount: 2 })).toBe(null)
    expect(wrong(TYPES.int32, [page], { ...claim, nullCount: null })).toBe(null)
    for (const nullCount of [0, 1, 3]) expect(wrong(TYPES.int32, [page], { ...claim, nullCount })).toContain('null count')
  })

  test('bounds of a chunk without values, and beside a NaN, are wrong', () => {
    for (const { column, values } of CASES) {
      const page = pageOf(column, [null, null], false)
      expect(wrong(column, [page], { min: values[0]!, max: values[1]! })).toContain('exact')
      expect(wrong(column, [page], { min: null, max: null })).toBe(null)
    }
    for (const coded of [false, true]) {
      expect(wrong(TYPES.double, [pageOf(TYPES.double, [1, Number.NaN], coded)], { min: 1, max: 1 })).toContain('outside')
      expect(wrong(TYPES.double, [pageOf(TYPES.double, [1, Number.NaN], coded)], { min: null, max: null })).toBe(null)
    }
  })

  test('zero is one number, whatever its sign; unused entries of a dictionary do not count', () => {
    expect(wrong(TYPES.double, [pageOf(TYPES.double, [0, 0], false)], { min: -0, max: 0 })).toBe(null)
    expect(wrong(TYPES.double, [pageOf(TYPES.double, [-0], true)], { min: -0, max: 0 })).toBe(null)
    expect(wrong(TYPES.int32, [pageOf(TYPES.int32, [4], true)], { min: 4, max: 4 })).toBe(null)
  })
})

test('the verdict is that of comparing value by value', () => {
  const arbitraries: Record<keyof typeof TYPES, fc.Arbitrary<Cell>> = {
    boolean: fc.boolean(),
    int32: fc.oneof(fc.integer(), fc.constantFrom(2 ** 31 - 1, -(2 ** 31))),
    int64: fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -3n, max: 3n }).map((n) => n * 2n ** 32n - 1n),
    ),
    double: fc.double({ noNaN: true }),
    text: fc.string({ unit: 'grapheme', maxLength: 3 }),
    decimal: fc.oneof(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.bigInt({ min: -300n, max: 300n })),
  }
  for (const [name, column] of Object.entries(TYPES)) {
    const cell = arbitraries[name as keyof typeof TYPES]
    fc.assert(
      fc.property(fc.array(fc.option(cell), { minLength: 1, maxLength: 6 }), cell, cell, fc.boolean(), (cells, a, b, coded) => {
        const bounds = plainVector(column, [a, b])
        const [min, max] = [physicalValueAt(bounds.values, 0), physicalValueAt(bounds.values, 1)]
        const vector = plainVector(column, cells)
        const inside = cells.every((c, i) => {
          if (c === null) return true
          const value = physicalValueAt(vector.values, i)
          return comparePhysical(column.physical, value, min) >= 0 && comparePhysical(column.physical, value, max) <= 0
        })
        const page = pageOf(column, cells, coded && column.physical !== 'BOOLEAN')
        expect(wrong(column, [page], { min, max, minExact: false, maxExact: false }) === null).toBe(inside)
      }),
      { numRuns: 200 },
    )
  }
})
