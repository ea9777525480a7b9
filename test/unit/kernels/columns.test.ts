import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { NONE } from '../../../src/kernels/columns.js'
import type { FixedWidth, Kernels } from '../../../src/kernels/kernels.js'
import { TextDictionary } from '../../../src/kernels/text-dictionary.js'
import { bytesAt, layFields, loadBothForms, scratch, soil } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

/** Bytes around a result that must stay as they are. */
const GUARD_BYTES = 64

/** One run of a kernel: where its parameters lie, and what it wrote. */
class Bench {
  private readonly guards: (() => void)[] = []

  constructor(
    readonly kernels: Kernels,
    private readonly seed: number,
  ) {}

  /** Places an array; `skew` bytes more than a place that everything is aligned to. */
  put(array: Uint8Array | Uint32Array | Int32Array | BigInt64Array | Float64Array, skew = 0): number {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    const at = soil(this.kernels, bytes.length + skew, this.seed) + skew
    this.kernels.u8.set(bytes, at)
    this.guards.push(() => {
      expect(Buffer.compare(bytesAt(this.kernels, at, bytes.length), bytes), 'parameters stay as they are').toBe(0)
    })
    return at
  }

  words(values: readonly number[], skew = 0): number {
    return this.put(Uint32Array.from(values), skew)
  }

  /** 0 for rows of which none is missing. */
  validity(flags: readonly boolean[] | null, skew = 0): number {
    return flags === null ? 0 : this.put(Uint8Array.from(flags, Number), skew)
  }

  /** Room for a result, of which `bytes` may be written and nothing beside them. */
  room(bytes: number, skew = 0): number {
    const at = soil(this.kernels, bytes + skew, this.seed + 1) + skew
    const before = bytesAt(this.kernels, at - GUARD_BYTES, GUARD_BYTES)
    const behind = bytesAt(this.kernels, at + bytes, GUARD_BYTES)
    this.guards.push(() => {
      expect(bytesAt(this.kernels, at - GUARD_BYTES, GUARD_BYTES), 'nothing before').toEqual(before)
      expect(bytesAt(this.kernels, at + bytes, GUARD_BYTES), 'nothing behind').toEqual(behind)
    })
    return at
  }

  wordsAt(at: number, count: number): number[] {
    return Array.from(this.kernels.u32.subarray(at >>> 2, (at >>> 2) + count))
  }

  bytes(at: number, count: number): number[] {
    return Array.from(bytesAt(this.kernels, at, count))
  }

  check(): void {
    for (const guard of this.guards) guard()
  }
}

/** What both forms give over memory full of what an earlier use left there, whatever that is. */
function both<T>(act: (bench: Bench) => T): T {
  const results = forms.flatMap((kernels) =>
    [1, 99].map((seed) =>
      scratch(kernels, () => {
        const bench = new Bench(kernels, seed)
        const result = act(bench)
        bench.check()
        return result
      }),
    ),
  )
  for (const result of results) expect(result).toEqual(results[0])
  return results[0]!
}

const WIDTHS: readonly FixedWidth[] = [1, 4, 8, 16]
const LENGTHS = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 48, 49, 64, 255, 1000]

/** Bytes that differ from place to place. */
const noise = (length: number, seed = 3): Uint8Array => Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 2_654_435_761) >>> 24)

/** Texts as the bytes of all and where each ends. */
function laidTexts(texts: readonly Uint8Array[]): { data: Uint8Array; offsets: number[] } {
  const offsets = [0]
  for (const text of texts) offsets.push(offsets.at(-1)! + text.length)
  return { data: new Uint8Array(Buffer.concat(texts)), offsets }
}

const textOfAnyLength = fc.oneof(
  fc.constantFrom(...LENGTHS).map((length) => noise(length, length)),
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom('', 'a', 'ab', 'b').map((text) => new Uint8Array(Buffer.from(text))),
)
const flagsOrNone = (count: number): fc.Arbitrary<boolean[] | null> =>
  fc.option(fc.array(fc.boolean(), { minLength: count, maxLength: count }), { nil: null })
/** Rows of codes below `entries`: 0 where the row is missing. */
const codedRows = (entries: number): fc.Arbitrary<{ codes: number[]; flags: boolean[] | null }> =>
  fc
    .array(fc.nat(entries - 1), { maxLength: 40 })
    .chain((codes) =>
      flagsOrNone(codes.length).map((flags) => ({ codes: codes.map((code, i) => (flags === null || flags[i] ? code : 0)), flags })),
    )
const isPresent = (flags: readonly boolean[] | null, row: number): boolean => flags === null || flags[row]!

describe('renumber', () => {
  interface Numbered {
    readonly codes: number[]
    readonly codeOf: number[]
    readonly keyOf: number[]
  }

  function model(keys: readonly number[], codeOf: readonly number[], keyOf: readonly number[]): Numbered {
    const result = { codes: [...keys], codeOf: [...codeOf], keyOf: [...keyOf] }
    keys.forEach((key, row) => {
      if (key === NONE) return
      if (result.codeOf[key] === NONE) {
        result.codeOf[key] = result.keyOf.length
        result.keyOf.push(key)
      }
      result.codes[row] = result.codeOf[key]!
    })
    return result
  }

  function renumber(keys: readonly number[], codeOf: readonly number[], keyOf: readonly number[]): Numbered {
    return both((bench) => {
      const { kernels } = bench
      const codes = bench.room(keys.length * 4, 4)
      kernels.u32.set(keys, codes >>> 2)
      const first = bench.room(codeOf.length * 4)
      kernels.u32.set(codeOf, first >>> 2)
      const second = bench.room(codeOf.length * 4)
      kernels.u32.set(keyOf, second >>> 2)
      const known = kernels.renumber(codes, keys.length, first, second, keyOf.length)
      return {
        codes: bench.wordsAt(codes, keys.length),
        codeOf: bench.wordsAt(first, codeOf.length),
        keyOf: bench.wordsAt(second, known),
      }
    })
  }

  it('numbers keys by first appearance, goes on from what is known, and leaves NONE alone', () => {
    const key = fc.oneof({ weight: 5, arbitrary: fc.nat(12) }, { weight: 1, arbitrary: fc.constant(NONE) })
    fc.assert(
      fc.property(fc.array(key, { maxLength: 30 }), fc.array(key, { maxLength: 30 }), (first, second) => {
        const none = new Array<number>(13).fill(NONE)
        const once = renumber(first, none, [])
        expect(once).toEqual(model(first, none, []))
        const twice = renumber(second, once.codeOf, once.keyOf)
        expect(twice).toEqual(model(second, once.codeOf, once.keyOf))
        // In two parts or in one.
        expect([...once.codes, ...twice.codes]).toEqual(renumber([...first, ...second], none, []).codes)
      }),
    )
  })

  it('knows what it did, by example', () => {
    expect(renumber([5, 2, NONE, 5, 0], [NONE, NONE, NONE, NONE, NONE, NONE], [])).toEqual({
      codes: [0, 1, NONE, 0, 2],
      codeOf: [2, NONE, 1, NONE, NONE, 0],
      keyOf: [5, 2, 0],
    })
    expect(renumber([], [NONE], [])).toEqual({ codes: [], codeOf: [NONE], keyOf: [] })
  })
})

describe('mapCodes', () => {
  it('puts what stands at the place of a code, and makes rows missing where nothing does', () => {
    const map = [7, NONE, 0, 4_000_000_000]
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 40 }), fc.nat(3), (rows, skew) => {
        const result = both((bench) => {
          const { kernels } = bench
          const codes = bench.room(rows.length * 4, 4)
          kernels.u32.set(rows, codes >>> 2)
          const validity = bench.room(rows.length, skew)
          const present = kernels.mapCodes(codes, rows.length, bench.words(map), validity)
          return { codes: bench.wordsAt(codes, rows.length), validity: bench.bytes(validity, rows.length), present }
        })
        const places = rows.map((code) => map[code]!)
        expect(result).toEqual({
          codes: places.map((place) => (place === NONE ? 0 : place)),
          validity: places.map((place) => (place === NONE ? 0 : 1)),
          present: places.filter((place) => place !== NONE).length,
        })
      }),
    )
  })
})

describe('gather', () => {
  it('puts the entries behind the codes in line, with zero where a row is missing', () => {
    for (const width of WIDTHS) {
      const source = noise(11 * width)
      fc.assert(
        fc.property(codedRows(11), fc.nat(3), ({ codes, flags }, skew) => {
          const bytes = both((bench) => {
            const out = bench.room(codes.length * width, width)
            bench.kernels.gather(bench.put(source, width), width, bench.words(codes, 4), bench.validity(flags, skew), codes.length, out)
            return bench.bytes(out, codes.length * width)
          })
          expect(bytes).toEqual(
            codes.flatMap((code, row) =>
              isPresent(flags, row) ? [...source.subarray(code * width, (code + 1) * width)] : new Array<number>(width).fill(0),
            ),
          )
        }),
        { numRuns: 60 },
      )
    }
  })

  it('reads nothing of a dictionary without entries', () => {
    for (const width of WIDTHS) {
      const bytes = both((bench) => {
        const out = bench.room(3 * width)
        bench.kernels.gather(bench.room(0), width, bench.words([0, 0, 0]), bench.validity([false, false, false]), 3, out)
        return bench.bytes(out, 3 * width)
      })
      expect(bytes).toEqual(new Array<number>(3 * width).fill(0))
    }
  })
})

describe('texts behind codes', () => {
  it('come one after the other, by their lengths, and nothing is written behind the last', () => {
    fc.assert(
      fc.property(
        fc
          .array(textOfAnyLength, { minLength: 1, maxLength: 12 })
          .chain((texts) => codedRows(texts.length).map((rows) => ({ texts, ...rows }))),
        fc.nat(5),
        ({ texts, codes, flags }, skew) => {
          const rows = codes.map((code, row) => (isPresent(flags, row) ? texts[code]! : new Uint8Array(0)))
          const expected = laidTexts(rows)
          const laid = laidTexts(texts)
          const result = both((bench) => {
            const { kernels } = bench
            const data = bench.put(laid.data, skew)
            const offsets = bench.words(laid.offsets, 4)
            const at = bench.words(codes)
            const lengths = bench.room(codes.length * 4, 4)
            const bytes = kernels.gatherLengths(offsets, at, bench.validity(flags, skew), codes.length, lengths)
            const out = bench.room(bytes, skew)
            kernels.gatherTexts(data, offsets, at, lengths, codes.length, out, out + bytes)
            return { bytes, lengths: bench.wordsAt(lengths, codes.length), texts: bench.bytes(out, bytes) }
          })
          expect(result).toEqual({
            bytes: expected.data.length,
            lengths: rows.map((text) => text.length),
            texts: [...expected.data],
          })
        },
      ),
      { numRuns: 150 },
    )
  })

  it('may end where the memory does', async () => {
    for (const kernels of await loadBothForms(4 * 65_536)) {
      for (const length of LENGTHS) {
        scratch(kernels, () => {
          const text = noise(length)
          const offsets = kernels.allocate(8)
          const codes = kernels.allocate(4)
          const lengths = kernels.allocate(4)
          const out = kernels.allocate(length + 4)
          const extremes = kernels.allocate(16)
          kernels.u32.set([0, length], offsets >>> 2)
          kernels.u32[codes >>> 2] = 0
          // All there is, so that the text ends with the last byte that can be allocated.
          const rest = kernels.allocate(16)
          kernels.allocate(4 * 65_536 - 256 - rest - 16)
          const top = kernels.mark()
          expect(() => kernels.allocate(65_536)).toThrow(RangeError)
          const data = top - length
          kernels.u8.set(text, data)
          expect(kernels.gatherLengths(offsets, codes, 0, 1, lengths)).toBe(length)
          kernels.gatherTexts(data, offsets, codes, lengths, 1, out, out + length)
          expect(bytesAt(kernels, out, length)).toEqual(text)
          expect(kernels.interleaveTexts(data, offsets, 0, 1, out, out + length + 4)).toBe(length + 4)
          expect(bytesAt(kernels, out + 4, length)).toEqual(text)
          expect(kernels.extremesTexts(data, offsets, 0, 1, extremes)).toBe(1)
        })
      }
    }
  })
})

describe('offsets and lengths', () => {
  it('are made of each other, also in place', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100_000), { maxLength: 40 }), (lengths) => {
        const offsets = [0]
        for (const length of lengths) offsets.push(offsets.at(-1)! + length)
        const result = both((bench) => {
          const { kernels } = bench
          const apart = bench.room((lengths.length + 1) * 4, 4)
          kernels.offsetsOf(bench.words(lengths), lengths.length, apart)
          const place = bench.room((lengths.length + 1) * 4)
          kernels.u32.set(lengths, place >>> 2)
          kernels.offsetsOf(place, lengths.length, place)
          const back = bench.room(lengths.length * 4, 4)
          kernels.lengthsOf(apart, lengths.length, back)
          return {
            apart: bench.wordsAt(apart, lengths.length + 1),
            inPlace: bench.wordsAt(place, lengths.length + 1),
            back: bench.wordsAt(back, lengths.length),
          }
        })
        expect(result).toEqual({ apart: offsets, inPlace: offsets, back: lengths })
      }),
    )
  })
})

describe('compact', () => {
  it('leaves missing rows out', () => {
    for (const width of WIDTHS) {
      fc.assert(
        fc.property(fc.array(fc.boolean(), { maxLength: 40 }), fc.nat(3), (flags, skew) => {
          const values = noise(flags.length * width)
          const rows = flags.flatMap((present, row) => (present ? [row] : []))
          const result = both((bench) => {
            const out = bench.room(rows.length * width, width)
            const count = bench.kernels.compact(bench.put(values, width), width, bench.validity(flags, skew), flags.length, out)
            return { count, bytes: bench.bytes(out, rows.length * width) }
          })
          expect(result).toEqual({
            count: rows.length,
            bytes: rows.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]),
          })
        }),
        { numRuns: 60 },
      )
    }
  })
})

describe('interleaveTexts', () => {
  it('puts the length before each text, leaves missing rows out, and writes nothing behind the end it is given', () => {
    fc.assert(
      fc.property(
        fc.array(textOfAnyLength, { maxLength: 12 }).chain((texts) => flagsOrNone(texts.length).map((flags) => ({ texts, flags }))),
        fc.nat(5),
        fc.boolean(),
        ({ texts, flags }, skew, roomy) => {
          // A missing row has no bytes.
          const rows = texts.map((text, row) => (isPresent(flags, row) ? text : new Uint8Array(0)))
          const laid = laidTexts(rows)
          const expected = Buffer.concat(
            rows.flatMap((text, row) => {
              const length = Buffer.alloc(4)
              length.writeUInt32LE(text.length)
              return isPresent(flags, row) ? [length, text] : []
            }),
          )
          const bytes = both((bench) => {
            // As the encoder takes it: room as if no row were missing; or no more than it needs.
            const capacity = roomy ? rows.length * 4 + laid.data.length : expected.length
            const out = bench.room(capacity, skew)
            const data = bench.put(laid.data, skew)
            const length = bench.kernels.interleaveTexts(
              data,
              bench.words(laid.offsets, 4),
              bench.validity(flags, skew),
              rows.length,
              out,
              out + capacity,
            )
            return bench.bytes(out, length)
          })
          expect(bytes).toEqual([...expected])
        },
      ),
      { numRuns: 200 },
    )
  })

  it('takes rows from the middle of others', () => {
    const texts = ['zero', 'one', 'two', 'three'].map((text) => new Uint8Array(Buffer.from(text)))
    const laid = laidTexts(texts)
    const bytes = both((bench) => {
      const out = bench.room(4 * 2 + 6)
      const offsets = bench.words(laid.offsets)
      const length = bench.kernels.interleaveTexts(bench.put(laid.data), offsets + 4, bench.validity([true, true], 3), 2, out, out + 14)
      return Buffer.from(bench.bytes(out, length)).toString('latin1')
    })
    expect(bytes).toBe('\x03\0\0\0one\x03\0\0\0two')
  })
})

describe('packBits8', () => {
  it('puts the first byte into the lowest bit, and zeros after the last', () => {
    for (const count of [1, 2, 7, 8, 9, 15, 16, 17, 25]) {
      for (let row = 0; row < count; row++) {
        const values = Uint8Array.from({ length: count }, (_, i) => (i === row ? 1 : 0))
        const bytes = both((bench) => {
          const out = bench.room(Math.ceil(count / 8), row % 3)
          const length = bench.kernels.packBits8(bench.put(values, row % 5), count, out)
          return bench.bytes(out, length)
        })
        expect(bytes).toEqual(Array.from({ length: Math.ceil(count / 8) }, (_, i) => (i === row >> 3 ? 1 << (row & 7) : 0)))
      }
    }
    expect(both((bench) => bench.kernels.packBits8(bench.room(0), 0, bench.room(0)))).toBe(0)
  })

  it('packs any bits', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (bits) => {
        const bytes = both((bench) => {
          const out = bench.room(Math.ceil(bits.length / 8))
          return bench.bytes(out, bench.kernels.packBits8(bench.put(Uint8Array.from(bits, Number), 1), bits.length, out))
        })
        expect(bytes.flatMap((byte) => [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => ((byte >> bit) & 1) === 1))).toEqual([
          ...bits,
          ...new Array<boolean>(bytes.length * 8 - bits.length).fill(false),
        ])
      }),
    )
  })
})

describe('extremes', () => {
  type Kind = 'extremesInt32' | 'extremesInt64' | 'extremesDouble'
  type Numbers = Int32Array | BigInt64Array | Float64Array

  /** How many are present, and the bytes of the two places, as numbers of the kind. */
  function extremes(kind: Kind, values: Numbers, flags: readonly boolean[] | null): { count: number; places: (number | bigint)[] } {
    return both((bench) => {
      const { kernels } = bench
      const out = bench.room(16)
      const at = bench.put(values, values.BYTES_PER_ELEMENT)
      const count = kernels[kind](at, bench.validity(flags, 3), values.length, out)
      const places =
        kind === 'extremesInt32'
          ? [kernels.i32[out >>> 2]!, kernels.i32[(out >>> 2) + 2]!]
          : kind === 'extremesInt64'
            ? [kernels.i64[out >>> 3]!, kernels.i64[(out >>> 3) + 1]!]
            : [kernels.f64[out >>> 3]!, kernels.f64[(out >>> 3) + 1]!]
      return count > 0 ? { count, places } : { count, places: [] }
    })
  }

  function expectExtremes(
    kind: Kind,
    make: (present: readonly (number | bigint)[]) => Numbers,
    cells: readonly (number | bigint | null)[],
  ) {
    const present = cells.filter((cell) => cell !== null)
    const zero = kind === 'extremesInt64' ? 0n : 0
    const flags = present.length === cells.length ? null : cells.map((cell) => cell !== null)
    const found = extremes(kind, make(cells.map((cell) => cell ?? zero)), flags)
    if (present.some((value) => Number.isNaN(value))) {
      expect(found.count).toBe(-1)
      return
    }
    expect(found.count).toBe(present.length)
    if (present.length === 0) return
    const sorted = [...present].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    // 0 and -0 are one here; which of them is found is for the caller to settle.
    expect(found.places.map((place) => (place === 0 ? 0 : place))).toEqual(
      [sorted[0]!, sorted.at(-1)!].map((place) => (place === 0 ? 0 : place)),
    )
  }

  const int32 = (values: readonly (number | bigint)[]): Numbers => Int32Array.from(values as number[])
  const int64 = (values: readonly (number | bigint)[]): Numbers => BigInt64Array.from(values as bigint[])
  const double = (values: readonly (number | bigint)[]): Numbers => Float64Array.from(values as number[])

  it('of any numbers are the least and the greatest of the present ones', () => {
    const arrays = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<(T | null)[]> => fc.array(fc.option(value, { freq: 4 }), { maxLength: 40 })
    fc.assert(
      fc.property(
        arrays(fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0))),
        arrays(fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -5n, max: 5n }), fc.constant(2n ** 32n))),
        arrays(fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, -0, Infinity, -Infinity))),
        arrays(fc.constantFrom(1, 2, Number.NaN)),
        (a, b, c, d) => {
          expectExtremes('extremesInt32', int32, a)
          expectExtremes('extremesInt64', int64, b)
          expectExtremes('extremesDouble', double, c)
          expectExtremes('extremesDouble', double, d)
        },
      ),
    )
  })

  it('are right at the edges of the types', () => {
    for (const edges of [[2 ** 31 - 1], [-(2 ** 31)], [2 ** 31 - 1, -(2 ** 31)], [-1, 0], [null, 2 ** 31 - 1], [null], []]) {
      expectExtremes('extremesInt32', int32, edges)
    }
    const [least, greatest] = [-(2n ** 63n), 2n ** 63n - 1n]
    for (const edges of [
      [greatest],
      [least],
      [greatest, least],
      [-1n, 0n],
      // They differ in their lower halves alone, where the highest bit is no sign.
      [0x7fffffffn, 0x80000000n],
      [-0x80000000n, -0x80000001n],
      [2n ** 32n - 1n, 2n ** 32n],
      [null, greatest],
      [null, least],
      [null, null],
      [],
    ]) {
      expectExtremes('extremesInt64', int64, edges)
      expectExtremes('extremesInt64', int64, [...edges].reverse())
    }
    for (const edges of [
      [Infinity],
      [-Infinity],
      [5e-324, -5e-324],
      [Number.MAX_VALUE, Infinity],
      [null],
      [],
      [-0],
      [0, -0],
      [Number.NaN],
    ]) {
      expectExtremes('extremesDouble', double, edges)
    }
  })

  it('say of a NaN that it is there, wherever it stands and whatever its bits, but not of a missing row', () => {
    for (const bits of [0x7ff8000000000000n, -1n, 0x7ff0000000000001n]) {
      for (const row of [0, 1, 2]) {
        const words = BigInt64Array.of(0n, 0n, 0n)
        words[row] = bits
        const values = new Float64Array(words.buffer)
        expect(extremes('extremesDouble', values, null).count).toBe(-1)
        expect(
          extremes(
            'extremesDouble',
            values,
            [0, 1, 2].map((i) => i !== row),
          ).count,
        ).toBe(2)
      }
    }
  })

  it('of texts are the rows that have them, as unsigned bytes', () => {
    // The same beginning, up to where they differ or end.
    const alike = fc
      .tuple(fc.constantFrom(0, 1, 7, 8, 9, 15, 16, 17, 1000), fc.uint8Array({ maxLength: 9 }))
      .map(([length, rest]) => new Uint8Array([...new Uint8Array(length).fill(0x61), ...rest]))
    const cells = fc.array(fc.oneof(alike, textOfAnyLength), { maxLength: 12 })
    fc.assert(
      fc.property(
        cells.chain((texts) => flagsOrNone(texts.length).map((flags) => ({ texts, flags }))),
        ({ texts, flags }) => {
          const rows = texts.map((text, row) => (isPresent(flags, row) ? text : new Uint8Array(0)))
          const laid = laidTexts(rows)
          const found = both((bench) => {
            const out = bench.room(16)
            const data = bench.put(laid.data, 3)
            const count = bench.kernels.extremesTexts(data, bench.words(laid.offsets, 4), bench.validity(flags, 3), rows.length, out)
            const words = bench.wordsAt(out, 3)
            return { count, rows: count === 0 ? [] : [words[0]!, words[2]!] }
          })
          const present = rows.flatMap((text, row) => (isPresent(flags, row) ? [text] : []))
          expect(found.count).toBe(present.length)
          if (present.length === 0) return
          const sorted = [...present].sort(Buffer.compare)
          for (const [i, expected] of [sorted[0]!, sorted.at(-1)!].entries()) {
            expect(isPresent(flags, found.rows[i]!)).toBe(true)
            expect(rows[found.rows[i]!]).toEqual(expected)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('fields', () => {
  /** Start and end of `count` fields with stride 2. */
  const fieldsAt = (bench: Bench, out: number, count: number): [number, number][] => {
    const words = bench.wordsAt(out, count * 2)
    return Array.from({ length: count }, (_, i) => [words[2 * i]!, words[2 * i + 1]! - 1])
  }

  it('of values lie one after the other', () => {
    for (const width of [4, 8, 16]) {
      for (const count of [0, 1, 7]) {
        const fields = both((bench) => {
          const out = bench.room(count * 8)
          const values = bench.room(0)
          bench.kernels.fixedFields(values, width, count, out)
          return fieldsAt(bench, out, count).map(([from, to]) => [from - values, to - values])
        })
        expect(fields).toEqual(Array.from({ length: count }, (_, i) => [i * width, (i + 1) * width]))
      }
    }
  })

  it('of texts begin where the one before ends', () => {
    const ends = [0, 3, 3, 1000, 1001]
    for (let count = 0; count <= ends.length; count++) {
      const fields = both((bench) => {
        const out = bench.room(count * 8, 4)
        const data = bench.room(0, 5)
        bench.kernels.textFields(data, bench.words(ends), count, out)
        return fieldsAt(bench, out, count).map(([from, to]) => [from - data, to - data])
      })
      expect(fields).toEqual(ends.slice(0, count).map((end, i) => [ends[i - 1] ?? 0, end]))
    }
  })

  it('of a dictionary say its texts, by codes or in order', () => {
    const texts = ['a', '', '"b"', 'x'.repeat(300), 'ä']
    for (const codes of [null, [], [4, 0, 0, 3, 1]]) {
      const found = both((bench) => {
        const { kernels } = bench
        const dictionary = new TextDictionary(kernels)
        const laid = layFields(kernels, texts)
        dictionary.lookup(laid.fields, laid.stride, 1, laid.rows, kernels.allocate(laid.rows * 4))
        const count = codes?.length ?? 3
        const out = bench.room(count * 8)
        const from = codes === null ? 2 : 0
        kernels.entryFields(dictionary.entriesAddress(from), codes === null ? 0 : bench.words(codes), count, out)
        return fieldsAt(bench, out, count).map(([start, end]) => Buffer.from(kernels.u8.subarray(start, end)).toString())
      })
      expect(found).toEqual(codes === null ? texts.slice(2) : codes.map((code) => texts[code]))
    }
  })

  it('are looked up by their bytes: equal values have one number', () => {
    const codes = both((bench) => {
      const { kernels } = bench
      const values = bench.put(Float64Array.of(1.5, 0, -0, 1.5, Number.NaN, 0))
      const fields = bench.room(6 * 8)
      kernels.fixedFields(values, 8, 6, fields)
      const dictionary = new TextDictionary(kernels)
      const out = kernels.allocate(24)
      expect(dictionary.lookup(fields, 2, 0, 6, out)).toBe(6)
      return bench.wordsAt(out, 6)
    })
    expect(codes).toEqual([0, 1, 2, 0, 3, 1])
  })
})

describe('keepRows', () => {
  /** Tokenises and gives the raw cells of the rows that are left. */
  function keep(text: string, width: number, rowBytes = 1 << 20): string[][] | null {
    return both((bench) => {
      const { kernels } = bench
      const bytes = new Uint8Array(Buffer.from(text))
      const at = bench.put(bytes)
      const maxRows = text.split('\n').length
      const fields = kernels.allocate(maxRows * (width + 1) * 4 + 64)
      const rows = kernels.tokenise(at, at + bytes.length, true, width, 0x2c, 0x22, fields, maxRows)
      expect(kernels.result).toMatchObject({ status: 'more', next: at + bytes.length })
      const kept = kernels.keepRows(fields, rows, width, rowBytes, 0x22)
      if (kept < 0) return null
      return Array.from({ length: kept }, (_, row) => {
        const words = bench.wordsAt(fields + row * (width + 1) * 4, width + 1)
        return Array.from({ length: width }, (_, cell) => Buffer.from(kernels.u8.subarray(words[cell]!, words[cell + 1]! - 1)).toString())
      })
    })
  }

  it('takes rows out in which every cell is empty, in quotes or not, wherever they stand', () => {
    const cell = fc.constantFrom('', '', '""', 'a', '","', '""""', '"\n"', ' ', '0')
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }).chain((width) =>
          fc.record({
            width: fc.constant(width),
            rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 12 }),
            end: fc.constantFrom('\n', '\r\n'),
          }),
        ),
        ({ width, rows, end }) => {
          const text = rows.map((row) => row.join(',') + end).join('')
          expect(keep(text, width)).toEqual(rows.filter((row) => row.some((raw) => raw !== '' && raw !== '""')))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('keeps a row whose only content is delimiters and quotes', () => {
    expect(keep('",",\n', 2)).toEqual([['","', '']])
    expect(keep(',""""\n,\n"",""\n', 2)).toEqual([['', '""""']])
    expect(keep('""\n","\n""""\n', 1)).toEqual([['","'], ['""""']])
  })

  it('refuses a row that is longer than it may be, wherever it stands', () => {
    // Near the limit csv-parse decides: it looks ahead.
    const row = `${'x'.repeat(20)},${'y'.repeat(20)}`
    expect(keep(`a,b\n${row}\n`, 2, row.length + 8)).toHaveLength(2)
    expect(keep(`a,b\n${row}\n`, 2, row.length + 7)).toBeNull()
    expect(keep(`${row}\na,b\n`, 2, row.length + 7)).toBeNull()
  })

  it('has nothing to say of no rows', () => {
    expect(keep('', 3)).toEqual([])
    expect(keep(',,\n,,\n', 3)).toEqual([])
  })
})
