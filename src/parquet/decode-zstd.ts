import * as zlib from 'node:zlib'
import { HAS_ZSTD, ZSTD_MISSING } from '../documents/compression.js'
import { IntakeError } from '../errors.js'
import { must, undecodable } from './decode-fault.js'

/** What Node.js has from 22.15 on; the type definitions are those of the oldest that the product runs on. */
type ZstdDecompressSync = (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer
const { zstdDecompressSync } = zlib as unknown as { zstdDecompressSync: ZstdDecompressSync }

/** A block of one repeated byte: four bytes in the file, 128 KiB at most (RFC 8878, 3.1.1.2). Whoever promises more is not believed. */
const EXPANSION_LIMIT = 32_768

/** Exactly `size` bytes, or PARQUET_INVALID; no more memory than those. Throws CONFIG_INVALID where the runtime has no ZSTD. */
export function zstdDecompress(body: Uint8Array, size: number): Uint8Array {
  if (!HAS_ZSTD) throw new IntakeError('CONFIG_INVALID', `A file compressed with ZSTD cannot be read here: ${ZSTD_MISSING}`)
  must(size <= body.length * EXPANSION_LIMIT, 'a page promises more than its bytes can hold')
  const unpacked = unpack(body, size)
  must(unpacked.length === size, 'a page has another size than it says')
  return unpacked
}

function unpack(body: Uint8Array, size: number): Uint8Array {
  try {
    return zstdDecompressSync(body, { maxOutputLength: Math.max(1, size) })
  } catch (error) {
    throw undecodable(`a page cannot be unpacked: ${(error as Error).message}`)
  }
}
