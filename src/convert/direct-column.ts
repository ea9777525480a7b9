import type { Scalar } from '../columns/cell.js'
import { isProblem } from '../columns/cell.js'
import type { Column } from '../columns/column.js'
import type { PlainVector, Values } from '../columns/vector.js'
import type { Kernels } from '../kernels/kernels.js'

const QUOTE = 0x22
/** Constraints that hold for all values of a column if they hold for the least and the greatest. */
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const
/** Members of a field that change how its text is read: the kernels know the defaults only. */
const STYLES = ['format', 'decimalChar', 'groupChar', 'bareNumber'] as const

type NumberArray = Int32Array | BigInt64Array | Float64Array

/**
 * A column with mostly different texts: values go from the bytes of the field straight into a typed array. The kernels take the simple
 * forms; the field's own parser judges every other text.
 */
export interface DirectColumn {
  clear(): void
  /** Takes the cells of a batch. False: a cell is wrong. May rewrite the field words of its own column, so columns go in the order of their cells. */
  add(fields: number, stride: number, position: number, rows: number): boolean
  /** What was taken so far were distinct values: they become rows, each with the value at its code. */
  spread(codes: Uint32Array): void
  /** The rows so far; null: one of them breaks a constraint. */
  take(): PlainVector | null
}

/** null: the column's type or options are not for the kernels. */
export function directColumn(kernels: Kernels, column: Column, batchRows: number): DirectColumn | null {
  const rules = (column.field.constraints ?? {}) as Record<string, unknown>
  const bounded = BOUNDS.filter((name) => rules[name] !== undefined).length
  if (column.constraints.length !== bounded || !column.missingValues.has('')) return null
  if (STYLES.some((name) => column.field[name] !== undefined && column.field[name] !== 'default' && column.field[name] !== true))
    return null
  // The number -999 would be taken for a number where it stands for "no value".
  if ([...column.missingValues].some((text) => /^[+\-.\d]/.test(text.trim()) && column.physical !== 'BYTE_ARRAY')) return null
  const { logical } = column
  switch (logical.kind) {
    case 'integer':
    case 'double':
    case 'date':
    case 'time':
    case 'timestamp':
      return new DirectNumbers(kernels, column, batchRows)
    case 'decimal':
      return logical.precision <= 18 ? new DirectNumbers(kernels, column, batchRows) : null
    case 'string':
      return column.field.type === 'string' && column.constraints.length === 0 ? new DirectTexts(kernels, column, batchRows) : null
    default:
      return null
  }
}

class DirectNumbers implements DirectColumn {
  private readonly values: number
  private readonly validity: number
  private data: NumberArray
  private valid = new Uint8Array(8192)
  private rows = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly column: Column,
    batchRows: number,
  ) {
    this.values = kernels.allocate(batchRows * 8)
    this.validity = kernels.allocate(batchRows)
    this.data = numbers(column, 8192)
  }

  clear(): void {
    this.rows = 0
  }

  add(fields: number, stride: number, position: number, rows: number): boolean {
    this.reserve(this.rows + rows)
    let done = 0
    while (done < rows) {
      const at = fields + done * stride * 4
      const taken = this.parse(at, stride, position, rows - done)
      this.copy(taken)
      done += taken
      if (done < rows) {
        if (!this.judge(fields + done * stride * 4, position)) return false
        done++
      }
    }
    return true
  }

  spread(codes: Uint32Array): void {
    const distinct = this.data.slice(0, this.rows)
    const validity = this.valid.slice(0, this.rows)
    const rows = codes.length
    this.reserve(rows)
    const { data, valid } = this
    for (let i = 0; i < rows; i++) valid[i] = validity[codes[i]!]!
    // As words: a bigint made and dropped for each row costs more than all the rest.
    const from = new Int32Array(distinct.buffer, 0, distinct.byteLength >>> 2)
    const to = new Int32Array(data.buffer, 0, data.byteLength >>> 2)
    if (data.BYTES_PER_ELEMENT === 4) for (let i = 0; i < rows; i++) to[i] = from[codes[i]!]!
    else {
      for (let i = 0; i < rows; i++) {
        const at = codes[i]! << 1
        to[2 * i] = from[at]!
        to[2 * i + 1] = from[at + 1]!
      }
    }
    this.rows = rows
  }

  take(): PlainVector | null {
    const { rows, column } = this
    const validity = this.valid.slice(0, rows)
    const data = this.data.slice(0, rows)
    let nulls = 0
    for (let i = 0; i < rows; i++) nulls += 1 - validity[i]!
    if (nulls > 0 && column.required) return null
    if (column.constraints.length > 0 && !this.boundsHold(data, validity)) return null
    return { form: 'plain', rows, validity, nulls, values: wrap(column, data) }
  }

  private boundsHold(data: NumberArray, validity: Uint8Array): boolean {
    let least: number | bigint | null = null
    let greatest: number | bigint | null = null
    for (let i = 0; i < data.length; i++) {
      if (validity[i] === 0) continue
      const value = data[i]!
      // NaN is in no order: it breaks every bound.
      if (Number.isNaN(value)) return false
      if (least === null || value < least) least = value
      if (greatest === null || value > greatest) greatest = value
    }
    if (least === null || greatest === null) return true
    const [low, high]: [Scalar, Scalar] = [least, greatest]
    return this.column.constraints.every((check) => check(low) === null && check(high) === null)
  }

  private parse(fields: number, stride: number, position: number, rows: number): number {
    const { kernels, values, validity } = this
    const { logical } = this.column
    switch (logical.kind) {
      case 'integer':
        return logical.bits === 32
          ? kernels.parseInt32(fields, stride, position, rows, QUOTE, values, validity)
          : kernels.parseInt64(fields, stride, position, rows, QUOTE, values, validity)
      case 'double':
        return kernels.parseDouble(fields, stride, position, rows, QUOTE, values, validity)
      case 'decimal':
        return logical.precision <= 9
          ? kernels.parseDecimal32(fields, stride, position, rows, QUOTE, values, validity, logical.precision, logical.scale)
          : kernels.parseDecimal64(fields, stride, position, rows, QUOTE, values, validity, logical.precision, logical.scale)
      case 'date':
        return kernels.parseDate(fields, stride, position, rows, QUOTE, values, validity)
      case 'time':
        return kernels.parseTime(fields, stride, position, rows, QUOTE, values, validity, logical.unit === 'MILLIS' ? 1000 : 1_000_000)
      case 'timestamp':
        return kernels.parseTimestamp(
          fields,
          stride,
          position,
          rows,
          QUOTE,
          values,
          validity,
          logical.unit === 'MILLIS' ? 1000 : 1_000_000,
          logical.utc,
        )
      default:
        return 0
    }
  }

  private copy(rows: number): void {
    if (rows === 0) return
    const { kernels, data } = this
    if (data instanceof Int32Array) data.set(kernels.i32.subarray(this.values >>> 2, (this.values >>> 2) + rows), this.rows)
    else if (data instanceof Float64Array) data.set(kernels.f64.subarray(this.values >>> 3, (this.values >>> 3) + rows), this.rows)
    else data.set(kernels.i64.subarray(this.values >>> 3, (this.values >>> 3) + rows), this.rows)
    this.valid.set(kernels.u8.subarray(this.validity, this.validity + rows), this.rows)
    this.rows += rows
  }

  /** One field by the column's own parser. */
  private judge(fields: number, position: number): boolean {
    const text = fieldText(this.kernels, fields, position)
    let value: Scalar = this.data instanceof BigInt64Array ? 0n : 0
    let valid = 0
    if (!this.column.missingValues.has(text)) {
      const parsed = this.column.parser.parse(text)
      if (isProblem(parsed)) return false
      value = parsed
      valid = 1
    }
    this.data[this.rows] = value as never
    this.valid[this.rows++] = valid
    return true
  }

  private reserve(rows: number): void {
    if (rows <= this.valid.length) return
    const capacity = Math.max(this.valid.length * 2, rows)
    const data = numbers(this.column, capacity)
    data.set(this.data as never)
    this.data = data
    const valid = new Uint8Array(capacity)
    valid.set(this.valid)
    this.valid = valid
  }
}

function numbers(column: Column, length: number): NumberArray {
  if (column.physical === 'INT32') return new Int32Array(length)
  return column.physical === 'INT64' ? new BigInt64Array(length) : new Float64Array(length)
}

function wrap(column: Column, data: NumberArray): Values {
  return { physical: column.physical, data } as Values
}

/** Texts of a `string` field without format and constraints: their bytes are their value. */
class DirectTexts implements DirectColumn {
  private readonly ends: number
  private readonly validity: number
  private readonly scratch: number
  private readonly scratchBytes: number
  /** Missing values other than the empty text, as bytes. */
  private readonly missing: readonly Buffer[]
  private data = new Uint8Array(65_536)
  private bytes = 0
  private offsets = new Uint32Array(8193)
  private valid = new Uint8Array(8192)
  private rows = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly column: Column,
    batchRows: number,
  ) {
    this.ends = kernels.allocate(batchRows * 4)
    this.validity = kernels.allocate(batchRows)
    this.scratchBytes = 1 << 18
    this.scratch = kernels.allocate(this.scratchBytes)
    this.missing = [...column.missingValues].filter((text) => text !== '').map((text) => Buffer.from(text, 'utf8'))
  }

  clear(): void {
    this.rows = 0
    this.bytes = 0
  }

  add(fields: number, stride: number, position: number, rows: number): boolean {
    this.blankMissing(fields, stride, position, rows)
    this.reserveRows(this.rows + rows)
    let done = 0
    while (done < rows) {
      const at = fields + done * stride * 4
      const { kernels } = this
      const taken = kernels.copyTexts(
        at,
        stride,
        position,
        rows - done,
        QUOTE,
        this.scratch,
        0,
        this.scratchBytes,
        this.ends,
        this.validity,
      )
      if (taken === 0) {
        this.appendText(Buffer.from(fieldText(kernels, at, position), 'utf8'))
        done++
        continue
      }
      const { u8, u32 } = kernels
      const ends = this.ends >>> 2
      const length = u32[ends + taken - 1]!
      this.reserveBytes(this.bytes + length)
      this.data.set(u8.subarray(this.scratch, this.scratch + length), this.bytes)
      for (let i = 0; i < taken; i++) this.offsets[this.rows + i + 1] = this.bytes + u32[ends + i]!
      this.valid.set(u8.subarray(this.validity, this.validity + taken), this.rows)
      this.bytes += length
      this.rows += taken
      done += taken
    }
    return true
  }

  spread(codes: Uint32Array): void {
    const rows = codes.length
    const distinct = this.data.slice(0, this.bytes)
    const ends = this.offsets.slice(0, this.rows + 1)
    const validity = this.valid.slice(0, this.rows)
    let bytes = 0
    for (let i = 0; i < rows; i++) bytes += ends[codes[i]! + 1]! - ends[codes[i]!]!
    this.reserveRows(rows)
    this.reserveBytes(bytes)
    const { data, offsets, valid } = this
    let at = 0
    for (let i = 0; i < rows; i++) {
      const code = codes[i]!
      const start = ends[code]!
      const end = ends[code + 1]!
      // A view for each short text costs more than its bytes.
      if (end - start > 64) data.set(distinct.subarray(start, end), at)
      else for (let b = start, to = at; b < end; b++, to++) data[to] = distinct[b]!
      at += end - start
      offsets[i + 1] = at
      valid[i] = validity[code]!
    }
    this.bytes = bytes
    this.rows = rows
  }

  take(): PlainVector | null {
    const { rows } = this
    const validity = this.valid.slice(0, rows)
    let nulls = 0
    for (let i = 0; i < rows; i++) nulls += 1 - validity[i]!
    if (nulls > 0 && this.column.required) return null
    const values: Values = { physical: 'BYTE_ARRAY', data: this.data.slice(0, this.bytes), offsets: this.offsets.slice(0, rows + 1) }
    return { form: 'plain', rows, validity, nulls, values }
  }

  /** A field that says "no value" in words becomes one that says it with no bytes. */
  private blankMissing(fields: number, stride: number, position: number, rows: number): void {
    if (this.missing.length === 0) return
    const { u8, u32 } = this.kernels
    const base = (fields >>> 2) + position
    for (let r = 0; r < rows; r++) {
      const start = u32[base + r * stride]!
      const end = u32[base + r * stride + 1]! - 1
      const quoted = u8[start] === QUOTE && end - start >= 2 ? 1 : 0
      for (const text of this.missing) {
        if (text.length !== end - start - 2 * quoted) continue
        let i = 0
        while (i < text.length && text[i] === u8[start + quoted + i]) i++
        if (i === text.length) u32[base + r * stride] = end
      }
    }
  }

  private appendText(bytes: Uint8Array): void {
    this.reserveBytes(this.bytes + bytes.length)
    this.data.set(bytes, this.bytes)
    this.bytes += bytes.length
    this.valid[this.rows] = 1
    this.offsets[++this.rows] = this.bytes
  }

  private reserveRows(rows: number): void {
    if (rows <= this.valid.length) return
    const capacity = Math.max(this.valid.length * 2, rows)
    const valid = new Uint8Array(capacity)
    valid.set(this.valid)
    this.valid = valid
    const offsets = new Uint32Array(capacity + 1)
    offsets.set(this.offsets)
    this.offsets = offsets
  }

  private reserveBytes(bytes: number): void {
    if (bytes <= this.data.length) return
    const data = new Uint8Array(Math.max(this.data.length * 2, bytes))
    data.set(this.data.subarray(0, this.bytes))
    this.data = data
  }
}

/** The text of one field: without its quotes, doubled ones halved. `fields`: the address of the row's words. */
export function fieldText(kernels: Kernels, fields: number, position: number): string {
  const words = (fields >>> 2) + position
  const start = kernels.u32[words]!
  return textOf(kernels.u8.subarray(start, kernels.u32[words + 1]! - 1))
}

export function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== QUOTE) return text.toString('utf8')
  return text.toString('utf8', 1, text.length - 1).replaceAll('""', '"')
}
