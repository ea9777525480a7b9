import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { NONE } from '../../../src/kernels/columns.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { loadBothForms, scratch, soil } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

/** What both forms say, in memory that something else was in before. */
function inBoth<T>(act: (kernels: Kernels) => T): T {
  const [first, second] = forms.map((kernels) => {
    scratch(kernels, () => soil(kernels, 30_000, 3))
    return scratch(kernels, () => act(kernels))
  })
  expect(second).toEqual(first)
  return first!
}

function placeWords(kernels: Kernels, words: readonly number[]): number {
  const at = kernels.allocate(words.length * 4 + 4)
  kernels.u32.set(words, at >>> 2)
  return at
}

function placeBytes(kernels: Kernels, bytes: Uint8Array): number {
  const at = kernels.allocate(bytes.length + 1)
  kernels.u8.set(bytes, at)
  return at
}

const wordsAt = (kernels: Kernels, at: number, count: number): number[] => [...kernels.u32.slice(at >>> 2, (at >>> 2) + count)]

/** Codes by first appearance of keys; null has none. */
function numbered(keys: readonly (string | null)[]): { codes: number[]; firsts: number[] } {
  const known = new Map<string, number>()
  const firsts: number[] = []
  const codes = keys.map((key, i) => {
    if (key === null) return 0
    let code = known.get(key)
    if (code === undefined) {
      code = firsts.push(i) - 1
      known.set(key, code)
    }
    return code
  })
  return { codes, firsts }
}

describe('takeCodes', () => {
  it('numbers the codes of some rows anew by first appearance, and leaves its map as it was', () => {
    const column = fc.record({
      codes: fc.array(fc.nat(7), { minLength: 1, maxLength: 40 }),
      missing: fc.boolean(),
      seed: fc.nat(),
      picks: fc.array(fc.nat(1000), { maxLength: 40 }),
    })
    fc.assert(
      fc.property(column, ({ codes, missing, seed, picks }) => {
        const valid = codes.map((_, i) => (missing && (i * 31 + seed) % 3 === 0 ? 0 : 1))
        const rows = picks.map((pick) => pick % codes.length)
        const found = inBoth((kernels) => {
          const codeOf = placeWords(kernels, new Array<number>(8).fill(NONE))
          const keyOf = kernels.allocate(32)
          const out = kernels.allocate(rows.length * 4)
          const validity = missing ? placeBytes(kernels, Uint8Array.from(valid)) : 0
          const count = kernels.takeCodes(placeWords(kernels, codes), validity, placeWords(kernels, rows), rows.length, codeOf, keyOf, out)
          expect(wordsAt(kernels, codeOf, 8)).toEqual(new Array<number>(8).fill(NONE))
          return { out: wordsAt(kernels, out, rows.length), keys: wordsAt(kernels, keyOf, count) }
        })
        const expected = numbered(rows.map((r) => (valid[r] === 1 ? String(codes[r]) : null)))
        expect(found).toEqual({ out: expected.codes, keys: expected.firsts.map((i) => codes[rows[i]!]!) })
      }),
    )
  })
})

describe('values in line become a dictionary', () => {
  const slotBitsOf = (rows: number): number => 33 - Math.clz32(rows)

  it.each([4, 8, 16] as const)('of %i bytes each, in order of first appearance', (width) => {
    const values = fc.array(fc.tuple(fc.constantFrom(0, 1, 2, 255), fc.nat(width - 1), fc.boolean()), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(values, fc.boolean(), (cells, missing) => {
        // One byte somewhere makes the difference, so every word of a value counts.
        const bytes = Buffer.alloc(cells.length * width)
        cells.forEach(([byte, place], i) => {
          bytes[i * width + place] = byte
        })
        const valid = cells.map(([, , absent]) => (missing && absent ? 0 : 1))
        const found = inBoth((kernels) => {
          const rows = cells.length
          const [out, firsts] = [kernels.allocate(rows * 4), kernels.allocate(rows * 4)]
          const slots = kernels.allocate(4 << slotBitsOf(rows))
          const data = placeBytes(kernels, bytes)
          const validity = missing ? placeBytes(kernels, Uint8Array.from(valid)) : 0
          const count = kernels.codeFixed(data, width, validity, rows, slots, slotBitsOf(rows), out, firsts)
          return { codes: wordsAt(kernels, out, rows), firsts: wordsAt(kernels, firsts, count) }
        })
        expect(found).toEqual(numbered(cells.map((_, i) => (valid[i] === 1 ? bytes.toString('hex', i * width, (i + 1) * width) : null))))
      }),
    )
  })

  it('of texts of any length', () => {
    const texts = fc.array(
      fc.option(fc.constantFrom('', 'a', 'ab', 'ba', 'x'.repeat(8), 'x'.repeat(9), `${'x'.repeat(8)}y`, 'é'.repeat(40))),
      {
        minLength: 1,
        maxLength: 200,
      },
    )
    fc.assert(
      fc.property(texts, (cells) => {
        const found = inBoth((kernels) => {
          const rows = cells.length
          const parts = cells.map((text) => Buffer.from(text ?? ''))
          const offsets = [0]
          for (const part of parts) offsets.push(offsets.at(-1)! + part.length)
          const [out, firsts] = [kernels.allocate(rows * 4), kernels.allocate(rows * 4)]
          const slots = kernels.allocate(4 << slotBitsOf(rows))
          const validity = placeBytes(
            kernels,
            Uint8Array.from(cells, (text) => (text === null ? 0 : 1)),
          )
          const data = placeBytes(kernels, Buffer.concat(parts))
          const count = kernels.codeTexts(data, placeWords(kernels, offsets), validity, rows, slots, slotBitsOf(rows), out, firsts)
          return { codes: wordsAt(kernels, out, rows), firsts: wordsAt(kernels, firsts, count) }
        })
        expect(found).toEqual(numbered(cells))
      }),
    )
  })
})

describe('rows sent to groups', () => {
  it('arrive in order, each with a line end, and those without a group nowhere', () => {
    const rows = fc.array(fc.tuple(fc.stringMatching(/^[a-z,]{0,70}$/), fc.nat(4)), { maxLength: 60 })
    fc.assert(
      fc.property(rows, (cells) => {
        const groupOf = [1, NONE, 0, 1, 2]
        const found = inBoth((kernels) => {
          const text = placeBytes(kernels, Buffer.from(cells.map(([row]) => row).join('|')))
          const fields: number[] = []
          let at = text
          for (const [row] of cells) {
            // Two columns; only where the row begins and ends counts.
            fields.push(at, at, at + row.length + 1)
            at += row.length + 1
          }
          const spans = kernels.allocate(cells.length * 8)
          kernels.rowSpans(placeWords(kernels, fields), 2, cells.length, spans)
          const codes = placeWords(
            kernels,
            cells.map(([, code]) => code),
          )
          const tally = placeWords(kernels, new Array<number>(10).fill(0))
          kernels.tallySpans(spans, codes, cells.length, tally)
          const begins = [0, 1, 2].map(() => kernels.allocate(cells.length * 72))
          const ends = placeWords(kernels, begins)
          kernels.scatterSpans(spans, codes, placeWords(kernels, groupOf), cells.length, ends)
          return {
            tally: wordsAt(kernels, tally, 10),
            groups: begins.map((begin, g) => Buffer.from(kernels.u8.subarray(begin, kernels.u32[(ends >>> 2) + g]!)).toString()),
          }
        })
        expect(found.groups).toEqual(
          [0, 1, 2].map((g) =>
            cells
              .filter(([, code]) => groupOf[code] === g)
              .map(([row]) => `${row}\n`)
              .join(''),
          ),
        )
        expect(found.tally).toEqual(
          [0, 1, 2, 3, 4].flatMap((code) => {
            const own = cells.filter(([, c]) => c === code)
            return [own.length, own.reduce((sum, [row]) => sum + row.length + 1, 0)]
          }),
        )
      }),
    )
  })
})
