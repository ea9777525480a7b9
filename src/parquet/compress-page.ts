import { gzipSync } from 'node:zlib'
import type { Kernels } from '../kernels/kernels.js'
import { snappyCompress } from './snappy-compress.js'

export type Compression = 'SNAPPY' | 'GZIP' | 'NONE'

const GZIP_LEVEL = 6
/** Offset of the "operating system" byte in a gzip header (RFC 1952 §2.3.1), which zlib fills with where it was built. */
const GZIP_OS_OFFSET = 9
const GZIP_OS_UNKNOWN = 255

/** The body of a page as the file holds it; `page` is all of it, or its sections in order. `kernels` change how long it takes, not the bytes. */
export function compressPage(
  compression: Compression,
  page: Uint8Array | readonly Uint8Array[],
  kernels: Kernels | null = null,
): Uint8Array {
  switch (compression) {
    case 'SNAPPY':
      return snappyCompress(page, kernels)
    case 'GZIP': {
      const packed = gzipSync(joined(page), { level: GZIP_LEVEL })
      packed[GZIP_OS_OFFSET] = GZIP_OS_UNKNOWN
      return packed
    }
    case 'NONE':
      return joined(page)
  }
}

function joined(page: Uint8Array | readonly Uint8Array[]): Uint8Array {
  return page instanceof Uint8Array ? page : Buffer.concat(page)
}
