import { NONE } from '../kernels/columns.js'
import type { Kernels } from '../kernels/kernels.js'
import type { DictionaryColumn, KernelColumn, KernelValues, PlainColumn } from './kernel-column.js'

/** What a dictionary costs at least besides its values; see `worthCoding`. */
const DICTIONARY_BYTES = 24

/**
 * Some rows of columns in the memory of kernels, as columns of their own beside them. What comes out depends on the values of these rows alone,
 * not on which form the column has or what other rows hold: values that come again go into a dictionary in order of first appearance.
 */
export class ColumnGather {
  /** Old code → new code; NONE throughout between calls. */
  private readonly codeOf: number

  /** Takes memory of its own, for the caller to release with the columns. */
  constructor(
    private readonly kernels: Kernels,
    columns: readonly KernelColumn[],
  ) {
    let entries = 0
    for (const column of columns) if (column.form === 'dictionary') entries = Math.max(entries, column.dictionary.count)
    this.codeOf = kernels.allocate(entries * 4)
    kernels.u32.fill(NONE, this.codeOf >>> 2, (this.codeOf >>> 2) + entries)
  }

  /** The `count` rows whose numbers are words at `rows`, in this order, in memory allocated now. */
  take(column: KernelColumn, rows: number, count: number): KernelColumn {
    const { validity, nulls } = this.validityOf(column, rows, count)
    return column.form === 'dictionary'
      ? this.takeCoded(column, rows, count, validity, nulls)
      : this.takePlain(column, rows, count, validity, nulls)
  }

  private validityOf(column: KernelColumn, rows: number, count: number): { validity: number; nulls: number } {
    if (column.validity === 0) return { validity: 0, nulls: 0 }
    const { kernels } = this
    const mark = kernels.mark()
    const validity = kernels.allocate(count)
    kernels.gather(column.validity, 1, rows, 0, count, validity)
    const nulls = count - kernels.countByte(validity, validity + count, 1)
    if (nulls > 0) return { validity, nulls }
    kernels.release(mark)
    return { validity: 0, nulls }
  }

  private takeCoded(column: DictionaryColumn, rows: number, count: number, validity: number, nulls: number): DictionaryColumn {
    const { kernels } = this
    const codes = kernels.allocate(count * 4)
    const keyOf = kernels.allocate(Math.min(count, column.dictionary.count) * 4)
    const distinct = kernels.takeCodes(column.codes, column.validity, rows, count, this.codeOf, keyOf, codes)
    return { form: 'dictionary', rows: count, nulls, validity, codes, dictionary: takeValues(kernels, column.dictionary, keyOf, distinct) }
  }

  private takePlain(column: PlainColumn, rows: number, count: number, validity: number, nulls: number): KernelColumn {
    const { kernels } = this
    const values = takeValues(kernels, column.values, rows, count)
    const plain: PlainColumn = { form: 'plain', rows: count, nulls, validity, values }
    const present = count - nulls
    if (values.physical === 'BOOLEAN' || present < 2 || plainBytes(kernels, values, present) <= DICTIONARY_BYTES) return plain
    const mark = kernels.mark()
    const codes = kernels.allocate(count * 4)
    const firsts = kernels.allocate(present * 4)
    const dictionaryMark = kernels.mark()
    const slotBits = 33 - Math.clz32(count)
    const slots = kernels.allocate(4 << slotBits)
    const distinct = codeRows(kernels, values, validity, count, slots, slotBits, codes, firsts)
    if (!worthCoding(values, distinct, present)) {
      kernels.release(mark)
      return plain
    }
    kernels.release(dictionaryMark)
    return { form: 'dictionary', rows: count, nulls, validity, codes, dictionary: takeValues(kernels, values, firsts, distinct) }
  }
}

/** Rows of a column that are coded first, and how many of them may be different for the rest to be coded too. */
const TRIED_ROWS = 16_384
const TRIED_NEW = 0.7

/**
 * A plain column by the distinct values of its rows, in order of first appearance, in memory allocated now. null, and nothing is allocated: its
 * values come again too seldom for that to be of use.
 */
export function codeValues(kernels: Kernels, column: PlainColumn): DictionaryColumn | null {
  const { values, validity, rows, nulls } = column
  if (values.physical === 'BOOLEAN' || nulls === rows) return null
  const start = kernels.mark()
  const codes = kernels.allocate(rows * 4)
  const firsts = kernels.allocate(rows * 4)
  const mark = kernels.mark()
  const code = (count: number): number => {
    const slotBits = 33 - Math.clz32(count)
    const slots = kernels.allocate(4 << slotBits)
    const distinct = codeRows(kernels, values, validity, count, slots, slotBits, codes, firsts)
    kernels.release(mark)
    return distinct
  }
  const tried = Math.min(rows, TRIED_ROWS)
  let distinct = code(tried)
  if (distinct > tried * TRIED_NEW) {
    kernels.release(start)
    return null
  }
  if (tried < rows) distinct = code(rows)
  return { form: 'dictionary', rows, nulls, validity, codes, dictionary: takeValues(kernels, values, firsts, distinct) }
}

function codeRows(
  kernels: Kernels,
  values: KernelValues,
  validity: number,
  count: number,
  slots: number,
  slotBits: number,
  codes: number,
  firsts: number,
): number {
  return values.physical === 'BYTE_ARRAY'
    ? kernels.codeTexts(values.data, values.offsets, validity, count, slots, slotBits, codes, firsts)
    : kernels.codeFixed(values.data, values.width as 4 | 8 | 16, validity, count, slots, slotBits, codes, firsts)
}

/** False: no encoder would take the dictionary instead of the values. Whether it does is its own affair. */
function worthCoding(values: KernelValues, distinct: number, present: number): boolean {
  if (values.physical === 'BYTE_ARRAY') return distinct < present
  return DICTIONARY_BYTES + distinct * values.width < present * values.width
}

function plainBytes(kernels: Kernels, values: KernelValues, present: number): number {
  if (values.physical !== 'BYTE_ARRAY') return present * values.width
  const words = values.offsets >>> 2
  return present * 4 + kernels.u32[words + values.count]! - kernels.u32[words]!
}

/** The values at the places at `places`, in memory allocated now. */
function takeValues(kernels: Kernels, values: KernelValues, places: number, count: number): KernelValues {
  if (values.physical !== 'BYTE_ARRAY') {
    const { physical, width } = values
    const data = kernels.allocate(count * width)
    kernels.gather(values.data, width, places, 0, count, data)
    return { physical, width, count, data }
  }
  const offsets = kernels.allocate((count + 1) * 4)
  const bytes = kernels.gatherLengths(values.offsets, places, 0, count, offsets)
  const data = kernels.allocate(bytes)
  kernels.gatherTexts(values.data, values.offsets, places, offsets, count, data, data + bytes)
  kernels.offsetsOf(offsets, count, offsets)
  return { physical: 'BYTE_ARRAY', count, data, offsets }
}
