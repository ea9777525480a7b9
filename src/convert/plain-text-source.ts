import { openCsv } from '../csv/read-csv.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import { type HeaderMatch, matchHeader } from '../tables/header.js'
import type { Table } from '../tables/schema.js'
import { type ChunkColumns, type ChunkPlan, ChunkReader } from './plain-text-chunk.js'
import type { ConvertRequest } from './protocol.js'

const LF = 0x0a
const QUOTE = 0x22
const HEAD_BYTES = 256 * 1024
/** Text beyond the end of a chunk that is read with it, for its last record. */
const TAIL_BYTES = 64 * 1024
const CHUNK_MIN_BYTES = 64 * 1024
/** Chunks after which a reader begins anew with empty memory. */
const CHUNKS_PER_READER = 32
/** What a row group may take of the source (DESIGN §9); a chunk is a row group. */
export const CHUNK_MAX_BYTES = 32 * 1024 ** 2
/** Rows that a chunk aims at, by the length of the first rows. */
const CHUNK_ROWS = 131_072
/** Fewer rows in a chunk that is smaller than CHUNK_MAX_BYTES: the first rows were not like the others. */
export const ROW_GROUP_MIN_ROWS = 50_000

/** The head of a file in plain text, and how it is to be cut. */
export interface PlainTextPlan {
  readonly labels: readonly string[]
  readonly header: HeaderMatch
  readonly chunk: ChunkPlan
  /** Where the first record after the header starts. */
  readonly dataStart: number
  readonly sizeBytes: number
  readonly chunkBytes: number
}

/**
 * Looks whether a file may go the fast way: a dialect of one delimiter with RFC 4180 quoting in UTF-8 and one header row, and a header
 * without faults. null: it may not, and csv-parse reads it.
 */
export async function planPlainText(
  request: ConvertRequest,
  table: Table,
  file: OpenFile,
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
  let labels: readonly string[] | null
  try {
    const reader = await openCsv({ chunks: once(head.subarray(0, dataStart)), dialect, limits })
    labels = reader.labels
    // The header may not be where csv-parse sees one, after blank lines for instance.
    for await (const batch of reader.batches()) if (batch.length > 0) return null
  } catch {
    return null
  }
  if (labels === null) return null
  const header = matchHeader(table, labels)
  const recordCell = grouping.kind === 'column' ? labels.indexOf(grouping.column) : -1
  if (header.problems.length > 0 || (grouping.kind === 'column' && recordCell < 0)) return null
  return {
    labels,
    header,
    dataStart,
    sizeBytes,
    chunkBytes: chunkBytesOf(head.subarray(dataStart, length)),
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
    },
  }
}

/** By the first rows alone, so that the same file is cut alike whatever runs beside it. */
function chunkBytesOf(sample: Uint8Array): number {
  let lines = 0
  for (const byte of sample) if (byte === LF) lines++
  const rowBytes = sample.length / Math.max(lines, 1)
  return Math.round(Math.min(Math.max(rowBytes * CHUNK_ROWS, CHUNK_MIN_BYTES), CHUNK_MAX_BYTES))
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

/** A part in which no record starts: a long one goes through it. */
const NO_ROWS: ChunkColumns = { rows: 0, blank: 0, vectors: [], recordTexts: [], recordOfRow: new Uint32Array(0) }

export interface SourceChunk extends ChunkColumns {
  /** Where the next record starts in the file. */
  readonly next: number
  readonly sourceBytes: number
}

/**
 * Reads chunks of a planned file, one after the other or any of them: the memory for text, fields and dictionaries is taken once, from the
 * kernels' stack, and is the caller's to give back. A chunk holds the records that start in [from, to).
 */
export class PlainTextChunks {
  private readonly mark: number
  private reader: ChunkReader
  private text: number
  private textBytes: number
  private chunks = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: PlainTextPlan,
    private readonly file: OpenFile,
  ) {
    this.mark = kernels.mark()
    this.textBytes = Math.min(plan.chunkBytes, plan.sizeBytes) + TAIL_BYTES
    this.text = kernels.allocate(this.textBytes, 4096)
    this.reader = new ChunkReader(kernels, plan.chunk)
  }

  /** Dictionaries that grew leave their old room behind. What a chunk gives depends on the chunk alone, so beginning anew shows nowhere. */
  private renewNowAndThen(): void {
    if (++this.chunks % CHUNKS_PER_READER !== 0) return
    this.kernels.release(this.mark)
    this.text = this.kernels.allocate(this.textBytes, 4096)
    this.reader = new ChunkReader(this.kernels, this.plan.chunk)
  }

  /** The records that start in [start, to); `start` is where a record starts. null: the chunk is not clean, plain text. */
  async read(start: number, to: number): Promise<SourceChunk | null> {
    const { plan } = this
    this.renewNowAndThen()
    for (let beyond = TAIL_BYTES; ; beyond *= 4) {
      const end = Math.min(to + beyond, plan.sizeBytes)
      await this.load(start, end)
      const found = this.reader.read(this.text, this.text + Math.min(to, end) - start, this.text + end - start, end === plan.sizeBytes)
      if (found === 'unclear') return null
      if (found !== 'short') return { ...found.columns, next: start + found.next - this.text, sourceBytes: found.next - this.text }
      if (end === plan.sizeBytes || beyond > plan.chunk.rowBytes) return null
    }
  }

  /**
   * The same for a part of the file whose first record is not known yet: [from, to), `first` where it begins with the first record.
   * `parity` is told how many quotes stand before `to - 1` (modulo 2), from where the part before left off, and gives back whether this part
   * begins inside quotes. null: the part is not clean, plain text, or does not look so from here.
   */
  async readPart(
    part: { from: number; to: number; first: boolean },
    parity: (own: 0 | 1) => 0 | 1,
  ): Promise<(SourceChunk & { readonly begin: number }) | null> {
    const { plan, kernels } = this
    const { to } = part
    this.renewNowAndThen()
    // The line end before the part belongs to it: it says whether a record starts at `from`.
    const origin = part.first ? part.from : part.from - 1
    let inside: 0 | 1 | null = null
    for (let beyond = TAIL_BYTES; ; beyond *= 4) {
      const end = Math.min(to + beyond, plan.sizeBytes)
      await this.load(origin, end)
      const { text } = this
      inside ??= parity(kernels.quoteParity(text, text + to - 1 - origin, QUOTE))
      const last = text + end - origin
      const begin = part.first ? text : kernels.recordAfter(text, last, QUOTE, inside)
      if (begin >= text + to - origin || (begin < 0 && end === plan.sizeBytes)) {
        const at = begin < 0 ? plan.sizeBytes : origin + begin - text
        return { ...NO_ROWS, begin: at, next: at, sourceBytes: 0 }
      }
      const found = begin < 0 ? 'short' : this.reader.read(begin, text + to - origin, last, end === plan.sizeBytes)
      if (found === 'unclear') return null
      if (found !== 'short') {
        return { ...found.columns, begin: origin + begin - text, next: origin + found.next - text, sourceBytes: found.next - begin }
      }
      if (end === plan.sizeBytes || beyond > plan.chunk.rowBytes) return null
    }
  }

  private async load(start: number, end: number): Promise<void> {
    const bytes = end - start
    if (bytes > this.textBytes) {
      this.textBytes = bytes
      this.text = this.kernels.allocate(bytes, 4096)
    }
    const { u8 } = this.kernels
    const read = await this.file.read(u8.subarray(this.text, this.text + bytes), start)
    if (read !== bytes) throw new Error('the source of a conversion became shorter')
  }
}
