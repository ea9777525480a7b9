import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Kernels } from '../../../src/kernels/kernels.js'
import {
  CAPACITY,
  MISS_WORDS,
  PLACES_MAX,
  SHAPE_WORDS,
  shapeOf,
  TABLE,
  type TextShape,
  UNPLACED,
  WANTED,
  writeShape,
} from '../../../src/kernels/text-shape.js'
import { layFields, loadBothForms, scratch } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const number = (prefix: string, decimals: number): TextShape => ({ kind: 'number', prefix, decimals, base: 0 })
const date = (base: number): TextShape => ({ kind: 'date', prefix: '', decimals: 0, base })

/** No places: every row is a miss, and says its own. */
function placesOf(kernels: Kernels, shape: TextShape, texts: readonly string[]): { places: number[]; wanted: number; unplaced: number } {
  return scratch(kernels, () => {
    const { fields, stride, rows } = layFields(kernels, texts)
    const header = kernels.allocate(SHAPE_WORDS * 4)
    writeShape(kernels.u32, header, shape)
    const codes = kernels.allocate(rows * 4 + 4)
    const misses = kernels.allocate(rows * MISS_WORDS * 4 + 4)
    expect(kernels.shapedCodes(fields, stride, 1, rows, header, codes, misses)).toBe(rows)
    const words = kernels.i32.subarray(misses >>> 2, (misses >>> 2) + rows * MISS_WORDS)
    const places = texts.map((_, row) => {
      const field = (fields >>> 2) + row * stride + 1
      const [start, next, of, place] = words.subarray(row * MISS_WORDS, (row + 1) * MISS_WORDS)
      expect([start, next, of]).toEqual([kernels.i32[field], kernels.i32[field + 1], row])
      return place!
    })
    return { places, wanted: kernels.u32[(header >>> 2) + WANTED]!, unplaced: kernels.u32[(header >>> 2) + UNPLACED]! }
  })
}

function inBoth<T>(act: (kernels: Kernels) => T): T {
  const [first, second] = forms.map(act)
  expect(second).toEqual(first)
  return first!
}

/** Far places and none are told apart by nobody. */
const known = (place: number): number => (place >= 0 && place < PLACES_MAX ? place : -1)

describe('the place of a text', () => {
  it.each([
    [number('', 0), ['', '0', '9', '00', '10', '99', '000', '99999'], [0, 1, 10, 11, 21, 110, 111, 111_110]],
    [number('', 0), ['-1', '+1', '1.0', '.', '1 ', ' 1', '"1"', 'a', '1a', '/', ':', '123456789'], Array(12).fill(-1)],
    [number('', 2), ['0.05', '5.49', '05.49', '.05', '28.66'], [116, 660, 1660, 16, 3977]],
    [number('', 2), ['5', '5.4', '5.490', '54.9', '5,49', '5.4a', '5..4', '549', '.5', '1234567.89'], Array(10).fill(-1)],
    [number('BH-', 0), ['', 'BH-7', 'BH-2581'], [0, 8, 3692]],
    [number('BH-', 0), ['BH-', 'BI-7', '7', 'BH7', 'BH-x', 'bH-7'], Array(6).fill(-1)],
    [date(2000), ['', '2000-00-00', '2001-01-01', '2019-12-31'], [0, 1, 546, 19 * 512 + 12 * 32 + 32]],
    [
      date(2000),
      ['1999-12-31', '2001-01-32', '2001-16-01', '2001/01/01', '2001-01-1', '2001-01-1x', '20010101', '"2001-01-01"'],
      Array(8).fill(-1),
    ],
  ] as [TextShape, string[], number[]][])('is %o', (shape, texts, places) => {
    expect(inBoth((kernels) => placesOf(kernels, shape, texts)).places.map(known)).toEqual(places)
  })

  it('is that of no other text, and the same in both forms', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 9 })
    const odd = fc.string({ unit: fc.constantFrom(...'0129.-+"/:aB \u00e9'), maxLength: 11 })
    const day = fc.tuple(fc.integer({ min: 1990, max: 2020 }), fc.nat(17), fc.nat(33))
    const text = fc.oneof(
      fc.tuple(fc.constantFrom('', 'BH-', '-', 'B', '1234567'), digits, fc.constantFrom('', '.'), digits).map((parts) => parts.join('')),
      day.map(([y, m, d]) => `${y}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`),
      odd,
    )
    const shape = fc.oneof(
      fc.tuple(fc.constantFrom('', 'B', 'BH-', '-', '\u00c3', '%%%%%%%'), fc.integer({ min: 0, max: 7 })).map(([p, d]) => number(p, d)),
      fc.constantFrom(0, 1995).map(date),
    )
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 60 }), shape, (texts, of) => {
        const { places } = inBoth((kernels) => placesOf(kernels, of, texts))
        const textOf = new Map<number, string>()
        places.forEach((place, i) => {
          if (known(place) < 0) return
          expect(textOf.get(place) ?? texts[i]).toBe(texts[i])
          textOf.set(place, texts[i]!)
        })
      }),
      { numRuns: 300 },
    )
  })
})

describe('the codes of texts with a place', () => {
  it('are those that were put there, and wait for the others', () => {
    const texts = ['5', '7', '', 'x', '5', '99999', '12']
    const found = inBoth((kernels) =>
      scratch(kernels, () => {
        const { fields, stride, rows } = layFields(kernels, texts)
        const header = kernels.allocate(SHAPE_WORDS * 4)
        writeShape(kernels.u32, header, number('', 0))
        const table = kernels.allocate(64 * 4)
        kernels.u32.fill(0, table >>> 2, (table >>> 2) + 64)
        kernels.u32[(header >>> 2) + TABLE] = table
        kernels.u32[(header >>> 2) + CAPACITY] = 20
        const codes = kernels.allocate(rows * 4)
        const misses = kernels.allocate(rows * MISS_WORDS * 4)
        const missCodes = kernels.allocate(rows * 4)
        const missed = kernels.shapedCodes(fields, stride, 1, rows, header, codes, misses)
        kernels.u32.set([0, 1, 2, 3, 0, 4, 5], missCodes >>> 2)
        kernels.placeCodes(misses, missed, missCodes, header, codes)
        const first = [...kernels.u32.subarray(codes >>> 2, (codes >>> 2) + rows)]
        kernels.u32.fill(77, codes >>> 2, (codes >>> 2) + rows)
        const missedAgain = kernels.shapedCodes(fields, stride, 1, rows, header, codes, misses)
        const second = [...kernels.u32.subarray(codes >>> 2, (codes >>> 2) + rows)]
        const placed = Array.from(kernels.u32.subarray(table >>> 2, (table >>> 2) + 64), (code, place) => [place, code]).filter(
          ([, code]) => code! > 0,
        )
        return {
          missed,
          first,
          missedAgain,
          second,
          placed,
          wanted: kernels.u32[(header >>> 2) + WANTED],
          unplaced: kernels.u32[(header >>> 2) + UNPLACED],
        }
      }),
    )
    expect(found).toEqual({
      missed: 7,
      first: [0, 1, 2, 3, 0, 4, 5],
      missedAgain: 3,
      // 12 has place 23, beyond the capacity of 20.
      second: [0, 1, 2, 77, 0, 77, 77],
      placed: [
        [0, 3],
        [6, 1],
        [8, 2],
      ],
      wanted: 111_110,
      unplaced: 1,
    })
  })
})

describe('the shape of texts', () => {
  it.each([
    [['12', '7', '', '1'], number('', 0)],
    [['BH-2581', 'BH-1', 'BH-77', 'x'], number('BH-', 0)],
    [['5.49', '28.66', '5.5', '1.00'], number('', 2)],
    [['-5.49', '-28.66'], number('-', 2)],
    [['.5', '.7'], number('', 1)],
    [['2020-01-01', '2010-05-05', '2015-05-05'], date(2002)],
    [['0001-01-01'], date(0)],
  ] as [string[], TextShape][])('of %j is %o', (texts, shape) => {
    expect(shapeOf(texts)).toEqual(shape)
  })

  it.each([
    [[]],
    [['a', 'b']],
    [['1', 'a', 'b']],
    [['"1"', '"2"']],
    [['1.5', '1.25', '1.125', '1']],
    [['123456789', '999999999']],
    [['abcdefgh1', 'abcdefgh2']],
    [['2020-01-01T00:00:00', '2020-01-01T00:00:01']],
    [['1e5', '2e5', '1.', '.']],
  ])('of %j is none', (texts) => {
    expect(shapeOf(texts)).toBeNull()
  })
})
