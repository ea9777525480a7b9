import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { TextDictionary, type TextDictionaryOptions } from '../../../src/kernels/text-dictionary.js'
import { layFields, loadBothForms, scratch } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

interface Coded {
  readonly done: number
  readonly codes: number[]
  readonly keys: string[]
}

function code(kernels: Kernels, texts: readonly (string | Uint8Array)[], options: TextDictionaryOptions = {}, blockRows = 100): Coded {
  return scratch(kernels, () => {
    const { fields, stride, rows } = layFields(kernels, texts)
    const dictionary = new TextDictionary(kernels, options)
    const codes = kernels.allocate(rows * 4 + 4)
    let done = 0
    while (done < rows) {
      const block = Math.min(blockRows, rows - done)
      const part = dictionary.lookup(fields + done * stride * 4, stride, 1, block, codes + done * 4)
      done += part
      if (part < block) break
    }
    const keys = Array.from({ length: dictionary.size }, (_, i) => Buffer.from(dictionary.keyBytes(i)).toString('latin1'))
    keys.forEach((key, i) => {
      expect(dictionary.keyLength(i)).toBe(key.length)
      expect(kernels.u8[dictionary.keyAddress(i)]).toBe(key === '' ? kernels.u8[dictionary.keyAddress(i)] : key.charCodeAt(0))
    })
    return { done, codes: Array.from(kernels.u32.subarray(codes >>> 2, (codes >>> 2) + done)), keys }
  })
}

/** By first appearance, with a Map. */
function model(texts: readonly (string | Uint8Array)[]): Coded {
  const seen = new Map<string, number>()
  const codes = texts.map((text) => {
    const key = Buffer.from(text as string).toString('latin1')
    const known = seen.get(key) ?? seen.size
    seen.set(key, known)
    return known
  })
  return { done: texts.length, codes, keys: [...seen.keys()] }
}

/** The inverse of an odd number modulo 2³². */
function inverse(odd: number): number {
  let x = odd
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x))
  return x
}

/** Keys of eight bytes that all have one hash. */
function colliding(count: number): Uint8Array[] {
  const a = inverse(0x9e3779b1 | 0)
  return Array.from({ length: count }, (_, i) => {
    const key = Buffer.alloc(8)
    const high = i * 7919 + 1
    key.writeInt32LE(Math.imul(12_345 - Math.imul(high, 0x85ebca77 | 0), a), 0)
    key.writeInt32LE(high, 4)
    return key
  })
}

describe('TextDictionary', () => {
  it('numbers texts by first appearance, whatever their bytes and lengths', () => {
    const text = fc.oneof(
      fc.constantFrom('', 'a', 'true', '"x"', '2024-01-31', '1234567', '12345678', '123456789', '1234567890123456', 'x'.repeat(40)),
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 7, maxLength: 10 }).map((bytes) => bytes.map((b) => b & 1)),
    )
    fc.assert(
      fc.property(fc.array(text, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (texts, block) => {
        for (const kernels of forms) expect(code(kernels, texts, {}, block), kernels.name).toEqual(model(texts))
      }),
      { numRuns: 400 },
    )
  })

  it('tells apart texts that differ in one byte only, at every length and place', () => {
    const texts: Uint8Array[] = []
    for (let length = 0; length <= 41; length++) {
      const base = Buffer.alloc(length, 0x61)
      texts.push(base)
      for (let at = 0; at < length; at++) {
        const other = Buffer.from(base)
        other[at] = 0x62
        texts.push(other)
      }
    }
    const twice = [...texts, ...texts]
    for (const kernels of forms) {
      const { keys, codes } = code(kernels, twice)
      expect(keys.length).toBe(texts.length)
      expect(codes.slice(texts.length)).toEqual(codes.slice(0, texts.length))
    }
  })

  it('grows to what it may hold, and stops before the first text beyond it', () => {
    const texts = Array.from({ length: 5000 }, (_, i) => `key-${i}`)
    for (const kernels of forms) {
      expect(code(kernels, texts)).toEqual(model(texts))
      expect(code(kernels, texts, { maxEntries: 3000 })).toEqual(model(texts.slice(0, 3000)))
      expect(code(kernels, texts, { expectedEntries: 100_000 })).toEqual(model(texts))
      // What it knows it still finds when it is full.
      const again = [...texts.slice(0, 700), ...texts.slice(0, 700), 'new']
      expect(code(kernels, again, { maxEntries: 700 }, 10_000)).toEqual(model(again.slice(0, 1400)))
      expect(code(kernels, ['a', 'a', 'b'], { maxEntries: 1 })).toEqual(model(['a', 'a']))
    }
  })

  it('stops where the texts themselves would take more than they may', () => {
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000, 'x'))
    const done = forms.map((kernels) => code(kernels, texts, { maxArenaBytes: 20_000 }))
    expect(done[0]).toEqual(done[1])
    expect(done[0]!.done).toBeGreaterThan(10)
    expect(done[0]!.done).toBeLessThanOrEqual(20)
    for (const kernels of forms) {
      expect(code(kernels, ['', 'x'.repeat(100_000), 'y'], {})).toEqual(model(['', 'x'.repeat(100_000), 'y']))
      expect(code(kernels, ['', 'x'.repeat(100_000)], { maxArenaBytes: 99_999 }).done).toBe(1)
    }
  })

  it('gives up on texts made to collide, in the same place in both forms', () => {
    const few = colliding(100)
    const many = [...few, ...colliding(400).slice(100)]
    const results = forms.map((kernels) => {
      expect(code(kernels, few)).toEqual(model(few))
      return code(kernels, many)
    })
    expect(results[0]).toEqual(results[1])
    expect(results[0]!.done).toBeLessThan(400)
    expect(results[0]).toEqual(model(many.slice(0, results[0]!.done)))
  })

  it('keeps several tables apart that grow by turns', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const texts = Array.from({ length: 4000 }, (_, i) => `${(i * 7) % 3000}`)
        const { fields, stride, rows } = layFields(kernels, texts)
        const dictionaries = [1, 2, 3].map(() => new TextDictionary(kernels))
        const codes = kernels.allocate(rows * 4)
        for (let row = 0; row < rows; row += 250) {
          for (const dictionary of dictionaries) {
            expect(dictionary.lookup(fields + row * stride * 4, stride, 1, 250, codes + row * 4)).toBe(250)
          }
        }
        const expected = model(texts)
        expect(Array.from(kernels.u32.subarray(codes >>> 2, (codes >>> 2) + rows))).toEqual(expected.codes)
        for (const dictionary of dictionaries) {
          expect(Array.from({ length: dictionary.size }, (_, i) => Buffer.from(dictionary.keyBytes(i)).toString())).toEqual(expected.keys)
        }
      })
    }
  })

  it('begins anew after clear', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const dictionary = new TextDictionary(kernels)
        const codes = kernels.allocate(40_000)
        for (let round = 0; round < 3; round++) {
          const texts = Array.from({ length: 3000 }, (_, i) => `${round}-${i % 1500}`)
          const { fields, stride } = layFields(kernels, texts)
          expect(dictionary.lookup(fields, stride, 1, 3000, codes)).toBe(3000)
          expect(dictionary.size).toBe(1500)
          expect(Buffer.from(dictionary.keyBytes(1499)).toString()).toBe(`${round}-1499`)
          dictionary.clear()
          expect(dictionary.size).toBe(0)
        }
        expect(() => dictionary.keyBytes(0)).toThrow('code 0')
      })
    }
  })

  it('takes no more memory for other texts after clear, in whatever order long and short ones come', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const rounds = Array.from({ length: 8 }, (_, round) =>
          layFields(
            kernels,
            Array.from({ length: 2000 }, (__, i) => `${round}-${i}`.padEnd((i + 211 * round) % 1000 === 0 ? 100_000 : 1500, '.')),
          ),
        )
        const codes = kernels.allocate(2000 * 4)
        const dictionary = new TextDictionary(kernels)
        const tops = rounds.map(({ fields, stride, rows }, round) => {
          expect(dictionary.lookup(fields, stride, 1, rows, codes)).toBe(rows)
          expect(dictionary.size).toBe(rows)
          expect(Buffer.from(dictionary.keyBytes(1999)).toString().replaceAll('.', '')).toBe(`${round}-1999`)
          dictionary.clear()
          return kernels.mark()
        })
        // A few segments more while long texts ask for the room in another order, and none from then on.
        expect(tops.slice(2)).toEqual(tops.slice(2).fill(tops[2]!))
      })
    }
  })
})
