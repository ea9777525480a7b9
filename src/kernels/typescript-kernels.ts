import * as columns from './columns.js'
import * as digests from './digests.js'
import { encodeBytes, encodeWords, packWords } from './hybrid.js'
import type { FixedWidth, Kernels, SkippedRecords, TokeniseResult } from './kernels.js'
import { KernelMemory, PAGE_BYTES } from './memory.js'
import { parseDate, parseDecimal, parseDouble, parseInt32, parseInt64, parseTime, parseTimestamp } from './parse.js'
import * as records from './records.js'
import { compressSnappy, compressSnappyFixed, compressSnappyTexts } from './snappy.js'
import { placeCodes, shapedCodes } from './text-shape.js'
import { fillSlots, lookup } from './text-table.js'
import { copyTexts } from './texts.js'
import { countByte, recordAfter, skipRecords, tokenise } from './tokenise.js'

/** To grow is to copy everything, and memory that nobody touched takes no room: so there is as much at once as most files need. */
const FIRST_BYTES = 1 << 26

/** The kernels in plain TypeScript: what runs where WebAssembly does not, and what the other form is measured against. */
export class TypescriptKernels extends KernelMemory implements Kernels {
  readonly name = 'typescript'
  readonly skipped: SkippedRecords = { next: 0, inside: 0 }
  readonly result: TokeniseResult = { next: 0, status: 'more', recordEnd: 0, fields: 0 }
  /** The memory once more, for its ways of making strings. */
  bytes!: Buffer

  constructor(maximumBytes: number) {
    super(maximumBytes)
    this.adopt(new ArrayBuffer(Math.min(FIRST_BYTES, maximumBytes - (maximumBytes % PAGE_BYTES))))
  }

  protected grow(bytes: number): ArrayBuffer {
    const larger = new ArrayBuffer(bytes)
    new Uint8Array(larger).set(this.u8)
    return larger
  }

  protected override adopt(buffer: ArrayBuffer): void {
    super.adopt(buffer)
    this.bytes = Buffer.from(buffer)
  }

  countByte(start: number, end: number, byte: number): number {
    return countByte(this.u8, this.i32, start, end, byte)
  }

  quoteParity(start: number, end: number, quote: number): 0 | 1 {
    return quote === 0 ? 0 : ((countByte(this.u8, this.i32, start, end, quote) & 1) as 0 | 1)
  }

  recordAfter(start: number, end: number, quote: number, inside: 0 | 1): number {
    return recordAfter(this.u8, start, end, quote, inside)
  }

  skipRecords(start: number, end: number, quote: number, inside: 0 | 1, most: number): number {
    return skipRecords(this.bytes, start, end, quote, inside, most, this.skipped)
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
    return tokenise(this.u8, this.i32, start, end, final, width, delimiter, quote, out, maxRows, this.result)
  }

  lookup(fields: number, stride: number, column: number, rows: number, table: number, codes: number): number {
    return lookup(this.i32, this.view, this.u8, fields, stride, column, rows, table, codes)
  }

  fillSlots(slots: number, bits: number, entries: number, size: number): void {
    fillSlots(this.i32, this.view, slots, bits, entries, size)
  }

  shapedCodes(fields: number, stride: number, column: number, rows: number, shape: number, codes: number, misses: number): number {
    return shapedCodes(this.u8, this.i32, fields, stride, column, rows, shape, codes, misses)
  }

  placeCodes(misses: number, count: number, missCodes: number, shape: number, codes: number): void {
    placeCodes(this.i32, misses, count, missCodes, shape, codes)
  }

  packBits(codes: number, count: number, width: number, out: number): number {
    return packWords(this.i32, codes >>> 2, (codes >>> 2) + count, width, this.u8, out) - out
  }

  encodeHybrid(values: number, valueBytes: 1 | 4, count: number, width: number, out: number): number {
    const { u8, i32 } = this
    const end =
      valueBytes === 1
        ? encodeBytes(u8, values, values + count, width, u8, out)
        : encodeWords(i32, values >>> 2, (values >>> 2) + count, width, u8, out)
    return end - out
  }

  snappyCompress(source: number, length: number, out: number): number {
    return compressSnappy(this.u8, this.view, source, source + length, this.u8, this.view, out) - out
  }

  snappyFixed(source: number, length: number, first: number, out: number): number {
    return compressSnappyFixed(this.u8, this.view, source, source + length, first, this.u8, this.view, out) - out
  }

  snappyTexts(source: number, length: number, first: number, out: number): number {
    return compressSnappyTexts(this.u8, this.view, source, source + length, first, this.u8, this.view, out) - out
  }

  parseInt32(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return parseInt32(this, fields, stride, column, rows, quote, values, validity)
  }

  parseInt64(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return parseInt64(this, fields, stride, column, rows, quote, values, validity)
  }

  parseDouble(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return parseDouble(this, fields, stride, column, rows, quote, values, validity)
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
    return parseDecimal(this, fields, stride, column, rows, quote, values, validity, 32, precision, scale)
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
    return parseDecimal(this, fields, stride, column, rows, quote, values, validity, 64, precision, scale)
  }

  parseDate(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return parseDate(this, fields, stride, column, rows, quote, values, validity)
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
    return parseTimestamp(this, fields, stride, column, rows, quote, values, validity, unitsPerSecond, utc)
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
    return parseTime(this, fields, stride, column, rows, quote, values, validity, unitsPerSecond)
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
    return copyTexts(this, fields, stride, column, rows, quote, data, base, capacity, ends, validity)
  }

  keepRows(fields: number, rows: number, width: number, rowBytes: number, quote: number): number {
    return columns.keepRows(this, fields, rows, width, rowBytes, quote)
  }

  renumber(codes: number, count: number, codeOf: number, keyOf: number, known: number): number {
    return columns.renumber(this.i32, codes, count, codeOf, keyOf, known)
  }

  mapCodes(codes: number, count: number, map: number, validity: number): number {
    return columns.mapCodes(this.u8, this.i32, codes, count, map, validity)
  }

  gather(source: number, width: FixedWidth, codes: number, validity: number, count: number, out: number): void {
    columns.gather(this, source, width, codes, validity, count, out)
  }

  gatherLengths(offsets: number, codes: number, validity: number, count: number, out: number): number {
    return columns.gatherLengths(this.u8, this.i32, offsets, codes, validity, count, out)
  }

  gatherTexts(data: number, offsets: number, codes: number, lengths: number, count: number, out: number, end: number): void {
    columns.gatherTexts(this, data, offsets, codes, lengths, count, out, end)
  }

  lengthsOf(offsets: number, count: number, out: number): void {
    columns.lengthsOf(this.u32, offsets, count, out)
  }

  offsetsOf(lengths: number, count: number, out: number): void {
    columns.offsetsOf(this.u32, lengths, count, out)
  }

  compact(values: number, width: FixedWidth, validity: number, count: number, out: number): number {
    return columns.compact(this, values, width, validity, count, out)
  }

  interleaveTexts(data: number, offsets: number, validity: number, count: number, out: number, end: number): number {
    return columns.interleaveTexts(this, data, offsets, validity, count, out, end)
  }

  packBits8(values: number, count: number, out: number): number {
    return columns.packBits8(this.u8, values, count, out)
  }

  extremesInt32(values: number, validity: number, count: number, out: number): number {
    return columns.extremesInt32(this.u8, this.i32, values, validity, count, out)
  }

  extremesInt64(values: number, validity: number, count: number, out: number): number {
    return columns.extremesInt64(this, values, validity, count, out)
  }

  extremesDouble(values: number, validity: number, count: number, out: number): number {
    return columns.extremesDouble(this.u8, this.f64, values, validity, count, out)
  }

  extremesTexts(data: number, offsets: number, validity: number, count: number, out: number): number {
    return columns.extremesTexts(this, data, offsets, validity, count, out)
  }

  fixedFields(values: number, width: number, count: number, out: number): void {
    columns.fixedFields(this.u32, values, width, count, out)
  }

  textFields(data: number, ends: number, count: number, out: number): void {
    columns.textFields(this.u32, data, ends, count, out)
  }

  entryFields(entries: number, codes: number, count: number, out: number): void {
    columns.entryFields(this.u32, entries, codes, count, out)
  }

  hashFixed(values: number, width: FixedWidth, count: number, out: number): void {
    digests.hashFixed(this, values, width, count, out)
  }

  hashTexts(data: number, offsets: number, count: number, out: number): void {
    digests.hashTexts(this, data, offsets, count, out)
  }

  foldRows(hashes: number, codes: number, validity: number, count: number, lanes: number): void {
    digests.foldRows(this, hashes, codes, validity, count, lanes)
  }

  takeCodes(codes: number, validity: number, rows: number, count: number, codeOf: number, keyOf: number, out: number): number {
    return records.takeCodes(this.u8, this.u32, codes, validity, rows, count, codeOf, keyOf, out)
  }

  codeFixed(
    values: number,
    width: 4 | 8 | 16,
    validity: number,
    count: number,
    slots: number,
    slotBits: number,
    out: number,
    firsts: number,
  ): number {
    return records.codeFixed(this.u8, this.u32, values, width, validity, count, slots, slotBits, out, firsts)
  }

  codeTexts(
    data: number,
    offsets: number,
    validity: number,
    count: number,
    slots: number,
    slotBits: number,
    out: number,
    firsts: number,
  ): number {
    return records.codeTexts(this.u8, this.u32, data, offsets, validity, count, slots, slotBits, out, firsts)
  }

  rowSpans(fields: number, width: number, rows: number, out: number): void {
    records.rowSpans(this.u32, fields, width, rows, out)
  }

  tallySpans(spans: number, codes: number, rows: number, tally: number): void {
    records.tallySpans(this.u32, spans, codes, rows, tally)
  }

  scatterSpans(spans: number, codes: number, groupOf: number, rows: number, ends: number): void {
    records.scatterSpans(this.u8, this.u32, spans, codes, groupOf, rows, ends)
  }
}
