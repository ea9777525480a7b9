import { ColumnBuilder, PROBLEM } from '../columns/builder.js'
import type { Column } from '../columns/column.js'
import { type DictionaryColumn, type KernelColumn, placeVector, widthOf } from '../columns/kernel-column.js'
import { NONE } from '../kernels/columns.js'
import type { Kernels } from '../kernels/kernels.js'
import { TextDictionary } from '../kernels/text-dictionary.js'
import { MISS_WORDS } from '../kernels/text-shape.js'
import { type DirectColumn, directColumn } from './direct-column.js'
import { fieldText, textOf } from './field-text.js'
import { BATCH_TEXTS, type JudgedTexts, type JudgeScratch, judgedTexts } from './judged-texts.js'
import { boundsHold, kernelFormOf } from './kernel-parser.js'
import { KernelRegion } from './kernel-region.js'
import { PlacedTexts } from './placed-texts.js'

/** Rows after which a column's texts are first looked at: by then nearly all different, they will stay so. */
export const TRIAL_ROWS = 4096
/** Distinct texts that a dictionary may hold whatever the rows; beyond, each must stand for a few rows. */
const DICTIONARY_FLOOR = 32_768
const ROWS_PER_TEXT = 4
/** What the distinct texts of a column may come to in one chunk, and those of the cell that names the record. */
const TEXTS = { count: 65_536, bytes: 1 << 24 }
const RECORD_TEXTS = { count: 1 << 20, bytes: 1 << 26 }
/** Texts of one column that are kept from one chunk for the next. */
const KEPT_TEXTS = 65_536
/** What a kept text takes beside its bytes. */
const TEXT_OVERHEAD_BYTES = 64

/** wrong: a cell is none of the column's. full: the texts of earlier chunks leave no room: forget them and begin the chunk anew. */
export type Taken = 'right' | 'wrong' | 'full'

export interface CellCodesOptions {
  readonly position: number
  readonly column: Column | null
  /** This cell names the record of its row. */
  readonly names: boolean
  /** Of a chunk. */
  readonly expectedRows: number
  /** Rows after which the dictionary is first looked at: TRIAL_ROWS. */
  readonly trialRows: number
  readonly scratch: JudgeScratch
  /** It has no dictionary of texts. */
  readonly direct: boolean
  /** If it has none, its values may come again nevertheless. */
  readonly mayRepeat: boolean
}

/**
 * The cells of one position, chunk by chunk. A chunk begins with codes into its distinct texts; once too many are distinct it goes on value
 * by value: through typed kernels where the column's type has them, else through the column's builder.
 *
 * A text has two numbers. Its key is its place among the texts kept over chunks, and leads to its value. Its code counts the texts of this
 * chunk alone by first appearance. Rows hold codes, and every choice is by codes: keys depend on earlier chunks.
 */
export class CellCodes {
  readonly position: number
  readonly column: Column | null
  readonly names: boolean
  private readonly limit: { readonly count: number; readonly bytes: number }
  private readonly dictionary: TextDictionary
  private readonly judged: JudgedTexts | null
  private readonly direct: DirectColumn | null
  private builder: ColumnBuilder | null = null
  /** One word a row. */
  private readonly codes: KernelRegion
  private readonly validity: KernelRegion
  /** Key → code; NONE: not a text of this chunk. */
  private readonly codeOf: KernelRegion
  private codeOfKeys = 0
  /** Code → key. */
  private readonly keyOf: KernelRegion
  /** Code → value number, then place among the values of the chunk. */
  private readonly placeOfCode: KernelRegion
  private readonly placeOfValue: KernelRegion
  private readonly valueOfPlace: KernelRegion
  /** Of booleans, which have no dictionary. */
  private readonly inLine: KernelRegion
  private texts = 0
  private textBytes = 0
  /** Texts of the dictionary whose length is in `measuredBytes`. */
  private measured = 0
  private measuredBytes = 0
  private form: 'dictionary' | 'direct' | 'builder' = 'dictionary'
  private readonly placed: PlacedTexts
  /** An empty cell has no value, which is right. */
  private readonly mayBeEmpty: boolean
  /** Rows at the beginning of the chunk whose cells are all empty: nothing is done about them until another comes. */
  private emptyRows = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly options: CellCodesOptions,
  ) {
    const { column, expectedRows } = options
    this.position = options.position
    this.column = column
    this.names = options.names
    this.mayBeEmpty = column !== null && !options.names && !column.required && column.missingValues.has('')
    this.limit = options.names ? RECORD_TEXTS : TEXTS
    // Beyond what the limits allow a chunk to add to what is kept; only texts made to meet in one place fill it earlier.
    this.dictionary = new TextDictionary(kernels, { maxEntries: this.limit.count * 4, maxArenaBytes: 1 << 29 })
    this.judged = column === null ? null : judgedTexts(kernels, column, options.scratch)
    this.direct = column === null ? null : directColumn(kernels, column, expectedRows)
    this.placed = new PlacedTexts(kernels, options.scratch.placed, options.trialRows)
    this.codes = new KernelRegion(kernels, expectedRows * 4)
    this.validity = new KernelRegion(kernels, expectedRows)
    this.codeOf = new KernelRegion(kernels)
    this.keyOf = new KernelRegion(kernels)
    this.placeOfCode = new KernelRegion(kernels)
    this.placeOfValue = new KernelRegion(kernels)
    this.valueOfPlace = new KernelRegion(kernels)
    this.inLine = new KernelRegion(kernels, column?.physical === 'BOOLEAN' ? expectedRows : 0)
  }

  /** Of the texts that the next chunk could use again. */
  get keptBytes(): number {
    return this.measuredBytes + this.measured * TEXT_OVERHEAD_BYTES
  }

  /** Starts a chunk. `keeps`: texts of earlier chunks stay known, where that is likely to pay. */
  begin(keeps: boolean): void {
    // Where a chunk left the dictionary for too many texts, few of them will come again.
    const large = this.dictionary.size > KEPT_TEXTS || this.measuredBytes > this.limit.bytes
    if (!keeps || large || this.form !== 'dictionary') this.forget()
    this.kernels.u32.fill(NONE, this.codeOf.address >>> 2, (this.codeOf.address >>> 2) + this.codeOfKeys)
    this.placed.clear()
    this.texts = 0
    this.textBytes = 0
    this.emptyRows = 0
    this.form = 'dictionary'
    if (this.options.direct && !this.names && this.direct !== null) {
      this.direct.clear()
      this.form = 'direct'
    }
  }

  /** Whether none of the chunk's rows has a value, as far as that takes no looking at them: then the column is known without `take`. */
  isEmpty(rows: number): boolean {
    return this.mayBeEmpty && this.emptyRows === rows
  }

  /** Takes the cells of a batch after `before` rows. 'wrong' is said also where there are more records than a chunk may name. */
  add(fields: number, stride: number, rows: number, before: number): Taken {
    if (this.mayBeEmpty && this.emptyRows === before) {
      if (areEmpty(this.kernels.u32, (fields >>> 2) + this.position, stride, rows)) {
        this.emptyRows += rows
        return 'right'
      }
      if (before > 0 && !this.addEmptyRows(before)) return 'full'
    }
    return this.addCells(fields, stride, this.position, rows, before)
  }

  private addCells(fields: number, stride: number, position: number, rows: number, before: number): Taken {
    if (this.form === 'direct') return this.direct!.add(fields, stride, position, rows) ? 'right' : 'wrong'
    if (this.form === 'builder') return this.build(this.builder!, fields, stride, rows)
    if (!this.lookup(fields, stride, position, rows, before)) return 'full'
    // Told by this chunk alone, so that the same file gives the same bytes whichever thread reads the chunk.
    const fits = this.texts <= this.limit.count && this.textBytes <= this.limit.bytes
    if (this.names) return fits ? 'right' : 'wrong'
    return fits && dictionaryPays(this.texts, before + rows, this.options.trialRows) ? 'right' : this.leaveDictionary(before + rows)
  }

  /** The texts of the chunk, unquoted, by code. Before `take`. */
  chunkTexts(): string[] {
    const keys = this.keyOf.address >>> 2
    return Array.from({ length: this.texts }, (_, code) => textOf(this.dictionary.keyBytes(this.kernels.u32[keys + code]!)))
  }

  /** The code of each row's text. Before `take`. */
  textOfRow(rows: number): Uint32Array {
    return this.kernels.u32.slice(this.codes.address >>> 2, (this.codes.address >>> 2) + rows)
  }

  /** Whether `take` allocates what it gives, to be released before the next chunk. */
  get takesMemory(): boolean {
    return this.form === 'builder'
  }

  /** All rows of the chunk, until the next one begins. */
  take(rows: number): KernelColumn | 'wrong' | 'full' {
    if (this.isEmpty(rows) && rows > 0 && !this.addEmptyRows(rows)) return 'full'
    if (this.form === 'direct') {
      const column = this.direct!.take()
      if (column === null) return 'wrong'
      return this.options.mayRepeat ? { ...column, mayRepeat: true } : column
    }
    if (this.form === 'builder') return placeVector(this.kernels, this.builder!.take(), this.column!.physical)
    const coded = this.coded(rows)
    if (typeof coded === 'string') return coded
    const column = this.column!
    if (kernelFormOf(column) !== 'none') {
      if ((coded.nulls > 0 && column.required) || !boundsHold(this.kernels, column, coded.dictionary, 0)) return 'wrong'
    }
    return coded.dictionary.physical === 'BOOLEAN' ? this.inLineOf(coded) : coded
  }

  /** The first rows of a chunk, of empty cells. False: full. */
  private addEmptyRows(rows: number): boolean {
    const { kernels } = this
    const { fields } = this.options.scratch
    if (this.form === 'direct') {
      fillEmptyFields(kernels.u32, fields >>> 2, Math.min(rows, BATCH_TEXTS))
      // What is missing is right.
      for (let done = 0; done < rows; done += BATCH_TEXTS) this.direct!.add(fields, 2, 0, Math.min(rows - done, BATCH_TEXTS))
      return true
    }
    const codes = this.codes.reserve(rows * 4) >>> 2
    fillEmptyFields(kernels.u32, fields >>> 2, 1)
    if (!this.lookup(fields, 2, 0, 1, 0)) return false
    kernels.u32.fill(0, codes, codes + rows)
    return true
  }

  private lookup(fields: number, stride: number, position: number, rows: number, before: number): boolean {
    const { placed } = this
    const codes = this.codes.reserve((before + rows) * 4) + before * 4
    if (!placed.isOn) {
      if (!this.lookupKeys(fields, stride, position, rows, codes)) return false
      if (placed.isWorthATry(this.texts)) placed.tryShape((share) => this.textAt(share))
      return true
    }
    // Rows that are found have codes already, so texts are first met among the others, and in their order.
    const missed = placed.lookup(fields, stride, position, rows, codes)
    if (missed === 0) return true
    if (!this.lookupKeys(placed.misses, MISS_WORDS, 0, missed, placed.missCodes)) return false
    placed.place(missed, rows, codes, this.texts)
    return true
  }

  /** One of the texts of the chunk, as Latin-1: the first for 0, the last before 1. */
  private textAt(share: number): string {
    const key = this.kernels.u32[(this.keyOf.address >>> 2) + Math.floor(share * this.texts)]!
    return Buffer.from(this.dictionary.keyBytes(key)).toString('latin1')
  }

  private lookupKeys(fields: number, stride: number, position: number, rows: number, codes: number): boolean {
    const { kernels, dictionary } = this
    if (dictionary.lookup(fields, stride, position, rows, codes) < rows) return false
    this.codeOf.reserve(dictionary.size * 4)
    this.keyOf.reserve((this.texts + rows) * 4)
    const known = this.codeOf.address >>> 2
    kernels.u32.fill(NONE, known + this.codeOfKeys, known + dictionary.size)
    this.codeOfKeys = dictionary.size
    this.measuredBytes += dictionary.bytesOfKeys(this.measured, dictionary.size)
    this.measured = dictionary.size
    const met = this.texts
    this.texts = kernels.renumber(codes, rows, this.codeOf.address, this.keyOf.address, met)
    this.textBytes += dictionary.bytesOfCodes(this.keyOf.address, met, this.texts)
    return true
  }

  /** The rows as codes into the distinct values of the chunk, in order of first appearance. Codes of texts are gone then. */
  private coded(rows: number): DictionaryColumn | 'wrong' | 'full' {
    const { kernels, texts } = this
    const judged = this.judged!
    const judgement = judged.judge(this.dictionary)
    if (judgement !== 'right') return judgement
    const places = this.placeOfCode.reserve(texts * 4)
    const placeOfValue = this.placeOfValue.reserve(judged.values * 4)
    const valueOfPlace = this.valueOfPlace.reserve(texts * 4)
    kernels.gather(judged.valueOfKey, 4, this.keyOf.address, 0, texts, places)
    kernels.u32.fill(NONE, placeOfValue >>> 2, (placeOfValue >>> 2) + judged.values)
    const distinct = kernels.renumber(places, texts, placeOfValue, valueOfPlace, 0)
    const codes = this.codes.address
    let nulls = 0
    // Every text has a value of its own: codes are places already.
    if (distinct < texts) nulls = rows - kernels.mapCodes(codes, rows, places, this.validity.reserve(rows))
    return {
      form: 'dictionary',
      rows,
      nulls,
      validity: nulls === 0 ? 0 : this.validity.address,
      codes,
      dictionary: judged.take(valueOfPlace, distinct),
    }
  }

  private inLineOf(coded: DictionaryColumn): KernelColumn {
    const { rows, nulls, validity, codes, dictionary } = coded
    const data = this.inLine.reserve(rows)
    this.kernels.gather(dictionary.data, 1, codes, validity, rows, data)
    return { form: 'plain', rows, nulls, validity, values: { physical: 'BOOLEAN', width: widthOf('BOOLEAN'), count: rows, data } }
  }

  private leaveDictionary(rows: number): Taken {
    if (this.direct !== null) {
      const coded = this.coded(rows)
      if (typeof coded === 'string') return coded
      this.form = 'direct'
      this.direct.begin(coded)
      return 'right'
    }
    this.form = 'builder'
    // Its vector holds all values that it knows, so it begins anew.
    this.builder ??= new ColumnBuilder(this.column!)
    this.builder.forget()
    const values = new Int32Array(this.texts)
    const { u32 } = this.kernels
    for (let code = 0; code < this.texts; code++) {
      const value = this.builder.check(textOf(this.dictionary.keyBytes(u32[(this.keyOf.address >>> 2) + code]!)))
      if (value === PROBLEM) return 'wrong'
      values[code] = value
    }
    const codes = this.codes.address >>> 2
    this.builder.pushAll(Int32Array.from({ length: rows }, (_, i) => values[u32[codes + i]!]!))
    return 'right'
  }

  private build(builder: ColumnBuilder, fields: number, stride: number, rows: number): Taken {
    for (let r = 0; r < rows; r++) {
      const code = builder.check(fieldText(this.kernels, fields + r * stride * 4, this.position))
      if (code === PROBLEM) return 'wrong'
      builder.push(code)
    }
    return 'right'
  }

  private forget(): void {
    this.dictionary.clear()
    this.judged?.forget()
    this.codeOfKeys = 0
    this.measured = 0
    this.measuredBytes = 0
  }
}

/** Whether the cells of some rows are empty; `field` is the word of the first. */
function areEmpty(words: Uint32Array, field: number, stride: number, rows: number): boolean {
  const end = field + rows * stride
  for (let at = field; at < end; at += stride) if (words[at + 1]! - words[at]! !== 1) return false
  return true
}

/** Two words a field, as JudgeScratch has room for. */
function fillEmptyFields(words: Uint32Array, at: number, count: number): void {
  for (let i = 0; i < count; i++) {
    words[at + 2 * i] = 0
    words[at + 2 * i + 1] = 1
  }
}

function dictionaryPays(distinct: number, rows: number, trialRows: number): boolean {
  if (rows >= trialRows && distinct * 10 > rows * 9) return false
  return distinct <= DICTIONARY_FLOOR || distinct * ROWS_PER_TEXT <= rows
}
