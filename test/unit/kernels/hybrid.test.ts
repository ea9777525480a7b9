import fc from 'fast-check'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
import { describe, expect, test } from 'vitest'
import { encodeHybrid } from '../parquet/plain-encoders.js'

/** Straight from parquet-format's Encodings.md, with bigints so that no width is special. */
function decode(bytes: Uint8Array, bitWidth: number, count: number): number[] {
  const out: number[] = []
  let at = 0
  while (out.length < count) {
    let header = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      header += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    if (header % 2 === 1) {
      const size = ((header - 1) / 2) * bitWidth
      const packed = BigInt(
        `0x${Buffer.from(bytes.subarray(at, at + size))
          .reverse()
          .toString('hex')}`,
      )
      for (let i = 0n; i < BigInt(size * 8) / BigInt(bitWidth); i++)
        out.push(Number(BigInt.asUintN(bitWidth, packed >> (i * BigInt(bitWidth)))))
      at += size
    } else {
      const width = Math.ceil(bitWidth / 8)
      const value = Buffer.from(bytes).readUIntLE(at, width)
      at += width
      for (let i = 0; i < header / 2; i++) out.push(value)
    }
  }
  expect(at).toBe(bytes.length)
  // A last group may hold up to seven values more, all of them padding.
  expect(out.length - count).toBeLessThan(8)
  for (const extra of out.splice(count)) expect(extra).toBe(0)
  return out
}

describe('run-length and bit-packed encoding', () => {
  test('decodes to the same values at every width from 1 to 32', () => {
    for (let width = 1; width <= 32; width++) {
      const max = 2 ** width - 1
      const value = fc.oneof(
        fc.integer({ min: 0, max: 1000 }).map((n) => n % (max + 1)),
        fc.constantFrom(0, 1, max),
        fc.nat().map((n) => n % (max + 1)),
      )
      // Runs of any length beside single values: run borders, lent values and padding all come up.
      const runs = fc.array(fc.tuple(value, fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 }))), { maxLength: 30 })
      fc.assert(
        fc.property(runs, (pieces) => {
          const values = Uint32Array.from(pieces.flatMap(([v, n]) => new Array<number>(n).fill(v)))
          expect(decode(encodeHybrid(values, 0, values.length, width), width, values.length)).toEqual([...values])
        }),
        { numRuns: 40 },
      )
    }
  })

  test('hyparquet decodes it at the widths that dictionaries have', () => {
    for (let width = 1; width <= 20; width++) {
      const values = Uint32Array.from({ length: 1003 }, (_, i) => (i % 90 < 50 ? 2 ** width - 1 : (i * 7919) % 2 ** width))
      const bytes = encodeHybrid(values, 0, values.length, width)
      const out = new Array<number>(values.length)
      readRleBitPackedHybrid({ view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 }, width, out, bytes.length)
      expect(out).toEqual([...values])
    }
  })

  test('takes only the range it is given', () => {
    const values = Uint8Array.of(1, 1, 0, 1, 0, 0, 1, 1)
    expect(decode(encodeHybrid(values, 2, 6, 1), 1, 4)).toEqual([0, 1, 0, 0])
    expect(encodeHybrid(values, 3, 3, 1)).toEqual(new Uint8Array(0))
  })

  test('a long run takes a few bytes, and alternating values take their bits', () => {
    expect(encodeHybrid(new Uint32Array(1_000_000).fill(5), 0, 1_000_000, 3).length).toBeLessThanOrEqual(5)
    const alternating = Uint32Array.from({ length: 8000 }, (_, i) => i & 1)
    expect(encodeHybrid(alternating, 0, 8000, 1).length).toBeLessThanOrEqual(1000 + 2)
  })
})
