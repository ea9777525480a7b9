import fc from 'fast-check'
import { snappyUncompress } from 'hyparquet'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { hybridBound, type Kernels, snappyBound } from '../../../src/kernels/kernels.js'
import { encodeHybrid, snappyCompress } from '../parquet/plain-encoders.js'
import { bytesAt, layFields, loadBothForms, scratch, soil } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

function hybrid(kernels: Kernels, values: readonly number[], valueBytes: 1 | 4, width: number): Uint8Array {
  return scratch(kernels, () => {
    const at = kernels.allocate(values.length * valueBytes)
    if (valueBytes === 1) kernels.u8.set(values, at)
    else kernels.u32.set(values, at >>> 2)
    const bound = hybridBound(values.length, width)
    const out = soil(kernels, bound)
    const length = kernels.encodeHybrid(at, valueBytes, values.length, width, out)
    expect(length).toBeLessThanOrEqual(bound)
    return bytesAt(kernels, out, length)
  })
}

const runs = (max: number): fc.Arbitrary<number[]> =>
  fc
    .array(
      fc.tuple(fc.oneof(fc.constantFrom(0, max), fc.integer({ min: 0, max })), fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 70 }))),
      { maxLength: 30 },
    )
    .map((pieces) => pieces.flatMap(([value, times]) => new Array<number>(times).fill(value)))

describe('encodeHybrid', () => {
  it('gives the bytes of the encoder over arrays at every width, over soiled memory', () => {
    for (let width = 1; width <= 32; width++) {
      fc.assert(
        fc.property(runs(2 ** width - 1), (values) => {
          const expected = Buffer.from(encodeHybrid(Uint32Array.from(values), 0, values.length, width))
          for (const kernels of forms) expect(Buffer.compare(hybrid(kernels, values, 4, width), expected), kernels.name).toBe(0)
          if (width > 8) return
          for (const kernels of forms) expect(Buffer.compare(hybrid(kernels, values, 1, width), expected), kernels.name).toBe(0)
        }),
        { numRuns: 60 },
      )
    }
  })

  it('is read back by hyparquet', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }).chain((width) => fc.tuple(fc.constant(width), runs(2 ** width - 1))),
        ([width, values]) => {
          for (const kernels of forms) {
            const bytes = hybrid(kernels, values, 4, width)
            const out = new Array<number>(values.length)
            readRleBitPackedHybrid(
              { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 },
              width,
              out,
              bytes.length,
            )
            expect(out).toEqual(values)
          }
        },
      ),
    )
  })
})

describe('packBits', () => {
  it('packs from the lowest bit, with zeros after the last value, and touches nothing behind', () => {
    for (let width = 1; width <= 32; width++) {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: 2 ** width - 1 }), { maxLength: 40 }), (values) => {
          let bits = 0n
          values.forEach((value, i) => {
            bits |= BigInt(value) << BigInt(i * width)
          })
          const length = Math.ceil(values.length / 8) * width
          for (const kernels of forms) {
            scratch(kernels, () => {
              const codes = kernels.allocate(values.length * 4)
              kernels.u32.set(values, codes >>> 2)
              const out = soil(kernels, length + 4)
              const behind = bytesAt(kernels, out + length, 4)
              expect(kernels.packBits(codes, values.length, width, out)).toBe(length)
              const hex = Buffer.from(bytesAt(kernels, out, length))
                .reverse()
                .toString('hex')
              expect(hex === '' ? 0n : BigInt(`0x${hex}`)).toBe(bits)
              expect(bytesAt(kernels, out + length, 4)).toEqual(behind)
            })
          }
        }),
        { numRuns: 30 },
      )
    }
  })
})

type Packer = (kernels: Kernels, source: number, length: number, out: number) => number

const anywhere: Packer = (kernels, source, length, out) => kernels.snappyCompress(source, length, out)

function compress(kernels: Kernels, bytes: Uint8Array, packer: Packer): Uint8Array {
  return scratch(kernels, () => {
    const source = soil(kernels, bytes.length)
    kernels.u8.set(bytes, source)
    const bound = snappyBound(bytes.length)
    const out = soil(kernels, bound)
    const behind = bytesAt(kernels, out + bound, 32)
    const length = packer(kernels, source, bytes.length, out)
    expect(length).toBeLessThanOrEqual(bound)
    expect(bytesAt(kernels, out + bound, 32)).toEqual(behind)
    return bytesAt(kernels, out, length)
  })
}

function expectSnappy(bytes: Uint8Array): void {
  const expected = snappyCompress(bytes)
  for (const kernels of forms) {
    const packed = compress(kernels, bytes, anywhere)
    expect(Buffer.compare(packed, expected), kernels.name).toBe(0)
    const unpacked = new Uint8Array(bytes.length)
    snappyUncompress(packed, unpacked)
    expect(Buffer.compare(unpacked, bytes)).toBe(0)
  }
}

describe('snappyCompress', () => {
  const block = fc
    .tuple(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 20 }))
    .map(([bytes, times]) => Buffer.concat(new Array<Uint8Array>(times).fill(bytes)))

  it('gives the bytes of the compressor over arrays, and they unpack', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), (blocks) => {
        expectSnappy(Buffer.concat(blocks))
      }),
      { numRuns: 300 },
    )
  })

  it('does so at every short length and around the fragments of 64 KB', () => {
    let state = 7
    const noise = Buffer.alloc(140_000)
    for (let i = 0; i < noise.length; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      noise[i] = state >>> 16
    }
    const text = Buffer.from(Array.from({ length: 9000 }, (_, i) => `row ${i % 977}, `).join(''))
    for (let length = 0; length < 140; length++) {
      expectSnappy(noise.subarray(0, length))
      expectSnappy(text.subarray(0, length))
      expectSnappy(Buffer.alloc(length, 0x61))
    }
    for (const length of [255, 256, 257, 65_535, 65_536, 65_537, 65_550, 65_551, 131_072]) {
      expectSnappy(noise.subarray(0, length))
      expectSnappy(text.subarray(0, length))
      expectSnappy(Buffer.alloc(length))
    }
  })
})

/** Both forms give the same bytes, and those unpack. Returns how many they are. */
function expectPacked(bytes: Uint8Array, packer: Packer): number {
  const [first, second] = forms.map((kernels) => compress(kernels, bytes, packer))
  expect(Buffer.compare(first!, second!)).toBe(0)
  const unpacked = new Uint8Array(bytes.length)
  snappyUncompress(first!, unpacked)
  expect(Buffer.compare(unpacked, bytes)).toBe(0)
  return first!.length
}

describe('snappyFixed and snappyTexts', () => {
  const fixed =
    (first: number): Packer =>
    (kernels, source, length, out) =>
      kernels.snappyFixed(source, length, first, out)
  const texts =
    (first: number): Packer =>
    (kernels, source, length, out) =>
      kernels.snappyTexts(source, length, first, out)
  const plain = (values: readonly string[]): Buffer =>
    Buffer.concat(
      values.flatMap((value) => {
        const length = Buffer.alloc(4)
        length.writeUInt32LE(Buffer.byteLength(value))
        return [length, Buffer.from(value)]
      }),
    )
  const longs = (count: number, of: (i: number) => bigint): Buffer => {
    const out = Buffer.alloc(count * 8)
    for (let i = 0; i < count; i++) out.writeBigInt64LE(of(i), i * 8)
    return out
  }

  it('give the same bytes in both forms, and they unpack: values of eight bytes behind anything', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 12 }),
        fc.nat(7),
        fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 40n }), fc.integer({ min: 1, max: 40 })), { maxLength: 30 }),
        (head, phase, runs) => {
          const values = runs.flatMap(([start, count]) => Array.from({ length: count }, (_, i) => start + BigInt(i * i)))
          const bytes = Buffer.concat([head, longs(values.length, (i) => values[i]!)])
          expectPacked(bytes, fixed(head.length + phase))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('do so with texts, also where the last one is cut off', () => {
    const value = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.tuple(fc.constantFrom('sample-', 'x', ''), fc.nat(99_999)).map(([before, n]) => `${before}${n}`),
      fc.tuple(fc.string({ maxLength: 9 }), fc.constantFrom('@site.test', ' 1234567', ' kPa')).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.array(value, { maxLength: 80 }), fc.nat(30), (head, values, cut) => {
        const bytes = Buffer.concat([head, plain([...values, ...values.slice(0, 9)])])
        expectPacked(bytes, texts(head.length))
        expectPacked(bytes.subarray(0, Math.max(head.length, bytes.length - cut)), texts(head.length))
      }),
      { numRuns: 300 },
    )
  })

  it('do so whatever the bytes are: what is taken for a length may be none', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 4, 255), { maxLength: 400 }), fc.nat(9), (words, first) => {
        const bytes = Uint8Array.from(words)
        if (first > bytes.length) return
        expectPacked(bytes, fixed(first))
        expectPacked(bytes, texts(first))
      }),
      { numRuns: 300 },
    )
  })

  it('reach back 65,535 bytes and no farther', () => {
    const one = longs(1, () => 0x0102030405060708n)
    for (const between of [65_519, 65_520, 65_521, 65_527, 65_528, 65_536]) {
      const far = Buffer.concat([one, Buffer.alloc(between, 0xee), one, Buffer.alloc(32, 0x11)])
      for (const packer of [anywhere, fixed(0), texts(0)]) expectPacked(far, packer)
    }
    expectPacked(Buffer.alloc(300_000), fixed(0))
    expectPacked(Buffer.alloc(300_000), texts(0))
  })

  it('find what is common to values that follow each other', () => {
    expect(
      expectPacked(
        longs(10_000, (i) => 4_000_000_000n + BigInt(i)),
        fixed(1),
      ),
    ).toBeLessThan(45_000)
    const ids = Array.from({ length: 5000 }, (_, i) => `site-${10_000 + i}`)
    expect(expectPacked(plain(ids), texts(0))).toBeLessThan(plain(ids).length * 0.65)
    const random = Array.from({ length: 5000 }, (_, i) => ((Math.imul(i, 0x9e3779b1) >>> 0) + 2 ** 32).toString(36).slice(-6))
    const ends = random.map((id) => `${id}@laboratory.test`)
    expect(expectPacked(plain(ends), texts(0))).toBeLessThan(plain(ends).length * 0.75)
  })
})

describe('copyTexts', () => {
  interface Copied {
    readonly done: number
    readonly texts: string[]
    readonly validity: number[]
  }

  function copy(kernels: Kernels, fields: readonly string[], base: number, capacity: number): Copied {
    return scratch(kernels, () => {
      const laid = layFields(kernels, fields)
      const data = soil(kernels, capacity + 32)
      const before = bytesAt(kernels, data, base)
      const behind = bytesAt(kernels, data + capacity, 32)
      const offsets = kernels.allocate(fields.length * 4 + 4)
      kernels.u32[offsets >>> 2] = base
      const validity = kernels.allocate(fields.length + 1)
      const done = kernels.copyTexts(laid.fields, laid.stride, 1, laid.rows, 34, data, base, capacity, offsets + 4, validity)
      expect(bytesAt(kernels, data, base)).toEqual(before)
      expect(bytesAt(kernels, data + capacity, 32)).toEqual(behind)
      const at = (row: number): number => data + kernels.u32[(offsets >>> 2) + row]!
      return {
        done,
        texts: Array.from({ length: done }, (_, row) => Buffer.from(kernels.u8.subarray(at(row), at(row + 1))).toString()),
        validity: Array.from(kernels.u8.subarray(validity, validity + done)),
      }
    })
  }

  const text = fc
    .oneof(
      fc.string({ unit: 'binary', maxLength: 70 }),
      fc.string({ unit: fc.constantFrom('"', 'a', 'ö', '\n'), maxLength: 70 }),
      fc.integer({ min: 250, max: 280 }).map((length) => 'y'.repeat(length)),
      fc.constantFrom('', 'a', '"', '""', 'x"y', 'ö'.repeat(30), 'z'.repeat(16), 'z'.repeat(17)),
    )
    .map((t) => t.toWellFormed())

  it('copies what the fields say, until the room is used up and never beyond', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.boolean()), { maxLength: 30 }), fc.nat(9), fc.nat(60), (cells, base, spare) => {
        const texts = cells.map(([t]) => t)
        const fields = cells.map(([t, quoted]) => (quoted || t.startsWith('"') ? `"${t.replaceAll('"', '""')}"` : t))
        const total = texts.reduce((sum, t) => sum + Buffer.byteLength(t), base)
        for (const capacity of [total + spare, total, Math.max(base, total - spare)]) {
          let room = capacity - base
          const fitting = texts.findIndex((t) => {
            room -= Buffer.byteLength(t)
            return room < 0
          })
          const expected = fitting < 0 ? texts : texts.slice(0, fitting)
          for (const kernels of forms) {
            expect(copy(kernels, fields, base, capacity), kernels.name).toEqual({
              done: expected.length,
              texts: expected,
              validity: expected.map((t) => (t === '' ? 0 : 1)),
            })
          }
        }
      }),
      { numRuns: 400 },
    )
  })
})
