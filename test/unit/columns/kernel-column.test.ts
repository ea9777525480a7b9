import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { placeValues, placeVector, takeVector, toPlain } from '../../../src/columns/kernel-column.js'
import type { ColumnType, ColumnVector, PlainVector } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { loadBothForms, scratch, soil } from '../kernels/both-forms.js'
import { ALL_LOGICAL_TYPES, type Cell, cellOf, columnType, dictionaryVector, labelOf, plainVector } from '../parquet/sample-vectors.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

/** What both forms make of a vector that is put where something else lay before. */
function inBoth<T>(act: (kernels: Kernels) => T): T {
  const [first, second] = forms.map((kernels) => {
    scratch(kernels, () => soil(kernels, 20_000, 5))
    return scratch(kernels, () => act(kernels))
  })
  expect(second).toEqual(first)
  return first!
}

const roundTrip = (vector: ColumnVector): ColumnVector =>
  inBoth((kernels) =>
    takeVector(kernels, placeVector(kernels, vector, (vector.form === 'plain' ? vector.values : vector.dictionary).physical)),
  )

/** Cells that differ, with the edges of each type among them. */
function cellsOf(type: ColumnType): readonly Cell[] {
  const { logical } = type
  switch (type.physical) {
    case 'BOOLEAN':
      return [true, false]
    case 'INT32':
      return [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]
    case 'INT64':
      return [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]
    case 'DOUBLE':
      return [0, -0, Infinity, -Infinity, 5e-324, Number.NaN]
    case 'FIXED_LEN_BYTE_ARRAY':
      return [0n, 1n, -1n, 10n ** 38n - 1n, 1n - 10n ** 38n]
    case 'BYTE_ARRAY':
      return logical.kind === 'json' ? ['{}', '[1]', '"x"'] : ['', 'a', 'ä'.repeat(700), 'x'.repeat(15), 'x'.repeat(16), 'x'.repeat(17)]
  }
}

const TYPES = ALL_LOGICAL_TYPES.map((logical) => columnType('c', logical))
const rowsOf = (type: ColumnType): fc.Arbitrary<Cell[]> => fc.array(fc.constantFrom(null, ...cellsOf(type)), { maxLength: 30 })

describe('a vector placed and taken again', () => {
  it.each(TYPES.map((type) => [labelOf(type.logical), type] as const))('is the same: %s', (_, type) => {
    fc.assert(
      fc.property(rowsOf(type), (cells) => {
        const plain = plainVector(type, cells)
        expect(roundTrip(plain)).toEqual(plain)
        // Parquet has no dictionaries of booleans.
        const coded = dictionaryVector(type, cells)
        expect(roundTrip(coded)).toEqual(type.physical === 'BOOLEAN' ? plain : coded)
      }),
      { numRuns: 60 },
    )
  })

  it('loses the dictionary entries that no row uses, and keeps the order of first appearance', () => {
    for (const type of TYPES.filter(({ physical }) => physical !== 'BOOLEAN')) {
      const [a, b, c] = cellsOf(type)
      const cells = [b!, null, a!, b!]
      expect(roundTrip(dictionaryVector(type, cells, [c!]))).toEqual(dictionaryVector(type, cells))
      // In another order than rows have them.
      expect(roundTrip(dictionaryVector(type, cells, [a!, c!, b!]))).toEqual(dictionaryVector(type, cells))
      expect(roundTrip(dictionaryVector(type, [null, null], [a!, c!]))).toEqual(dictionaryVector(type, [null, null]))
      expect(roundTrip(dictionaryVector(type, [], [a!]))).toEqual(dictionaryVector(type, []))
    }
  })

  it('has code 0 where a row is missing, whatever stood there', () => {
    const type = columnType('c', { kind: 'string' })
    const vector = dictionaryVector(type, ['a', null, 'b', null])
    if (vector.form !== 'dictionary') throw new Error('expected a dictionary')
    const strange = { ...vector, codes: Uint32Array.of(0, 1, 1, 4_000_000_000) }
    expect(roundTrip(strange)).toEqual(vector)
  })

  it('has one NaN, whatever bits it had, plain and in a dictionary', () => {
    const type = columnType('c', { kind: 'double' })
    for (const bits of [-1n, 0x7ff0000000000001n, -0x8000000000000n]) {
      const data = new Float64Array(BigInt64Array.of(0n, bits).buffer)
      const validity = Uint8Array.of(1, 1)
      const values = { physical: 'DOUBLE', data } as const
      for (const vector of [
        { form: 'plain', rows: 2, nulls: 0, validity, values },
        { form: 'dictionary', rows: 2, nulls: 0, validity, codes: Uint32Array.of(0, 1), dictionary: values },
      ] as const) {
        const taken = roundTrip(vector)
        const found = taken.form === 'plain' ? taken.values : taken.dictionary
        if (found.physical !== type.physical) throw new Error('expected doubles')
        expect(new BigInt64Array((found.data as Float64Array).slice().buffer)).toEqual(BigInt64Array.of(0n, 0x7ff8000000000000n))
      }
      // The vector is its owner's.
      expect(new BigInt64Array(data.slice().buffer)[1]).toBe(bits)
    }
  })

  it('takes only as many bytes of text as the offsets say', () => {
    const values = { physical: 'BYTE_ARRAY', data: new Uint8Array(Buffer.from('abcdef')), offsets: Uint32Array.of(0, 1, 3) } as const
    const vector = { form: 'plain', rows: 2, nulls: 0, validity: Uint8Array.of(1, 1), values } as const
    expect(roundTrip(vector)).toEqual({ ...vector, values: { ...values, data: new Uint8Array(Buffer.from('abc')) } })
  })

  it('is a copy: neither the vector nor what was taken follows the memory', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const type = columnType('c', { kind: 'string' })
        const vector = dictionaryVector(type, ['a', null, 'b'])
        const column = placeVector(kernels, vector, 'BYTE_ARRAY')
        const taken = takeVector(kernels, column)
        kernels.u8.fill(0xff, column.validity, kernels.mark())
        expect(taken).toEqual(vector)
        expect(vector).toEqual(dictionaryVector(type, ['a', null, 'b']))
      })
    }
  })

  it('has no validity in memory where no row is missing', () => {
    const vector = plainVector(columnType('c', { kind: 'date' }), [1, 2])
    expect(inBoth((kernels) => placeVector(kernels, vector, 'INT32').validity)).toBe(0)
  })
})

describe('a dictionary column put in line', () => {
  it.each(TYPES.filter(({ physical }) => physical !== 'BOOLEAN').map((type) => [labelOf(type.logical), type] as const))(
    'has the same rows: %s',
    (_, type) => {
      fc.assert(
        fc.property(rowsOf(type), (cells) => {
          const taken = inBoth((kernels) => {
            const column = placeVector(kernels, dictionaryVector(type, cells), type.physical)
            if (column.form === 'plain') throw new Error('expected a dictionary')
            return takeVector(kernels, toPlain(kernels, column))
          })
          expect(taken).toEqual(plainVector(type, cells))
          expect(cells.map((_, row) => cellOf(taken as PlainVector, row))).toEqual(cells)
        }),
        { numRuns: 30 },
      )
    },
  )
})

describe('what is not a vector', () => {
  const type = columnType('c', { kind: 'integer', bits: 32 })
  const plain = plainVector(type, [1, null, 3])
  const coded = dictionaryVector(type, [1, null, 3])
  if (coded.form !== 'dictionary') throw new Error('expected a dictionary')

  it.each([
    ['of another type', plain, 'INT64', 'a vector of INT32'],
    ['with more rows than it has', { ...plain, rows: 4 }, 'INT32', 'one place per row'],
    ['with fewer codes than rows', { ...coded, codes: Uint32Array.of(0, 0) }, 'INT32', 'one place per row'],
    ['that counts its missing rows wrong', { ...plain, nulls: 2 }, 'INT32', '1 rows are missing'],
    ['with validity that is neither 0 nor 1', { ...plain, validity: Uint8Array.of(1, 0, 2) }, 'INT32', 'validity is 0 or 1'],
    [
      'with a value where none is',
      { ...plain, values: { physical: 'INT32', data: Int32Array.of(1, 2, 3) } },
      'INT32',
      'missing rows of a plain vector are zero',
    ],
    ['with a code beyond its dictionary', { ...coded, codes: Uint32Array.of(0, 0, 2) }, 'INT32', 'codes point into the dictionary'],
  ] as [string, ColumnVector, 'INT32' | 'INT64', string][])('is refused: one %s', (_, vector, physical, words) => {
    for (const kernels of forms) {
      const before = kernels.mark()
      expect(() => placeVector(kernels, vector, physical)).toThrow(words)
      expect(kernels.mark()).toBe(before)
    }
  })

  it('is refused: decimals of another width', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        expect(() => placeValues(kernels, { physical: 'FIXED_LEN_BYTE_ARRAY', data: new Uint8Array(8), widthBytes: 8 })).toThrow(
          'decimals of 16 bytes',
        )
      })
    }
  })
})
