import { plainLabels } from '../csv/plain-header.js'
import { openCsv } from '../csv/read-csv.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import { type HeaderMatch, matchHeader } from '../tables/header.js'
import type { Table } from '../tables/schema.js'
import { KernelRegion } from './kernel-region.js'
import type { FilePart } from './part-cutter.js'
import { type ChunkColumns, type ChunkPlan, ChunkReader } from './plain-text-chunk.js'
import type { ConvertRequest } from './protocol.js'
import { type RowGroupLimits, rowGroupLimits } from './row-groups.js'

const LF = 0x0a
const QUOTE = 0x22
const HEAD_BYTES = 256 * 1024
/** Parts after which a reader begins anew with empty memory. */
const PARTS_PER_READER = 32

/** The head of a file in plain text, and how it is to be read. */
export interface PlainTextPlan {
  readonly labels: readonly string[]
  readonly header: HeaderMatch
  readonly chunk: ChunkPlan
  /** Where the first record after the header starts. */
  readonly dataStart: number
  readonly sizeBytes: number
  /** Of a part, which becomes a row group. */
  readonly limits: RowGroupLimits
  /** What a part will probably come to, by the first rows. */
  readonly partBytes: number
}

/**
 * Looks whether a file may go the fast way: a dialect of one delimiter with RFC 4180 quoting in UTF-8 and one header row, and a header
 * without faults. null: it may not, and csv-parse reads it.
 */
export async function planPlainText(
  request: ConvertRequest,
  table: Table,
  file: Pick<OpenFile, 'read'>,
  sizeBytes: number,
): Promise<PlainTextPlan | null> {
  const { dialect, grouping, limits } = request
  const delimiter = dialect.delimiter.charCodeAt(0)
  const plain =
    dialect.delimiter.length === 1 &&
    delimiter < 0x80 &&
    dialect.quoteChar === '"' &&
    dialect.doubleQuote &&
    dialect.escapeChar === null &&
    dialect.nullSequence === undefined &&
    dialect.lineTerminator === undefined &&
    !dialect.skipInitialSpace &&
    dialect.header &&
    dialect.headerRows.length === 1 &&
    dialect.headerRows[0] === 1 &&
    dialect.commentRows.length === 0 &&
    dialect.commentChar === null &&
    /^utf-?8$/i.test(dialect.encoding)
  if (!plain) return null

  const head = Buffer.alloc(Math.min(HEAD_BYTES, sizeBytes))
  const length = await file.read(head, 0)
  const dataStart = recordEnd(head.subarray(0, length))
  if (dataStart < 0) return null
  const first = head.subarray(0, dataStart)
  const labels = plainLabels(first, dialect.delimiter, limits) ?? (await parsedLabels(first, dialect, limits))
  if (labels === null) return null
  const header = matchHeader(table, labels)
  const recordCell = grouping.kind === 'column' ? labels.indexOf(grouping.column) : -1
  if (header.problems.length > 0 || (grouping.kind === 'column' && recordCell < 0)) return null
  const rowBytes = rowBytesOf(head.subarray(dataStart, length))
  const rowGroup = rowGroupLimits(rowBytes, labels.length)
  const partBytes = Math.ceil(Math.min(rowBytes * rowGroup.rows * 1.1, rowGroup.bytes * 1.1, sizeBytes - dataStart))
  return {
    labels,
    header,
    dataStart,
    sizeBytes,
    limits: rowGroup,
    partBytes,
    chunk: {
      table,
      width: labels.length,
      columnOfCell: header.columnOfCell,
      recordCell,
      recordPrefix: grouping.kind === 'column' ? grouping.prefix : '',
      recordSuffix: grouping.kind === 'column' ? grouping.suffix : '',
      delimiter,
      quote: QUOTE,
      rowBytes: limits.rowBytes,
      expectedRows: Math.min(rowGroup.rows, Math.ceil(partBytes / rowBytes)),
    },
  }
}

/** The labels of a header with quotes, say; null: there is none that can be used. */
async function parsedLabels(
  bytes: Uint8Array,
  dialect: ConvertRequest['dialect'],
  limits: ConvertRequest['limits'],
): Promise<readonly string[] | null> {
  try {
    const reader = await openCsv({ chunks: once(bytes), dialect, limits })
    // The header may not be where csv-parse sees one, after blank lines for instance.
    for await (const batch of reader.batches()) if (batch.length > 0) return null
    return reader.labels
  } catch {
    return null
  }
}

/** Of a row, by the first ones alone, so that the same file is cut alike whatever runs beside it. */
function rowBytesOf(sample: Uint8Array): number {
  let lines = 0
  for (let at = sample.indexOf(LF); at >= 0; at = sample.indexOf(LF, at + 1)) lines++
  return Math.max(sample.length, 1) / Math.max(lines, 1)
}

/** The place after the first line end outside quotes; -1: there is none. */
function recordEnd(bytes: Uint8Array): number {
  let inside = false
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === QUOTE) inside = !inside
    else if (bytes[i] === LF && !inside) return i + 1
  }
  return -1
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Text that is read at a time: little enough to stay in the processor's cache until it is taken apart. */
const BLOCK_BYTES = 512 * 1024
/** Text is read to such a boundary of memory: elsewhere the kernel copies it at a third or less of the speed, depending on the file's page. */
const READ_ALIGNMENT = 4096
/** Room before the block for the record that the last one broke off; longer ones take more. */
const HELD_BYTES = 64 * 1024

/**
 * Reads parts of a planned file, one after the other or any of them: the memory for text, fields and dictionaries is taken once, from the
 * kernels' stack, and is the caller's to give back.
 */
export class PartReader {
  private readonly mark: number
  private reader: ChunkReader
  private text: KernelRegion
  private parts = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: PlainTextPlan,
    private readonly file: Pick<OpenFile, 'read'>,
  ) {
    this.mark = kernels.mark()
    this.text = new KernelRegion(kernels, HELD_BYTES + BLOCK_BYTES + READ_ALIGNMENT)
    this.reader = new ChunkReader(kernels, plan.chunk)
  }

  /** The rows of a part, until the next one is read. null: it is not clean, plain text. */
  async read(part: FilePart): Promise<ChunkColumns | null> {
    this.renewNowAndThen()
    for (const keeps of [true, false]) {
      this.reader.begin(keeps)
      const found = await this.readBlocks(part)
      if (found !== 'full') return found === 'unclear' ? null : found
    }
    return null
  }

  private async readBlocks({ from, to }: FilePart): Promise<ChunkColumns | 'unclear' | 'full'> {
    const { kernels, text, reader } = this
    // Bytes of a record whose end was not read yet, and where they lie.
    let held = 0
    let heldAt = 0
    for (let at = from; at < to; ) {
      const bytes = Math.min(to - at, Math.max(BLOCK_BYTES, held))
      const before = Math.max(held, HELD_BYTES)
      // Where the text moves, what lies in its old room stays there.
      const block = Math.ceil((text.reserve(before + bytes + READ_ALIGNMENT) + before) / READ_ALIGNMENT) * READ_ALIGNMENT
      const start = block - held
      const end = block + bytes
      kernels.u8.copyWithin(start, heldAt, heldAt + held)
      const read = await this.file.read(kernels.u8.subarray(block, end), at)
      if (read !== bytes) throw new Error('the source of a conversion became shorter')
      at += bytes
      const next = reader.feed(start, end, at === to)
      if (typeof next === 'string') return next
      heldAt = next
      held = end - next
      if (held > this.plan.chunk.rowBytes) return 'unclear'
    }
    // Where one part ends the next must begin.
    return held > 0 ? 'unclear' : reader.end()
  }

  /** Memory that grew left its old room behind. What a part gives depends on the part alone, so beginning anew shows nowhere. */
  private renewNowAndThen(): void {
    if (++this.parts % PARTS_PER_READER !== 0) return
    this.kernels.release(this.mark)
    this.text = new KernelRegion(this.kernels, HELD_BYTES + BLOCK_BYTES + READ_ALIGNMENT)
    this.reader = new ChunkReader(this.kernels, this.plan.chunk)
  }
}
