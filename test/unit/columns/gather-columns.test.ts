import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ColumnGather, codeValues } from '../../../src/columns/gather-columns.js'
import { placeVector, takeVector, toPlain } from '../../../src/columns/kernel-column.js'
import type { ColumnVector, PlainVector } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { ByteSink } from '../../../src/parquet/byte-sink.js'
import { encodeColumn } from '../../../src/parquet/encode-column.js'
import { loadBothForms, scratch, soil } from '../kernels/both-forms.js'
import { ALL_LOGICAL_TYPES, type Cell, cellOf, columnType, dictionaryVector, labelOf, plainVector } from '../parquet/sample-vectors.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const TYPES = ALL_LOGICAL_TYPES.map((logical) => columnType('c', logical))

function cellOfNumber(physical: string, n: number): Cell {
  switch (physical) {
    case 'BOOLEAN':
      return n % 2 === 1
    case 'BYTE_ARRAY':
      return `{"n":${n}}`
    case 'INT64':
    case 'FIXED_LEN_BYTE_ARRAY':
      return BigInt(n) * 1_000_003n
    default:
      return n
  }
}

/** The gathered rows, and the bytes they are encoded to, alike in both forms of the kernels. */
function gathered(vector: ColumnVector, rows: readonly number[]): { vector: PlainVector; bytes: Buffer } {
  const [first, second] = forms.map((kernels) => {
    scratch(kernels, () => soil(kernels, 40_000, 9))
    return scratch(kernels, () => {
      const { physical } = vector.form === 'plain' ? vector.values : vector.dictionary
      const column = placeVector(kernels, vector, physical)
      const gather = new ColumnGather(kernels, [column])
      const at = kernels.allocate(rows.length * 4)
      kernels.u32.set(rows, at >>> 2)
      // Twice, for what the first leaves behind must not show.
      gather.take(column, at, rows.length)
      const taken = gather.take(column, at, rows.length)
      const sink = new ByteSink()
      encodeColumn(kernels, taken, 'NONE', sink)
      const plain = takeVector(kernels, taken.form === 'plain' ? taken : toPlain(kernels, taken)) as PlainVector
      return { vector: plain, bytes: Buffer.from(sink.bytes()) }
    })
  })
  expect(second).toEqual(first)
  return first!
}

const cellsOf = (vector: PlainVector): Cell[] => Array.from({ length: vector.rows }, (_, i) => cellOf(vector, i))

describe('rows gathered from a column', () => {
  it.each(TYPES.map((type) => [labelOf(type.logical), type] as const))(
    'are those rows, and are encoded alike whichever form the column had and whatever other rows it holds: %s',
    (_, type) => {
      const column = fc.record({
        numbers: fc.array(fc.option(fc.nat(12)), { minLength: 1, maxLength: 80 }),
        picks: fc.array(fc.nat(1000), { minLength: 1, maxLength: 80 }),
      })
      fc.assert(
        fc.property(column, ({ numbers, picks }) => {
          const cells = numbers.map((n) => (n === null ? null : cellOfNumber(type.physical, n)))
          const rows = picks.map((pick) => pick % cells.length)
          const expected = rows.map((r) => cells[r]!)
          const plain = gathered(plainVector(type, cells), rows)
          const coded = gathered(dictionaryVector(type, cells), rows)
          const alone = gathered(plainVector(type, expected), [...expected.keys()])
          expect(cellsOf(plain.vector)).toEqual(expected)
          expect(cellsOf(coded.vector)).toEqual(expected)
          expect(plain.bytes.equals(alone.bytes)).toBe(true)
          expect(coded.bytes.equals(alone.bytes)).toBe(true)
        }),
        { numRuns: 30 },
      )
    },
  )

  it('may be all missing, or none', () => {
    const type = TYPES[0]!
    const vector = plainVector(type, [null, cellOfNumber(type.physical, 1), null])
    expect(cellsOf(gathered(vector, [0, 2]).vector)).toEqual([null, null])
    expect(gathered(vector, [1]).vector.nulls).toBe(0)
  })
})

describe('a plain column whose values may come again', () => {
  const encodedIn = (kernels: Kernels, vector: ColumnVector, mayRepeat: boolean): Buffer => {
    const { physical } = vector.form === 'plain' ? vector.values : vector.dictionary
    const column = placeVector(kernels, vector, physical)
    const sink = new ByteSink()
    encodeColumn(kernels, mayRepeat && column.form === 'plain' ? { ...column, mayRepeat: true } : column, 'SNAPPY', sink)
    return Buffer.from(sink.bytes())
  }
  const encoded = (vector: ColumnVector, mayRepeat: boolean): Buffer => {
    const [first, second] = forms.map((kernels) => scratch(kernels, () => encodedIn(kernels, vector, mayRepeat)))
    expect(Buffer.compare(first!, second!)).toBe(0)
    return first!
  }

  it.each(TYPES.map((type) => [labelOf(type.logical), type] as const))(
    'is encoded as if it had come with its dictionary: %s',
    (_, type) => {
      for (const [rows, distinct, missing] of [
        [1, 1, 0],
        [40, 3, 7],
        [20_000, 900, 11],
        [20_000, 900, 0],
        [17_000, 9000, 5],
      ] as const) {
        const cells = Array.from({ length: rows }, (__, i): Cell => {
          if (missing > 0 && i % missing === 0) return null
          return cellOfNumber(type.physical, (i * 7919) % distinct)
        })
        expect(encoded(plainVector(type, cells), true)).toEqual(encoded(dictionaryVector(type, cells), false))
      }
    },
  )

  it.each(TYPES.map((type) => [labelOf(type.logical), type] as const))('is encoded as it is where they hardly do: %s', (_, type) => {
    // Also where they do later on, behind what is tried.
    for (const cellAt of [(i: number) => i, (i: number) => (i < 16_384 ? i : 5)]) {
      const cells = Array.from({ length: 18_000 }, (__, i): Cell => cellOfNumber(type.physical, cellAt(i)))
      expect(encoded(plainVector(type, cells), true)).toEqual(encoded(plainVector(type, cells), false))
    }
  })

  it('leaves the memory as it was if nothing comes of it', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const [number, flag] = [columnType('c', { kind: 'date' }), columnType('c', { kind: 'boolean' })]
        const columns = [
          placeVector(
            kernels,
            plainVector(
              number,
              Array.from({ length: 500 }, (_, i) => i),
            ),
            number.physical,
          ),
          placeVector(kernels, plainVector(number, [null, null]), number.physical),
          placeVector(kernels, plainVector(number, []), number.physical),
          placeVector(kernels, plainVector(flag, [true, true]), flag.physical),
        ]
        for (const column of columns) {
          if (column.form !== 'plain') throw new Error('the column is plain')
          const mark = kernels.mark()
          expect(codeValues(kernels, column)).toBeNull()
          expect(kernels.mark()).toBe(mark)
        }
      })
    }
  })
})
