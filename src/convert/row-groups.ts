import type { ColumnVector } from '../columns/vector.js'
import { CONTENT_BLOCK_ROWS } from '../parquet/content-streams.js'

/** Rows of a row group: two blocks of the content hash. */
export const ROW_GROUP_ROWS = 2 * CONTENT_BLOCK_ROWS
/** Characters of source, and bytes of text, after which a row group is closed early, so that very wide rows do not pile up. */
export const ROW_GROUP_CHARACTERS = 32 * 1024 ** 2
/** What a table of many columns may bring to a row group instead: so much of each column, and so much of all. */
const CHARACTERS_OF_COLUMN = 512 * 1024
const CHARACTERS_OF_MANY_COLUMNS = 96 * 1024 ** 2
/** Rows may turn out longer than the first ones of the file by so much before the characters close a row group. */
const LONGER = 1.25

/** What brings a row group to its end, whichever comes first. */
export interface RowGroupLimits {
  readonly rows: number
  readonly bytes: number
}

/**
 * The row groups of a file of plain text, by its first rows and its columns alone, so that the same file is cut alike whatever runs beside it.
 *
 * A row group is a whole number of blocks of the content hash where its characters allow: threads hash whole blocks by themselves, and hand all
 * other rows over, value by value. Two blocks of rows that are long come to more than they gain. A table of many columns has larger row groups
 * than its characters alone would have: in few rows its dictionaries are not worth their room.
 */
export function rowGroupLimits(rowBytes: number, columns: number): RowGroupLimits {
  const rows = rowBytes * ROW_GROUP_ROWS <= ROW_GROUP_CHARACTERS ? ROW_GROUP_ROWS : CONTENT_BLOCK_ROWS
  const most = Math.min(Math.max(columns * CHARACTERS_OF_COLUMN, ROW_GROUP_CHARACTERS), CHARACTERS_OF_MANY_COLUMNS)
  if (rowBytes * rows > most) return { rows, bytes: ROW_GROUP_CHARACTERS }
  return { rows, bytes: Math.max(Math.ceil(rowBytes * rows * LONGER), ROW_GROUP_CHARACTERS) }
}

/** Some rows of one segment, ascending. */
export interface RowsOfSegment {
  /** Index of the segment. */
  readonly segment: number
  readonly indices: Uint32Array
}

/**
 * The rows of each record in file order, by segment: a stable partition by counting. A segment in which a record has no rows is left out.
 * `recordOfRow` holds indexes from 0, all below `records`.
 */
export function partition(segments: readonly { rows: number; recordOfRow: Uint32Array }[], records: number): RowsOfSegment[][] {
  const result: RowsOfSegment[][] = Array.from({ length: records }, () => [])
  segments.forEach((segment, s) => {
    const starts = new Uint32Array(records + 1)
    for (let i = 0; i < segment.rows; i++) starts[segment.recordOfRow[i]! + 1]!++
    for (let r = 0; r < records; r++) starts[r + 1]! += starts[r]!
    const next = starts.slice()
    const order = new Uint32Array(segment.rows)
    for (let i = 0; i < segment.rows; i++) order[next[segment.recordOfRow[i]!]!++] = i
    for (let r = 0; r < records; r++) {
      if (starts[r + 1]! > starts[r]!) result[r]!.push({ segment: s, indices: order.subarray(starts[r]!, starts[r + 1]!) })
    }
  })
  return result
}

/** UTF-8 bytes of the texts of each row, all columns together: what a row costs beyond a few bytes a cell. */
export function textBytesOfRows(vectors: readonly ColumnVector[], rows: number): Uint32Array {
  const bytes = new Uint32Array(rows)
  for (const vector of vectors) {
    const values = vector.form === 'plain' ? vector.values : vector.dictionary
    if (values.physical !== 'BYTE_ARRAY') continue
    const { offsets } = values
    for (let i = 0; i < rows; i++) {
      if (vector.validity[i] === 0) continue
      const at = vector.form === 'plain' ? i : vector.codes[i]!
      bytes[i]! += offsets[at + 1]! - offsets[at]!
    }
  }
  return bytes
}

/**
 * Cuts the rows of one record into row groups: at most `maxRows` rows each, and closed by the row that brings it to `maxBytes` or more.
 * `bytesOf` gives the bytes of each row of a segment. No group is empty; no rows give no group.
 */
export function* inRowGroups(
  rows: readonly RowsOfSegment[],
  bytesOf: (segment: number) => Uint32Array,
  { maxRows, maxBytes }: { maxRows: number; maxBytes: number } = { maxRows: ROW_GROUP_ROWS, maxBytes: ROW_GROUP_CHARACTERS },
): Generator<RowsOfSegment[]> {
  let group: RowsOfSegment[] = []
  let count = 0
  let bytes = 0
  for (const { segment, indices } of rows) {
    const bytesOfRow = bytesOf(segment)
    let from = 0
    for (let i = 0; i < indices.length; i++) {
      count++
      bytes += bytesOfRow[indices[i]!]!
      if (count < maxRows && bytes < maxBytes) continue
      group.push({ segment, indices: indices.subarray(from, i + 1) })
      yield group
      group = []
      count = 0
      bytes = 0
      from = i + 1
    }
    if (from < indices.length) group.push({ segment, indices: indices.subarray(from) })
  }
  if (group.length > 0) yield group
}
