import { gunzipSync } from 'node:zlib'
import { snappyUncompress } from 'hyparquet'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { type Compression, compressPage } from '../../../src/parquet/compress-page.js'
import { SNAPPY_SLACK_BYTES, snappyDecompress } from '../../../src/parquet/decode-snappy.js'
import { loadBothForms, scratch, soil } from '../kernels/both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

function compressIn(kernels: Kernels, compression: Compression, bytes: Uint8Array): Uint8Array {
  return scratch(kernels, () => {
    const page = soil(kernels, bytes.length, bytes.length + 1)
    kernels.u8.set(bytes, page)
    const mark = kernels.mark()
    const packed = compressPage(compression, kernels, page, bytes.length).slice()
    expect(kernels.mark()).toBe(mark)
    expect(Buffer.compare(kernels.u8.subarray(page, page + bytes.length), bytes)).toBe(0)
    return packed
  })
}

const unpack: Record<Exclude<Compression, 'ZSTD'>, (packed: Uint8Array, length: number) => Uint8Array> = {
  NONE: (packed) => packed,
  GZIP: (packed) => gunzipSync(packed),
  SNAPPY: (packed, length) => {
    const out = new Uint8Array(length)
    snappyUncompress(packed, out)
    return out
  },
}

describe('a page', () => {
  test('is what it was when it is unpacked, and the same in both forms', () => {
    for (const length of [1, 2, 15, 16, 17, 1000, 65_536, 65_537, 200_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * i) >>> 9)
      for (const compression of ['NONE', 'GZIP', 'SNAPPY'] as const) {
        const [first, second] = forms.map((kernels) => compressIn(kernels, compression, bytes))
        expect(Buffer.compare(first!, second!)).toBe(0)
        expect(Buffer.compare(unpack[compression](first!, length), bytes)).toBe(0)
      }
    }
  })

  test('that is stored in the format of Snappy is what it was, a few bytes longer', () => {
    for (const length of [0, 1, 60, 127, 128, 65_536, 65_537, 200_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * i) >>> 9)
      const [first, second] = forms.map((kernels) =>
        scratch(kernels, () => {
          const page = soil(kernels, bytes.length + 8, 3)
          kernels.u8.set(bytes, page)
          return compressPage('SNAPPY', kernels, page, bytes.length, 'nowhere').slice()
        }),
      )
      expect(Buffer.compare(first!, second!)).toBe(0)
      expect(first!.length).toBeLessThanOrEqual(length + 8)
      expect(Buffer.compare(unpack.SNAPPY(first!, length), bytes)).toBe(0)
      const own = new Uint8Array(length + SNAPPY_SLACK_BYTES)
      snappyDecompress(first!, own)
      expect(Buffer.compare(own.subarray(0, length), bytes)).toBe(0)
    }
  })

  test('does not say where or when it was compressed', () => {
    for (const kernels of forms) {
      const packed = compressIn(kernels, 'GZIP', Buffer.from('abc'))
      expect([...packed.subarray(4, 8)]).toEqual([0, 0, 0, 0])
      expect(packed[9]).toBe(255)
      expect(gunzipSync(packed).toString()).toBe('abc')
    }
  })
})
