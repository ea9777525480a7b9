import type { PhysicalType, Values } from '../columns/vector.js'
import { assert } from '../errors.js'
import { COPY_SLACK_BYTES, copyShort, viewOf } from './decode-copy.js'
import { must, undecodable } from './decode-fault.js'
import { decodeCodes, decodeLevels } from './decode-hybrid.js'
import type { DecodedPageHeader } from './decode-page-header.js'
import { type EncodedChunk, isDictionary, unpackBody, walkPages, widthOf } from './decode-pages.js'
import { SNAPPY_SLACK_BYTES, snappyDecompress, snappyLength } from './decode-snappy.js'

// Numbers are taken from the file as the memory they are, and Parquet is little-endian.
assert(new Uint8Array(Int32Array.of(1).buffer)[0] === 1, 'parquet-intake runs on little-endian machines only')

/**
 * The rows of one page. Has the shape of a ColumnVector (columns/vector.ts); all arrays are the decoder's and hold until its next page,
 * the dictionary and `used` until its next chunk.
 */
export type DecodedPage = PlainPage | CodedPage

interface PageBase {
  readonly rows: number
  readonly validity: Uint8Array
  readonly nulls: number
}

export interface PlainPage extends PageBase {
  readonly form: 'plain'
  readonly values: Values
}

export interface CodedPage extends PageBase {
  readonly form: 'dictionary'
  /** 0 where the row is missing. */
  readonly codes: Uint32Array
  readonly dictionary: Values
  /** Per entry of the dictionary: 1 when a row of this page or of one before it in the chunk has it. */
  readonly used: Uint8Array
}

/** Up to here a loop is quicker than a call that copies. */
const SHORT_TEXT_BYTES = 64

/** Memory that is used again, and only grows. */
class Scratch {
  private buffer = new ArrayBuffer(0)

  take(sizeBytes: number): ArrayBuffer {
    if (this.buffer.byteLength < sizeBytes) this.buffer = new ArrayBuffer(Math.ceil((sizeBytes * 1.25) / 64) * 64)
    return this.buffer
  }
}

/**
 * Decodes column chunks, a page at a time, into typed arrays: no object and no string per cell, and no memory of its own per page. What a
 * chunk says of itself is checked before it is believed, and everything it has must be accounted for: pages fill the chunk, levels and values
 * fill their pages. Anything else is PARQUET_INVALID. One chunk at a time.
 *
 * The one purpose is to find mistakes of the encoder, so it shares no code with it: what it understands is written from parquet-format.
 */
export class ColumnDecoder {
  private readonly pageMemory = new Scratch()
  private readonly validityMemory = new Scratch()
  private readonly valueMemory = new Scratch()
  private readonly offsetMemory = new Scratch()
  private readonly codeMemory = new Scratch()
  private readonly dictionaryMemory = new Scratch()
  private readonly dictionaryOffsetMemory = new Scratch()
  private readonly usedMemory = new Scratch();

  *pages(chunk: EncodedChunk): Generator<DecodedPage, void, undefined> {
    let dictionary: Values | null = null
    let used: Uint8Array = new Uint8Array(0)
    for (const header of walkPages(chunk)) {
      const page = this.decompress(chunk, header)
      if (header.kind === 'dictionary') {
        dictionary = this.decodeDictionary(chunk, page, header)
        used = new Uint8Array(this.usedMemory.take(header.values), 0, header.values).fill(0)
      } else yield this.decodeData(chunk, page, header, dictionary, used)
    }
  }

  private decompress(chunk: EncodedChunk, header: DecodedPageHeader): Uint8Array {
    const size = header.uncompressedBytes
    const body = chunk.bytes.subarray(header.bodyStart, header.bodyStart + header.compressedBytes)
    if (chunk.compression === 'SNAPPY') {
      must(snappyLength(body) === size, 'a page has another size than it says')
      const memory = this.pageMemory.take(size + SNAPPY_SLACK_BYTES)
      snappyDecompress(body, new Uint8Array(memory))
      return new Uint8Array(memory, 0, size)
    }
    const plain = chunk.compression === 'UNCOMPRESSED' ? body : unpackBody(chunk.compression, body, size)
    must(plain.length === size, 'a page that is not compressed has two sizes')
    // Copied like the others come: what follows gets one kind of array, always the same.
    const page = new Uint8Array(this.pageMemory.take(size), 0, size)
    page.set(plain)
    return page
  }

  private decodeDictionary(chunk: EncodedChunk, page: Uint8Array, header: DecodedPageHeader): Values {
    const entries = header.values
    if (chunk.physical !== 'BYTE_ARRAY') {
      const width = widthOf(chunk)
      must(entries * width === page.length, 'a dictionary has another size than its entries')
      const memory = this.dictionaryMemory.take(page.length)
      new Uint8Array(memory).set(page)
      return fixedValues(chunk.physical, memory, entries, width)
    }
    must(entries * 4 <= page.length, 'a dictionary has more entries than bytes')
    const data = textsOf(this.dictionaryMemory, page.length)
    const offsets = new Uint32Array(this.dictionaryOffsetMemory.take(entries * 4 + 4), 0, entries + 1)
    copyTexts(page, 0, entries, null, data, offsets)
    return { physical: 'BYTE_ARRAY', data, offsets }
  }

  private decodeData(
    chunk: EncodedChunk,
    page: Uint8Array,
    header: DecodedPageHeader,
    dictionary: Values | null,
    used: Uint8Array,
  ): DecodedPage {
    const rows = header.values
    const validity = new Uint8Array(this.validityMemory.take(rows), 0, rows)
    let at = 0
    let present = rows
    if (chunk.optional) {
      must(page.length >= 4, 'a page without levels')
      at = 4 + (page[0]! | (page[1]! << 8) | (page[2]! << 16)) + page[3]! * 0x100_0000
      must(at <= page.length, 'the levels of a page are longer than the page')
      present = decodeLevels(page, 4, at, rows, validity)
    } else validity.fill(1)
    const base = { rows, validity, nulls: rows - present }
    const gaps = present === rows ? null : validity

    if (isDictionary(header.encoding)) {
      must(dictionary !== null, 'a page has codes and its column no dictionary')
      const codes = new Int32Array(this.codeMemory.take(rows * 4), 0, rows)
      if (present === 0 && at === page.length) codes.fill(0)
      else {
        must(at < page.length, 'a page of codes does not say how wide they are')
        decodeCodes(page, at + 1, page.length, page[at]!, present, codes)
        markUsed(codes, present, used)
        if (gaps !== null) spread32(codes, gaps, present)
      }
      return { form: 'dictionary', ...base, codes: new Uint32Array(codes.buffer, 0, rows), dictionary, used }
    }
    must(header.encoding === 'PLAIN', `values in the encoding ${header.encoding}`)
    return { form: 'plain', ...base, values: this.plainValues(chunk, page, at, rows, present, gaps) }
  }

  private plainValues(chunk: EncodedChunk, page: Uint8Array, at: number, rows: number, present: number, gaps: Uint8Array | null): Values {
    const sizeBytes = page.length - at
    switch (chunk.physical) {
      case 'BOOLEAN': {
        must(sizeBytes === (present + 7) >>> 3, 'a page has another size than its values')
        const data = new Uint8Array(this.valueMemory.take(rows), 0, rows)
        unpackBooleans(page, at, rows, gaps, data)
        return { physical: 'BOOLEAN', data }
      }
      case 'BYTE_ARRAY': {
        const data = textsOf(this.valueMemory, sizeBytes)
        const offsets = new Uint32Array(this.offsetMemory.take(rows * 4 + 4), 0, rows + 1)
        copyTexts(page, at, rows, gaps, data, offsets)
        return { physical: 'BYTE_ARRAY', data, offsets }
      }
      default: {
        const width = widthOf(chunk)
        must(sizeBytes === present * width, 'a page has another size than its values')
        const memory = this.valueMemory.take(rows * width)
        new Uint8Array(memory).set(page.subarray(at))
        if (gaps !== null) {
          if (width === 4) spread32(new Int32Array(memory), gaps, present)
          else if (width === 8) spread64(new Int32Array(memory), gaps, present)
          else spreadBytes(new Uint8Array(memory), gaps, present, width)
        }
        return fixedValues(chunk.physical, memory, rows, width)
      }
    }
  }
}

/** Slack included: offsets say where texts end. */
function textsOf(memory: Scratch, sizeBytes: number): Uint8Array {
  return new Uint8Array(memory.take(sizeBytes + COPY_SLACK_BYTES), 0, sizeBytes + COPY_SLACK_BYTES)
}

function fixedValues(physical: PhysicalType, memory: ArrayBuffer, count: number, widthBytes: number): Values {
  switch (physical) {
    case 'INT32':
      return { physical, data: new Int32Array(memory, 0, count) }
    case 'INT64':
      return { physical, data: new BigInt64Array(memory, 0, count) }
    case 'DOUBLE':
      return { physical, data: new Float64Array(memory, 0, count) }
    case 'FIXED_LEN_BYTE_ARRAY':
      return { physical, data: new Uint8Array(memory, 0, count * widthBytes), widthBytes }
    default:
      throw new Error(`assertion failed: values of ${physical} have no fixed width`)
  }
}

/** Codes are pointers: one that leaves the dictionary is damage. */
function markUsed(codes: Int32Array, count: number, used: Uint8Array): void {
  const entries = used.length
  for (let i = 0; i < count; i++) {
    const code = codes[i]!
    if (code >>> 0 >= entries) throw undecodable('a code outside its dictionary')
    used[code] = 1
  }
}

/**
 * PLAIN texts: four bytes of length before each. They must fill the page from `at`; `gaps` says which rows have one (null: all). `data` has
 * room for the whole page, and COPY_SLACK_BYTES more.
 */
function copyTexts(page: Uint8Array, at: number, rows: number, gaps: Uint8Array | null, data: Uint8Array, offsets: Uint32Array): void {
  const end = splitTexts(page, viewOf(page), at, rows, gaps, data, viewOf(data), offsets)
  must(end === page.length, 'a page has more values than it says')
}

/** Returns where the last text ends. On its own, as all loops are: see `inflate` in decode-snappy.ts. */
function splitTexts(
  page: Uint8Array,
  source: DataView,
  at: number,
  rows: number,
  gaps: Uint8Array | null,
  data: Uint8Array,
  target: DataView,
  offsets: Uint32Array,
): number {
  const end = page.length
  let from = at
  let to = 0
  offsets[0] = 0
  for (let row = 0; row < rows; row++) {
    if (gaps === null || gaps[row] === 1) {
      if (from + 4 > end) throw undecodable('a page has fewer values than it says')
      const length = source.getUint32(from, true)
      from += 4
      if (length > end - from) throw undecodable('a text is longer than its page')
      if (length <= SHORT_TEXT_BYTES) copyShort(source, from, length, target, to)
      else data.set(page.subarray(from, from + length), to)
      from += length
      to += length
    }
    offsets[row + 1] = to
  }
  return from
}

function unpackBooleans(page: Uint8Array, at: number, rows: number, gaps: Uint8Array | null, data: Uint8Array): void {
  let bit = at * 8
  for (let row = 0; row < rows; row++) {
    if (gaps === null || gaps[row] === 1) {
      data[row] = (page[bit >>> 3]! >>> (bit & 7)) & 1
      bit++
    } else data[row] = 0
  }
}

// Moves the first `present` values to the rows that are not missing, from the last one down, so that none is overwritten before it was moved;
// missing rows become zero, by a mask and not by a branch, which the processor could not foresee. Doubles go as words: as numbers, a NaN could come out as another one.

function spread32(values: Int32Array, gaps: Uint8Array, present: number): void {
  let next = present
  for (let row = gaps.length - 1; row >= 0; row--) {
    const here = gaps[row]!
    next -= here
    values[row] = values[next]! & -here
  }
}

function spread64(words: Int32Array, gaps: Uint8Array, present: number): void {
  let next = present * 2
  for (let row = gaps.length - 1; row >= 0; row--) {
    const here = gaps[row]!
    next -= here * 2
    words[row * 2 + 1] = words[next + 1]! & -here
    words[row * 2] = words[next]! & -here
  }
}

function spreadBytes(bytes: Uint8Array, gaps: Uint8Array, present: number, width: number): void {
  let next = present * width
  for (let row = gaps.length - 1; row >= 0; row--) {
    const end = row * width
    for (let at = end + width - 1; at >= end; at--) bytes[at] = gaps[row] === 1 ? bytes[--next]! : 0
  }
}
