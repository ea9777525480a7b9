import { assert } from '../errors.js'
import { NONE } from '../kernels/columns.js'
import type { FixedWidth, Kernels } from '../kernels/kernels.js'
import { checkVector } from './check-vector.js'
import { type ColumnVector, countOf, type PhysicalType, takeValues, type Values } from './vector.js'

/**
 * A column of rows in the memory of kernels: what `ColumnVector` is among JavaScript's arrays. Numbers are addresses; they hold until whoever
 * allocated them releases or reuses the memory.
 */
export type KernelColumn = PlainColumn | DictionaryColumn

interface ColumnBase {
  readonly rows: number
  readonly nulls: number
  /** One byte a row: 1 present, 0 missing. 0 (no address) where no row is missing. */
  readonly validity: number
}

export interface PlainColumn extends ColumnBase {
  readonly form: 'plain'
  /** Aligned with rows; a missing row holds zero, or no bytes. */
  readonly values: KernelValues
  /** Its values may well come again: an encoder is to find out whether a dictionary pays. */
  readonly mayRepeat?: true
}

export interface DictionaryColumn extends ColumnBase {
  readonly form: 'dictionary'
  /** One word a row, 0 where the row is missing. */
  readonly codes: number
  /** Distinct values in order of first appearance, each of them used. Never booleans. */
  readonly dictionary: KernelValues
}

export type KernelValues =
  | { readonly physical: Exclude<PhysicalType, 'BYTE_ARRAY'>; readonly width: FixedWidth; readonly count: number; readonly data: number }
  /** Value i is the bytes from `data` + word i to `data` + word i + 1 of `offsets`, which start at 0. */
  | { readonly physical: 'BYTE_ARRAY'; readonly count: number; readonly data: number; readonly offsets: number }

export function widthOf(physical: Exclude<PhysicalType, 'BYTE_ARRAY'>): FixedWidth {
  switch (physical) {
    case 'BOOLEAN':
      return 1
    case 'INT32':
      return 4
    case 'INT64':
    case 'DOUBLE':
      return 8
    case 'FIXED_LEN_BYTE_ARRAY':
      return 16
  }
}

/** A copy of a vector in the memory of kernels. Asserts what `vector.ts` promises of it. Every NaN becomes the one of `documents/FORMAT.md`. */
export function placeVector(kernels: Kernels, vector: ColumnVector, physical: PhysicalType): KernelColumn {
  checkVector(vector, physical)
  const { rows, nulls } = vector
  const validity = nulls === 0 ? 0 : kernels.allocate(rows)
  if (nulls > 0) kernels.u8.set(vector.validity, validity)
  if (vector.form === 'plain') return { form: 'plain', rows, nulls, validity, values: placeValues(kernels, vector.values) }
  const codes = kernels.allocate(rows * 4)
  const entries = countOf(vector.dictionary)
  const codeOf = kernels.allocate(entries * 4)
  const keyOf = kernels.allocate(entries * 4)
  const words = kernels.u32
  words.set(vector.codes, codes >>> 2)
  words.fill(NONE, codeOf >>> 2, (codeOf >>> 2) + entries)
  if (nulls > 0) for (let i = 0; i < rows; i++) if (vector.validity[i] === 0) words[(codes >>> 2) + i] = NONE
  const used = kernels.renumber(codes, rows, codeOf, keyOf, 0)
  if (nulls > 0) for (let i = 0; i < rows; i++) if (vector.validity[i] === 0) words[(codes >>> 2) + i] = 0
  const keys = words.subarray(keyOf >>> 2, (keyOf >>> 2) + used)
  const inPlace = used === entries && keys.every((key, place) => key === place)
  const dictionary = placeValues(kernels, inPlace ? vector.dictionary : takeValues(vector.dictionary, keys))
  const column: DictionaryColumn = { form: 'dictionary', rows, nulls, validity, codes, dictionary }
  return dictionary.physical === 'BOOLEAN' ? toPlain(kernels, column) : column
}

export function placeValues(kernels: Kernels, values: Values): KernelValues {
  const count = countOf(values)
  if (values.physical === 'BYTE_ARRAY') {
    const bytes = values.offsets[count]!
    const data = kernels.allocate(bytes)
    const offsets = kernels.allocate((count + 1) * 4)
    kernels.u8.set(values.data.subarray(0, bytes), data)
    kernels.u32.set(values.offsets, offsets >>> 2)
    return { physical: 'BYTE_ARRAY', count, data, offsets }
  }
  const { physical } = values
  const width = widthOf(physical)
  if (values.physical === 'FIXED_LEN_BYTE_ARRAY') assert(values.widthBytes === width, 'decimals of 16 bytes')
  const data = kernels.allocate(count * width)
  kernels.u8.set(new Uint8Array(values.data.buffer, values.data.byteOffset, values.data.byteLength), data)
  if (physical === 'DOUBLE') {
    const doubles = kernels.f64.subarray(data >>> 3, (data >>> 3) + count)
    const words = kernels.i64
    for (let i = 0; i < count; i++) if (Number.isNaN(doubles[i])) words[(data >>> 3) + i] = 0x7ff8000000000000n
  }
  return { physical, width, count, data }
}

/** The same rows with their values in line, in memory allocated now. */
export function toPlain(kernels: Kernels, column: DictionaryColumn): PlainColumn {
  const { rows, nulls, validity, codes, dictionary } = column
  if (dictionary.physical !== 'BYTE_ARRAY') {
    const { physical, width } = dictionary
    const data = kernels.allocate(rows * width)
    kernels.gather(dictionary.data, width, codes, validity, rows, data)
    return { form: 'plain', rows, nulls, validity, values: { physical, width, count: rows, data } }
  }
  const offsets = kernels.allocate((rows + 1) * 4)
  const bytes = kernels.gatherLengths(dictionary.offsets, codes, validity, rows, offsets)
  const data = kernels.allocate(bytes)
  kernels.gatherTexts(dictionary.data, dictionary.offsets, codes, offsets, rows, data, data + bytes)
  kernels.offsetsOf(offsets, rows, offsets)
  return { form: 'plain', rows, nulls, validity, values: { physical: 'BYTE_ARRAY', count: rows, data, offsets } }
}

/** A copy among JavaScript's arrays. */
export function takeVector(kernels: Kernels, column: KernelColumn): ColumnVector {
  const { rows, nulls } = column
  const validity = nulls === 0 ? new Uint8Array(rows).fill(1) : kernels.u8.slice(column.validity, column.validity + rows)
  if (column.form === 'plain') return { form: 'plain', rows, nulls, validity, values: copyValues(kernels, column.values) }
  const codes = kernels.u32.slice(column.codes >>> 2, (column.codes >>> 2) + rows)
  return { form: 'dictionary', rows, nulls, validity, codes, dictionary: copyValues(kernels, column.dictionary) }
}

function copyValues(kernels: Kernels, values: KernelValues): Values {
  const { data, count } = values
  switch (values.physical) {
    case 'BOOLEAN':
      return { physical: 'BOOLEAN', data: kernels.u8.slice(data, data + count) }
    case 'INT32':
      return { physical: 'INT32', data: kernels.i32.slice(data >>> 2, (data >>> 2) + count) }
    case 'INT64':
      return { physical: 'INT64', data: kernels.i64.slice(data >>> 3, (data >>> 3) + count) }
    case 'DOUBLE':
      return { physical: 'DOUBLE', data: kernels.f64.slice(data >>> 3, (data >>> 3) + count) }
    case 'FIXED_LEN_BYTE_ARRAY':
      return { physical: 'FIXED_LEN_BYTE_ARRAY', data: kernels.u8.slice(data, data + count * values.width), widthBytes: values.width }
    case 'BYTE_ARRAY': {
      const offsets = kernels.u32.slice(values.offsets >>> 2, (values.offsets >>> 2) + count + 1)
      return { physical: 'BYTE_ARRAY', data: kernels.u8.slice(data, data + offsets[count]!), offsets }
    }
  }
}
