import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { LANES_BYTES } from '../../../src/kernels/digests.js'
import type { FixedWidth, Kernels } from '../../../src/kernels/kernels.js'
import { bytesAt, loadBothForms, scratch, soil } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const GUARD_BYTES = 64

function put(kernels: Kernels, bytes: Uint8Array, seed: number, skew = 0): number {
  const at = soil(kernels, bytes.length + skew, seed) + skew
  kernels.u8.set(bytes, at)
  return at
}

/** What a kernel writes into a place of so many bytes, and nothing beside it; the same in both forms, whatever lies around. */
function same(resultBytes: number, run: (kernels: Kernels, out: number, seed: number) => void): Uint8Array {
  const results = forms.flatMap((kernels) =>
    [1, 77].map((seed) =>
      scratch(kernels, () => {
        const out = soil(kernels, resultBytes, seed)
        const around = (): Uint8Array[] => [
          bytesAt(kernels, out - GUARD_BYTES, GUARD_BYTES),
          bytesAt(kernels, out + resultBytes, GUARD_BYTES),
        ]
        const before = around()
        run(kernels, out, seed)
        expect(around()).toEqual(before)
        return bytesAt(kernels, out, resultBytes)
      }),
    ),
  )
  for (const result of results) expect(Buffer.compare(result, results[0]!)).toBe(0)
  return results[0]!
}

const words = (bytes: Uint8Array): string[] =>
  Array.from(new Uint32Array(bytes.slice().buffer), (word) => word.toString(16).padStart(8, '0'))

function hashOfText(text: Uint8Array): string[] {
  return words(
    same(8, (kernels, out, seed) => {
      const offsets = put(kernels, new Uint8Array(Uint32Array.of(0, text.length).buffer), seed)
      kernels.hashTexts(put(kernels, text, seed, 3), offsets, 1, out)
    }),
  )
}

function hashesOfFixed(bytes: Uint8Array, width: FixedWidth): string[] {
  const count = bytes.length / width
  return words(same(count * 8, (kernels, out, seed) => kernels.hashFixed(put(kernels, bytes, seed), width, count, out)))
}

describe('hashes of values', () => {
  it('are those of the definition', () => {
    expect(hashOfText(new Uint8Array(0))).toEqual(HASHES.empty)
    expect(hashOfText(Buffer.from('Borehole 7'))).toEqual(HASHES.text)
    expect(hashesOfFixed(new Uint8Array(Int32Array.of(0, 1, -1).buffer), 4)).toEqual(HASHES.int32)
    expect(hashesOfFixed(new Uint8Array(Float64Array.of(0.5, -0).buffer), 8)).toEqual(HASHES.double)
    expect(hashesOfFixed(Uint8Array.of(0, 1), 1)).toEqual(HASHES.boolean)
  })

  it('of any fixed width are the same in both forms, and different for different values', () => {
    for (const width of [1, 4, 8, 16] as const) {
      const values = fc.uint8Array({ minLength: width, maxLength: width })
      fc.assert(
        fc.property(fc.uniqueArray(values, { maxLength: 40, selector: String }), (list) => {
          const hashes = hashesOfFixed(Uint8Array.from(list.flatMap((value) => [...value])), width)
          const pairs = list.map((_, i) => hashes.slice(i * 2, i * 2 + 2).join())
          expect(new Set(pairs).size).toBe(list.length)
        }),
        { numRuns: 60 },
      )
    }
  })

  it('of texts of any length are the same in both forms, and those of texts with zeros at their end differ', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 20 }), (texts) => {
        const offsets = Uint32Array.from([0, ...texts.map((_, i) => texts.slice(0, i + 1).reduce((n, text) => n + text.length, 0))])
        same(texts.length * 8, (kernels, out, seed) => {
          const data = put(kernels, Buffer.concat(texts), seed, seed % 5)
          kernels.hashTexts(data, put(kernels, new Uint8Array(offsets.buffer), seed), texts.length, out)
        })
      }),
      { numRuns: 60 },
    )
    const zeros = Array.from({ length: 20 }, (_, length) => hashOfText(new Uint8Array(length)).join())
    expect(new Set(zeros).size).toBe(zeros.length)
  })
})

/** From the definition (parquet/chunk-digest.ts), one row at a time. */
function folded(pairs: Uint32Array, hashes: readonly (readonly [number, number] | null)[]): Uint32Array {
  const out = pairs.slice()
  const turn = (word: number): number => (word << 16) | (word >>> 16)
  for (const [row, hash] of hashes.entries()) {
    const [low, high] = hash ?? [0x6d697373, 0x27d4eb2f]
    const pair = (row % 8) * 2
    out[pair] = Math.imul(turn(out[pair]! ^ low), 0x9e3779b1)
    out[pair + 1] = Math.imul(turn(out[pair + 1]! ^ high), 0x85ebca77)
  }
  return out
}

describe('rows', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff })

  it('are folded as the definition says: with codes and without, with gaps and without, any number of them', () => {
    fc.assert(
      fc.property(
        fc.uint32Array({ minLength: 16, maxLength: 16 }),
        fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 30 }),
        fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 60 }),
        fc.boolean(),
        fc.boolean(),
        (pairs, entries, rows, coded, gaps) => {
          const codes = rows.map(([n, present]) => (gaps && !present ? 0 : n % entries.length))
          const byRow = codes.map((code, row) => (gaps && !rows[row]![1] ? null : entries[code]!))
          // A missing row of a plain column holds the hash of zero, or whatever: it must not matter.
          const hashes = coded ? entries : byRow.map((hash) => hash ?? ([1, 2] as const))
          const result = same(LANES_BYTES, (kernels, out, seed) => {
            kernels.u8.set(new Uint8Array(pairs.buffer, pairs.byteOffset, LANES_BYTES), out)
            const validity = gaps
              ? put(
                  kernels,
                  Uint8Array.from(rows, ([, present]) => Number(present)),
                  seed,
                  3,
                )
              : 0
            const at = put(kernels, new Uint8Array(Uint32Array.from(hashes.flat()).buffer), seed)
            const codesAt = coded ? put(kernels, new Uint8Array(Uint32Array.from(codes).buffer), seed) : 0
            kernels.foldRows(at, codesAt, validity, rows.length, out)
          })
          expect(words(result)).toEqual(words(new Uint8Array(folded(pairs, byRow).buffer)))
        },
      ),
      { numRuns: 300 },
    )
  })
})

/** Worked out from the definition with another program, in another language. */
const HASHES = {
  empty: ['2ae77cf0', '84c25bd0'],
  text: ['51d064ed', '433cb39e'],
  int32: ['00000000', '00000000', '00000001', 'ae35c2b2', 'ffffffff', '51cb3d4d'],
  double: ['000072a0', 'bb004140', '00008000', '0000571a'],
  boolean: ['00000000', '00000000', '00000001', 'ae35c2b2'],
}
