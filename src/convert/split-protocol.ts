import type { ConvertFailed, ConvertRequest, StagedRecord } from './protocol.js'
import type { Bin, SplitSizes } from './split-sizes.js'

/**
 * One bulk file on all threads. First each lane takes parts of the file and copies the rows, one partition after the other, to a spill of its
 * own. Then each lane takes bins of records, gathers their rows from all spills in the order of the file, and stages one file per record.
 * Plain data and shared memory only.
 */
export interface SplitTask {
  readonly kind: 'split'
  readonly request: ConvertRequest
  readonly parts: SplitParts
  /** Words as of a lane (lane-protocol.ts): NEXT_PART, STOP, CUT, CUT_TO_END. */
  readonly control: Int32Array
  /** Which spill is this lane's, and its path. */
  readonly lane: number
  readonly spillPath: string
}

/** What lanes tell of each part, in shared memory: every cell is written once. */
export interface SplitParts {
  readonly partitions: number
  /** Where each part ends, as far as they are cut; the first one begins with the first record. */
  readonly ends: Float64Array
  /** Which lane's spill has the rows of the part. */
  readonly lanes: Int32Array
  /** Per part, where the rows of each partition begin in its spill, and where those of the last one end. */
  readonly starts: Float64Array
}

export interface SplitDone {
  readonly status: 'done'
  readonly rows: number
  readonly blank: number
  /** The records of the rows that went through this lane, and where each was met first: a number that grows with its place in the file. */
  readonly texts: readonly string[]
  readonly rowsOf: readonly number[]
  readonly bytesOf: readonly number[]
  readonly firsts: readonly number[]
}

export interface GatherTask {
  readonly kind: 'gather'
  readonly request: ConvertRequest
  readonly parts: SplitParts
  readonly partCount: number
  readonly totalRows: number
  /** Positions of cells whose texts are mostly different (ChunkPlan). */
  readonly direct: readonly number[]
  readonly spillPaths: readonly string[]
  readonly bins: readonly Bin[]
  /** NEXT_PART counts bins; STOP. */
  readonly control: Int32Array
  readonly sizes: SplitSizes
}

export interface GatherDone {
  readonly status: 'done'
  readonly staged: readonly StagedText[]
}

/** A record by the text of its cell, staged. */
export type StagedText = Omit<StagedRecord, 'recordId' | 'invalid'> & { readonly text: string }

export type SplitResult = SplitDone | { readonly status: 'stopped' | 'unclear' } | ConvertFailed
export type GatherResult = GatherDone | { readonly status: 'stopped' | 'unclear' } | ConvertFailed
