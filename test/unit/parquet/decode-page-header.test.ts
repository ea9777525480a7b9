import types from '@dsnp/parquetjs/dist/gen-nodejs/parquet_types.js'
import { serializeThrift } from '@dsnp/parquetjs/dist/lib/util.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isIntakeError } from '../../../src/errors.js'
import { decodePageHeader } from '../../../src/parquet/decode-page-header.js'

const dataHeader = (fields: Record<string, unknown> = {}, data: Record<string, unknown> = {}): Uint8Array =>
  new Uint8Array(
    serializeThrift(
      new types.PageHeader({
        type: types.PageType.DATA_PAGE,
        uncompressed_page_size: 300,
        compressed_page_size: 200,
        crc: -5,
        data_page_header: new types.DataPageHeader({
          num_values: 1000,
          encoding: types.Encoding.PLAIN,
          definition_level_encoding: types.Encoding.RLE,
          repetition_level_encoding: types.Encoding.RLE,
          ...data,
        }),
        ...fields,
      }),
    ),
  )

describe("headers that parquetjs's Thrift classes write are read", () => {
  test('data pages and dictionary pages, with any numbers', () => {
    const number = fc.oneof(fc.nat(), fc.constantFrom(0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 31 - 1))
    fc.assert(
      fc.property(number, number, fc.option(fc.integer()), number, fc.nat(9), (uncompressed, compressed, crc, values, at) => {
        const sizes = { uncompressed_page_size: uncompressed, compressed_page_size: compressed, ...(crc === null ? {} : { crc }) }
        const prefix = new Uint8Array(at).fill(0xee)
        for (const kind of ['data', 'dictionary'] as const) {
          const header = new types.PageHeader(
            kind === 'data'
              ? {
                  type: types.PageType.DATA_PAGE,
                  ...sizes,
                  data_page_header: new types.DataPageHeader({
                    num_values: values,
                    encoding: types.Encoding.RLE_DICTIONARY,
                    definition_level_encoding: types.Encoding.RLE,
                    repetition_level_encoding: types.Encoding.RLE,
                  }),
                }
              : {
                  type: types.PageType.DICTIONARY_PAGE,
                  ...sizes,
                  dictionary_page_header: new types.DictionaryPageHeader({
                    num_values: values,
                    encoding: types.Encoding.PLAIN,
                    is_sorted: true,
                  }),
                },
          )
          const bytes = new Uint8Array(Buffer.concat([prefix, serializeThrift(header), prefix]))
          expect(decodePageHeader(bytes, at)).toEqual({
            kind,
            compressedBytes: compressed,
            uncompressedBytes: uncompressed,
            crc,
            values,
            encoding: kind === 'data' ? 'RLE_DICTIONARY' : 'PLAIN',
            bodyStart: bytes.length - at,
          })
        }
      }),
    )
  })

  test('statistics in a data page are passed over', () => {
    const statistics = new types.Statistics({
      min_value: Buffer.from('a'),
      max_value: Buffer.from('b'.repeat(200)),
      is_max_value_exact: false,
    })
    const bytes = dataHeader({}, { statistics })
    expect(decodePageHeader(bytes, 0)).toMatchObject({ values: 1000, bodyStart: bytes.length })
  })
})

describe('what is not such a header is refused', () => {
  const refused = (bytes: Uint8Array): boolean => {
    try {
      decodePageHeader(bytes, 0)
      return false
    } catch (error) {
      if (isIntakeError(error, 'PARQUET_INVALID')) return true
      throw error
    }
  }

  test('cut anywhere', () => {
    const bytes = dataHeader()
    for (let length = 0; length < bytes.length; length++) expect(refused(bytes.subarray(0, length))).toBe(true)
    expect(refused(bytes)).toBe(false)
  })

  test('other kinds of pages, other encodings of levels, negative sizes, missing parts', () => {
    for (const bytes of [
      dataHeader({ type: types.PageType.DATA_PAGE_V2 }),
      dataHeader({ type: types.PageType.DICTIONARY_PAGE }),
      dataHeader({ type: 77 }),
      dataHeader({ uncompressed_page_size: -1 }),
      dataHeader({ compressed_page_size: -1 }),
      dataHeader({ data_page_header: null }),
      dataHeader({}, { num_values: -1 }),
      dataHeader({}, { encoding: types.Encoding.DELTA_BINARY_PACKED }),
      dataHeader({}, { definition_level_encoding: types.Encoding.BIT_PACKED }),
      dataHeader({}, { repetition_level_encoding: types.Encoding.PLAIN }),
      new Uint8Array([0]),
    ])
      expect(refused(bytes)).toBe(true)
  })

  test('fields out of order, twice, or of another type', () => {
    // 1: type, 2 and 3: sizes, as i32 (5); then field 1 again in the long form, and i64 (6) for an i32.
    expect(refused(Uint8Array.of(0x15, 0, 0x15, 8, 0x15, 8, 0x05, 2, 0, 0))).toBe(true)
    expect(refused(Uint8Array.of(0x16, 0, 0x15, 8, 0x15, 8, 0))).toBe(true)
  })

  test('structs within structs, and lists that say they are long, end soon', () => {
    const deep = new Uint8Array(100_000).fill(0x1c)
    deep[0] = 0x9c
    expect(refused(deep)).toBe(true)
    // Field 9: a list of 2^32 - 1 booleans, or structs, of which there is nothing.
    for (const element of [0xf1, 0xfc, 0xf5]) expect(refused(Uint8Array.of(0x99, element, 0xff, 0xff, 0xff, 0xff, 0x0f))).toBe(true)
  })

  test('any bytes are refused or read, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        refused(bytes)
      }),
      { numRuns: 2000 },
    )
    const whole = dataHeader()
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const copy = whole.slice()
        copy[at] = value
        refused(copy)
      }),
      { numRuns: 1000 },
    )
  })
})
