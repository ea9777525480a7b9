import { crc32 } from 'node:zlib'
import types from '@dsnp/parquetjs/dist/gen-nodejs/parquet_types.js'
import { serializeThrift } from '@dsnp/parquetjs/dist/lib/util.js'
import { expect, test } from 'vitest'
import { ENCODING, encodePageHeader } from '../../../src/parquet/page-header.js'

test("page headers are byte for byte those of parquetjs's Thrift classes", () => {
  for (const length of [0, 1, 63, 64, 127, 128, 8191, 8192, 100_000]) {
    for (const values of [0, 1, 63, 64, 20_000, 2 ** 31 - 1]) {
      const body = new Uint8Array(length).fill(length & 0xff)
      const common = { uncompressed_page_size: length * 3, compressed_page_size: length, crc: crc32(body) | 0 }
      for (const encoding of ['PLAIN', 'RLE_DICTIONARY'] as const) {
        const header = new types.PageHeader({
          ...common,
          type: types.PageType.DATA_PAGE,
          data_page_header: new types.DataPageHeader({
            num_values: values,
            encoding: ENCODING[encoding] as number,
            definition_level_encoding: types.Encoding.RLE,
            repetition_level_encoding: types.Encoding.RLE,
          }),
        })
        expect(Buffer.from(encodePageHeader({ kind: 'data', encoding, values, uncompressedBytes: length * 3, body }))).toEqual(
          serializeThrift(header),
        )
      }
      const header = new types.PageHeader({
        ...common,
        type: types.PageType.DICTIONARY_PAGE,
        dictionary_page_header: new types.DictionaryPageHeader({ num_values: values, encoding: types.Encoding.PLAIN }),
      })
      expect(Buffer.from(encodePageHeader({ kind: 'dictionary', encoding: 'PLAIN', values, uncompressedBytes: length * 3, body }))).toEqual(
        serializeThrift(header),
      )
    }
  }
})

test('encoding numbers are those of parquet-format', () => {
  expect(ENCODING).toEqual({ PLAIN: types.Encoding.PLAIN, RLE: types.Encoding.RLE, RLE_DICTIONARY: types.Encoding.RLE_DICTIONARY })
})
