import { gzipSync } from 'node:zlib'
import { snappyCompress } from './snappy-compress.js'

export type Compression = 'SNAPPY' | 'GZIP' | 'NONE'

const GZIP_LEVEL = 6
/** Offset of the "operating system" byte in a gzip header (RFC 1952 §2.3.1), which zlib fills with where it was built. */
const GZIP_OS_OFFSET = 9
const GZIP_OS_UNKNOWN = 255

export function compressPage(compression: Compression, page: Uint8Array): Uint8Array {
  switch (compression) {
    case 'SNAPPY':
      return snappyCompress(page)
    case 'GZIP': {
      const packed = gzipSync(page, { level: GZIP_LEVEL })
      packed[GZIP_OS_OFFSET] = GZIP_OS_UNKNOWN
      return packed
    }
    case 'NONE':
      return page
  }
}
