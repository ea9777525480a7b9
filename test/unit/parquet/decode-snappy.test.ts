import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { snappyUncompress } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { isIntakeError } from '../../../src/errors.js'
import { SNAPPY_SLACK_BYTES, snappyDecompress, snappyLength } from '../../../src/parquet/decode-snappy.js'
import { snappyCompress } from './plain-encoders.js'

const CANARY = 0xa5

/** Decompresses into memory that is dirty and has a guard behind the slack. */
function unpack(stream: Uint8Array): Uint8Array {
  const length = snappyLength(stream)
  const memory = new Uint8Array(length + SNAPPY_SLACK_BYTES + 64).fill(CANARY)
  snappyDecompress(stream, memory.subarray(0, length + SNAPPY_SLACK_BYTES))
  expect(memory.subarray(length + SNAPPY_SLACK_BYTES).every((byte) => byte === CANARY)).toBe(true)
  return memory.subarray(0, length)
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

type Element = { literal: Uint8Array; sizeBytes: number } | { back: number; size: number; offsetBytes: 1 | 2 | 4 }

/** Writes any stream that the format allows, not only those that our compressor makes; offsets are wrapped into what is there. */
function streamOf(elements: readonly Element[]): { stream: Uint8Array; bytes: Uint8Array } {
  const out: number[] = []
  const body: number[] = []
  for (const element of elements) {
    if ('literal' in element) {
      const { literal, sizeBytes } = element
      const size = literal.length - 1
      if (size < 60 && sizeBytes === 0) body.push(size << 2)
      else {
        const bytes = Math.max(sizeBytes, size < 256 ? 1 : 2)
        body.push((59 + bytes) << 2)
        for (let b = 0; b < bytes; b++) body.push(Math.floor(size / 256 ** b) % 256)
      }
      body.push(...literal)
      out.push(...literal)
    } else if (out.length > 0) {
      const { offsetBytes } = element
      const offset = 1 + (element.back % Math.min(out.length, offsetBytes === 1 ? 2047 : 65_535))
      const size = offsetBytes === 1 ? 4 + (element.size % 8) : 1 + (element.size % 64)
      if (offsetBytes === 1) body.push(1 | ((size - 4) << 2) | ((offset >> 8) << 5), offset & 0xff)
      else {
        body.push((offsetBytes === 2 ? 2 : 3) | ((size - 1) << 2))
        for (let b = 0; b < offsetBytes; b++) body.push((offset >> (8 * b)) & 0xff)
      }
      for (let i = 0; i < size; i++) out.push(out[out.length - offset]!)
    }
  }
  return { stream: Uint8Array.from([...varint(out.length), ...body]), bytes: Uint8Array.from(out) }
}

const elementArbitrary: fc.Arbitrary<Element> = fc.oneof(
  fc.record({ literal: fc.uint8Array({ minLength: 1, maxLength: 90 }), sizeBytes: fc.constantFrom(0, 0, 0, 1, 2, 3, 4) }),
  fc.record({ back: fc.nat(5000), size: fc.nat(63), offsetBytes: fc.constantFrom(1 as const, 2 as const, 4 as const) }),
  // Close behind: overlapping copies of every small distance.
  fc.record({ back: fc.nat(9), size: fc.nat(63), offsetBytes: fc.constantFrom(1 as const, 2 as const) }),
)

describe('every stream of the format is read', () => {
  test('also those that our compressor never makes', () => {
    fc.assert(
      fc.property(fc.array(elementArbitrary, { maxLength: 40 }), (elements) => {
        const { stream, bytes } = streamOf(elements)
        expect(Buffer.compare(unpack(stream), bytes)).toBe(0)
        // hyparquet wants a few bytes behind a long literal's size, so it gets a stream that goes on.
        const longer = streamOf([...elements, { literal: new Uint8Array(9), sizeBytes: 0 }])
        const theirs = new Uint8Array(longer.bytes.length)
        snappyUncompress(longer.stream, theirs)
        expect(Buffer.compare(theirs, longer.bytes)).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  test('what our compressor makes of text, noise and repetition, of every length around its borders', () => {
    const noise = new Uint8Array(randomBytes(140_000))
    for (const length of [0, 1, 4, 8, 15, 16, 47, 48, 49, 59, 60, 61, 64, 65, 255, 256, 257, 65_535, 65_536, 65_537, 131_073, 140_000]) {
      for (const bytes of [noise.subarray(0, length), new Uint8Array(length).fill(7), noise.subarray(0, length).map((b) => b % 3)])
        expect(Buffer.compare(unpack(snappyCompress(bytes)), bytes)).toBe(0)
    }
  })
})

describe('a damaged stream', () => {
  const outcome = (stream: Uint8Array): Uint8Array | 'refused' => {
    try {
      return unpack(stream)
    } catch (error) {
      if (isIntakeError(error, 'PARQUET_INVALID')) return 'refused'
      throw error
    }
  }

  test('is refused or gives as many bytes as it promises, and writes nowhere else', () => {
    fc.assert(
      fc.property(
        fc.array(elementArbitrary, { minLength: 1, maxLength: 15 }),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (elements, where, value) => {
          const { stream } = streamOf(elements)
          const copy = stream.slice()
          copy[where % copy.length] = value
          const result = outcome(copy)
          if (result !== 'refused') expect(result.length).toBe(snappyLength(copy))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is refused wherever it is cut', () => {
    const { stream } = streamOf([
      { literal: new Uint8Array(70).fill(1), sizeBytes: 1 },
      { back: 5, size: 9, offsetBytes: 1 },
      { back: 50, size: 60, offsetBytes: 2 },
      { back: 3, size: 60, offsetBytes: 4 },
      { literal: new Uint8Array(5).fill(2), sizeBytes: 0 },
    ])
    for (let length = 0; length < stream.length; length++) expect(outcome(stream.slice(0, length)), `${length}`).toBe('refused')
    expect(outcome(Uint8Array.of(...stream, 0))).toBe('refused')
  })

  test('is refused when a copy points before the beginning, or nowhere', () => {
    for (const body of [
      [2 | (3 << 2), 1, 0],
      [0, 65, 2 | (3 << 2), 2, 0],
      [0, 65, 2 | (3 << 2), 0, 0],
      [0, 65, 3 | (3 << 2), 1, 0, 0, 0x80],
      [0, 65, 3 | (3 << 2), 255, 255, 255, 255],
      [0, 65, 1, 0],
    ])
      expect(outcome(Uint8Array.of(5, ...body)), body.join()).toBe('refused')
    expect(outcome(Uint8Array.of(5, 0, 65, 2 | (3 << 2), 1, 0))).toEqual(new Uint8Array(5).fill(65))
  })

  test('that promises more than it can hold reserves nothing', () => {
    for (const promise of [varint(2 ** 32 - 1), varint(2 ** 34), [255, 255, 255, 255, 255], varint(1_000_000)])
      expect(() => snappyLength(Uint8Array.from([...promise, 0, 65]))).toThrow('Not a sound Parquet file')
    for (const nothing of [[], [128], [255, 255, 255, 255]])
      expect(() => snappyLength(Uint8Array.from(nothing))).toThrow('a snappy stream without a length')
  })
})
