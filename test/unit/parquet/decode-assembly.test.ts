import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { isIntakeError } from '../../../src/errors.js'
import { decodeCodes, decodeLevels } from '../../../src/parquet/decode-hybrid.js'
import { preamble, SNAPPY_SLACK_BYTES, snappyDecompress, snappyLength } from '../../../src/parquet/decode-snappy.js'
import { compiledFunctions } from './verifier-forms.js'

let functions: Awaited<ReturnType<typeof compiledFunctions>>['functions']
let u8: Uint8Array
beforeAll(async () => {
  ;({ functions, u8 } = await compiledFunctions())
})

const INPUT = 100_000
const OUTPUT = 2_000_000
/** What stores may reach behind their output; beyond it they must not. */
const SLACK = 128
const GUARD = 4096

/** Lays bytes among what was there before, for whatever lies behind them must not matter. */
function lay(bytes: Uint8Array): void {
  u8.set(bytes, INPUT)
}

/** Runs a function that writes up to `sizeBytes` at OUTPUT, and sees that nothing else changes. */
function guarded(sizeBytes: number, run: () => number): number {
  const before = u8.slice(OUTPUT - GUARD, OUTPUT)
  const behind = u8.slice(OUTPUT + sizeBytes + SLACK, OUTPUT + sizeBytes + SLACK + GUARD)
  const result = run()
  expect(Buffer.compare(u8.subarray(OUTPUT - GUARD, OUTPUT), before)).toBe(0)
  expect(Buffer.compare(u8.subarray(OUTPUT + sizeBytes + SLACK, OUTPUT + sizeBytes + SLACK + GUARD), behind)).toBe(0)
  return result
}

function refusedOr<T>(run: () => T): T | 'refused' {
  try {
    return run()
  } catch (error) {
    if (isIntakeError(error, 'PARQUET_INVALID')) return 'refused'
    throw error
  }
}

describe('inflate', () => {
  const compiled = (stream: Uint8Array): Uint8Array | 'refused' => {
    const length = refusedOr(() => snappyLength(stream))
    if (length === 'refused') return length
    lay(stream)
    const result = guarded(length, () => functions.inflate(INPUT + preamble(stream)[1], INPUT + stream.length, OUTPUT, length))
    return result < 0 ? 'refused' : u8.slice(OUTPUT, OUTPUT + length)
  }
  const typescript = (stream: Uint8Array): Uint8Array | 'refused' =>
    refusedOr(() => {
      const length = snappyLength(stream)
      const out = new Uint8Array(length + SNAPPY_SLACK_BYTES)
      snappyDecompress(stream, out)
      return out.subarray(0, length)
    })
  const expectSame = (stream: Uint8Array): 'refused' | 'read' => {
    const [ours, theirs] = [compiled(stream), typescript(stream)]
    if (ours === 'refused' || theirs === 'refused') expect(ours).toBe(theirs)
    else expect(Buffer.compare(ours, theirs)).toBe(0)
    return theirs === 'refused' ? 'refused' : 'read'
  }

  type Element = readonly [kind: number, size: number, back: number]
  /** Any stream of the format; kinds 1 to 3 are copies, others literals. */
  const streamOf = (elements: readonly Element[]): Uint8Array => {
    const body: number[] = []
    let length = 0
    for (const [kind, size, back] of elements) {
      if (kind >= 1 && kind <= 3 && length > 0) {
        const offset = 1 + (back % Math.min(length, kind === 1 ? 2047 : 65_535))
        const n = kind === 1 ? 4 + (size % 8) : 1 + (size % 64)
        if (kind === 1) body.push(1 | ((n - 4) << 2) | ((offset >> 8) << 5), offset & 255)
        else body.push(kind | ((n - 1) << 2), offset & 255, offset >> 8, ...(kind === 3 ? [0, 0] : []))
        length += n
      } else {
        const n = 1 + (size % 150)
        const bytes = kind > 4 ? kind - 4 : n > 60 ? 1 : 0
        body.push(bytes === 0 ? (n - 1) << 2 : (59 + bytes) << 2)
        for (let b = 0; b < bytes; b++) body.push(b === 0 ? n - 1 : 0)
        for (let i = 0; i < n; i++) body.push((length + i * back) & 255)
        length += n
      }
    }
    const head: number[] = []
    for (let rest = length; ; rest >>>= 7) {
      head.push(rest > 127 ? (rest & 127) | 128 : rest)
      if (rest <= 127) break
    }
    return Uint8Array.from([...head, ...body])
  }
  // Many more copies than literals, near and far: all ways through the loop, and over its ends.
  const elements = fc.array(fc.tuple(fc.constantFrom(0, 1, 1, 2, 2, 3, 5, 6, 7, 8), fc.nat(149), fc.oneof(fc.nat(40), fc.nat(3000))), {
    minLength: 1,
    maxLength: 90,
  })

  test('gives what the TypeScript form gives, for any stream, and writes nowhere else', () => {
    fc.assert(
      fc.property(elements, (list) => {
        expect(expectSame(streamOf(list))).toBe('read')
      }),
      { numRuns: 1500 },
    )
  })

  test('refuses what the TypeScript form refuses', () => {
    fc.assert(
      fc.property(elements, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }), fc.nat(3), (list, changes, cut) => {
        const stream = streamOf(list)
        for (const [at, value] of changes) stream[at % stream.length] = value
        expectSame(stream.subarray(0, Math.max(1, stream.length - cut)))
      }),
      { numRuns: 3000 },
    )
  })

  test('refuses lengths and offsets that wrap around', () => {
    for (const body of [
      [63 << 2, 255, 255, 255, 255, 1, 2, 3],
      [63 << 2, 254, 255, 255, 255, 1, 2, 3],
      [0, 65, 3 | (3 << 2), 255, 255, 255, 255],
      [0, 65, 3 | (3 << 2), 0, 0, 0, 128],
      [0, 65, 2 | (3 << 2), 0, 0],
    ])
      expect(compiled(Uint8Array.of(5, ...body))).toBe('refused')
  })
})

describe('the hybrid', () => {
  /** Runs of both kinds, of values of any width; the last packed group may have values that do not count. */
  const runs = (width: number) =>
    fc.array(
      fc.oneof(
        fc.tuple(fc.constant(true), fc.integer({ min: 1, max: 9 }), fc.uint8Array({ minLength: 9 * width, maxLength: 9 * width })),
        fc.tuple(fc.constant(false), fc.integer({ min: 1, max: 40 }), fc.uint8Array({ minLength: 4, maxLength: 4 })),
      ),
      { minLength: 1, maxLength: 8 },
    )
  const streamOf = (width: number, list: readonly (readonly [boolean, number, Uint8Array])[]): { bytes: Uint8Array; values: number } => {
    const out: number[] = []
    let values = 0
    for (const [packed, count, bytes] of list) {
      out.push((count << 1) | (packed ? 1 : 0), ...bytes.subarray(0, packed ? count * width : (width + 7) >> 3))
      values += packed ? count * 8 : count
    }
    return { bytes: Uint8Array.from(out), values }
  }

  const expectSameCodes = (bytes: Uint8Array, width: number, count: number): void => {
    lay(bytes)
    const result = guarded(count * 4, () => functions.decodeCodes(INPUT, INPUT + bytes.length, width, count, OUTPUT))
    const theirs = new Int32Array(count)
    const read = refusedOr(() => decodeCodes(bytes, 0, bytes.length, width, count, theirs))
    expect(result < 0).toBe(read === 'refused')
    if (result === 0) expect(Buffer.compare(u8.subarray(OUTPUT, OUTPUT + count * 4), Buffer.from(theirs.buffer))).toBe(0)
  }

  test('codes of every width, sound and damaged', () => {
    for (let width = 0; width <= 32; width++) {
      fc.assert(
        fc.property(runs(width), fc.nat(7), fc.option(fc.tuple(fc.nat(), fc.nat(255))), fc.nat(2), (list, short, change, cut) => {
          const { bytes, values } = streamOf(width, list)
          expectSameCodes(bytes, width, values)
          expectSameCodes(bytes, width, Math.max(0, values - short))
          if (change !== null) bytes[change[0] % bytes.length] = change[1]
          expectSameCodes(bytes.subarray(0, bytes.length - cut), width, values)
        }),
        { numRuns: 60 },
      )
    }
  })

  test('levels, sound and damaged, with the number of rows that are present', () => {
    const expectSame = (bytes: Uint8Array, rows: number): void => {
      lay(bytes)
      u8.fill(7, OUTPUT, OUTPUT + rows)
      const result = guarded(rows, () => functions.decodeLevels(INPUT, INPUT + bytes.length, rows, OUTPUT))
      const theirs = new Uint8Array(rows)
      const present = refusedOr(() => decodeLevels(bytes, 0, bytes.length, rows, theirs))
      expect(result < 0 ? 'refused' : result).toBe(present)
      // Where no row is missing nobody looks at them.
      if (result >= 0 && result < rows) expect(Buffer.compare(u8.subarray(OUTPUT, OUTPUT + rows), theirs)).toBe(0)
    }
    fc.assert(
      fc.property(runs(1), fc.nat(7), fc.option(fc.tuple(fc.nat(), fc.nat(255))), fc.nat(2), (list, short, change, cut) => {
        const levels = list.map(([packed, count, bytes]) => [packed, count, packed ? bytes : Uint8Array.of(bytes[0]! & 1)] as const)
        const { bytes, values } = streamOf(1, levels)
        expectSame(bytes, values)
        expectSame(bytes, Math.max(0, values - short))
        if (change !== null) bytes[change[0] % bytes.length] = change[1]
        expectSame(bytes.subarray(0, bytes.length - cut), values)
      }),
      { numRuns: 2000 },
    )
    for (const rows of [1, 8, 20_000])
      expectSame(Uint8Array.of(((rows << 1) & 127) | 128, (((rows << 1) >> 7) & 127) | 128, (rows << 1) >> 14, 1), rows)
  })
})
