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

/** How Snappy looks for matches (`Kernels.snappyCompress`, `snappyFixed`, `snappyTexts`). nowhere: the bytes are stored as they are, in Snappy's format. */
export type Matching = 'anywhere' | 'fixed' | 'texts' | 'nowhere'

/**
 * The body of a page as the file holds it, from the `length` bytes at `page` in the memory of kernels. May be a view of that memory: it holds
 * until the next allocation. `first`: where Snappy begins to look, for a matching that is bound to places.
 */
export function compressPage(
  compression: Compression,
  kernels: Kernels,
  page: number,
  length: number,
  matching: Matching = 'anywhere',
  first = 0,
): Uint8Array {
  switch (compression) {
    case 'SNAPPY': {
      const mark = kernels.mark()
      const out = kernels.allocate(snappyBound(length))
      const packed = packInSnappy(kernels, page, length, out, matching, first)
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

function packInSnappy(kernels: Kernels, page: number, length: number, out: number, matching: Matching, first: number): number {
  switch (matching) {
    case 'anywhere':
      return kernels.snappyCompress(page, length, out)
    case 'fixed':
      return kernels.snappyFixed(page, length, first, out)
    case 'texts':
      return kernels.snappyTexts(page, length, first, out)
    case 'nowhere':
      return storeInSnappy(kernels.u8, page, length, out)
  }
}

/** The length, and all bytes as one literal (Snappy's format_description.txt, 2.1: lengths of four bytes). */
function storeInSnappy(u8: Uint8Array, page: number, length: number, out: number): number {
  let at = out
  for (let rest = length; ; rest >>>= 7) {
    if (rest <= 0x7f) {
      u8[at++] = rest
      break
    }
    u8[at++] = (rest & 0x7f) | 0x80
  }
  if (length === 0) return at - out
  u8[at++] = 63 << 2
  for (let shift = 0; shift < 32; shift += 8) u8[at++] = (length - 1) >>> shift
  u8.copyWithin(at, page, page + length)
  return at + length - out
}
