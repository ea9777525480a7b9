import { isUtf8 } from 'node:buffer'
import { ColumnBuilder, MISSING, PROBLEM } from '../columns/builder.js'
import type { Column } from '../columns/column.js'
import type { ColumnVector } from '../columns/vector.js'
import { isRecordId } from '../core/record-id.js'
import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import { TextDictionary } from '../kernels/text-dictionary.js'
import type { Table } from '../tables/schema.js'
import { type DirectColumn, directColumn, fieldText, textOf } from './direct-column.js'
import { NO_RECORD, type Segment } from './row-validator.js'

/** 32-bit words for field offsets of one batch: small enough to stay in the cache together with the text they point into. */
const BATCH_WORDS = 16_384
/** Rows after which a column's texts are first looked at: by then nearly all different, they will stay so. */
const TRIAL_ROWS = 4096
/** Distinct texts that a dictionary may hold whatever the rows; beyond, each must stand for a few rows. */
const DICTIONARY_FLOOR = 32_768
const ROWS_PER_TEXT = 4
const RECORDS_PER_CHUNK = 1 << 20

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
}

/** A chunk that is right in every cell. */
export interface ChunkColumns {
  readonly rows: number
  readonly blank: number
  readonly vectors: readonly ColumnVector[]
  /** Texts of the record cell in order of first appearance; empty when there is one record. */
  readonly recordTexts: readonly string[]
  /** Index into `recordTexts` of each row. */
  readonly recordOfRow: Uint32Array
}

/**
 * Turns the bytes of whole records into columns without making a string on the way: fields are looked up by their bytes, and only
 * distinct texts are decoded, parsed and checked (DESIGN §9).
 *
 * It knows clean, plain text only. Whatever else it meets (a wrong cell, a ragged row, a stray quote, bytes that are not UTF-8) makes it
 * give up: then csv-parse and RowValidator read the file, and say what is wrong and where.
 */
export class ChunkReader {
  private readonly builders: readonly ColumnBuilder[]
  private readonly cells: readonly CellCodes[]
  private readonly fields: number
  private readonly batchRows: number

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: ChunkPlan,
  ) {
    this.builders = plan.table.columns.map((column) => new ColumnBuilder(column))
    this.batchRows = Math.max(1, Math.floor(BATCH_WORDS / (plan.width + 1)))
    this.fields = kernels.allocate((this.batchRows * (plan.width + 1) + 16) * 4)
    const codes = kernels.allocate(this.batchRows * 4)
    const cells: CellCodes[] = []
    for (let position = 0; position < plan.width; position++) {
      const column = plan.columnOfCell[position]!
      const names = position === plan.recordCell
      if (column >= 0 || names)
        cells.push(
          new CellCodes(kernels, { position, column: plan.table.columns[column] ?? null, names, codes, batchRows: this.batchRows }),
        )
    }
    this.cells = cells
  }

  /**
   * Reads the records that start in [start, limit); the text of the last one may go on up to `end`. `final`: the file ends at `end`.
   * Returns the columns and the place where the next record starts, 'short' when the last record goes on beyond `end`, or 'unclear'.
   */
  read(start: number, limit: number, end: number, final: boolean): { columns: ChunkColumns; next: number } | 'short' | 'unclear' {
    const { kernels, plan } = this
    const stride = plan.width + 1
    for (const cell of this.cells) cell.clear()
    let rows = 0
    let blank = 0
    let at = start
    while (at < limit) {
      let found = kernels.tokenise(at, end, final, plan.width, plan.delimiter, plan.quote, this.fields, this.batchRows)
      const { status, next, recordEnd } = kernels.result
      let after = next
      if (status === 'odd' || status === 'ragged') return 'unclear'
      // Records that start beyond the limit belong to the next chunk.
      const u32 = kernels.u32
      const base = this.fields >>> 2
      let cut = false
      while (found > 0 && u32[base + (found - 1) * stride]! >= limit) {
        found--
        after = u32[base + found * stride]!
        cut = true
      }
      const kept = this.dropBlankRows(found)
      if (kept < 0) return 'unclear'
      blank += found - kept
      if (kept > 0) {
        for (const cell of this.cells) if (!cell.add(this.fields, stride, kept, rows, this.builders)) return 'unclear'
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
    return columns === null ? 'unclear' : { columns, next: at }
  }

  /** A text that means "no value" in the record's own column names no record. */
  private meansNoRecord(text: string): boolean {
    const column = this.plan.columnOfCell[this.plan.recordCell]!
    return column >= 0 && this.plan.table.columns[column]!.missingValues.has(text)
  }

  /** Rows without content are taken out of the batch, as RowValidator does. Returns how many are left, or -1 for a row over the limit. */
  private dropBlankRows(rows: number): number {
    const { u8, u32 } = this.kernels
    const { width, rowBytes, quote, delimiter } = this.plan
    const stride = width + 1
    const base = this.fields >>> 2
    let kept = 0
    for (let r = 0; r < rows; r++) {
      const from = base + r * stride
      const start = u32[from]!
      const length = u32[from + width]! - 1 - start
      if (length > rowBytes) return -1
      // A blank row is made of delimiters and pairs of quotes alone.
      let blank = length <= 3 * width - 1
      for (let i = start; blank && i < start + length; i++) blank = u8[i] === delimiter || u8[i] === quote
      if (blank) continue
      if (kept !== r) u32.copyWithin(base + kept * stride, from, from + stride)
      kept++
    }
    return kept
  }

  private finish(rows: number, blank: number): ChunkColumns | null {
    const { plan } = this
    const vectors = new Array<ColumnVector>(this.builders.length)
    const filled = new Set<number>()
    let recordTexts: readonly string[] = []
    let recordOfRow: Uint32Array = new Uint32Array(0)
    for (const cell of this.cells) {
      if (cell.names) {
        recordTexts = cell.texts()
        if (
          recordTexts.some(
            (text) => text === '' || this.meansNoRecord(text) || !isRecordId(`${plan.recordPrefix}${text}${plan.recordSuffix}`),
          )
        )
          return null
        recordOfRow = cell.rawCodes(rows)
      }
      if (cell.column === null) continue
      const vector = cell.take(this.builders[cell.column]!, rows)
      if (vector === null) return null
      vectors[cell.column] = vector
      filled.add(cell.column)
    }
    this.builders.forEach((builder, c) => {
      if (filled.has(c)) return
      // A column that the file leaves out.
      builder.pushAll(new Int32Array(rows).fill(MISSING))
      vectors[c] = builder.take()
    })
    if (plan.recordCell < 0) recordOfRow = new Uint32Array(rows)
    return { rows, blank, vectors, recordTexts, recordOfRow }
  }
}

/**
 * The cells of one position over a chunk. They begin as codes into a dictionary of texts; once too many are distinct they go on value by
 * value: through typed kernels where the column's type has them, else through the column's builder.
 */
class CellCodes {
  readonly position: number
  readonly column: number | null
  /** This cell names the record of its row. */
  readonly names: boolean
  private readonly dictionary: TextDictionary
  private readonly codes: number
  private readonly direct: DirectColumn | null
  private raw = new Uint32Array(8192)
  private form: 'dictionary' | 'direct' | 'builder' = 'dictionary'

  constructor(
    private readonly kernels: Kernels,
    options: { position: number; column: Column | null; names: boolean; codes: number; batchRows: number },
  ) {
    this.position = options.position
    this.column = options.column?.index ?? null
    this.names = options.names
    this.codes = options.codes
    this.dictionary = new TextDictionary(kernels, options.names ? { maxEntries: RECORDS_PER_CHUNK, maxArenaBytes: 1 << 26 } : {})
    this.direct = options.column === null ? null : directColumn(kernels, options.column, options.batchRows)
  }

  clear(): void {
    this.dictionary.clear()
    this.direct?.clear()
    this.form = 'dictionary'
  }

  /** Takes the cells of a batch after `before` rows. False: a cell is wrong, or there are more records than a dictionary holds. */
  add(fields: number, stride: number, rows: number, before: number, builders: readonly ColumnBuilder[]): boolean {
    if (this.form === 'dictionary') {
      const done = this.dictionary.lookup(fields, stride, this.position, rows, this.codes)
      this.keep(done, before)
      if (done < rows && this.names) return false
      const distinct = this.dictionary.size
      // Told by this chunk alone, so that the same file gives the same bytes whichever thread reads the chunk.
      if (this.names || (done === rows && dictionaryPays(distinct, before + rows))) return true
      if (!this.leaveDictionary(before + done, builders[this.column!]!)) return false
      if (done === rows) return true
      return this.add(fields + done * stride * 4, stride, rows - done, before + done, builders)
    }
    if (this.form === 'direct') return this.direct!.add(fields, stride, this.position, rows)
    const builder = builders[this.column!]!
    for (let r = 0; r < rows; r++) {
      const code = builder.check(fieldText(this.kernels, fields + r * stride * 4, this.position))
      if (code === PROBLEM) return false
      builder.push(code)
    }
    return true
  }

  /** The texts of the dictionary, unquoted, by code. */
  texts(): string[] {
    return Array.from({ length: this.dictionary.size }, (_, code) => textOf(this.dictionary.keyBytes(code)))
  }

  rawCodes(rows: number): Uint32Array {
    return this.raw.slice(0, rows)
  }

  /** All rows of the chunk as a vector; null: a cell is wrong. */
  take(builder: ColumnBuilder, rows: number): ColumnVector | null {
    if (this.form === 'direct') return this.direct!.take()
    if (this.form === 'dictionary' && !this.intoBuilder(builder, rows)) return null
    return builder.take()
  }

  private keep(rows: number, before: number): void {
    if (before + rows > this.raw.length) {
      const larger = new Uint32Array(Math.max(this.raw.length * 2, before + rows))
      larger.set(this.raw)
      this.raw = larger
    }
    const from = this.codes >>> 2
    this.raw.set(this.kernels.u32.subarray(from, from + rows), before)
  }

  private leaveDictionary(rows: number, builder: ColumnBuilder): boolean {
    if (!this.intoBuilder(builder, rows)) return false
    if (this.direct === null) this.form = 'builder'
    else {
      this.direct.append(builder.take())
      this.form = 'direct'
    }
    return true
  }

  private intoBuilder(builder: ColumnBuilder, rows: number): boolean {
    const { size } = this.dictionary
    const map = new Int32Array(size)
    for (let code = 0; code < size; code++) {
      const made = builder.check(textOf(this.dictionary.keyBytes(code)))
      if (made === PROBLEM) return false
      map[code] = made
    }
    const codes = new Int32Array(rows)
    for (let i = 0; i < rows; i++) codes[i] = map[this.raw[i]!]!
    builder.pushAll(codes)
    return true
  }
}

function dictionaryPays(distinct: number, rows: number): boolean {
  if (rows >= TRIAL_ROWS && distinct * 10 > rows * 9) return false
  return distinct <= DICTIONARY_FLOOR || distinct * ROWS_PER_TEXT <= rows
}

/** For a caller that keeps many chunks: the same rows as RowValidator would have gathered. `recordIndex` gives the record of each text. */
export function segmentOf(columns: ChunkColumns, recordIndex: (text: string) => number): Segment {
  const { rows, vectors, recordTexts } = columns
  if (recordTexts.length === 0) return { rows, vectors, recordOfRow: columns.recordOfRow }
  const records = recordTexts.map(recordIndex)
  assert(
    records.every((r) => r !== NO_RECORD),
    'every row has its record',
  )
  const recordOfRow = Uint32Array.from(columns.recordOfRow, (code) => records[code]!)
  return { rows, vectors, recordOfRow }
}
