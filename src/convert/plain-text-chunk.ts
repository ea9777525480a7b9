import { isUtf8 } from 'node:buffer'
import { type KernelColumn, widthOf } from '../columns/kernel-column.js'
import { isRecordId } from '../core/record-id.js'
import type { Kernels } from '../kernels/kernels.js'
import type { Table } from '../tables/schema.js'
import { CellCodes, TRIAL_ROWS } from './cell-codes.js'
import { JudgeScratch } from './judged-texts.js'
import { KernelRegion } from './kernel-region.js'

/**
 * Cells of a row from which on a dictionary of texts pays only for those that have few: rows come a hundred at a time, all dictionaries
 * together are more than a processor keeps at hand, and to wait for memory at each cell takes longer than to parse it. Their values are
 * told apart afterwards, one column at a time.
 */
const MANY_COLUMNS = 64

export function hasManyColumns(width: number): boolean {
  return width >= MANY_COLUMNS
}

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
  /** Positions of cells that are known beforehand to have too many different texts: their columns have no dictionary of them. */
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
  /** Zeros, for columns that the file leaves out or that have no value in the chunk. */
  private readonly zeros: KernelRegion
  private zeroBytes = 0
  /** What was allocated for one chunk alone lies above. */
  private chunkMark: number | null = null
  /** A text of the last chunk was wrong, or may have been: kept, it would be so in every chunk that comes. */
  private isBroken = false
  private rows = 0
  private blank = 0

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
          mayRepeat: plan.direct?.has(position) === true && hasManyColumns(plan.width),
        }),
      )
    }
    this.cells = cells
  }

  /** A chunk whose text lies at [start, end) as a whole. The columns, or 'unclear'. */
  read(start: number, end: number): ChunkColumns | 'unclear' {
    for (const keeps of [true, false]) {
      this.begin(keeps)
      const next = this.feed(start, end, true)
      const found = typeof next === 'string' ? next : next === end ? this.end() : 'unclear'
      if (found !== 'full') return found
    }
    return 'unclear'
  }

  /** Gives back what the last chunk's columns alone took. To be called before anything else is allocated for the next one. */
  release(): void {
    if (this.chunkMark !== null) this.kernels.release(this.chunkMark)
    this.chunkMark = null
  }

  /**
   * Starts a chunk, after `release`. `keeps`: texts of earlier chunks stay known. Where they leave no room, 'full' is said of the chunk, and it is to be begun anew without them.
   */
  begin(keeps: boolean): void {
    this.release()
    const pays = this.cells.reduce((bytes, cell) => bytes + cell.keptBytes, 0) <= KEPT_BYTES
    for (const cell of this.cells) cell.begin(keeps && pays && !this.isBroken)
    this.isBroken = true
    this.rows = 0
    this.blank = 0
  }

  /**
   * Takes the records that end in [start, end), which begins with a record. `final`: the last one may lack its line end. Returns where the
   * first record begins that was not taken; its text is to come again, with more behind it.
   */
  feed(start: number, end: number, final: boolean): number | 'unclear' | 'full' {
    const { kernels, plan, fields } = this
    const stride = plan.width + 1
    let at = start
    while (at < end) {
      const found = kernels.tokenise(at, end, final, plan.width, plan.delimiter, plan.quote, fields, this.batchRows)
      const { status, next, recordEnd } = kernels.result
      if (status === 'odd' || status === 'ragged') return 'unclear'
      const kept = kernels.keepRows(fields, found, plan.width, plan.rowBytes, plan.quote)
      if (kept < 0) return 'unclear'
      this.blank += found - kept
      if (kept > 0) {
        for (const cell of this.cells) {
          const taken = cell.add(fields, stride, kept, this.rows)
          if (taken !== 'right') return taken === 'full' ? 'full' : 'unclear'
        }
        this.rows += kept
      }
      if (status === 'blank') {
        this.blank++
        at = recordEnd
      } else {
        at = next
        if (found === 0) break
      }
    }
    return isUtf8(kernels.u8.subarray(start, at)) ? at : 'unclear'
  }

  /** The columns of the chunk, until the next one begins. */
  end(): ChunkColumns | 'unclear' | 'full' {
    const columns = this.finish(this.rows, this.blank)
    this.isBroken = typeof columns === 'string'
    return columns
  }

  private finish(rows: number, blank: number): ChunkColumns | 'unclear' | 'full' {
    const { plan, kernels } = this
    const columns = new Array<KernelColumn>(plan.table.columns.length)
    let recordTexts: readonly string[] = []
    let recordOfRow: Uint32Array = new Uint32Array(0)
    for (const cell of this.cells) {
      if (!cell.names) continue
      recordTexts = cell.chunkTexts()
      if (!recordTexts.every((text) => namesRecord(plan, text))) return 'unclear'
      recordOfRow = cell.textOfRow(rows)
    }
    const present = new Set(this.cells.flatMap((cell) => (cell.column === null || cell.isEmpty(rows) ? [] : [cell.column.index])))
    for (const column of plan.table.columns) if (!present.has(column.index)) columns[column.index] = this.empty(column.index, rows)
    for (const takesMemory of [false, true]) {
      if (takesMemory) this.chunkMark = kernels.mark()
      for (const cell of this.cells) {
        if (cell.column === null || cell.takesMemory !== takesMemory || cell.isEmpty(rows)) continue
        const column = cell.take(rows)
        if (typeof column === 'string') return column === 'full' ? 'full' : 'unclear'
        columns[cell.column.index] = column
      }
    }
    return { rows, blank, columns, recordTexts, recordOfRow }
  }

  private empty(index: number, rows: number): KernelColumn {
    const { physical } = this.plan.table.columns[index]!
    const width = physical === 'BYTE_ARRAY' ? 4 : widthOf(physical)
    const bytes = (rows + 1) * width
    const zeros = this.zeros.reserve(Math.max(bytes, this.plan.expectedRows * 8))
    // Nobody writes there.
    if (bytes > this.zeroBytes) this.kernels.u8.fill(0, zeros + this.zeroBytes, zeros + bytes)
    this.zeroBytes = Math.max(this.zeroBytes, bytes)
    const values =
      physical === 'BYTE_ARRAY'
        ? ({ physical, count: rows, data: zeros, offsets: zeros } as const)
        : ({ physical, width: width as 1 | 4 | 8 | 16, count: rows, data: zeros } as const)
    return { form: 'plain', rows, nulls: rows, validity: rows === 0 ? 0 : zeros, values }
  }
}

/** An empty text names no record, nor does one that means "no value" in the record's own column. */
export function namesRecord(plan: ChunkPlan, text: string): boolean {
  const column = plan.columnOfCell[plan.recordCell]!
  if (text === '' || (column >= 0 && plan.table.columns[column]!.missingValues.has(text))) return false
  return isRecordId(`${plan.recordPrefix}${text}${plan.recordSuffix}`)
}
