import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ColumnGather } from '../../../src/columns/gather-columns.js'
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
        { numRuns: 60 },
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
