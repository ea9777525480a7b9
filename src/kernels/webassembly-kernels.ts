import { assert } from '../errors.js'
import type { FixedWidth, Kernels, SkippedRecords, TokeniseResult } from './kernels.js'
import { INITIAL_BYTES, KernelMemory, PAGE_BYTES } from './memory.js'
import { recordAfter, tokenise } from './tokenise.js'
import { type WebassemblyMemory, type WebassemblyModule, webassembly } from './webassembly-api.js'

/** Where the compiled code leaves the place at which the tokeniser stopped, and where it looks for powers of five (assembly/README.md). */
const NEXT_ADDRESS = 0
const FIVES_ADDRESS = 34_816
const LARGEST_FIVE = 64

type FieldKernel = (fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number) => number
type GatherKernel = (source: number, codes: number, validity: number, count: number, out: number) => void
type CompactKernel = (values: number, validity: number, count: number, out: number) => number
type HashKernel = (values: number, count: number, out: number) => void
type DecimalKernel = (...parameters: [...Parameters<FieldKernel>, precision: number, scale: number]) => number

interface Exports {
  readonly skipRecords: Kernels['skipRecords']
  readonly countByte: (start: number, end: number, byte: number) => number
  readonly tokenise: (start: number, end: number, width: number, delimiter: number, quote: number, out: number, maxRows: number) => number
  readonly lookup: Kernels['lookup']
  readonly fillSlots: Kernels['fillSlots']
  readonly shapedCodes: Kernels['shapedCodes']
  readonly placeCodes: Kernels['placeCodes']
  readonly packBits: Kernels['packBits']
  readonly encodeHybrid8: (values: number, count: number, width: number, out: number) => number
  readonly encodeHybrid32: (values: number, count: number, width: number, out: number) => number
  readonly snappyCompress: Kernels['snappyCompress']
  readonly snappyFixed: Kernels['snappyFixed']
  readonly snappyTexts: Kernels['snappyTexts']
  readonly parseInt32: FieldKernel
  readonly parseInt64: FieldKernel
  readonly parseDouble: FieldKernel
  readonly parseDecimal32: DecimalKernel
  readonly parseDecimal64: DecimalKernel
  readonly parseDate: FieldKernel
  readonly parseTimestamp: (...parameters: [...Parameters<FieldKernel>, unitsPerSecond: number, utc: number]) => number
  readonly parseTime: (...parameters: [...Parameters<FieldKernel>, unitsPerSecond: number]) => number
  readonly copyTexts: Kernels['copyTexts']
  readonly keepRows: Kernels['keepRows']
  readonly renumber: Kernels['renumber']
  readonly mapCodes: Kernels['mapCodes']
  readonly gatherLengths: Kernels['gatherLengths']
  readonly gatherTexts: Kernels['gatherTexts']
  readonly lengthsOf: Kernels['lengthsOf']
  readonly offsetsOf: Kernels['offsetsOf']
  readonly interleaveTexts: Kernels['interleaveTexts']
  readonly packBits8: Kernels['packBits8']
  readonly extremesInt32: Kernels['extremesInt32']
  readonly extremesInt64: Kernels['extremesInt64']
  readonly extremesDouble: Kernels['extremesDouble']
  readonly extremesTexts: Kernels['extremesTexts']
  readonly fixedFields: Kernels['fixedFields']
  readonly textFields: Kernels['textFields']
  readonly entryFields: Kernels['entryFields']
  readonly hashFixed1: HashKernel
  readonly hashFixed4: HashKernel
  readonly hashFixed8: HashKernel
  readonly hashFixed16: HashKernel
  readonly hashTexts: Kernels['hashTexts']
  readonly foldRows: Kernels['foldRows']
  readonly takeCodes: Kernels['takeCodes']
  readonly codeFixed: Kernels['codeFixed']
  readonly codeTexts: Kernels['codeTexts']
  readonly rowSpans: Kernels['rowSpans']
  readonly tallySpans: Kernels['tallySpans']
  readonly scatterSpans: Kernels['scatterSpans']
  readonly gather1: GatherKernel
  readonly gather4: GatherKernel
  readonly gather8: GatherKernel
  readonly gather16: GatherKernel
  readonly compact1: CompactKernel
  readonly compact4: CompactKernel
  readonly compact8: CompactKernel
  readonly compact16: CompactKernel
}

/** The kernels as WebAssembly. Addresses are below 2³¹, so numbers pass between the two worlds as they are. */
export class WebassemblyKernels extends KernelMemory implements Kernels {
  readonly name = 'webassembly'
  readonly skipped: SkippedRecords = { next: 0, inside: 0 }
  readonly result: TokeniseResult = { next: 0, status: 'more', recordEnd: 0, fields: 0 }
  private readonly memory: WebassemblyMemory
  private readonly code: Exports
  private bytes!: Buffer

  constructor(module: WebassemblyModule, maximumBytes: number) {
    super(maximumBytes)
    assert(webassembly !== undefined, 'there is compiled code, so there is WebAssembly')
    this.memory = new webassembly.Memory({ initial: INITIAL_BYTES / PAGE_BYTES, maximum: Math.floor(maximumBytes / PAGE_BYTES) })
    const numberOf = (start: number, end: number): number => Number(this.bytes.toString('latin1', start, end))
    const instance = new webassembly.Instance(module, { env: { memory: this.memory, numberOf } })
    this.code = instance.exports as unknown as Exports
    this.adopt(this.memory.buffer)
    this.writeFives()
  }

  protected grow(bytes: number): ArrayBuffer {
    this.memory.grow(bytes / PAGE_BYTES - this.memory.buffer.byteLength / PAGE_BYTES)
    return this.memory.buffer
  }

  protected override adopt(buffer: ArrayBuffer): void {
    super.adopt(buffer)
    this.bytes = Buffer.from(buffer)
  }

  countByte(start: number, end: number, byte: number): number {
    return this.code.countByte(start, end, byte)
  }

  quoteParity(start: number, end: number, quote: number): 0 | 1 {
    return quote === 0 ? 0 : ((this.code.countByte(start, end, quote) & 1) as 0 | 1)
  }

  /** It ends at the first record, so there is nothing to gain. */
  recordAfter(start: number, end: number, quote: number, inside: 0 | 1): number {
    return recordAfter(this.u8, start, end, quote, inside)
  }

  skipRecords(start: number, end: number, quote: number, inside: 0 | 1, most: number): number {
    const count = this.code.skipRecords(start, end, quote, inside, most)
    this.skipped.next = this.u32[NEXT_ADDRESS >>> 2]!
    this.skipped.inside = this.u32[(NEXT_ADDRESS >>> 2) + 1] === 0 ? 0 : 1
    return count
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
    if (maxRows === 0) return tokenise(this.u8, this.i32, start, end, final, width, delimiter, quote, out, 0, this.result)
    const rows = this.code.tokenise(start, end, width, delimiter, quote, out, maxRows)
    const next = this.u32[NEXT_ADDRESS >>> 2]!
    if (rows === maxRows || next === end) {
      this.result.next = next
      this.result.status = 'more'
      this.result.recordEnd = next
      this.result.fields = 0
      return rows
    }
    const rest = out + rows * (width + 1) * 4
    return rows + tokenise(this.u8, this.i32, next, end, final, width, delimiter, quote, rest, maxRows - rows, this.result)
  }

  lookup(fields: number, stride: number, column: number, rows: number, table: number, codes: number): number {
    return this.code.lookup(fields, stride, column, rows, table, codes)
  }

  fillSlots(slots: number, bits: number, entries: number, size: number): void {
    this.code.fillSlots(slots, bits, entries, size)
  }

  shapedCodes(fields: number, stride: number, column: number, rows: number, shape: number, codes: number, misses: number): number {
    return this.code.shapedCodes(fields, stride, column, rows, shape, codes, misses)
  }

  placeCodes(misses: number, count: number, missCodes: number, shape: number, codes: number): void {
    this.code.placeCodes(misses, count, missCodes, shape, codes)
  }

  packBits(codes: number, count: number, width: number, out: number): number {
    return this.code.packBits(codes, count, width, out)
  }

  encodeHybrid(values: number, valueBytes: 1 | 4, count: number, width: number, out: number): number {
    return valueBytes === 1 ? this.code.encodeHybrid8(values, count, width, out) : this.code.encodeHybrid32(values, count, width, out)
  }

  snappyCompress(source: number, length: number, out: number): number {
    return this.code.snappyCompress(source, length, out)
  }

  snappyFixed(source: number, length: number, first: number, out: number): number {
    return this.code.snappyFixed(source, length, first, out)
  }

  snappyTexts(source: number, length: number, first: number, out: number): number {
    return this.code.snappyTexts(source, length, first, out)
  }

  parseInt32(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.code.parseInt32(fields, stride, column, rows, quote, values, validity)
  }

  parseInt64(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.code.parseInt64(fields, stride, column, rows, quote, values, validity)
  }

  parseDouble(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.code.parseDouble(fields, stride, column, rows, quote, values, validity)
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
    return this.code.parseDecimal32(fields, stride, column, rows, quote, values, validity, precision, scale)
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
    return this.code.parseDecimal64(fields, stride, column, rows, quote, values, validity, precision, scale)
  }

  parseDate(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number {
    return this.code.parseDate(fields, stride, column, rows, quote, values, validity)
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
    return this.code.parseTimestamp(fields, stride, column, rows, quote, values, validity, unitsPerSecond, utc ? 1 : 0)
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
    return this.code.parseTime(fields, stride, column, rows, quote, values, validity, unitsPerSecond)
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
    return this.code.copyTexts(fields, stride, column, rows, quote, data, base, capacity, ends, validity)
  }

  keepRows(fields: number, rows: number, width: number, rowBytes: number, quote: number): number {
    return this.code.keepRows(fields, rows, width, rowBytes, quote)
  }

  renumber(codes: number, count: number, codeOf: number, keyOf: number, known: number): number {
    return this.code.renumber(codes, count, codeOf, keyOf, known)
  }

  mapCodes(codes: number, count: number, map: number, validity: number): number {
    return this.code.mapCodes(codes, count, map, validity)
  }

  gather(source: number, width: FixedWidth, codes: number, validity: number, count: number, out: number): void {
    const { code } = this
    if (width === 1) code.gather1(source, codes, validity, count, out)
    else if (width === 4) code.gather4(source, codes, validity, count, out)
    else if (width === 8) code.gather8(source, codes, validity, count, out)
    else code.gather16(source, codes, validity, count, out)
  }

  gatherLengths(offsets: number, codes: number, validity: number, count: number, out: number): number {
    return this.code.gatherLengths(offsets, codes, validity, count, out)
  }

  gatherTexts(data: number, offsets: number, codes: number, lengths: number, count: number, out: number, end: number): void {
    this.code.gatherTexts(data, offsets, codes, lengths, count, out, end)
  }

  lengthsOf(offsets: number, count: number, out: number): void {
    this.code.lengthsOf(offsets, count, out)
  }

  offsetsOf(lengths: number, count: number, out: number): void {
    this.code.offsetsOf(lengths, count, out)
  }

  compact(values: number, width: FixedWidth, validity: number, count: number, out: number): number {
    const { code } = this
    return width === 1
      ? code.compact1(values, validity, count, out)
      : width === 4
        ? code.compact4(values, validity, count, out)
        : width === 8
          ? code.compact8(values, validity, count, out)
          : code.compact16(values, validity, count, out)
  }

  interleaveTexts(data: number, offsets: number, validity: number, count: number, out: number, end: number): number {
    return this.code.interleaveTexts(data, offsets, validity, count, out, end)
  }

  packBits8(values: number, count: number, out: number): number {
    return this.code.packBits8(values, count, out)
  }

  extremesInt32(values: number, validity: number, count: number, out: number): number {
    return this.code.extremesInt32(values, validity, count, out)
  }

  extremesInt64(values: number, validity: number, count: number, out: number): number {
    return this.code.extremesInt64(values, validity, count, out)
  }

  extremesDouble(values: number, validity: number, count: number, out: number): number {
    return this.code.extremesDouble(values, validity, count, out)
  }

  extremesTexts(data: number, offsets: number, validity: number, count: number, out: number): number {
    return this.code.extremesTexts(data, offsets, validity, count, out)
  }

  fixedFields(values: number, width: number, count: number, out: number): void {
    this.code.fixedFields(values, width, count, out)
  }

  textFields(data: number, ends: number, count: number, out: number): void {
    this.code.textFields(data, ends, count, out)
  }

  entryFields(entries: number, codes: number, count: number, out: number): void {
    this.code.entryFields(entries, codes, count, out)
  }

  hashFixed(values: number, width: FixedWidth, count: number, out: number): void {
    const { code } = this
    if (width === 1) code.hashFixed1(values, count, out)
    else if (width === 4) code.hashFixed4(values, count, out)
    else if (width === 8) code.hashFixed8(values, count, out)
    else code.hashFixed16(values, count, out)
  }

  hashTexts(data: number, offsets: number, count: number, out: number): void {
    this.code.hashTexts(data, offsets, count, out)
  }

  foldRows(hashes: number, codes: number, validity: number, count: number, lanes: number): void {
    this.code.foldRows(hashes, codes, validity, count, lanes)
  }

  takeCodes(codes: number, validity: number, rows: number, count: number, codeOf: number, keyOf: number, out: number): number {
    return this.code.takeCodes(codes, validity, rows, count, codeOf, keyOf, out)
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
    return this.code.codeFixed(values, width, validity, count, slots, slotBits, out, firsts)
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
    return this.code.codeTexts(data, offsets, validity, count, slots, slotBits, out, firsts)
  }

  rowSpans(fields: number, width: number, rows: number, out: number): void {
    this.code.rowSpans(fields, width, rows, out)
  }

  tallySpans(spans: number, codes: number, rows: number, tally: number): void {
    this.code.tallySpans(spans, codes, rows, tally)
  }

  scatterSpans(spans: number, codes: number, groupOf: number, rows: number, ends: number): void {
    this.code.scatterSpans(spans, codes, groupOf, rows, ends)
  }

  /** The upper 128 bits of 5^q, cut off, not rounded: the compiled code counts on being below the true value by less than the last bit. */
  private writeFives(): void {
    const words = new BigUint64Array(this.buffer, FIVES_ADDRESS, (2 * LARGEST_FIVE + 1) * 2)
    const put = (q: number, value: bigint): void => {
      const at = (q + LARGEST_FIVE) * 2
      words[at] = value >> 64n
      words[at + 1] = BigInt.asUintN(64, value)
    }
    let five = 1n
    // 2 ** bits is the first power of two beyond five.
    for (let q = 0, bits = 1n; q <= LARGEST_FIVE; q++, five *= 5n) {
      while (five >> bits > 0n) bits++
      put(q, bits <= 128n ? five << (128n - bits) : five >> (bits - 128n))
      // 5^-q lies between 2^-bits and 2^-(bits - 1), so this quotient has 128 bits.
      if (q > 0) put(-q, (1n << (bits + 127n)) / five)
    }
  }
}
