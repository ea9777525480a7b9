import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isIntakeError } from '../../../src/errors.js'
import { decodeCodes, decodeLevels } from '../../../src/parquet/decode-hybrid.js'
import { encodeHybrid } from './plain-encoders.js'

interface Run {
  readonly packed: boolean
  /** A repeated value, or values of groups of eight; the last group may be cut off by the number of values asked for. */
  readonly values: readonly number[]
}

function varint(value: number): number[] {
  const out: number[] = []
  let rest = value
  while (rest > 0x7f) {
    out.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return [...out, rest]
}

/** Any stream the format allows, straight from Encodings.md, with bigints so that no width is special. */
function streamOf(runs: readonly Run[], bitWidth: number): Uint8Array {
  const out: number[] = []
  for (const { packed, values } of runs) {
    if (packed) {
      const groups = Math.ceil(values.length / 8)
      out.push(...varint(groups * 2 + 1))
      let bits = 0n
      values.forEach((value, i) => {
        bits |= BigInt(value) << BigInt(i * bitWidth)
      })
      for (let b = 0; b < groups * bitWidth; b++) out.push(Number((bits >> BigInt(8 * b)) & 0xffn))
    } else {
      out.push(...varint(values.length * 2))
      for (let b = 0; b < Math.ceil(bitWidth / 8); b++) out.push(Math.floor(values[0]! / 256 ** b) % 256)
    }
  }
  return Uint8Array.from(out)
}

function runsArbitrary(bitWidth: number): fc.Arbitrary<Run[]> {
  const max = 2 ** bitWidth - 1
  const value = fc.oneof(
    fc.constantFrom(0, max, Math.min(1, max)),
    fc.double({ min: 0, max: 1, noNaN: true }).map((x) => Math.floor(x * max)),
  )
  const repeated = fc
    .tuple(value, fc.integer({ min: 1, max: 300 }))
    .map(([v, n]) => ({ packed: false, values: new Array<number>(n).fill(v) }))
  const packed = fc
    .integer({ min: 1, max: 9 })
    .chain((groups) => fc.array(value, { minLength: groups * 8, maxLength: groups * 8 }))
    .map((values) => ({ packed: true, values }))
  const last = fc.array(value, { minLength: 1, maxLength: 20 }).map((values) => ({ packed: true, values }))
  return fc.tuple(fc.array(fc.oneof(repeated, packed), { maxLength: 6 }), last).map(([runs, tail]) => [...runs, tail])
}

function codes(stream: Uint8Array, bitWidth: number, count: number): number[] {
  const out = new Int32Array(count + 8).fill(-7)
  decodeCodes(stream, 0, stream.length, bitWidth, count, out.subarray(0, count))
  expect([...out.subarray(count)]).toEqual(new Array(8).fill(-7))
  return [...out.subarray(0, count)].map((code) => code >>> 0)
}

describe('codes', () => {
  for (let width = 0; width <= 32; width++) {
    test(`of ${width} bits, in runs of both kinds`, () => {
      fc.assert(
        fc.property(runsArbitrary(width), (runs) => {
          const values = runs.flatMap((run) => run.values)
          expect(codes(streamOf(runs, width), width, values.length)).toEqual(values)
        }),
        { numRuns: 60 },
      )
    })
  }

  test('of our encoder, at every width and in long pages, with what earlier pages left behind', () => {
    for (let width = 1; width <= 32; width++) {
      for (const count of [1, 7, 8, 9, 20_000]) {
        const values = Uint32Array.from({ length: count }, (_, i) => (i % 97 < 50 ? 2 ** width - 1 : (i * 7919) % 2 ** width))
        const stream = encodeHybrid(values, 0, count, width)
        expect(codes(stream, width, count)).toEqual([...values])
      }
    }
  })

  test('at any place of a larger page', () => {
    const values = [5, 1, 7, 0, 3, 3, 2, 6, 4]
    const stream = streamOf([{ packed: true, values }], 3)
    for (let at = 0; at < 9; at++) {
      const page = new Uint8Array(stream.length + at + 20).fill(0xff)
      page.set(stream, at)
      const out = new Int32Array(9)
      decodeCodes(page, at, at + stream.length, 3, 9, out)
      expect([...out]).toEqual(values)
    }
  })
})

describe('levels', () => {
  test('come out as one byte a row, with their sum', () => {
    fc.assert(
      fc.property(runsArbitrary(1), (runs) => {
        const values = runs.flatMap((run) => run.values)
        const validity = new Uint8Array(values.length + 8).fill(9)
        const stream = streamOf(runs, 1)
        const present = decodeLevels(stream, 0, stream.length, values.length, validity.subarray(0, values.length))
        expect([...validity]).toEqual([...values, ...new Array(8).fill(9)])
        expect(present).toBe(values.reduce((a, b) => a + b, 0))
      }),
      { numRuns: 200 },
    )
  })
})

describe('damage', () => {
  const refused = (work: () => void): boolean => {
    try {
      work()
      return false
    } catch (error) {
      if (isIntakeError(error, 'PARQUET_INVALID')) return true
      throw error
    }
  }

  test('a stream that is cut, or goes on, is refused', () => {
    for (const width of [1, 3, 8, 16, 17, 32]) {
      const values = Array.from({ length: 43 }, (_, i) => i % 2)
      const stream = streamOf(
        [
          { packed: true, values: values.slice(0, 8) },
          { packed: false, values: new Array<number>(20).fill(1) },
          { packed: true, values: values.slice(0, 15) },
        ],
        width,
      )
      const out = new Int32Array(43)
      for (let end = 0; end < stream.length; end++) {
        expect(
          refused(() => decodeCodes(stream, 0, end, width, 43, out)),
          `${width} ${end}`,
        ).toBe(true)
        if (width === 1) expect(refused(() => decodeLevels(stream, 0, end, 43, new Uint8Array(43)))).toBe(true)
      }
      expect(refused(() => decodeCodes(stream, 0, stream.length, width, 43, out))).toBe(false)
      expect(refused(() => decodeCodes(stream, 0, stream.length, width, 8, out))).toBe(true)
    }
  })

  test('runs of nothing, headers that do not end, and runs that are too long are refused', () => {
    const out = new Int32Array(8)
    for (const stream of [[0, 5], [1], [0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 5], [0xff, 0xff, 0xff, 0xff, 0xff], [18, 1], []])
      expect(
        refused(() => decodeCodes(Uint8Array.from(stream), 0, stream.length, 3, 8, out)),
        stream.join(),
      ).toBe(true)
    expect(refused(() => decodeCodes(Uint8Array.of(16, 1), 0, 2, 33, 8, out))).toBe(true)
  })

  test('a level above one is refused', () => {
    expect(refused(() => decodeLevels(Uint8Array.of(16, 2), 0, 2, 8, new Uint8Array(8)))).toBe(true)
    expect(refused(() => decodeLevels(Uint8Array.of(16, 1), 0, 2, 8, new Uint8Array(8)))).toBe(false)
  })

  test('any bytes are refused or decoded, and nothing else happens', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 0, max: 32 }),
        fc.integer({ min: 0, max: 200 }),
        (bytes, width, count) => {
          refused(() => decodeCodes(bytes, 0, bytes.length, width, count, new Int32Array(count)))
          refused(() => decodeLevels(bytes, 0, bytes.length, count, new Uint8Array(count)))
        },
      ),
      { numRuns: 1000 },
    )
  })
})
