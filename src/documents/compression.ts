import * as zlib from 'node:zlib'

/** How the pages of a Parquet file can be compressed. */
export const COMPRESSIONS = ['SNAPPY', 'GZIP', 'ZSTD', 'NONE'] as const
export type Compression = (typeof COMPRESSIONS)[number]

/** Node.js 22.15 and later have ZSTD in zlib, Node.js 20 has not. */
export const HAS_ZSTD = 'zstdCompressSync' in zlib

export const ZSTD_MISSING = 'ZSTD needs Node.js 22.15 or later'
