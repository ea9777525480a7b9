import { type ColumnType, DECIMAL_WIDTH_BYTES } from '../columns/vector.js'
import { assert, IntakeError, isIntakeError } from '../errors.js'
import type { ChunkDigest } from './chunk-digest.js'
import { CONTENT_BLOCK_ROWS, type ContentFacts, columnDescription } from './content-hash.js'
import type { EncodedChunk } from './decode-pages.js'
import type { ByteSource, ColumnChunkFacts, RowGroupFacts } from './read-file.js'
import type { ColumnVerifier, DigestKind } from './verify-column.js'
import { columnDigest, contentDigest } from './verify-digest.js'
import { type VerifierOptions, withVerifier } from './verify-forms.js'

/**
 * The decoding half of verification, cut so that threads can share it: a layout (plain data, taken from the footer on one thread) is split
 * into parts, each part is decoded wherever there is time, and the digests of all parts give the content hash, or those of every column chunk.
 */

/** What the footer says of a file; `ParquetFile` (read-file.ts) has it. Can be posted to a worker. */
export interface FileLayout {
  readonly columns: readonly ColumnType[]
  readonly rowGroups: readonly RowGroupFacts[]
}

/** A rectangle of a file: the columns and row groups `[from, to)`. For the digests of blocks its first row must begin one. */
export interface FilePart {
  readonly digests: DigestKind
  readonly columns: readonly [from: number, to: number]
  readonly rowGroups: readonly [from: number, to: number]
}

export interface PartDigests {
  readonly part: FilePart
  /** Per column of the part, the digests of its blocks in row order (`documents/FORMAT.md`); nothing where those of chunks are wanted. */
  readonly blocks: readonly (readonly string[])[]
  /** Per column of the part, the digest of each of its chunks; nothing where those of blocks are wanted. */
  readonly chunks: readonly (readonly ChunkDigest[])[]
}

export function wholeFile(layout: FileLayout, digests: DigestKind = 'blocks'): FilePart {
  return { digests, columns: [0, layout.columns.length], rowGroups: [0, layout.rowGroups.length] }
}

/** About `wanted` parts of about the same work; none for a file without rows. */
export function partsOf(layout: FileLayout, wanted: number, digests: DigestKind = 'blocks'): FilePart[] {
  return digests === 'blocks' ? partsOfBlocks(layout, wanted) : partsOfChunks(layout, wanted)
}

/** A grid of columns and row groups, of all that have `wanted` parts at most the one whose largest part is smallest. */
function partsOfChunks(layout: FileLayout, wanted: number): FilePart[] {
  const { columns, rowGroups } = layout
  const work = rowGroups.map((group) => columns.map((_, c) => workOf(group, c)))
  const workOfGroups = work.map((cells) => cells.reduce((a, b) => a + b, 0))
  let best: FilePart[] = []
  let least = Infinity
  for (let spans = Math.min(wanted, rowGroups.length); spans > 0; spans--) {
    const parts = ranges(workOfGroups, spans).flatMap(([from, to]) => {
      const workOfColumns = columns.map((_, c) => work.slice(from, to).reduce((sum, cells) => sum + cells[c]!, 0))
      return ranges(workOfColumns, Math.min(Math.floor(wanted / spans), columns.length)).map((range) => ({
        part: { digests: 'chunks', columns: range, rowGroups: [from, to] } as const,
        work: workOfColumns.slice(...range).reduce((a, b) => a + b, 0),
      }))
    })
    const most = Math.max(...parts.map((part) => part.work))
    if (most >= least) continue
    least = most
    best = parts.map(({ part }) => part)
  }
  return best
}

/**
 * Columns are cut first, for they hash independently; row groups only when there are too few columns, and only where a row group begins a block:
 * one of 131,072 rows is two blocks, so files of such row groups can be cut anywhere.
 */
function partsOfBlocks(layout: FileLayout, wanted: number): FilePart[] {
  const { columns, rowGroups } = layout
  const columnWork = columns.map((_, c) => rowGroups.reduce((work, group) => work + workOf(group, c), 0))
  const columnRanges = ranges(columnWork, Math.min(wanted, columns.length))
  const spans: [number, number][] = []
  let row = 0
  for (const [g, group] of rowGroups.entries()) {
    if (row % CONTENT_BLOCK_ROWS === 0) spans.push([g, g + 1])
    else spans.at(-1)![1] = g + 1
    row += group.rows
  }
  const spanWork = spans.map(([from, to]) => rowGroups.slice(from, to).reduce((work, group) => work + group.rows, 0))
  const spanRanges = ranges(spanWork, Math.min(Math.ceil(wanted / columnRanges.length), spans.length))
  return columnRanges.flatMap((range) =>
    spanRanges.map(([from, to]) => ({
      digests: 'blocks' as const,
      columns: range,
      rowGroups: [spans[from]![0], spans[to - 1]![1]] as const,
    })),
  )
}

/** Decoding costs by the row and by the byte; two bytes are taken for each row, which is nothing but a guess. */
function workOf(group: RowGroupFacts, column: number): number {
  return group.rows * 2 + group.columns[column]!.uncompressedBytes
}

/** Cuts a list into at most `count` runs, none of them empty, each of about the same sum. */
function ranges(work: readonly number[], count: number): [number, number][] {
  const total = work.reduce((a, b) => a + b, 0)
  const out: [number, number][] = []
  let start = 0
  let sum = 0
  for (let i = 0; i < work.length; i++) {
    sum += work[i]!
    if (i + 1 < work.length && (out.length + 1 >= count || sum < (total * (out.length + 1)) / count)) continue
    out.push([start, i + 1])
    start = i + 1
  }
  return out
}

/**
 * Decodes every cell of a part and holds each chunk's statistics against them. Memory: one chunk as it stands in the file, and a page.
 * Throws VERIFY_MISMATCH where statistics do not hold, PARQUET_INVALID where the bytes are not sound; errors of the source pass through.
 */
export async function verifyPart(
  source: ByteSource,
  layout: FileLayout,
  part: FilePart,
  options: VerifierOptions = {},
): Promise<PartDigests> {
  const [firstGroup, endGroup] = part.rowGroups
  const ofBlocks = part.digests === 'blocks'
  const rowsBefore = layout.rowGroups.slice(0, firstGroup).reduce((rows, group) => rows + group.rows, 0)
  assert(!ofBlocks || rowsBefore % CONTENT_BLOCK_ROWS === 0, 'a part begins where a block does')
  return withVerifier(options, async (verifier) => {
    const blocks: (readonly string[])[] = []
    const chunks: (readonly ChunkDigest[])[] = []
    for (let c = part.columns[0]; c < part.columns[1]; c++) {
      const column = layout.columns[c]!
      verifier.begin(column.physical, part.digests)
      for (let g = firstGroup; g < endGroup; g++) {
        const chunk = await readChunk(source, layout, g, c, verifier)
        const wrong = atPlace(g, c, () => verifier.check(chunk, layout.rowGroups[g]!.columns[c]!))
        if (wrong !== null) throw mismatch('statistics', `row group ${g}, column ${JSON.stringify(column.name)}: ${wrong}`)
      }
      if (ofBlocks) blocks.push(verifier.finish())
      else chunks.push(verifier.finishChunks())
    }
    return { part, blocks, chunks }
  })
}

/** The bytes of a column chunk, with what the footer promises of it; in the memory of `verifier` where one is given. */
export async function readChunk(
  source: ByteSource,
  layout: FileLayout,
  rowGroup: number,
  column: number,
  verifier: ColumnVerifier | null = null,
): Promise<EncodedChunk> {
  const { rows, columns } = layout.rowGroups[rowGroup]!
  const facts: ColumnChunkFacts = columns[column]!
  return {
    bytes: await readBytes(source, facts.startByte, facts.compressedBytes, verifier),
    rows,
    physical: layout.columns[column]!.physical,
    widthBytes: DECIMAL_WIDTH_BYTES,
    optional: facts.optional,
    compression: facts.compression,
    promises: facts,
  }
}

async function readBytes(source: ByteSource, start: number, sizeBytes: number, verifier: ColumnVerifier | null): Promise<Uint8Array> {
  if (verifier === null || source.readInto === undefined) return source.read(start, start + sizeBytes)
  const room = verifier.roomFor(sizeBytes)
  await source.readInto(start, room)
  return room
}

/**
 * The digests of all column chunks of a file, by row group and column, from parts that cover it, in any order. Of a chunk that no part has,
 * or two have, nothing is said: that is an assertion.
 */
export function combineChunks(layout: FileLayout, parts: readonly PartDigests[]): ChunkDigest[][] {
  const found: ChunkDigest[][] = layout.rowGroups.map(() => [])
  for (const { part, chunks } of parts) {
    for (const [c, ofColumn] of chunks.entries()) {
      for (const [g, digest] of ofColumn.entries()) {
        const ofGroup = found[part.rowGroups[0] + g]!
        assert(ofGroup[part.columns[0] + c] === undefined, 'the parts have each chunk once')
        ofGroup[part.columns[0] + c] = digest
      }
    }
  }
  for (const ofGroup of found) for (const c of layout.columns.keys()) assert(ofGroup[c] !== undefined, 'the parts cover the file')
  return found
}

/** Puts the digests of parts that cover a file together; the order of the parts does not matter. */
export function combineParts(layout: FileLayout, parts: readonly PartDigests[]): ContentFacts {
  const inOrder = [...parts].sort((a, b) => a.part.rowGroups[0] - b.part.rowGroups[0])
  const columns = layout.columns.map((column, c) => {
    const blocks = inOrder.flatMap(({ part, blocks: digests }) => (c < part.columns[0] ? [] : (digests[c - part.columns[0]] ?? [])))
    return { digest: columnDigest(columnDescription(column), blocks), blocks }
  })
  const rows = layout.rowGroups.reduce((n, group) => n + group.rows, 0)
  for (const { blocks } of columns)
    assert(blocks.length === Math.ceil(rows / CONTENT_BLOCK_ROWS), 'the parts cover the file, each row once')
  return {
    contentSha256: contentDigest(
      rows,
      columns.map(({ digest }) => digest),
    ),
    rows,
    columns,
  }
}

export function mismatch(part: string, message: string, data: Record<string, unknown> = {}, cause?: unknown): IntakeError {
  return new IntakeError('VERIFY_MISMATCH', `The finished Parquet file did not read back equal (${part}): ${message}`, {
    data: { part, ...data },
    cause,
  })
}

export function atPlace<T>(rowGroup: number, column: number, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!isIntakeError(error, 'PARQUET_INVALID')) throw error
    throw new IntakeError(error.code, `${error.message} (row group ${rowGroup}, column ${column + 1})`, { cause: error })
  }
}
