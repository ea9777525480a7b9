import type { EncodedRowGroup } from '../parquet/encode-row-group.js'
import type { FileLayout, FilePart, PartDigests } from '../parquet/verify-parts.js'
import type { ConvertFailed, ConvertRequest, ConvertResult } from './protocol.js'
import type { GatherResult, GatherTask, SplitResult, SplitTask } from './split-protocol.js'

/**
 * One large file on all threads: each lane is one worker that takes parts of the file from a shared counter until there are none left, and
 * posts what it makes of each. Plain data and shared memory only.
 */
export interface LaneTask {
  readonly kind: 'lane'
  readonly request: ConvertRequest
  /** Of the source when the conversion began; what is written to it later is not read. */
  readonly sizeBytes: number
  /** One word a cell: 1 where its column has no dictionary. The lanes find out together, before any of them reads a part. */
  readonly direct: Int32Array
  /** Where each part ends, as far as they are cut; the first one begins with the first record. */
  readonly ends: Float64Array
  /** Parts that may be finished or in the making beyond what is written: bounds memory. */
  readonly partsAhead: number
  readonly control: Int32Array
  /** How many there are of them. */
  readonly lanes: number
  /** One word a part: 0 not known yet, 1 + rows. */
  readonly rows: Int32Array
  /** Parts made go out; buffers of parts that were written come back. */
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
  /** Its document goes as a text: a thread keeps tables by it, and a text crosses threads in a fraction of the time that many small objects take. */
  readonly request: Omit<ConvertRequest, 'tableDocument'>
  readonly tableText: string
  readonly plainText: boolean
}

export type PoolTask = WholeTask | LaneTask | VerifyTask | SplitTask | GatherTask

export type LaneResult = { readonly status: 'done' } | { readonly status: 'unclear' } | ConvertFailed
export type VerifyResult = { readonly status: 'done'; readonly digests: PartDigests } | ConvertFailed
export type PoolResult = ConvertResult | LaneResult | VerifyResult | SplitResult | GatherResult

/** Words of `control`. */
export const NEXT_PART = 0
/** Parts written so far: lanes wait before they run too far ahead. */
export const WRITTEN = 1
export const STOP = 2
/** Parts cut so far: lanes wait for the next one. */
export const CUT = 3
/** 1: there will be no more parts than are cut. */
export const CUT_TO_END = 4
/** The first cell whose column no lane has taken yet to find that out. */
export const NEXT_CELL = 5
/** Cells of which it is found out. */
export const CELLS_KNOWN = 6
export const CONTROL_WORDS = 7

/** The last message of a lane: its parts are all there. */
export const LANE_ENDS = 'lane ends'

/** A part as it goes to the file. */
export interface PartMade {
  readonly part: number
  readonly to: number
  readonly blank: number
  /** null: the part has no rows. */
  readonly group: EncodedRowGroup | null
  /** See `keyHashes`. */
  readonly keys: readonly Uint32Array[]
}
