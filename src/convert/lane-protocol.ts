import type { ColumnVector } from '../columns/vector.js'
import type { EncodedColumnChunk } from '../parquet/encode-column.js'
import type { FileLayout, FilePart, PartDigests } from '../parquet/verify-parts.js'
import type { ConvertFailed, ConvertRequest, ConvertResult } from './protocol.js'

/**
 * One large file on all threads: each lane is one worker that takes parts of the file from a shared counter until there are none left, and
 * posts what it makes of each. Plain data and shared memory only.
 */
export interface LaneTask {
  readonly kind: 'lane'
  readonly request: ConvertRequest
  readonly chunkBytes: number
  readonly parts: number
  /** Parts that may be finished or in the making beyond what is written: bounds memory. */
  readonly partsAhead: number
  readonly control: Int32Array
  /** One word a part: 0 not known yet, 1 + quotes modulo 2. */
  readonly parities: Int32Array
  readonly port: import('node:worker_threads').MessagePort
}

/** One part of a finished file, to be decoded and hashed. */
export interface VerifyTask {
  readonly kind: 'verify'
  readonly path: string
  readonly layout: FileLayout
  readonly part: FilePart
}

/** A whole conversion on one thread. `plainText`: see ConvertOptions. */
export interface WholeTask {
  readonly kind: 'convert'
  readonly request: ConvertRequest
  readonly plainText: boolean
}

export type PoolTask = WholeTask | LaneTask | VerifyTask

export type LaneResult = { readonly status: 'done' } | { readonly status: 'unclear' } | ConvertFailed
export type VerifyResult = { readonly status: 'done'; readonly digests: PartDigests } | ConvertFailed
export type PoolResult = ConvertResult | LaneResult | VerifyResult

/** Words of `control`. */
export const NEXT_PART = 0
/** Parts written so far: lanes wait before they run too far ahead. */
export const WRITTEN = 1
export const STOP = 2
export const CONTROL_WORDS = 3

/** The last message of a lane: its parts are all there. */
export const LANE_ENDS = 'lane ends'

/** A part as columns and as pages; `vectors` are still needed for the content hash and the keys, which go in the order of the file. */
export interface PartMade {
  readonly part: number
  readonly begin: number
  readonly next: number
  readonly rows: number
  readonly blank: number
  readonly vectors: readonly ColumnVector[]
  readonly encoded: readonly EncodedColumnChunk[]
}
