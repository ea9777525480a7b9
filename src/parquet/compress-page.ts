import * as zlib from 'node:zlib'
import { type Compression, HAS_ZSTD, ZSTD_MISSING } from '../documents/compression.js'
import { IntakeError } from '../errors.js'
import { type Kernels, snappyBound } from '../kernels/kernels.js'

export type { Compression } from '../documents/compression.js'

const GZIP_LEVEL = 6
/** zstd's own default, named so that another default does not change files. */
const ZSTD_LEVEL = 3
/** Offset of the "operating system" byte in a gzip header (RFC 1952 §2.3.1), which zlib fills with where it was built. */
const GZIP_OS_OFFSET = 9
const GZIP_OS_UNKNOWN = 255

/**
 * The body of a page as the file holds it, from the `length` bytes at `page` in the memory of kernels. May be a view of that memory: it holds
 * until the next allocation.
 */
export function compressPage(compression: Compression, kernels: Kernels, page: number, length: number): Uint8Array {
  switch (compression) {
    case 'SNAPPY': {
      const mark = kernels.mark()
      const out = kernels.allocate(snappyBound(length))
      const packed = kernels.snappyCompress(page, length, out)
      kernels.release(mark)
      return kernels.u8.subarray(out, out + packed)
    }
    case 'GZIP': {
      const packed = zlib.gzipSync(kernels.u8.subarray(page, page + length), { level: GZIP_LEVEL })
      packed[GZIP_OS_OFFSET] = GZIP_OS_UNKNOWN
      return packed
    }
    case 'ZSTD':
      return zstdCompress(kernels.u8.subarray(page, page + length))
    case 'NONE':
      return kernels.u8.subarray(page, page + length)
  }
}

/** What Node.js has from 22.15 on; the type definitions are those of the oldest that the product runs on. */
interface ZstdOptions {
  readonly params: Readonly<Record<number, number>>
  /** Lets the frame say its size. */
  readonly pledgedSrcSize: number
}
const { zstdCompressSync, constants } = zlib as unknown as {
  zstdCompressSync(bytes: Uint8Array, options: ZstdOptions): Buffer
  constants: { readonly ZSTD_c_compressionLevel: number }
}

function zstdCompress(bytes: Uint8Array): Uint8Array {
  // Configuration and command line refuse it before; an order that was made under another runtime ends here.
  if (!HAS_ZSTD) throw new IntakeError('CONFIG_INVALID', `Pages cannot be compressed: ${ZSTD_MISSING}`)
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL }, pledgedSrcSize: bytes.length })
}
