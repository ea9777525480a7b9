import { crc32 } from 'node:zlib'

/**
 * Page headers in Thrift's compact protocol, written by hand: a few bytes each, needed where pages are made (worker threads), and loading
 * the Thrift library there costs more than encoding a small file. A test compares them with what @dsnp/parquetjs's Thrift classes write.
 * Field numbers: parquet-format, `parquet.thrift`, PageHeader, DataPageHeader, DictionaryPageHeader.
 */

/** Numbers of parquet-format's `Encoding`. */
export const ENCODING = { PLAIN: 0, RLE: 3, RLE_DICTIONARY: 8 } as const
export type EncodingName = keyof typeof ENCODING

const PAGE_TYPE = { data: 0, dictionary: 2 } as const

const T_I32 = 5
const T_STRUCT = 12
const STOP = 0

export interface PageHeaderFields {
  readonly kind: keyof typeof PAGE_TYPE
  readonly encoding: EncodingName
  /** Values of the page; in a data page, missing ones included. */
  readonly values: number
  readonly uncompressedBytes: number
  /** The page as it stands in the file, after compression; its CRC goes into the header. */
  readonly body: Uint8Array
}

export function encodePageHeader(fields: PageHeaderFields): Uint8Array {
  const out: number[] = []
  const field = (delta: number, type: number): void => {
    out.push((delta << 4) | type)
  }
  const i32 = (delta: number, value: number): void => {
    field(delta, T_I32)
    let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
    while (zigzag > 0x7f) {
      out.push((zigzag & 0x7f) | 0x80)
      zigzag >>>= 7
    }
    out.push(zigzag)
  }
  i32(1, PAGE_TYPE[fields.kind])
  i32(1, fields.uncompressedBytes)
  i32(1, fields.body.length)
  i32(1, crc32(fields.body) | 0)
  if (fields.kind === 'data') {
    field(1, T_STRUCT)
    i32(1, fields.values)
    i32(1, ENCODING[fields.encoding])
    i32(1, ENCODING.RLE)
    i32(1, ENCODING.RLE)
  } else {
    field(3, T_STRUCT)
    i32(1, fields.values)
    i32(1, ENCODING[fields.encoding])
  }
  out.push(STOP, STOP)
  return Uint8Array.from(out)
}
