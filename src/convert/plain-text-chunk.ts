import { isUtf8 } from 'node:buffer'
import { type KernelColumn, takeVector, widthOf } from '../columns/kernel-column.js'
import { isRecordId } from '../core/record-id.js'
import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { Table } from '../tables/schema.js'
import { CellCodes, TRIAL_ROWS } from './cell-codes.js'
import { JudgeScratch } from './judged-texts.js'
import { KernelRegion } from './kernel-region.js'
import { NO_RECORD, type Segment } from './row-validator.js'

/** 32-bit words for field offsets of one batch: small enough to stay in the cache together with the text they point into. */
const BATCH_WORDS = 16_384
/** Bytes of all columns that are kept from one chunk for the next. */
const KEPT_BYTES = 1 << 26

export interface ChunkPlan {
  readonly table: Table
  /** Cells of each row. */
  readonly width: number
  /** Cell position → column index; -1 for a cell that is not taken. */
  readonly columnOfCell: Int32Array
  /** Position of the cell that names the record; -1: there is one record. */
  readonly recordCell: number
  readonly recordPrefix: string
  readonly recordSuffix: string
  readonly delimiter: number
  readonly quote: number
  readonly rowBytes: number
  /** Positions of cells whose texts are mostly different, where that is known beforehand: their columns have no dictionary. */
  readonly direct?: ReadonlySet<number>
  /** Rows after which a column may leave its dictionary; by default what usually pays. */
  readonly trialRows?: number
  /** Of a chunk, by the first rows of the file. */
  readonly expectedRows: number
}

/** A chunk that is right in every cell. */
export interface ChunkColumns {
  readonly rows: number
  readonly blank: number
  /** In the memory of the reader's kernels, until it reads again. */
  readonly columns: readonly KernelColumn[]
  /** Texts of the record cell in order of first appearance; empty when there is one record. */
  readonly recordTexts: readonly string[]
  /** Index into `recordTexts` of each row; empty when there is one record. */
  readonly recordOfRow: Uint32Array
}

/**
 * Turns the bytes of whole records into columns without making a string on the way: fields are looked up by their bytes, and only
 * distinct texts are decoded, parsed and checked (DESIGN §9), once for all chunks as far as they are kept.
 *
 * What is kept saves time and decides nothing: a chunk comes out the same whatever the reader read before.
 *
 * It knows clean, plain text only. Whatever else it meets (a wrong cell, a ragged row, a stray quote, bytes that are not UTF-8) makes it
 * give up: then csv-parse and RowValidator read the file, and say what is wrong and where.
 */
export class ChunkReader {
  private readonly cells: readonly CellCodes[]
  private readonly fields: number
  private readonly batchRows: number
  /** Zeros, for columns that the file leaves out. */
  private readonly zeros: KernelRegion
  /** What was allocated for one chunk alone lies above. */
  private chunkMark: number | null = null
  /** A text of the last chunk was wrong, or may have been: kept, it would be so in every chunk that comes. */
  private keepsWrong = false

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: ChunkPlan,
  ) {
    const { expectedRows, trialRows = TRIAL_ROWS } = plan
    this.batchRows = Math.max(1, Math.min(plan.trialRows ?? BATCH_WORDS, Math.floor(BATCH_WORDS / (plan.width + 1))))
    this.fields = kernels.allocate((this.batchRows * (plan.width + 1) + 16) * 4)
    this.zeros = new KernelRegion(kernels)
    const scratch = new JudgeScratch(kernels)
    const cells: CellCodes[] = []
    for (let position = 0; position < plan.width; position++) {
      const column = plan.columnOfCell[position]!
      const names = position === plan.recordCell
      if (column < 0 && !names) continue
      cells.push(
        new CellCodes(kernels, {
          position,
          column: plan.table.columns[column] ?? null,
          names,
          expectedRows,
          trialRows,
          scratch,
          direct: plan.direct?.has(position) === true,
        }),
      )
    }
    this.cells = cells
  }

  /**
   * Reads the records that start in [start, limit); the text of the last one may go on up to `end`. `final`: the file ends at `end`.
   * Returns the columns and the place where the next record starts, 'short' when the last record goes on beyond `end`, or 'unclear'.
   */
  read(start: number, limit: number, end: number, final: boolean): { columns: ChunkColumns; next: number } | 'short' | 'unclear' {
    const keeps = !this.keepsWrong && this.cells.reduce((bytes, cell) => bytes + cell.keptBytes, 0) <= KEPT_BYTES
    let found = this.readOnce(start, limit, end, final, keeps)
    if (found === 'full') found = this.readOnce(start, limit, end, final, false)
    this.keepsWrong = found === 'unclear' || found === 'full'
    return found === 'full' ? 'unclear' : found
  }

  /** Gives back what the last chunk's columns alone took. To be called before anything else is allocated for the next one. */
  release(): void {
    if (this.chunkMark !== null) this.kernels.release(this.chunkMark)
    this.chunkMark = null
  }

  private readOnce(
    start: number,
    limit: number,
    end: number,
    final: boolean,
    keeps: boolean,
  ): { columns: ChunkColumns; next: number } | 'short' | 'unclear' | 'full' {
    const { kernels, plan, fields } = this
    this.release()
    for (const cell of this.cells) cell.begin(keeps)
    const stride = plan.width + 1
    let rows = 0
    let blank = 0
    let at = start
    while (at < limit) {
      let found = kernels.tokenise(at, end, final, plan.width, plan.delimiter, plan.quote, fields, this.batchRows)
      const { status, next, recordEnd } = kernels.result
      let after = next
      if (status === 'odd' || status === 'ragged') return 'unclear'
      // Records that start beyond the limit belong to the next chunk.
      const u32 = kernels.u32
      const base = fields >>> 2
      let cut = false
      while (found > 0 && u32[base + (found - 1) * stride]! >= limit) {
        found--
        after = u32[base + found * stride]!
        cut = true
      }
      const kept = kernels.keepRows(fields, found, plan.width, plan.rowBytes, plan.quote)
      if (kept < 0) return 'unclear'
      blank += found - kept
      if (kept > 0) {
        for (const cell of this.cells) {
          const taken = cell.add(fields, stride, kept, rows)
          if (taken !== 'right') return taken === 'full' ? 'full' : 'unclear'
        }
        rows += kept
      }
      if (cut) {
        at = after
        break
      }
      if (status === 'blank' && after < limit) {
        blank++
        after = recordEnd
      } else if (found === 0) {
        if (after >= end && final) {
          at = after
          break
        }
        return 'short'
      }
      at = after
    }
    if (!isUtf8(kernels.u8.subarray(start, at))) return 'unclear'
    const columns = this.finish(rows, blank)
    return typeof columns === 'string' ? columns : { columns, next: at }
  }

  private finish(rows: number, blank: number): ChunkColumns | 'unclear' | 'full' {
    const { plan, kernels } = this
    const columns = new Array<KernelColumn>(plan.table.columns.length)
    let recordTexts: readonly string[] = []
    let recordOfRow: Uint32Array = new Uint32Array(0)
    for (const cell of this.cells) {
      if (!cell.names) continue
      recordTexts = cell.chunkTexts()
      if (!recordTexts.every((text) => this.namesRecord(text))) return 'unclear'
      recordOfRow = cell.textOfRow(rows)
    }
    const present = new Set(this.cells.flatMap(({ column }) => (column === null ? [] : [column.index])))
    for (const column of plan.table.columns) if (!present.has(column.index)) columns[column.index] = this.absent(column.index, rows)
    for (const takesMemory of [false, true]) {
      if (takesMemory) this.chunkMark = kernels.mark()
      for (const cell of this.cells) {
        if (cell.column === null || cell.takesMemory !== takesMemory) continue
        const column = cell.take(rows)
        if (typeof column === 'string') return column === 'full' ? 'full' : 'unclear'
        columns[cell.column.index] = column
      }
    }
    return { rows, blank, columns, recordTexts, recordOfRow }
  }

  /** An empty text names no record, nor does one that means "no value" in the record's own column. */
  private namesRecord(text: string): boolean {
    const { plan } = this
    const column = plan.columnOfCell[plan.recordCell]!
    if (text === '' || (column >= 0 && plan.table.columns[column]!.missingValues.has(text))) return false
    return isRecordId(`${plan.recordPrefix}${text}${plan.recordSuffix}`)
  }

  private absent(index: number, rows: number): KernelColumn {
    const { physical } = this.plan.table.columns[index]!
    const width = physical === 'BYTE_ARRAY' ? 4 : widthOf(physical)
    const bytes = (rows + 1) * width
    const zeros = this.zeros.reserve(Math.max(bytes, this.plan.expectedRows * 8))
    this.kernels.u8.fill(0, zeros, zeros + bytes)
    const values =
      physical === 'BYTE_ARRAY'
        ? ({ physical, count: rows, data: zeros, offsets: zeros } as const)
        : ({ physical, width: width as 1 | 4 | 8 | 16, count: rows, data: zeros } as const)
    return { form: 'plain', rows, nulls: rows, validity: rows === 0 ? 0 : zeros, values }
  }
}

/** For a caller that keeps many chunks: the same rows as RowValidator would have gathered. `recordIndex` gives the record of each text. */
export function segmentOf(kernels: Kernels, chunk: ChunkColumns, recordIndex: (text: string) => number): Segment {
  const { rows, recordTexts } = chunk
  const vectors = chunk.columns.map((column) => takeVector(kernels, column))
  if (recordTexts.length === 0) return { rows, vectors, recordOfRow: new Uint32Array(rows) }
  const records = recordTexts.map(recordIndex)
  assert(
    records.every((r) => r !== NO_RECORD),
    'every row has its record',
  )
  return { rows, vectors, recordOfRow: Uint32Array.from(chunk.recordOfRow, (code) => records[code]!) }
}
