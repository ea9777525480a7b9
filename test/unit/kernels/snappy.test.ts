import { randomBytes } from 'node:crypto'
import { inflate } from '@dsnp/parquetjs/dist/lib/compression.js'
import fc from 'fast-check'
import { snappyUncompress } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { snappyCompress } from '../parquet/plain-encoders.js'
import { randomOf } from '../parquet/sample-vectors.js'

async function expectRoundTrip(bytes: Uint8Array): Promise<Uint8Array> {
  const packed = snappyCompress(bytes)
  const out = new Uint8Array(bytes.length)
  snappyUncompress(packed, out)
  expect(Buffer.compare(out, bytes)).toBe(0)
  if (bytes.length > 0) expect(Buffer.compare(await inflate('SNAPPY', Buffer.from(packed)), bytes)).toBe(0)
  return packed
}

describe('snappy', () => {
  test('two independent decoders give back any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 90 })), { maxLength: 20 }),
        async (pieces) => {
          await expectRoundTrip(new Uint8Array(Buffer.concat(pieces.flatMap(([piece, times]) => new Array<Uint8Array>(times).fill(piece)))))
        },
      ),
    )
  })

  test('every length around literal and fragment borders, compressible or not', async () => {
    const noise = new Uint8Array(randomBytes(140_000))
    const lengths = [0, 1, 4, 14, 15, 16, 59, 60, 61, 62, 64, 65, 255, 256, 257, 258, 65_535, 65_536, 65_537, 131_072, 131_073, 140_000]
    for (const length of lengths) {
      await expectRoundTrip(noise.subarray(0, length))
      await expectRoundTrip(new Uint8Array(length).fill(7))
    }
    for (let match = 4; match < 200; match++) {
      await expectRoundTrip(new Uint8Array(Buffer.concat([noise.subarray(0, 300), noise.subarray(0, match), noise.subarray(300, 340)])))
    }
  })

  test('the same bytes give the same output whatever was compressed before', () => {
    const random = randomOf(3)
    const text = Uint8Array.from({ length: 100_000 }, () => 97 + Math.floor(random() * random() * 20))
    const first = snappyCompress(text)
    snappyCompress(new Uint8Array(randomBytes(300_000)))
    expect(Buffer.compare(snappyCompress(text), first)).toBe(0)
  })

  test('repetition becomes small, and noise hardly grows', () => {
    expect(snappyCompress(new Uint8Array(1_000_000)).length).toBeLessThan(50_000)
    expect(snappyCompress(new Uint8Array(randomBytes(1_000_000))).length).toBeLessThan(1_001_000)
  })
})
