import { createHash } from 'node:crypto'
import type { ColumnType, LogicalType } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { type IntakeError, isIntakeError } from '../errors.js'
import type { ChunkDigest } from './chunk-digest.js'
import { CONTENT_BLOCK_ROWS, type ContentFacts, columnDescription } from './content-hash.js'
import { type ByteSource, openParquet, type ParquetFile } from './read-file.js'
import { ChunkDigester } from './verify-chunk-digest.js'
import type { DigestKind } from './verify-column.js'
import { BlockDigester } from './verify-digest.js'
import { type VerifierOptions, withVerifier } from './verify-forms.js'
import { atPlace, combineChunks, combineParts, mismatch, type PartDigests, readChunk, verifyPart, wholeFile } from './verify-parts.js'

export interface ExpectedFile {
  readonly columns: readonly ColumnType[]
  readonly rows: number
  readonly contentSha256: string
  /** What the writer counted (`ParquetFileWriter.contentFacts`); with it a difference is named by column and block. */
  readonly content?: ContentFacts
  /** SHA-256 of the whole file as it was written. */
  readonly parquetSha256?: string
  /** What only the writer of a file can say of it, while it is there; takes the place of `content` and `parquetSha256`. */
  readonly written?: WrittenFacts
}

export interface WrittenFacts {
  /** By row group and column. */
  readonly chunks: readonly (readonly ChunkDigest[])[]
  /** Everything behind the last page. */
  readonly tail: Uint8Array
}

const HASH_BYTES = 1 << 20
const MAGIC_BYTES = 4

/**
 * Rows of one file that hyparquet decodes in mode `full`, of each column. It takes a hundred times as long for a row as the decoder of our
 * own, and most of that before its code is warm, which in a short-lived process it never is. Pages are decompressed whole for them.
 */
export const SAMPLE_ROWS = 2048

/**
 * Reads a finished file again and compares all of it: footer, schema field by field, every cell of every row group (by a digest of each column
 * chunk where the writer gives them, else by the content hash), and that the statistics hold, so that no engine leaves out a row group that has matching rows.
 *
 * Two decoders look at it, neither of which has anything in common with the encoder. hyparquet reads the footer of every file, and nothing
 * that the writer remembers is used instead of it; the decoder of our own (verify-column.ts) decodes every page. `full`: hyparquet decodes SAMPLE_ROWS rows as well,
 * of each column, which the content hash picks. `paranoid`: all of them.
 *
 * Memory: one column of one row group as it stands in the file, and what hyparquet makes of its rows. Throws VERIFY_MISMATCH naming the first
 * part that differs, also where the file is no Parquet at all; errors of the source itself pass through. Does not close the source.
 */
export async function verifyParquet(
  source: ByteSource,
  expected: ExpectedFile,
  mode: 'full' | 'paranoid' = 'full',
  options: VerifierOptions = {},
): Promise<void> {
  await damageIsMismatch(async () => {
    const file = await openExpected(source, expected)
    const part = wholeFile(file, digestsFor(expected))
    compareContent(file, [await verifyPart(source, file, part, options)], expected)
    await compareDecoders(source, file, expected, mode, options)
    if (expected.parquetSha256 !== undefined && expected.written === undefined) await compareBytes(source, expected.parquetSha256)
  })
}

/** What `verifyPart` is to find for `compareContent`. */
export function digestsFor(expected: ExpectedFile): DigestKind {
  return expected.written === undefined ? 'blocks' : 'chunks'
}

/**
 * That no byte of a file is outside of what is looked at: behind the first four the pages lie without a gap, each with its checksum and decoded as a whole,
 * and what follows them is, byte for byte, what was written.
 */
async function compareFrame(source: ByteSource, file: ParquetFile, tail: WrittenFacts['tail']): Promise<void> {
  const tailStart = source.sizeBytes - tail.length
  let at = MAGIC_BYTES
  for (const [g, { columns }] of file.rowGroups.entries()) {
    for (const { name, startByte, compressedBytes } of columns) {
      if (startByte !== at) {
        const place = `row group ${g}, column ${JSON.stringify(name)}`
        throw mismatch('bytes', `${place} begins at byte ${startByte}, and what is before it ends at ${at}`)
      }
      at += compressedBytes
    }
  }
  if (at !== tailStart) throw mismatch('bytes', `the pages end at byte ${at}, and what was written behind them begins at ${tailStart}`)
  if (Buffer.compare(await source.read(tailStart, source.sizeBytes), tail) !== 0)
    throw mismatch('bytes', 'the end of the file, behind its pages, is not what was written')
}

/** What no decoder looks at (the key-value members of the footer, for instance) is covered by the hash that was taken while writing. */
async function compareBytes(source: ByteSource, parquetSha256: string): Promise<void> {
  const hash = createHash('sha256')
  for (let at = 0; at < source.sizeBytes; at += HASH_BYTES) hash.update(await source.read(at, Math.min(at + HASH_BYTES, source.sizeBytes)))
  if (hash.digest('hex') !== parquetSha256) throw mismatch('bytes', 'the bytes of the file are not those that were written', {})
}

/**
 * The three steps of `verifyParquet` for callers that let several threads do the middle one: open and compare the footer here, `verifyPart`
 * anywhere for each of `partsOf` (verify-parts.ts), then compare what they found. `compareDecoders` needs nothing of the parts.
 */
export async function openExpected(source: ByteSource, expected: ExpectedFile): Promise<ParquetFile> {
  const file = await openParquet(source)
  compareSchema(file, expected.columns)
  // Before anything is decoded: what is reserved for rows is bounded by what was written, whatever a damaged footer says.
  if (file.rowCount !== expected.rows) {
    throw mismatch('row count', `${file.rowCount} rows were read back, ${expected.rows} were written`, {
      rows: file.rowCount,
      expectedRows: expected.rows,
    })
  }
  if (expected.written !== undefined) await compareFrame(source, file, expected.written.tail)
  return file
}

/** Decoders say PARQUET_INVALID; about a file that was only just written, that is a mismatch. */
export async function damageIsMismatch<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isIntakeError(error, 'PARQUET_INVALID')) throw mismatch('file', error.message, {}, error)
    throw error
  }
}

/** Throws VERIFY_MISMATCH unless hyparquet and our decoder give the same cells for the sample (`full`) or for all rows (`paranoid`). */
export async function compareDecoders(
  source: ByteSource,
  file: ParquetFile,
  expected: ExpectedFile,
  mode: 'full' | 'paranoid',
  options: VerifierOptions = {},
): Promise<void> {
  await withVerifier(options, async (verifier) => {
    for (const { rowGroup: g, row, most } of samplesOf(file, expected.contentSha256, mode, options.sampleRows ?? SAMPLE_ROWS)) {
      const whole = row === 0 && most >= file.rowGroups[g]!.rows
      for (const [c, { name, physical }] of file.columns.entries()) {
        const written = whole ? expected.written?.chunks[g]?.[c] : undefined
        if (written !== undefined) {
          // Our decoder gives the digest of this chunk when it reads all of it.
          const digester = new ChunkDigester()
          digester.take(await file.readColumn(g, c))
          const [low, high] = digester.finish()
          if (low !== written[0] || high !== written[1]) throw otherCells(g, name)
          continue
        }
        const chunk = await readChunk(source, file, g, c, verifier)
        const theirs = new BlockDigester(physical)
        const { firstRow, vector } = whole ? await file.readPages(g, c, 0, most) : file.readSample(g, c, row, most, chunk.bytes)
        theirs.append(vector)
        verifier.begin(physical)
        atPlace(g, c, () => verifier.window(chunk, firstRow, firstRow + vector.rows))
        if (verifier.finish().join() !== theirs.finish().join()) throw otherCells(g, name)
      }
    }
  })
}

function otherCells(rowGroup: number, column: string): IntakeError {
  return mismatch('decoders', `row group ${rowGroup}, column ${JSON.stringify(column)}: two decoders read other cells`, { column })
}

interface Sample {
  readonly rowGroup: number
  /** The page that has this row is looked at, in each column the rows from its beginning on. */
  readonly row: number
  readonly most: number
}

/**
 * Small row groups whole, from one that the hash picks on and around the end of the file until there are enough rows; of a larger one some
 * rows, which the hash picks too.
 */
function samplesOf(file: ParquetFile, contentSha256: string, mode: 'full' | 'paranoid', sampleRows: number): Sample[] {
  const { rowGroups } = file
  if (mode === 'paranoid') return rowGroups.map(({ rows }, rowGroup) => ({ rowGroup, row: 0, most: rows }))
  const samples: Sample[] = []
  const pick = Number.parseInt(contentSha256.slice(0, 8), 16)
  const shift = Number.parseInt(contentSha256.slice(8, 16), 16)
  let left = sampleRows
  for (let i = 0; i < rowGroups.length && left > 0; i++) {
    const rowGroup = (pick + i) % rowGroups.length
    const { rows } = rowGroups[rowGroup]!
    samples.push({ rowGroup, row: rows > left ? shift % rows : 0, most: Math.min(rows, left) })
    left -= Math.min(rows, left)
  }
  return samples
}

function compareSchema(file: ParquetFile, expected: readonly ColumnType[]): void {
  if (file.columns.length !== expected.length) {
    throw mismatch('schema', `${file.columns.length} columns were read back, ${expected.length} were written`)
  }
  for (const [i, column] of expected.entries()) {
    const read = file.columns[i]!
    if (isSameColumn(column, read)) continue
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

/** Field by field: putting a column into words takes longer than to read it. */
function isSameColumn(a: ColumnType, b: ColumnType): boolean {
  return a.name === b.name && a.physical === b.physical && a.unit === b.unit && isSameType(a.logical, b.logical)
}

function isSameType(a: LogicalType, b: LogicalType): boolean {
  switch (a.kind) {
    case 'integer':
      return b.kind === 'integer' && a.bits === b.bits
    case 'decimal':
      return b.kind === 'decimal' && a.precision === b.precision && a.scale === b.scale
    case 'time':
      return b.kind === 'time' && a.unit === b.unit
    case 'timestamp':
      return b.kind === 'timestamp' && a.unit === b.unit && a.utc === b.utc
    case 'string':
    case 'json':
    case 'boolean':
    case 'double':
    case 'date':
      return a.kind === b.kind
  }
}

/** `parts` cover the file, with the digests that `digestsFor` names. */
export function compareContent(file: ParquetFile, parts: readonly PartDigests[], expected: ExpectedFile): void {
  if (expected.written !== undefined) {
    compareChunks(file, combineChunks(file, parts), expected.written.chunks)
    return
  }
  const read = combineParts(file, parts)
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

function compareChunks(file: ParquetFile, read: readonly (readonly ChunkDigest[])[], written: readonly (readonly ChunkDigest[])[]): void {
  if (read.length !== written.length) throw mismatch('content', `${read.length} row groups were read back, ${written.length} were written`)
  for (const [g, digests] of read.entries()) {
    for (const [c, [low, high]] of digests.entries()) {
      const other = written[g]![c]
      if (other !== undefined && other[0] === low && other[1] === high) continue
      const { name } = file.columns[c]!
      throw mismatch('content', `cells of row group ${g}, column ${JSON.stringify(name)} differ`, { column: name, rowGroup: g })
    }
  }
}
