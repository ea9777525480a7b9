import { ColumnGather } from '../columns/gather-columns.js'
import { takeVector } from '../columns/kernel-column.js'
import type { Kernels } from '../kernels/kernels.js'
import type { Files } from '../runtime/files.js'
import type { Table } from '../tables/build-table.js'
import { KeyIndex, keyHashes } from './key-index.js'
import type { ChunkColumns } from './plain-text-chunk.js'
import type { ConvertRequest, Output } from './protocol.js'
import { RecordWriter } from './record-writer.js'
import type { StagedText } from './split-protocol.js'

/** Rows of a drop that two decoders read, about. */
const SAMPLED_ROWS = 16_384

export interface StagerOptions {
  readonly files: Files
  readonly kernels: Kernels
  readonly table: Table
  readonly request: ConvertRequest
  /** Rows of a row group. */
  readonly groupRows: number
  /** Of the whole file. */
  readonly totalRows: number
  /** Whether to stop: looked at between records. */
  readonly stopped: () => boolean
}

/**
 * Stages one file per record from chunks of rows of many records. What a file comes to depends on the rows of its record alone: neither on the
 * chunks they came in nor on other records in them.
 */
export class RecordStager {
  readonly staged: StagedText[] = []
  private writer: RecordWriter | null = null
  private keys: KeyIndex | null = null

  constructor(private readonly options: StagerOptions) {}

  /** All rows of some records. False: a key may stand twice in one of them, or there are too many. */
  async stage(chunk: ChunkColumns): Promise<boolean> {
    const { kernels, table, groupRows, stopped } = this.options
    const { texts, starts, order } = rowsByRecord(chunk)
    if (!this.keysAreNew(new KeyIndex(table), chunk, recordOfRow(chunk, texts))) return false
    const mark = kernels.mark()
    try {
      const rows = kernels.allocate(order.length * 4)
      kernels.u32.set(order, rows >>> 2)
      const gather = new ColumnGather(kernels, chunk.columns)
      for (let record = 0; record < texts.length && !stopped(); record++) {
        await this.open(texts[record]!)
        for (let from = starts[record]!; from < starts[record + 1]!; from += groupRows) {
          await this.write(gather, chunk, rows + from * 4, Math.min(starts[record + 1]! - from, groupRows))
        }
        await this.close(texts[record]!)
      }
      return true
    } finally {
      kernels.release(mark)
    }
  }

  /** A row group of the one record that is written now; `end` follows the last one. False as for `stage`. */
  async stageGroup(text: string, chunk: ChunkColumns): Promise<boolean> {
    const { kernels, table } = this.options
    if (this.writer === null) {
      await this.open(text)
      this.keys = new KeyIndex(table)
    }
    if (!this.keysAreNew(this.keys!, chunk, new Uint32Array(chunk.rows))) return false
    const mark = kernels.mark()
    try {
      const rows = kernels.allocate(chunk.rows * 4)
      for (let i = 0; i < chunk.rows; i++) kernels.u32[(rows >>> 2) + i] = i
      await this.write(new ColumnGather(kernels, chunk.columns), chunk, rows, chunk.rows)
      return true
    } finally {
      kernels.release(mark)
    }
  }

  async end(text: string): Promise<void> {
    await this.close(text)
  }

  /** Gives up the file that is being written. Those that are staged are the caller's. */
  async discard(): Promise<void> {
    await this.writer?.discard()
    this.writer = null
  }

  private keysAreNew(keys: KeyIndex, chunk: ChunkColumns, records: Uint32Array): boolean {
    const { kernels, table } = this.options
    const hashes = keyHashes(table, (column) => takeVector(kernels, chunk.columns[column]!), records)
    return hashes !== null && keys.addHashes(hashes)
  }

  private async open(text: string): Promise<void> {
    const { files, table, request, totalRows } = this.options
    const { compression, verify } = request
    const sampledShare = SAMPLED_ROWS / totalRows
    const output = request.output as Exclude<Output, { kind: 'none' }>
    this.writer = await RecordWriter.open({ files, table, output, recordId: recordIdOf(request, text), compression, verify, sampledShare })
  }

  private async write(gather: ColumnGather, chunk: ChunkColumns, rows: number, count: number): Promise<void> {
    const { kernels } = this.options
    const mark = kernels.mark()
    await this.writer!.writeColumns(
      kernels,
      chunk.columns.map((column) => gather.take(column, rows, count)),
    )
    kernels.release(mark)
  }

  private async close(text: string): Promise<void> {
    this.staged.push({ ...(await this.writer!.finish()), text })
    this.writer = null
  }
}

export function recordIdOf({ grouping }: ConvertRequest, text: string): string {
  return grouping.kind === 'column' ? `${grouping.prefix}${text}${grouping.suffix}` : ''
}

/** The rows of each record in their order: a stable partition by counting. Texts that differ only in their quotes are one record. */
function rowsByRecord(chunk: ChunkColumns): { texts: string[]; starts: Uint32Array; order: Uint32Array } {
  const texts = [...new Set(chunk.recordTexts)]
  const records = recordOfRow(chunk, texts)
  const starts = new Uint32Array(texts.length + 1)
  for (let i = 0; i < records.length; i++) starts[records[i]! + 1]!++
  for (let r = 0; r < texts.length; r++) starts[r + 1]! += starts[r]!
  const next = starts.slice()
  const order = new Uint32Array(records.length)
  for (let i = 0; i < records.length; i++) order[next[records[i]!]!++] = i
  return { texts, starts, order }
}

function recordOfRow(chunk: ChunkColumns, texts: readonly string[]): Uint32Array {
  if (texts.length === chunk.recordTexts.length) return chunk.recordOfRow
  const places = new Map(texts.map((text, place) => [text, place]))
  const recordOf = chunk.recordTexts.map((text) => places.get(text)!)
  return Uint32Array.from(chunk.recordOfRow, (code) => recordOf[code]!)
}
