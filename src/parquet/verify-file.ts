import type { ColumnType, PlainVector } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { IntakeError, isIntakeError } from '../errors.js'
import { CONTENT_BLOCK_ROWS, type ContentFacts, ContentHasher, columnDescription } from './content-hash.js'
import { type ByteSource, type ColumnChunkFacts, openParquet, type ParquetFile } from './read-file.js'
import { comparePhysical, physicalValueAt } from './value-order.js'

export interface ExpectedFile {
  readonly columns: readonly ColumnType[]
  readonly rows: number
  readonly contentSha256: string
  /** What the writer counted (`ParquetFileWriter.contentFacts`); with it a difference is named by column and block. */
  readonly content?: ContentFacts
}

/**
 * Reads a finished file again with a decoder that shares nothing with the encoder and compares all of it: footer, schema field by field,
 * every row group, every cell (by the content hash of the decoded cells), and that the statistics hold, so that no engine leaves out a row
 * group that has matching rows. Memory: one column of one row group. Throws VERIFY_MISMATCH naming the first part that differs, also where
 * the file is no Parquet at all; errors of the source itself pass through. Does not close the source.
 */
export async function verifyParquet(source: ByteSource, expected: ExpectedFile): Promise<void> {
  try {
    const file = await openParquet(source)
    compareSchema(file, expected.columns)
    if (file.rowCount !== expected.rows) {
      throw mismatch('row count', `${file.rowCount} rows were read back, ${expected.rows} were written`, {
        rows: file.rowCount,
        expectedRows: expected.rows,
      })
    }
    const hasher = new ContentHasher(expected.columns)
    for (const [g, group] of file.rowGroups.entries()) {
      for (const [c, chunk] of group.columns.entries()) {
        const vector = await file.readColumn(g, c)
        compareStatistics(vector, chunk, `row group ${g}, column ${JSON.stringify(chunk.name)}`)
        hasher.appendColumn(c, vector)
      }
    }
    compareContent(hasher.finish(), expected)
  } catch (error) {
    if (isIntakeError(error, 'PARQUET_INVALID')) throw mismatch('file', error.message, {}, error)
    throw error
  }
}

function compareSchema(file: ParquetFile, expected: readonly ColumnType[]): void {
  if (file.columns.length !== expected.length) {
    throw mismatch('schema', `${file.columns.length} columns were read back, ${expected.length} were written`)
  }
  for (const [i, column] of expected.entries()) {
    const read = file.columns[i]!
    for (const [field, want, got] of [
      ['name and logical type', columnDescription(column), columnDescription(read)],
      ['physical type', column.physical, read.physical],
      ['unit', canonicalJson(column.unit), canonicalJson(read.unit)],
    ] as const) {
      if (want !== got)
        throw mismatch('schema', `column ${i + 1}: its ${field} was read back as ${got}, ${want} was written`, { column: column.name })
    }
  }
}

function compareContent(read: ContentFacts, expected: ExpectedFile): void {
  if (read.contentSha256 === expected.contentSha256) return
  for (const [i, column] of (expected.content?.columns ?? []).entries()) {
    const other = read.columns[i]
    if (other === undefined || other.digest === column.digest) continue
    const block = column.blocks.findIndex((digest, b) => digest !== other.blocks[b])
    const name = expected.columns[i]!.name
    const first = block * CONTENT_BLOCK_ROWS
    throw mismatch(
      'content',
      `cells of column ${JSON.stringify(name)} differ${block < 0 ? '' : `, the first of them in rows ${first + 1} to ${Math.min(first + CONTENT_BLOCK_ROWS, expected.rows)}`}`,
      { column: name, block: block < 0 ? null : block },
    )
  }
  throw mismatch('content', `the cells read back have the content hash ${read.contentSha256}, ${expected.contentSha256} was expected`)
}

/** Statistics are promises: every present value lies between the bounds, exact bounds are values, and the missing rows are counted. */
function compareStatistics(vector: PlainVector, chunk: ColumnChunkFacts, place: string): void {
  if (chunk.nullCount !== null && chunk.nullCount !== vector.nulls) {
    throw mismatch('statistics', `${place}: the null count says ${chunk.nullCount}, ${vector.nulls} rows are missing`)
  }
  const { min, max } = chunk
  if (min === null && max === null) return
  const { physical } = vector.values
  let minSeen = false
  let maxSeen = false
  for (let i = 0; i < vector.rows; i++) {
    if (vector.validity[i] === 0) continue
    const value = physicalValueAt(vector.values, i)
    const low = min === null ? 1 : comparePhysical(physical, value, min)
    const high = max === null ? -1 : comparePhysical(physical, value, max)
    // A NaN compares as neither, and bounds beside it mislead engines that sort NaN above everything.
    if (!(low >= 0 && high <= 0))
      throw mismatch('statistics', `${place}: the value of row ${i + 1} of the row group lies outside minimum and maximum`)
    minSeen ||= low === 0
    maxSeen ||= high === 0
  }
  if ((min !== null && chunk.minExact && !minSeen) || (max !== null && chunk.maxExact && !maxSeen)) {
    throw mismatch('statistics', `${place}: a bound is said to be exact and is no value of the column`)
  }
}

function mismatch(part: string, message: string, data: Record<string, unknown> = {}, cause?: unknown): IntakeError {
  return new IntakeError('VERIFY_MISMATCH', `The finished Parquet file did not read back equal (${part}): ${message}`, {
    data: { part, ...data },
    cause,
  })
}
