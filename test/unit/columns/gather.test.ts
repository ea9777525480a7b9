import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatherScratch, gatherRows, type Piece } from '../../../src/columns/gather.js'
import { type ColumnVector, countOf, type PhysicalType, type Values } from '../../../src/columns/vector.js'

type Cell = number | bigint | string | null

const PHYSICAL: readonly PhysicalType[] = ['BOOLEAN', 'INT32', 'INT64', 'DOUBLE', 'BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY']
const WIDTH = 16

/** Few values, so that pieces share some, with the ones that are easy to mix up. */
const CELLS: Record<PhysicalType, readonly NonNullable<Cell>[]> = {
  BOOLEAN: [0, 1],
  INT32: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)],
  INT64: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 2n ** 53n],
  DOUBLE: [0, -0, Number.NaN, 1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324],
  BYTE_ARRAY: ['', 'a', 'b', 'ab', 'é', '-0', '0', '\u0000', '😀'],
  FIXED_LEN_BYTE_ARRAY: ['00'.repeat(WIDTH), 'ff'.repeat(WIDTH), `80${'00'.repeat(WIDTH - 1)}`, `${'00'.repeat(WIDTH - 1)}01`],
}

function valuesOf(physical: PhysicalType, cells: readonly Cell[]): Values {
  switch (physical) {
    case 'BOOLEAN':
      return { physical, data: Uint8Array.from(cells, (c) => Number(c ?? 0)) }
    case 'INT32':
      return { physical, data: Int32Array.from(cells, (c) => Number(c ?? 0)) }
    case 'INT64':
      return { physical, data: BigInt64Array.from(cells, (c) => BigInt(c ?? 0n)) }
    case 'DOUBLE':
      return { physical, data: Float64Array.from(cells, (c) => Number(c ?? 0)) }
    case 'FIXED_LEN_BYTE_ARRAY':
      return {
        physical,
        data: new Uint8Array(Buffer.concat(cells.map((c) => (c === null ? Buffer.alloc(WIDTH) : Buffer.from(c as string, 'hex'))))),
        widthBytes: WIDTH,
      }
    case 'BYTE_ARRAY': {
      const parts = cells.map((c) => Buffer.from((c as string | null) ?? ''))
      const offsets = new Uint32Array(cells.length + 1)
      parts.forEach((p, i) => {
        offsets[i + 1] = offsets[i]! + p.length
      })
      // Room behind the last value, as a growing array has.
      return { physical, data: new Uint8Array(Buffer.concat([...parts, Buffer.from('rest')])), offsets }
    }
  }
}

function cellAt(values: Values, i: number): NonNullable<Cell> {
  if (values.physical === 'BYTE_ARRAY') return Buffer.from(values.data.subarray(values.offsets[i]!, values.offsets[i + 1]!)).toString()
  if (values.physical === 'FIXED_LEN_BYTE_ARRAY') return Buffer.from(values.data.subarray(i * WIDTH, (i + 1) * WIDTH)).toString('hex')
  return values.data[i]!
}

function vectorOf(
  physical: PhysicalType,
  cells: readonly Cell[],
  form: ColumnVector['form'],
  unused: readonly NonNullable<Cell>[] = [],
): ColumnVector {
  const base = {
    rows: cells.length,
    validity: Uint8Array.from(cells, (c) => (c === null ? 0 : 1)),
    nulls: cells.filter((c) => c === null).length,
  }
  if (form === 'plain') return { form, ...base, values: valuesOf(physical, cells) }
  const distinct: NonNullable<Cell>[] = []
  const placeOf = (cell: NonNullable<Cell>): number => {
    const at = distinct.findIndex((d) => Object.is(d, cell))
    return at >= 0 ? at : distinct.push(cell) - 1
  }
  for (const cell of unused) placeOf(cell)
  const codes = Uint32Array.from(cells, (c) => (c === null ? 0 : placeOf(c)))
  return { form, ...base, codes, dictionary: valuesOf(physical, distinct) }
}

function cellsOf(vector: ColumnVector): Cell[] {
  return Array.from({ length: vector.rows }, (_, i) => {
    if (vector.validity[i] === 0) return null
    return vector.form === 'plain' ? cellAt(vector.values, i) : cellAt(vector.dictionary, vector.codes[i]!)
  })
}

function expectSound(vector: ColumnVector): void {
  expect(vector.validity.length).toBe(vector.rows)
  expect(vector.nulls).toBe(vector.validity.filter((v) => v === 0).length)
  if (vector.form === 'plain') {
    expect(countOf(vector.values)).toBe(vector.rows)
    for (let i = 0; i < vector.rows; i++) {
      const zero = { BYTE_ARRAY: '', FIXED_LEN_BYTE_ARRAY: '00'.repeat(WIDTH), INT64: 0n } as Record<string, Cell>
      if (vector.validity[i] === 0) expect(cellAt(vector.values, i)).toBe(zero[vector.values.physical] ?? 0)
    }
    return
  }
  expect(vector.codes.length).toBe(vector.rows)
  const entries = Array.from({ length: countOf(vector.dictionary) }, (_, i) => cellAt(vector.dictionary, i))
  // Every NaN is one value, 0 and -0 are two.
  expect(new Set(entries.map((e) => (Object.is(e, -0) ? 'minus zero' : `${typeof e} ${e}`))).size).toBe(entries.length)
  const firsts = cellsOf(vector).filter((c): c is NonNullable<Cell> => c !== null)
  expect(entries).toEqual(firsts.filter((c, i) => firsts.findIndex((d) => Object.is(c, d)) === i))
  for (let i = 0; i < vector.rows; i++) if (vector.validity[i] === 0) expect(vector.codes[i]).toBe(0)
}

const pieceOf = (physical: PhysicalType) =>
  fc
    .record({
      cells: fc.array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...CELLS[physical]) }, fc.constant(null)), { maxLength: 12 }),
      form: fc.constantFrom('plain' as const, 'dictionary' as const),
      unused: fc.subarray([...CELLS[physical]]),
      picks: fc.array(fc.nat(1000), { maxLength: 12 }),
    })
    .map(({ cells, form, unused, picks }) => {
      const indices = Uint32Array.from(cells.length === 0 ? [] : picks.map((p) => p % cells.length))
      return { cells, indices, vector: vectorOf(physical, cells, form, unused) }
    })

describe('gathered rows', () => {
  for (const physical of PHYSICAL) {
    it(`of ${physical} are the rows asked for, whatever the forms of the pieces`, () => {
      const scratch = new GatherScratch()
      fc.assert(
        fc.property(fc.array(pieceOf(physical), { minLength: 1, maxLength: 5 }), (pieces) => {
          const gathered = gatherRows(
            pieces.map(({ vector, indices }): Piece => ({ vector, indices })),
            scratch,
          )
          const expected = pieces.flatMap(({ cells, indices }) => [...indices].map((i) => cells[i]!))
          expect(cellsOf(gathered)).toEqual(expected)
          expect(cellsOf(gathered).every((c, i) => Object.is(c, expected[i]))).toBe(true)
          expect(gathered.form === 'dictionary').toBe(pieces.every((p) => p.vector.form === 'dictionary'))
          expectSound(gathered)
        }),
        { numRuns: 300 },
      )
    })
  }

  it('do not hold values that no row uses', () => {
    const vector = vectorOf('BYTE_ARRAY', ['secret', 'a', 'b', 'a'], 'dictionary', ['never used'])
    const gathered = gatherRows([{ vector, indices: Uint32Array.of(1, 3) }], new GatherScratch())
    expect(gathered.form === 'dictionary' && countOf(gathered.dictionary)).toBe(1)
  })

  it('share nothing with the vector they come from', () => {
    const vector = vectorOf('INT32', [7, 8], 'plain')
    const gathered = gatherRows([{ vector, indices: Uint32Array.of(0, 1) }], new GatherScratch())
    if (vector.form === 'plain') vector.values.data.fill(0 as never)
    expect(cellsOf(gathered)).toEqual([7, 8])
  })

  it('scratch serves dictionaries of any size one after another', () => {
    const scratch = new GatherScratch()
    const large = vectorOf(
      'INT32',
      Array.from({ length: 3000 }, (_, i) => i),
      'dictionary',
    )
    const small = vectorOf('INT32', [5, 6, 5], 'dictionary')
    for (const vector of [small, large, small, large]) {
      const last = vector.rows - 1
      expect(cellsOf(gatherRows([{ vector, indices: Uint32Array.of(last, 0, last) }], scratch))).toEqual([
        cellsOf(vector)[last],
        cellsOf(vector)[0],
        cellsOf(vector)[last],
      ])
    }
  })

  it('of nothing are a mistake of the caller', () => {
    expect(() => gatherRows([], new GatherScratch())).toThrow('something to gather')
  })
})
