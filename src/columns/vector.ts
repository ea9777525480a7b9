/**
 * The shape of data between validation and Parquet: columns, never row objects.
 *
 * Every logical type has exactly one physical form, fixed here and in `documents/FORMAT.md`:
 *
 * | logical                      | physical             | a value is                                            |
 * |------------------------------|----------------------|-------------------------------------------------------|
 * | boolean                      | BOOLEAN              | 0 or 1                                                |
 * | integer, 32 bits             | INT32                | the number                                            |
 * | integer, 64 bits             | INT64                | the number                                            |
 * | double                       | DOUBLE               | the nearest double                                    |
 * | decimal, precision ≤ 9       | INT32                | unscaled value                                        |
 * | decimal, precision ≤ 18      | INT64                | unscaled value                                        |
 * | decimal, precision ≤ 38      | FIXED_LEN_BYTE_ARRAY | unscaled value, 16 bytes, two's complement, big-endian |
 * | date                         | INT32                | days since 1970-01-01                                 |
 * | time, MILLIS                 | INT32                | milliseconds since midnight                           |
 * | time, MICROS                 | INT64                | microseconds since midnight                           |
 * | timestamp, MILLIS or MICROS  | INT64                | units since 1970-01-01T00:00:00 (UTC, or zone-less)   |
 * | string, json                 | BYTE_ARRAY           | UTF-8                                                 |
 */
export type PhysicalType = 'BOOLEAN' | 'INT32' | 'INT64' | 'DOUBLE' | 'BYTE_ARRAY' | 'FIXED_LEN_BYTE_ARRAY'

export type TimeUnit = 'MILLIS' | 'MICROS'

export type LogicalType =
  | { readonly kind: 'string' }
  | { readonly kind: 'json' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'integer'; readonly bits: 32 | 64 }
  | { readonly kind: 'double' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'date' }
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  | { readonly kind: 'timestamp'; readonly unit: TimeUnit; readonly utc: boolean }

export interface ColumnType {
  readonly name: string
  readonly logical: LogicalType
  readonly physical: PhysicalType
  /** Unit of measurement from the table schema ("m", "kPa", …); goes into the file's key-value metadata. */
  readonly unit: string | null
}

/** Values of one physical type. Where they are aligned with rows, a missing row holds zero (or no bytes). */
export type Values =
  | { readonly physical: 'BOOLEAN'; readonly data: Uint8Array }
  | { readonly physical: 'INT32'; readonly data: Int32Array }
  | { readonly physical: 'INT64'; readonly data: BigInt64Array }
  | { readonly physical: 'DOUBLE'; readonly data: Float64Array }
  /** Value i is `data.subarray(offsets[i], offsets[i + 1])`; `offsets` has one entry more than there are values and starts at 0. */
  | { readonly physical: 'BYTE_ARRAY'; readonly data: Uint8Array; readonly offsets: Uint32Array }
  | { readonly physical: 'FIXED_LEN_BYTE_ARRAY'; readonly data: Uint8Array; readonly widthBytes: number }

/** A column of rows, plain (`values` aligned with rows) or dictionary-coded (`codes` aligned with rows, pointing into `dictionary`). */
export type ColumnVector = PlainVector | DictionaryVector

interface VectorBase {
  readonly rows: number
  /** One byte a row: 1 present, 0 missing. */
  readonly validity: Uint8Array
  readonly nulls: number
}

export interface PlainVector extends VectorBase {
  readonly form: 'plain'
  readonly values: Values
}

export interface DictionaryVector extends VectorBase {
  readonly form: 'dictionary'
  /** Index into `dictionary` of each row; 0 where the row is missing. */
  readonly codes: Uint32Array
  /** Distinct values (no two equal; -0 and 0 are two), in order of first appearance. May hold values that no row uses. */
  readonly dictionary: Values
}

export function physicalTypeOf(logical: LogicalType): PhysicalType {
  switch (logical.kind) {
    case 'string':
    case 'json':
      return 'BYTE_ARRAY'
    case 'boolean':
      return 'BOOLEAN'
    case 'integer':
      return logical.bits === 32 ? 'INT32' : 'INT64'
    case 'double':
      return 'DOUBLE'
    case 'decimal':
      return logical.precision <= 9 ? 'INT32' : logical.precision <= 18 ? 'INT64' : 'FIXED_LEN_BYTE_ARRAY'
    case 'date':
      return 'INT32'
    case 'time':
      return logical.unit === 'MILLIS' ? 'INT32' : 'INT64'
    case 'timestamp':
      return 'INT64'
  }
}

/** Bytes of a 38-digit decimal: 16 hold ±1.7e38. */
export const DECIMAL_WIDTH_BYTES = 16

export function countOf(values: Values): number {
  if (values.physical === 'BYTE_ARRAY') return values.offsets.length - 1
  if (values.physical === 'FIXED_LEN_BYTE_ARRAY') return values.data.length / values.widthBytes
  return values.data.length
}

/** Copies the values at `indices`, in their order. */
export function takeValues(values: Values, indices: Uint32Array): Values {
  const n = indices.length
  switch (values.physical) {
    case 'BOOLEAN': {
      const data = new Uint8Array(n)
      for (let i = 0; i < n; i++) data[i] = values.data[indices[i]!]!
      return { physical: 'BOOLEAN', data }
    }
    case 'INT32': {
      const data = new Int32Array(n)
      for (let i = 0; i < n; i++) data[i] = values.data[indices[i]!]!
      return { physical: 'INT32', data }
    }
    case 'INT64': {
      const data = new BigInt64Array(n)
      for (let i = 0; i < n; i++) data[i] = values.data[indices[i]!]!
      return { physical: 'INT64', data }
    }
    case 'DOUBLE': {
      const data = new Float64Array(n)
      for (let i = 0; i < n; i++) data[i] = values.data[indices[i]!]!
      return { physical: 'DOUBLE', data }
    }
    case 'FIXED_LEN_BYTE_ARRAY': {
      const w = values.widthBytes
      const data = new Uint8Array(n * w)
      for (let i = 0; i < n; i++) data.set(values.data.subarray(indices[i]! * w, indices[i]! * w + w), i * w)
      return { physical: 'FIXED_LEN_BYTE_ARRAY', data, widthBytes: w }
    }
    case 'BYTE_ARRAY': {
      const offsets = new Uint32Array(n + 1)
      let total = 0
      for (let i = 0; i < n; i++) {
        total += values.offsets[indices[i]! + 1]! - values.offsets[indices[i]!]!
        offsets[i + 1] = total
      }
      const data = new Uint8Array(total)
      for (let i = 0; i < n; i++)
        data.set(values.data.subarray(values.offsets[indices[i]!]!, values.offsets[indices[i]! + 1]!), offsets[i]!)
      return { physical: 'BYTE_ARRAY', data, offsets }
    }
  }
}

/** The rows at `indices` of a vector, in their order. */
export function takeRows(vector: ColumnVector, indices: Uint32Array): ColumnVector {
  const rows = indices.length
  const validity = new Uint8Array(rows)
  let nulls = 0
  for (let i = 0; i < rows; i++) {
    const v = vector.validity[indices[i]!]!
    validity[i] = v
    if (v === 0) nulls++
  }
  if (vector.form === 'plain') return { form: 'plain', rows, validity, nulls, values: takeValues(vector.values, indices) }
  const codes = new Uint32Array(rows)
  for (let i = 0; i < rows; i++) codes[i] = vector.codes[indices[i]!]!
  return { form: 'dictionary', rows, validity, nulls, codes, dictionary: vector.dictionary }
}
