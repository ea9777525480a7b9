import { ROW_GROUP_CHARACTERS, ROW_GROUP_ROWS } from './row-groups.js'

/** How a bulk file is taken apart. Tests make all of it small; no choice of these shows in the files that come out, save the row groups. */
export interface SplitSizes {
  /** Files of so many bytes are one chunk, on one thread and without a spill. */
  readonly chunkBytes: number
  /** What is read at a time to see whose row is whose. */
  readonly partBytes: number
  /** What the rows of a partition should come to. */
  readonly partitionBytes: number
  /** Rows, and bytes of rows with their line ends, that bring a row group of a record to its end. */
  readonly groupRows: number
  readonly groupBytes: number
}

export const SPLIT_SIZES: SplitSizes = {
  chunkBytes: 12 << 20,
  partBytes: 4 << 20,
  partitionBytes: 4 << 20,
  groupRows: ROW_GROUP_ROWS,
  groupBytes: ROW_GROUP_CHARACTERS,
}

/** More parts and partitions than this are not made: each part has a place in the spill for each partition, and each is read with a call of its own. */
const PARTS_MAX = 512

/** For a file of so many bytes. Large ones have larger partitions, of which records are then gathered bin by bin. */
export function layoutOf(bytes: number, sizes: SplitSizes): { readonly partBytes: number; readonly partitions: number } {
  return {
    partBytes: Math.max(sizes.partBytes, Math.ceil(bytes / PARTS_MAX)),
    partitions: Math.min(Math.max(Math.ceil(bytes / sizes.partitionBytes), 1), PARTS_MAX),
  }
}

/** The partition of a record, by the text of its cell (FNV-1a, mixed so that the lowest bits depend on all of it). */
export function partitionOf(text: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions
}

/** What is known of a record once all rows were seen. */
export interface RecordTally {
  /** Of its cell. */
  readonly text: string
  readonly rows: number
  readonly bytes: number
}

/** Records of one partition that are gathered together by one thread. */
export interface Bin {
  readonly partition: number
  /** null: all records of the partition. */
  readonly texts: readonly string[] | null
  readonly bytes: number
  /** The one record is larger than a row group: it is written one row group after the other, and never in memory as a whole. */
  readonly streams: boolean
}

/**
 * Puts the records of each partition into bins of at most twice what a partition should come to, or of one record. Largest bins first, so that
 * threads end together.
 */
export function binsOf(records: Iterable<RecordTally>, partitions: number, sizes: SplitSizes): Bin[] {
  const most = sizes.partitionBytes * 2
  const ofPartition: RecordTally[][] = Array.from({ length: partitions }, () => [])
  for (const record of records) ofPartition[partitionOf(record.text, partitions)]!.push(record)
  const bins: Bin[] = []
  ofPartition.forEach((members, partition) => {
    const bytes = members.reduce((sum, record) => sum + record.bytes, 0)
    if (members.length === 0) return
    if (bytes <= most && members.every((record) => record.bytes < sizes.groupBytes)) {
      bins.push({ partition, texts: null, bytes, streams: false })
      return
    }
    let open: { texts: string[]; bytes: number } | null = null
    for (const { text, bytes: own } of members) {
      if (own >= sizes.groupBytes) bins.push({ partition, texts: [text], bytes: own, streams: true })
      else if (open !== null && open.bytes + own <= most) {
        open.texts.push(text)
        open.bytes += own
      } else {
        if (open !== null) bins.push({ partition, ...open, streams: false })
        open = { texts: [text], bytes: own }
      }
    }
    if (open !== null) bins.push({ partition, ...open, streams: false })
  })
  return bins.sort((a, b) => b.bytes - a.bytes || a.partition - b.partition)
}
