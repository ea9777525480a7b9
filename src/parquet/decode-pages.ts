import { crc32, gunzipSync } from 'node:zlib'
import type { PhysicalType } from '../columns/vector.js'
import { must, undecodable } from './decode-fault.js'
import { type DecodedPageHeader, decodePageHeader, type PageEncoding } from './decode-page-header.js'
import { zstdDecompress } from './decode-zstd.js'

/** One column of one row group as it stands in a file, and what the file's footer says of it. */
export interface EncodedChunk {
  /** From the first page to the end of the last. */
  readonly bytes: Uint8Array
  readonly rows: number
  readonly physical: PhysicalType
  /** Of FIXED_LEN_BYTE_ARRAY; not looked at for the others. */
  readonly widthBytes: number
  /** Whether rows can be missing: pages have definition levels then. */
  readonly optional: boolean
  /** Name of parquet.thrift's CompressionCodec. */
  readonly compression: string
  /** What the footer promises of the chunk and this product's writer keeps; null: do not hold the chunk to it. */
  readonly promises: ChunkPromises | null
}

export interface ChunkPromises {
  /** All pages before compression, with their headers. */
  readonly uncompressedBytes: number
  /** Bytes before the first data page: the dictionary page, or 0. */
  readonly dictionaryPageBytes: number
  /** Every encoding that occurs in the chunk. */
  readonly encodings: readonly string[]
}

/** gzip (deflate) never packs tighter than 1,032 to 1; whoever promises more is not believed. */
const GZIP_EXPANSION_LIMIT = 1032

/**
 * The headers of a chunk's pages in file order, each with its checksum proven. Pages fill the chunk, have its rows, and keep the footer's
 * promises; anything else is PARQUET_INVALID. Whoever takes a page decodes it before the next. `chunk.bytes` is asked for again at each
 * page: where they lie in memory that grows, that is another array every time.
 */
export function* walkPages(chunk: EncodedChunk): Generator<DecodedPageHeader, void, undefined> {
  const { rows, promises } = chunk
  const sizeBytes = chunk.bytes.length
  let at = 0
  let seen = 0
  let uncompressed = 0
  while (at < sizeBytes) {
    const header = decodePageHeader(chunk.bytes, at)
    const bodyEnd = header.bodyStart + header.compressedBytes
    must(bodyEnd <= sizeBytes, 'a page is longer than its column')
    uncompressed += header.bodyStart - at + header.uncompressedBytes
    if (promises !== null) checkPromises(promises, header, at, bodyEnd)
    if (header.crc !== null)
      must((crc32(chunk.bytes.subarray(header.bodyStart, bodyEnd)) | 0) === header.crc, 'the checksum of a page does not hold')
    if (header.kind === 'dictionary') {
      must(at === 0, 'a dictionary that is not the first page')
      must(header.encoding === 'PLAIN' || header.encoding === 'PLAIN_DICTIONARY', 'a dictionary in an encoding that Parquet does not have')
      must(chunk.physical !== 'BOOLEAN', 'a dictionary of booleans')
    } else {
      must(header.values <= rows - seen, 'the pages of a column have more rows than it has')
      seen += header.values
    }
    yield header
    at = bodyEnd
  }
  must(seen === rows, `the pages of a column have ${seen} rows, and it has ${rows}`)
  must(promises === null || promises.uncompressedBytes === uncompressed, 'a column has another size before compression than it says')
}

function checkPromises(promises: ChunkPromises, header: DecodedPageHeader, start: number, end: number): void {
  must(header.crc !== null, 'a page has no checksum')
  must(promises.encodings.includes(header.encoding), `a page in the encoding ${header.encoding}, which its column does not name`)
  if (header.kind === 'dictionary') must(end === promises.dictionaryPageBytes, 'the first data page is not where the column says')
  else must(start >= promises.dictionaryPageBytes, 'the dictionary page is not where the column says')
  must(start > 0 || (header.kind === 'dictionary') === promises.dictionaryPageBytes > 0, 'a column has no dictionary where it says')
}

/** Unpacks what the runtime has a decoder for; exactly `size` bytes, or PARQUET_INVALID. */
export function unpackBody(compression: string, body: Uint8Array, size: number): Uint8Array {
  if (compression === 'ZSTD') return zstdDecompress(body, size)
  if (compression !== 'GZIP') throw undecodable(`a column is compressed with ${compression}`)
  must(size <= (body.length + 1) * GZIP_EXPANSION_LIMIT, 'a page promises more than its bytes can hold')
  const unpacked = gunzip(body, size)
  must(unpacked.length === size, 'a page has another size than it says')
  return unpacked
}

/** zlib stops at the promised size, so a bomb costs no more than it admits to. */
function gunzip(body: Uint8Array, size: number): Uint8Array {
  try {
    return gunzipSync(body, { maxOutputLength: Math.max(1, size) })
  } catch (error) {
    throw undecodable(`a page cannot be unpacked: ${(error as Error).message}`)
  }
}

export function isDictionary(encoding: PageEncoding): boolean {
  return encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY'
}

export function widthOf(chunk: EncodedChunk): number {
  if (chunk.physical === 'INT32') return 4
  if (chunk.physical === 'FIXED_LEN_BYTE_ARRAY') return chunk.widthBytes
  return 8
}
