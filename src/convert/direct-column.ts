import type { Column } from '../columns/column.js'
import type { DictionaryColumn, PlainColumn } from '../columns/kernel-column.js'
import type { Kernels } from '../kernels/kernels.js'
import { QUOTE } from './field-text.js'
import { blankMissing, boundsHold, kernelFormOf, missingTexts, parseNumbers } from './kernel-parser.js'
import { KernelRegion } from './kernel-region.js'

/** Rows after which the texts of a chunk can be foreseen, and how far at once: the first may be unlike the rest. */
const FORESEEING_ROWS = 128
const FORESEEN_TIMES = 16

/**
 * A column with mostly different texts: values go from the bytes of the field straight into their place.
 */
export interface DirectColumn {
  /** Starts a chunk. */
  clear(): void
  /** Starts a chunk with rows that were taken as a dictionary. */
  begin(column: DictionaryColumn): void
  /** Takes the cells of a batch. False: a cell is wrong. May rewrite the field words of its own column, so columns go in the order of their cells. */
  add(fields: number, stride: number, position: number, rows: number): boolean
  /** The rows so far, until the next chunk; null: one of them breaks a constraint. */
  take(): PlainColumn | null
}

/** null: the column's type or options are not for the kernels. `expectedRows`: of a chunk. */
export function directColumn(kernels: Kernels, column: Column, expectedRows: number): DirectColumn | null {
  switch (kernelFormOf(column)) {
    case 'numbers':
      return new DirectNumbers(kernels, column, expectedRows)
    case 'texts':
      return new DirectTexts(kernels, column, expectedRows)
    case 'none':
      return null
  }
}

/** `validity` 0 where no row is missing. */
function nullsAmong(kernels: Kernels, validity: number, rows: number): { nulls: number; validity: number } {
  const nulls = rows - kernels.countByte(validity, validity + rows, 1)
  return { nulls, validity: nulls === 0 ? 0 : validity }
}

function placeValidity(kernels: Kernels, column: DictionaryColumn, validity: number): void {
  if (column.validity === 0) kernels.u8.fill(1, validity, validity + column.rows)
  else kernels.u8.copyWithin(validity, column.validity, column.validity + column.rows)
}

class DirectNumbers implements DirectColumn {
  private readonly width: 4 | 8
  private readonly values: KernelRegion
  private readonly validity: KernelRegion
  private rows = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly column: Column,
    expectedRows: number,
  ) {
    this.width = column.physical === 'INT32' ? 4 : 8
    this.values = new KernelRegion(kernels, expectedRows * this.width)
    this.validity = new KernelRegion(kernels, expectedRows)
  }

  clear(): void {
    this.rows = 0
  }

  begin(column: DictionaryColumn): void {
    const { kernels, width } = this
    this.rows = column.rows
    const values = this.values.reserve(column.rows * width)
    const validity = this.validity.reserve(column.rows)
    kernels.gather(column.dictionary.data, width, column.codes, column.validity, column.rows, values)
    placeValidity(kernels, column, validity)
  }

  add(fields: number, stride: number, position: number, rows: number): boolean {
    const values = this.values.reserve((this.rows + rows) * this.width) + this.rows * this.width
    const validity = this.validity.reserve(this.rows + rows) + this.rows
    this.rows += rows
    return parseNumbers(this.kernels, this.column, fields, stride, position, rows, values, validity)
  }

  take(): PlainColumn | null {
    const { kernels, column, rows, width } = this
    const { nulls, validity } = nullsAmong(kernels, this.validity.address, rows)
    if (nulls > 0 && column.required) return null
    const physical = column.physical as 'INT32' | 'INT64' | 'DOUBLE'
    const values = { physical, width, count: rows, data: this.values.address } as const
    return boundsHold(kernels, column, values, validity) ? { form: 'plain', rows, nulls, validity, values } : null
  }
}

/** Texts of a `string` field without format and constraints: their bytes are their value. */
class DirectTexts implements DirectColumn {
  private readonly data: KernelRegion
  /** One word more than there are rows. */
  private readonly offsets: KernelRegion
  private readonly validity: KernelRegion
  private readonly missing: readonly Uint8Array[]
  private rows = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly column: Column,
    private readonly expectedRows: number,
  ) {
    this.data = new KernelRegion(kernels, 1 << 16)
    this.offsets = new KernelRegion(kernels, (expectedRows + 1) * 4)
    this.validity = new KernelRegion(kernels, expectedRows)
    this.missing = missingTexts(column)
  }

  clear(): void {
    this.rows = 0
    this.kernels.u32[this.offsets.reserve(4) >>> 2] = 0
  }

  begin(column: DictionaryColumn): void {
    const { kernels } = this
    const { rows, codes, dictionary } = column
    if (dictionary.physical !== 'BYTE_ARRAY') return
    this.rows = rows
    const offsets = this.offsets.reserve((rows + 1) * 4)
    const validity = this.validity.reserve(rows)
    const bytes = kernels.gatherLengths(dictionary.offsets, codes, column.validity, rows, offsets)
    const data = this.data.reserve(bytes)
    kernels.gatherTexts(dictionary.data, dictionary.offsets, codes, offsets, rows, data, data + bytes)
    kernels.offsetsOf(offsets, rows, offsets)
    placeValidity(kernels, column, validity)
  }

  add(fields: number, stride: number, position: number, rows: number): boolean {
    const { kernels } = this
    blankMissing(kernels, this.missing, fields, stride, position, rows)
    const offsets = this.offsets.reserve((this.rows + rows + 1) * 4)
    const validity = this.validity.reserve(this.rows + rows)
    for (let done = 0; done < rows; ) {
      const at = fields + done * stride * 4
      const bytes = kernels.u32[(offsets >>> 2) + this.rows]!
      const ends = offsets + (this.rows + 1) * 4
      const taken = kernels.copyTexts(
        at,
        stride,
        position,
        rows - done,
        QUOTE,
        this.data.reserve(1),
        bytes,
        this.data.bytes,
        ends,
        validity + this.rows,
      )
      this.rows += taken
      done += taken
      if (done < rows) {
        const words = (fields >>> 2) + done * stride + position
        const copied = kernels.u32[(offsets >>> 2) + this.rows]!
        this.data.reserve(Math.max(copied + kernels.u32[words + 1]! - kernels.u32[words]!, this.foreseen(copied)))
      }
    }
    return true
  }

  /** What the texts of the chunk will come to, by those copied so far: each time the region grows, all of them are copied once more. */
  private foreseen(copied: number): number {
    if (this.rows < FORESEEING_ROWS) return 0
    return Math.min(Math.ceil(((copied * this.expectedRows) / this.rows) * 1.1), copied * FORESEEN_TIMES)
  }

  take(): PlainColumn | null {
    const { kernels, rows } = this
    const { nulls, validity } = nullsAmong(kernels, this.validity.address, rows)
    if (nulls > 0 && this.column.required) return null
    const values = { physical: 'BYTE_ARRAY', count: rows, data: this.data.address, offsets: this.offsets.address } as const
    return { form: 'plain', rows, nulls, validity, values }
  }
}
