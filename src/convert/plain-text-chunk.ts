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
/** What the distinct texts of a column may come to in one chunk, and those of the cell that names the record. */
const TEXTS = { count: 65_536, bytes: 1 << 24 }
const RECORD_TEXTS = { count: 1 << 20, bytes: 1 << 26 }
/** Texts of one column, and bytes of all columns, that are kept from one chunk for the next. */
const KEPT_TEXTS = 65_536
const KEPT_BYTES = 1 << 26
/** What a kept text takes beside its bytes. */
const TEXT_OVERHEAD_BYTES = 32
/** The field's parser has not seen the text yet. Beside the codes of a builder, MISSING and PROBLEM. */
const UNJUDGED = -3

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

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: ChunkPlan,
  ) {
    this.batchRows = Math.max(1, Math.floor(BATCH_WORDS / (plan.width + 1)))
    this.fields = kernels.allocate((this.batchRows * (plan.width + 1) + 16) * 4)
    const scratch = kernels.allocate((this.batchRows * 2 + 16) * 4)
    const cells: CellCodes[] = []
    for (let position = 0; position < plan.width; position++) {
      const column = plan.columnOfCell[position]!
      const names = position === plan.recordCell
      if (column >= 0 || names)
        cells.push(
          new CellCodes(kernels, { position, column: plan.table.columns[column] ?? null, names, scratch, batchRows: this.batchRows }),
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
    const keeps = this.cells.reduce((bytes, cell) => bytes + cell.keptBytes, 0) <= KEPT_BYTES
    for (const cell of this.cells) cell.begin(keeps)
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
        for (const cell of this.cells) if (!cell.add(this.fields, stride, kept, rows)) return 'unclear'
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
    const vectors = new Array<ColumnVector>(plan.table.columns.length)
    const filled = new Set<number>()
    let recordTexts: readonly string[] = []
    let recordOfRow: Uint32Array = new Uint32Array(0)
    for (const cell of this.cells) {
      if (cell.names) {
        recordTexts = cell.chunkTexts()
        if (
          recordTexts.some(
            (text) => text === '' || this.meansNoRecord(text) || !isRecordId(`${plan.recordPrefix}${text}${plan.recordSuffix}`),
          )
        )
          return null
        recordOfRow = cell.textOfRow(rows)
      }
      if (cell.column === null) continue
      const vector = cell.take(rows)
      if (vector === null) return null
      vectors[cell.column] = vector
      filled.add(cell.column)
    }
    plan.table.columns.forEach((column, c) => {
      if (filled.has(c)) return
      // A column that the file leaves out.
      const builder = new ColumnBuilder(column)
      builder.pushAll(new Int32Array(rows).fill(MISSING))
      vectors[c] = builder.take()
    })
    if (plan.recordCell < 0) recordOfRow = new Uint32Array(rows)
    return { rows, blank, vectors, recordTexts, recordOfRow }
  }
}

/**
 * The cells of one position, chunk by chunk. A chunk begins with codes into its distinct texts; once too many are distinct it goes on value
 * by value: through typed kernels where the column's type has them, else through the column's builder.
 *
 * A text has two numbers. Its key is its place among the texts kept over chunks, and leads to what the column's builder said of it. Its code
 * counts the texts of this chunk alone by first appearance. Rows hold codes, and every choice is by codes: keys depend on earlier chunks.
 */
class CellCodes {
  readonly position: number
  readonly column: number | null
  /** This cell names the record of its row. */
  readonly names: boolean
  private readonly limit: { readonly count: number; readonly bytes: number }
  private readonly dictionary: TextDictionary
  private readonly maxKeys: number
  /** Texts that the dictionary cannot take, by their bytes: it may be full of texts of earlier chunks, and this chunk must not tell. Keys from `maxKeys` on. */
  private readonly spilt = new Map<string, number>()
  private readonly spiltAt: { readonly address: number; readonly length: number }[] = []
  private readonly builder: ColumnBuilder | null
  private readonly direct: DirectColumn | null
  /** Key → code in the builder, MISSING, PROBLEM or UNJUDGED. */
  private judged: Int32Array = new Int32Array(1024).fill(UNJUDGED)
  /** Key → code; -1: not a text of this chunk. */
  private codeOf: Int32Array = new Int32Array(1024).fill(-1)
  /** Code → key. */
  private keyOf = new Uint32Array(1024)
  private texts = 0
  private textBytes = 0
  /** Texts of the dictionary whose length is in `measuredBytes`. */
  private measured = 0
  private measuredBytes = 0
  private rowCodes = new Uint32Array(8192)
  private form: 'dictionary' | 'direct' | 'builder' = 'dictionary'

  constructor(
    private readonly kernels: Kernels,
    private readonly options: { position: number; column: Column | null; names: boolean; scratch: number; batchRows: number },
  ) {
    const { column } = options
    this.position = options.position
    this.column = column?.index ?? null
    this.names = options.names
    this.limit = options.names ? RECORD_TEXTS : TEXTS
    // Room for what is kept and for a whole chunk beside it.
    this.maxKeys = this.limit.count + KEPT_TEXTS
    this.dictionary = new TextDictionary(kernels, { maxEntries: this.maxKeys, maxArenaBytes: this.limit.bytes * 2 })
    this.builder = column === null ? null : new ColumnBuilder(column)
    this.direct = column === null ? null : directColumn(kernels, column, options.batchRows)
  }

  /** Of the texts that the next chunk could use again. */
  get keptBytes(): number {
    return this.measuredBytes + this.measured * TEXT_OVERHEAD_BYTES
  }

  /** Starts a chunk. `keeps`: texts of earlier chunks stay known, where that is likely to pay. */
  begin(keeps: boolean): void {
    for (let code = 0; code < this.texts; code++) this.codeOf[this.keyOf[code]!] = -1
    this.texts = 0
    this.textBytes = 0
    // Where a chunk left the dictionary for too many texts, few of them will come again.
    const large = this.dictionary.size > KEPT_TEXTS || this.measuredBytes > this.limit.bytes || this.spilt.size > 0
    if (!keeps || large || this.form !== 'dictionary') this.forget()
    this.direct?.clear()
    this.form = 'dictionary'
  }

  /** Takes the cells of a batch after `before` rows. False: a cell is wrong, or there are more records than a chunk may name. */
  add(fields: number, stride: number, rows: number, before: number): boolean {
    if (this.form === 'dictionary') {
      this.lookup(fields, stride, rows, before)
      // Told by this chunk alone, so that the same file gives the same bytes whichever thread reads the chunk.
      const fits = this.texts <= this.limit.count && this.textBytes <= this.limit.bytes
      if (this.names) return fits
      return (fits && dictionaryPays(this.texts, before + rows)) || this.leaveDictionary(before + rows)
    }
    if (this.form === 'direct') return this.direct!.add(fields, stride, this.position, rows)
    const builder = this.builder!
    for (let r = 0; r < rows; r++) {
      const code = builder.check(fieldText(this.kernels, fields + r * stride * 4, this.position))
      if (code === PROBLEM) return false
      builder.push(code)
    }
    return true
  }

  /** The texts of the chunk, unquoted, by code. */
  chunkTexts(): string[] {
    return Array.from({ length: this.texts }, (_, code) => this.textOfKey(this.keyOf[code]!))
  }

  /** The code of each row's text. */
  textOfRow(rows: number): Uint32Array {
    return this.rowCodes.slice(0, rows)
  }

  /** All rows of the chunk as a vector; null: a cell is wrong. */
  take(rows: number): ColumnVector | null {
    if (this.form === 'direct') return this.direct!.take()
    const builder = this.builder!
    if (this.form === 'builder') return builder.take()
    const values = this.judge()
    return values === null ? null : builder.vectorOf(values, this.rowCodes.subarray(0, rows))
  }

  private lookup(fields: number, stride: number, rows: number, before: number): void {
    const { kernels, dictionary, position } = this
    const { scratch } = this.options
    this.reserveRows(before + rows)
    for (let done = 0; done < rows; ) {
      const at = fields + done * stride * 4
      const taken = dictionary.lookup(at, stride, position, rows - done, scratch)
      this.reserveKeys(dictionary.size)
      while (this.measured < dictionary.size) this.measuredBytes += dictionary.keyLength(this.measured++)
      const { u32 } = kernels
      const { codeOf, rowCodes } = this
      const from = scratch >>> 2
      for (let i = 0; i < taken; i++) {
        const key = u32[from + i]!
        const code = codeOf[key]!
        rowCodes[before + done + i] = code < 0 ? this.meet(key) : code
      }
      done += taken
      if (done < rows) {
        const key = this.spill(fields + done * stride * 4)
        const code = this.codeOf[key]!
        rowCodes[before + done] = code < 0 ? this.meet(key) : code
        done++
      }
    }
  }

  /** The first row of the chunk with this text. */
  private meet(key: number): number {
    const code = this.texts++
    if (code === this.keyOf.length) {
      const larger = new Uint32Array(this.keyOf.length * 2)
      larger.set(this.keyOf)
      this.keyOf = larger
    }
    this.keyOf[code] = key
    this.codeOf[key] = code
    this.textBytes += this.lengthOf(key)
    return code
  }

  /** The key of a text that the dictionary has no room for. */
  private spill(row: number): number {
    const { kernels } = this
    const field = (row >>> 2) + this.position
    const start = kernels.u32[field]!
    const length = kernels.u32[field + 1]! - 1 - start
    const bytes = Buffer.from(kernels.buffer, start, length).toString('latin1')
    let key = this.spilt.get(bytes)
    if (key === undefined) {
      const address = kernels.allocate(length)
      kernels.u8.copyWithin(address, start, start + length)
      key = this.maxKeys + this.spiltAt.length
      this.spilt.set(bytes, key)
      this.spiltAt.push({ address, length })
      this.reserveKeys(key + 1)
    }
    return key
  }

  /** What the builder says of the texts of the chunk, by code; null: one of them is wrong. */
  private judge(): Int32Array | null {
    const { judged, keyOf } = this
    const builder = this.builder!
    const values = new Int32Array(this.texts)
    for (let code = 0; code < values.length; code++) {
      const key = keyOf[code]!
      let value = judged[key]!
      if (value === UNJUDGED) {
        value = builder.check(this.textOfKey(key))
        judged[key] = value
      }
      if (value === PROBLEM) return null
      values[code] = value
    }
    return values
  }

  private leaveDictionary(rows: number): boolean {
    if (this.direct !== null) {
      this.form = 'direct'
      return this.intoDirect(this.direct, rows)
    }
    this.form = 'builder'
    const builder = this.builder!
    // Its vector will hold all values that it knows.
    builder.forget()
    this.judged.fill(UNJUDGED)
    const values = this.judge()
    if (values === null) return false
    const rowValues = new Int32Array(rows)
    for (let i = 0; i < rows; i++) rowValues[i] = values[this.rowCodes[i]!]!
    builder.pushAll(rowValues)
    return true
  }

  /** The distinct texts go through the kernels as if they were rows, and the rows copy what came of them. */
  private intoDirect(direct: DirectColumn, rows: number): boolean {
    const { kernels, keyOf, texts } = this
    const { batchRows, scratch } = this.options
    for (let from = 0; from < texts; from += batchRows) {
      const count = Math.min(batchRows, texts - from)
      const words = scratch >>> 2
      const { u32 } = kernels
      for (let i = 0; i < count; i++) {
        const key = keyOf[from + i]!
        const address = this.addressOf(key)
        u32[words + 2 * i] = address
        // As the tokeniser has it: behind the field comes its delimiter, then the next field.
        u32[words + 2 * i + 1] = address + this.lengthOf(key) + 1
      }
      if (!direct.add(scratch, 2, 0, count)) return false
    }
    direct.spread(this.rowCodes.subarray(0, rows))
    return true
  }

  private forget(): void {
    this.dictionary.clear()
    this.spilt.clear()
    this.spiltAt.length = 0
    this.judged.fill(UNJUDGED)
    this.builder?.forget()
    this.measured = 0
    this.measuredBytes = 0
  }

  private addressOf(key: number): number {
    return key < this.maxKeys ? this.dictionary.keyAddress(key) : this.spiltAt[key - this.maxKeys]!.address
  }

  private lengthOf(key: number): number {
    return key < this.maxKeys ? this.dictionary.keyLength(key) : this.spiltAt[key - this.maxKeys]!.length
  }

  private textOfKey(key: number): string {
    const address = this.addressOf(key)
    return textOf(this.kernels.u8.subarray(address, address + this.lengthOf(key)))
  }

  private reserveRows(rows: number): void {
    if (rows <= this.rowCodes.length) return
    const larger = new Uint32Array(Math.max(this.rowCodes.length * 2, rows))
    larger.set(this.rowCodes)
    this.rowCodes = larger
  }

  private reserveKeys(keys: number): void {
    if (keys <= this.codeOf.length) return
    const length = Math.max(this.codeOf.length * 2, keys)
    this.codeOf = widened(this.codeOf, length, -1)
    this.judged = widened(this.judged, length, UNJUDGED)
  }
}

function widened(array: Int32Array, length: number, rest: number): Int32Array {
  const larger = new Int32Array(length).fill(rest, array.length)
  larger.set(array)
  return larger
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
