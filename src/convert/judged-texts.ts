import { ColumnBuilder, MISSING, PROBLEM } from '../columns/builder.js'
import type { Column } from '../columns/column.js'
import { type KernelValues, widthOf } from '../columns/kernel-column.js'
import { NONE } from '../kernels/columns.js'
import type { Kernels } from '../kernels/kernels.js'
import { TextDictionary } from '../kernels/text-dictionary.js'
import { QUOTE, textOf } from './field-text.js'
import { blankMissing, kernelFormOf, missingTexts, parseNumbers } from './kernel-parser.js'
import { KernelRegion } from './kernel-region.js'
import { PlacedScratch } from './placed-texts.js'

/** Texts that are judged at a time. */
export const BATCH_TEXTS = 4096
/** Distinct values that are kept at most: beyond, `forget` comes first. */
const VALUES_MAX = 1 << 20

/** wrong: one of the texts is no value of the column. full: there is no room to tell them apart. */
export type Judgement = 'right' | 'wrong' | 'full'

/**
 * The distinct texts of a column, parsed and checked once each, as values: 1.5 and 1.50 are one. Texts go by their key in a dictionary and
 * are judged in its order.
 */
export interface JudgedTexts {
  /** Judges the keys of `dictionary` that were not judged before. */
  judge(dictionary: TextDictionary): Judgement
  /** Address of one word per judged key: the number of its value, NONE where it has none. */
  readonly valueOfKey: number
  /** How many different values there are. */
  readonly values: number
  /** The values with the numbers at `ids`, in this order. Right until the next call. */
  take(ids: number, count: number): KernelValues
  forget(): void
}

/** Room that the columns of a chunk use in turn. */
export class JudgeScratch {
  readonly fields: number
  readonly values: number
  readonly validity: number
  readonly ids: number
  readonly texts: KernelRegion
  readonly placed: PlacedScratch

  constructor(kernels: Kernels) {
    this.placed = new PlacedScratch(kernels)
    this.fields = kernels.allocate(BATCH_TEXTS * 8 + 16)
    this.values = kernels.allocate(BATCH_TEXTS * 8)
    this.validity = kernels.allocate(BATCH_TEXTS)
    this.ids = kernels.allocate(BATCH_TEXTS * 4)
    this.texts = new KernelRegion(kernels, 1 << 16)
  }
}

export function judgedTexts(kernels: Kernels, column: Column, scratch: JudgeScratch): JudgedTexts {
  switch (kernelFormOf(column)) {
    case 'numbers':
      return new JudgedNumbers(kernels, column, scratch)
    case 'texts':
      return new PlainTexts(kernels, column, scratch)
    case 'none':
      return new BuiltTexts(kernels, column)
  }
}

/** What is common to those whose values are told apart by their bytes. */
abstract class JudgedByKernels implements JudgedTexts {
  protected readonly ids: TextDictionary
  private readonly keys: KernelRegion
  private judged = 0

  constructor(
    protected readonly kernels: Kernels,
    protected readonly scratch: JudgeScratch,
  ) {
    this.ids = new TextDictionary(kernels, { maxEntries: VALUES_MAX, maxArenaBytes: 1 << 28 })
    this.keys = new KernelRegion(kernels)
  }

  get valueOfKey(): number {
    return this.keys.address
  }

  get values(): number {
    return this.ids.size
  }

  judge(dictionary: TextDictionary): Judgement {
    const { kernels, scratch } = this
    this.keys.reserve(dictionary.size * 4)
    while (this.judged < dictionary.size) {
      const count = Math.min(dictionary.size - this.judged, BATCH_TEXTS)
      kernels.entryFields(dictionary.entriesAddress(this.judged), 0, count, scratch.fields)
      const taken = this.parse(count)
      if (taken === 0) return 'wrong'
      // The fields of the values now; equal bytes get one number.
      if (this.ids.lookup(scratch.fields, 2, 0, taken, scratch.ids) < taken) return 'full'
      const { u8, u32 } = kernels
      const keys = (this.keys.address >>> 2) + this.judged
      for (let i = 0; i < taken; i++) u32[keys + i] = u8[scratch.validity + i] === 0 ? NONE : u32[(scratch.ids >>> 2) + i]!
      this.judged += taken
      this.met(taken)
    }
    return 'right'
  }

  /**
   * Turns the texts at `scratch.fields` into values: their fields go there instead, and `scratch.validity` says which have one. Returns how
   * many were taken, 0: one of them is wrong.
   */
  protected abstract parse(count: number): number

  /** The numbers of the last `count` values stand at `scratch.ids`. */
  protected abstract met(count: number): void

  abstract take(ids: number, count: number): KernelValues

  forget(): void {
    this.ids.clear()
    this.judged = 0
  }
}

class JudgedNumbers extends JudgedByKernels {
  private readonly width: 4 | 8
  /** Values by their number. */
  private readonly known: KernelRegion
  private readonly taken: KernelRegion
  private count = 0

  constructor(
    kernels: Kernels,
    private readonly column: Column,
    scratch: JudgeScratch,
  ) {
    super(kernels, scratch)
    this.width = column.physical === 'INT32' ? 4 : 8
    this.known = new KernelRegion(kernels)
    this.taken = new KernelRegion(kernels)
  }

  protected parse(count: number): number {
    const { kernels, scratch } = this
    if (!parseNumbers(kernels, this.column, scratch.fields, 2, 0, count, scratch.values, scratch.validity)) return 0
    kernels.fixedFields(scratch.values, this.width, count, scratch.fields)
    return count
  }

  /** Values with a new number are kept where their number says. Also the zero of a missing one: it costs an entry and no more. */
  protected met(count: number): void {
    const { kernels, scratch, width } = this
    const known = this.known.reserve(this.ids.size * width)
    const { i32, u32 } = kernels
    const words = width >>> 2
    for (let i = 0; i < count; i++) {
      const id = u32[(scratch.ids >>> 2) + i]!
      if (id < this.count) continue
      this.count = id + 1
      for (let w = 0; w < words; w++) i32[(known >>> 2) + id * words + w] = i32[(scratch.values >>> 2) + i * words + w]!
    }
  }

  take(ids: number, count: number): KernelValues {
    const data = this.taken.reserve(count * this.width)
    this.kernels.gather(this.known.address, this.width, ids, 0, count, data)
    return { physical: this.column.physical as 'INT32' | 'INT64' | 'DOUBLE', width: this.width, count, data }
  }

  override forget(): void {
    super.forget()
    this.count = 0
  }
}

class PlainTexts extends JudgedByKernels {
  private readonly missing: readonly Uint8Array[]
  private readonly data: KernelRegion
  private readonly offsets: KernelRegion
  private readonly fields: KernelRegion
  private readonly validity: KernelRegion

  constructor(kernels: Kernels, column: Column, scratch: JudgeScratch) {
    super(kernels, scratch)
    this.missing = missingTexts(column)
    this.data = new KernelRegion(kernels)
    this.offsets = new KernelRegion(kernels)
    this.fields = new KernelRegion(kernels)
    this.validity = new KernelRegion(kernels)
  }

  protected parse(count: number): number {
    const { kernels, scratch } = this
    blankMissing(kernels, this.missing, scratch.fields, 2, 0, count)
    const { u32 } = kernels
    const first = scratch.fields >>> 2
    const data = scratch.texts.reserve(u32[first + 1]! - u32[first]!)
    // `ids` is not needed yet. As many texts as there is room for, one at least.
    const taken = kernels.copyTexts(scratch.fields, 2, 0, count, QUOTE, data, 0, scratch.texts.bytes, scratch.ids, scratch.validity)
    kernels.textFields(data, scratch.ids, taken, scratch.fields)
    return taken
  }

  protected met(): void {}

  take(ids: number, count: number): KernelValues {
    const { kernels } = this
    const fields = this.fields.reserve(count * 8)
    const offsets = this.offsets.reserve((count + 1) * 4)
    kernels.entryFields(this.ids.entriesAddress(0), ids, count, fields)
    let bytes = 0
    const words = fields >>> 2
    for (let i = 0; i < count; i++) bytes += kernels.u32[words + 2 * i + 1]! - 1 - kernels.u32[words + 2 * i]!
    const data = this.data.reserve(bytes)
    kernels.u32[offsets >>> 2] = 0
    kernels.copyTexts(fields, 2, 0, count, 0, data, 0, bytes, offsets + 4, this.validity.reserve(count))
    return { physical: 'BYTE_ARRAY', count, data, offsets }
  }
}

/** Columns whose texts only their own parser knows. */
class BuiltTexts implements JudgedTexts {
  private readonly builder: ColumnBuilder
  private readonly keys: KernelRegion
  private readonly data: KernelRegion
  private readonly offsets: KernelRegion
  private judged = 0

  constructor(
    private readonly kernels: Kernels,
    column: Column,
  ) {
    this.builder = new ColumnBuilder(column)
    this.keys = new KernelRegion(kernels)
    this.data = new KernelRegion(kernels)
    this.offsets = new KernelRegion(kernels)
  }

  get valueOfKey(): number {
    return this.keys.address
  }

  get values(): number {
    return this.builder.distinctValues
  }

  judge(dictionary: TextDictionary): Judgement {
    const keys = this.keys.reserve(dictionary.size * 4) >>> 2
    const { kernels, builder } = this
    for (; this.judged < dictionary.size; this.judged++) {
      const code = builder.check(textOf(dictionary.keyBytes(this.judged)))
      if (code === PROBLEM) return 'wrong'
      kernels.u32[keys + this.judged] = code === MISSING ? NONE : code
    }
    return 'right'
  }

  take(ids: number, count: number): KernelValues {
    const { kernels } = this
    const values = this.builder.valuesOf(kernels.u32.subarray(ids >>> 2, (ids >>> 2) + count))
    if (values.physical === 'BYTE_ARRAY') {
      const data = this.data.reserve(values.data.length)
      const offsets = this.offsets.reserve((count + 1) * 4)
      kernels.u8.set(values.data, data)
      kernels.u32.set(values.offsets, offsets >>> 2)
      return { physical: 'BYTE_ARRAY', count, data, offsets }
    }
    const { physical } = values
    const width = widthOf(physical)
    const data = this.data.reserve(count * width)
    kernels.u8.set(new Uint8Array(values.data.buffer, values.data.byteOffset, values.data.byteLength), data)
    return { physical, width, count, data }
  }

  forget(): void {
    this.builder.forget()
    this.judged = 0
  }
}
