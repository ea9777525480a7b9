import { extremesInt64 } from './extremes.js'
import { encodeHybrid, packBits } from './hybrid.js'
import type { Kernels, TokeniseResult } from './kernels.js'
import { INITIAL_BYTES, KernelMemory } from './memory.js'
import { type ParseMemory, parseDate, parseDecimal, parseDouble, parseInt32, parseInt64, parseTime, parseTimestamp } from './parse.js'
import { compressSnappy } from './snappy.js'
import { lookup } from './text-table.js'
import { copyTexts } from './texts.js'
import { countByte, recordAfter, tokenise } from './tokenise.js'

/** The kernels in plain TypeScript: what runs where WebAssembly does not, and what the other form is measured against. */
export class TypescriptKernels extends KernelMemory implements Kernels {
  readonly name = 'typescript'
  readonly result: TokeniseResult = { next: 0, status: 'more', recordEnd: 0, fields: 0 }
  /** The memory once more, for its ways of making strings. */
  bytes!: Buffer

  constructor(maximumBytes: number) {
    super(maximumBytes)
    this.adopt(new ArrayBuffer(INITIAL_BYTES))
  }

  protected grow(bytes: number): ArrayBuffer {
    // A copy each time, so not by little.
    const larger = new ArrayBuffer(Math.min(Math.max(bytes, this.buffer.byteLength * 1.5), this.maximumBytes) & ~0xffff)
    new Uint8Array(larger).set(this.u8)
    return larger
  }

  protected override adopt(buffer: ArrayBuffer): void {
    super.adopt(buffer)
    this.bytes = Buffer.from(buffer)
  }

  countByte(start: number, end: number, byte: number): number {
    return countByte(this.u8, start, end, byte)
  }

  quoteParity(start: number, end: number, quote: number): 0 | 1 {
    return quote === 0 ? 0 : ((countByte(this.u8, start, end, quote) & 1) as 0 | 1)
  }

  recordAfter(start: number, end: number, quote: number, inside: 0 | 1): number {
    return recordAfter(this.u8, start, end, quote, inside)
  }

  tokenise(
    start: number,
    end: number,
    final: boolean,
    width: number,
    delimiter: number,
    quote: number,
    out: number,
    maxRows: number,
  ): number {
    return tokenise(this.u8, this.u32, start, end, final, width, delimiter, quote, out, maxRows, this.result)
  }

  lookup(fields: number, stride: number, column: number, rows: number, table: number, codes: number): number {
    return lookup(this.i32, this.view, this.u8, fields, stride, column, rows, table, codes)
  }

  packBits(codes: number, count: number, width: number, out: number): number {
    return packBits(this.u32, codes >>> 2, (codes >>> 2) + count, width, this.u8, out) - out
  }

  encodeHybrid(values: number, valueBytes: 1 | 4, count: number, width: number, out: number): number {
    const source = valueBytes === 1 ? this.u8 : this.u32
    const from = valueBytes === 1 ? values : values >>> 2
    return encodeHybrid(source, from, from + count, width, this.u8, out) - out
  }

  snappyCompress(source: number, length: number, out: number): number {
    return compressSnappy(this.u8, source, source + length, this.u8, out) - out
  }

  parseInt32(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 4, parseInt32)
  }

  parseInt64(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 8, parseInt64)
  }

  parseDouble(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 8, parseDouble)
  }

  parseDecimal32(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    precision: number,
    scale: number,
  ): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 4, (memory, start, end, at) =>
      parseDecimal(memory, start, end, at, 32, precision, scale),
    )
  }

  parseDecimal64(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    precision: number,
    scale: number,
  ): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 8, (memory, start, end, at) =>
      parseDecimal(memory, start, end, at, 64, precision, scale),
    )
  }

  parseDate(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 4, parseDate)
  }

  parseTimestamp(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    unitsPerSecond: number,
    utc: boolean,
  ): number {
    return this.eachField(fields, stride, column, rows, quote, values, validity, 8, (memory, start, end, at) =>
      parseTimestamp(memory, start, end, at, unitsPerSecond, utc),
    )
  }

  parseTime(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    unitsPerSecond: number,
  ): number {
    return this.eachField(
      fields,
      stride,
      column,
      rows,
      quote,
      values,
      validity,
      unitsPerSecond === 1000 ? 4 : 8,
      (memory, start, end, at) => parseTime(memory, start, end, at, unitsPerSecond),
    )
  }

  copyTexts(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    data: number,
    base: number,
    capacity: number,
    ends: number,
    validity: number,
  ): number {
    return copyTexts(this.u8, this.u32, fields, stride, column, rows, quote, data, base, capacity, ends, validity)
  }

  extremesInt64(values: number, validity: number, rows: number, out: number): number {
    return extremesInt64(this.u8, this.i32, this.u32, values, validity, rows, out)
  }

  private eachField(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    valueBytes: number,
    parse: (memory: ParseMemory, start: number, end: number, at: number) => boolean,
  ): number {
    const { u8, u32 } = this
    let field = (fields >>> 2) + column
    for (let row = 0; row < rows; row++, field += stride) {
      let start = u32[field]!
      let end = u32[field + 1]! - 1
      // A field that begins with a quote ends with one: the tokeniser saw to it.
      if (start < end && u8[start] === quote && quote !== 0) {
        start++
        end--
      }
      const at = values + row * valueBytes
      if (start === end) {
        u8.fill(0, at, at + valueBytes)
        u8[validity + row] = 0
        continue
      }
      if (!parse(this, start, end, at)) return row
      u8[validity + row] = 1
    }
    return rows
  }
}
