import { codeValues } from '../columns/gather-columns.js'
import { type KernelColumn, type KernelValues, type PlainColumn, toPlain } from '../columns/kernel-column.js'
import { assert } from '../errors.js'
import { NONE } from '../kernels/columns.js'
import { hybridBound, type Kernels } from '../kernels/kernels.js'
import type { ByteSink } from './byte-sink.js'
import type { ChunkDigest } from './chunk-digest.js'
import { type Compression, compressPage, type Matching } from './compress-page.js'
import { digestOfColumn } from './encode-digest.js'
import { type EncodingName, encodePageHeader } from './page-header.js'
import { type ColumnStatistics, type Extremes, extremesOf, mergeExtremes, statisticsOf } from './statistics.js'

/** Rows and bytes (before compression, about) at which a data page ends. */
export const PAGE_MAX_ROWS = 20_000
export const PAGE_MAX_BYTES = 1 << 20
/** More entries never make a dictionary: readers decode codes of up to 24 bits everywhere, and a dictionary is held in memory whole. */
export const DICTIONARY_MAX_ENTRIES = 1 << 20
/** What a dictionary page costs besides its values. */
const DICTIONARY_OVERHEAD_BYTES = 24
/** Codes packed to bits are often as good as noise. So many rows are tried; where less than a tenth is gained, reading and writing are spared the work. */
const TRIED_ROWS = 16_384
const TRIED_BYTES_LEAST = 4096
/** Plain values are tried in several places, for the first may be unlike the rest: so many values of eight bytes in each, or bytes of texts. */
const SAMPLES = 3
const SAMPLE_VALUES = 1024
const SAMPLE_TEXT_BYTES = 16_384
/** Less is compressed as it is: there is little time to be spared. */
const SAMPLED_BYTES_LEAST = 1 << 16
/** Of a sixty-fourth less reading has more work than use. */
const LEAST_GAIN = 1 / 64
/** How much more than the best a page may take when that is found several times faster. */
const FIXED_EXCESS = 1.02
const TEXTS_EXCESS = 1.08
/** How much more room is made than the samples would need. */
const RESERVED = 1.02

/** One data page of a column chunk. */
export interface EncodedPage {
  readonly rows: number
  /** With its header. */
  readonly bytes: number
  readonly statistics: ColumnStatistics
}

/** One column of one row group, ready to be written, and the facts that its metadata needs. Plain data. */
export interface EncodedColumnChunk {
  readonly rows: number
  /** What was asked for, or NONE where it would gain nothing. */
  readonly compression: Compression
  /** Of all pages with their headers, as in the file and before compression: the dictionary page first, if there is one. */
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  /** Of the dictionary page with its header; 0: there is none. The first data page follows it. */
  readonly dictionaryPageBytes: number
  readonly pages: readonly EncodedPage[]
  /** Of the values of the data pages. */
  readonly dataEncoding: Extract<EncodingName, 'PLAIN' | 'RLE_DICTIONARY'>
  readonly statistics: ColumnStatistics
  /** Of its cells, taken before they were encoded; null: nobody asks for it. */
  readonly digest: ChunkDigest | null
}

/**
 * Encodes one column of a row group at the end of `sink`: DataPage v1, definition levels RLE (every column is OPTIONAL), values PLAIN, or as
 * codes into a dictionary page where that is estimated to be smaller. The same column gives the same bytes, whichever form the kernels have.
 * The memory of the kernels is left as it was found. `digested`: verification will hold the chunk against its digest.
 */
export function encodeColumn(
  kernels: Kernels,
  column: KernelColumn,
  compression: Compression,
  sink: ByteSink,
  digested = true,
): EncodedColumnChunk {
  const mark = kernels.mark()
  try {
    const coded = column.form === 'dictionary' ? column : column.mayRepeat === true ? codeValues(kernels, column) : null
    const chunk = new ChunkEncoder(kernels, compression, sink, digested ? digestOfColumn(kernels, coded ?? column) : null)
    if (column.nulls === column.rows && column.rows > 0) return chunk.empty(column)
    if (coded !== null && dictionaryPays(kernels, coded)) return chunk.coded(coded)
    return chunk.plain(column.form === 'plain' ? column : toPlain(kernels, column))
  } finally {
    kernels.release(mark)
  }
}

/** Bits that hold every code below `entries`; one at least, since a width of nothing is where readers differ. */
export function bitWidthOf(entries: number): number {
  return entries <= 2 ? 1 : 32 - Math.clz32(entries - 1)
}

/** Estimated before compression, codes as if none were run-length encoded. */
function dictionaryPays(kernels: Kernels, column: KernelColumn & { form: 'dictionary' }): boolean {
  const { dictionary, rows } = column
  const { count } = dictionary
  if (count === 0 || count > DICTIONARY_MAX_ENTRIES) return false
  const present = rows - column.nulls
  const codeBytes = Math.ceil((present * bitWidthOf(count)) / 8)
  if (dictionary.physical !== 'BYTE_ARRAY') {
    return DICTIONARY_OVERHEAD_BYTES + count * dictionary.width + codeBytes < present * dictionary.width
  }
  const mark = kernels.mark()
  const lengths = kernels.allocate(rows * 4)
  const textBytes = kernels.gatherLengths(dictionary.offsets, column.codes, column.validity, rows, lengths)
  kernels.release(mark)
  const { u32 } = kernels
  const words = dictionary.offsets >>> 2
  const dictionaryBytes = DICTIONARY_OVERHEAD_BYTES + count * 4 + u32[words + count]! - u32[words]!
  return dictionaryBytes + codeBytes < present * 4 + textBytes
}

class ChunkEncoder {
  private readonly pages: EncodedPage[] = []
  private dictionaryPageBytes = 0
  private compressedBytes = 0
  private uncompressedBytes = 0
  private matching: Matching = 'anywhere'
  /** Which byte of a value Snappy looks at first. */
  private phase = 0

  constructor(
    private readonly kernels: Kernels,
    private compression: Compression,
    private readonly sink: ByteSink,
    private readonly digest: ChunkDigest | null,
  ) {}

  /** Rows without any value are one page: there is nothing in it to be found, and pages cost more than they hold. */
  empty(column: KernelColumn): EncodedColumnChunk {
    const { kernels } = this
    const { rows } = column
    const { physical } = column.form === 'plain' ? column.values : column.dictionary
    const mark = kernels.mark()
    const levels = oneRun(rows, 0)
    const page = kernels.allocate(levels.length)
    kernels.u8.set(levels, page)
    const statistics = statisticsOf(physical, rows, 'none')
    this.dataPage('PLAIN', rows, page, levels.length, statistics)
    kernels.release(mark)
    return this.finish(rows, 'PLAIN', statistics)
  }

  plain(column: PlainColumn): EncodedColumnChunk {
    const { kernels } = this
    const { values, validity, rows } = column
    if (this.compression === 'SNAPPY') this.chooseMatching(column)
    let all: Extremes = 'none'
    for (let from = 0; from < rows; ) {
      const to = this.plainPageEnd(column, from)
      const count = to - from
      const mark = kernels.mark()
      const levels = this.levels(validity, from, count)
      const { present } = levels
      const bound = plainBound(kernels, values, from, count)
      const page = kernels.allocate(levels.bytes.length + bound)
      kernels.u8.set(levels.bytes, page)
      const body = page + levels.bytes.length
      const flags = validity === 0 || present === count ? 0 : validity + from
      const end = this.putPlain(values, flags, from, count, body, body + bound)
      const extremes = extremesOf(kernels, values, flags === 0 ? 0 : validity, from, count)
      all = mergeExtremes(values.physical, all, extremes)
      this.dataPage('PLAIN', count, page, end - page, statisticsOf(values.physical, count - present, extremes), body - page + this.phase)
      kernels.release(mark)
      from = to
    }
    return this.finish(rows, 'PLAIN', statisticsOf(values.physical, column.nulls, all))
  }

  /**
   * Puts the values of rows whose flag is 1, or of all (`flags` 0), one after the other at `out`, and returns the place behind. Nothing is written from
   * `limit` on.
   */
  private putPlain(values: KernelValues, flags: number, from: number, count: number, out: number, limit: number): number {
    const { kernels } = this
    if (values.physical === 'BYTE_ARRAY') {
      return out + kernels.interleaveTexts(values.data, values.offsets + from * 4, flags, count, out, limit)
    }
    const { physical, width } = values
    const start = values.data + from * width
    if (physical !== 'BOOLEAN' && flags === 0) {
      kernels.u8.copyWithin(out, start, start + count * width)
      return out + count * width
    }
    const mark = kernels.mark()
    // Words are stored where they are aligned, and behind the levels they are not.
    const aligned = flags === 0 ? start : kernels.allocate(count * width)
    const present = flags === 0 ? count : kernels.compact(start, width, flags, count, aligned)
    let bytes = present * width
    if (physical === 'BOOLEAN') bytes = kernels.packBits8(aligned, present, out)
    else kernels.u8.copyWithin(out, aligned, aligned + bytes)
    kernels.release(mark)
    return out + bytes
  }

  /** Tries on some of the values what Snappy makes of them, in which way, and whether it pays. */
  private chooseMatching({ values, validity, rows }: PlainColumn): void {
    const { kernels } = this
    const { physical } = values
    const bytes = plainBound(kernels, values, 0, rows)
    if (physical === 'BOOLEAN' || bytes < SAMPLED_BYTES_LEAST) return
    const rowsEach = Math.min(
      physical === 'BYTE_ARRAY' ? Math.ceil((SAMPLE_TEXT_BYTES * rows) / bytes) : SAMPLE_VALUES,
      Math.floor(rows / SAMPLES),
    )
    const ranges = Array.from({ length: SAMPLES }, (_, i) => Math.floor(((rows - rowsEach) * i) / (SAMPLES - 1)))
    const bound = ranges.reduce((sum, from) => sum + plainBound(kernels, values, from, rowsEach), 0)
    // A few texts that are longer than all others say nothing about them.
    if (rowsEach === 0 || bound > bytes / 2) return
    const mark = kernels.mark()
    const sample = kernels.allocate(bound)
    let end = sample
    for (const from of ranges) end = this.putPlain(values, validity === 0 ? 0 : validity + from, from, rowsEach, end, sample + bound)
    const length = end - sample
    // Nothing is known of values that are elsewhere.
    if (length < bound / 4) {
      kernels.release(mark)
      return
    }
    const packed = (matching: Matching, first = 0): number => compressPage('SNAPPY', kernels, sample, length, matching, first).length
    const anywhere = packed('anywhere')
    let least = anywhere
    if (physical === 'BYTE_ARRAY') {
      const texts = packed('texts')
      if (texts <= anywhere * TEXTS_EXCESS) {
        least = texts
        this.matching = 'texts'
      }
    } else if (values.width === 8) {
      // Which of a value's bytes come again is different for counters, times and doubles.
      const phases = [1, 2, 3, 4].map((phase) => packed('fixed', phase))
      const best = Math.min(...phases)
      if (best <= anywhere * FIXED_EXCESS) {
        least = best
        this.matching = 'fixed'
        this.phase = phases.indexOf(best) + 1
      }
    }
    if (least > length * (1 - LEAST_GAIN)) this.compression = 'NONE'
    this.sink.reserve(Math.ceil(bytes * Math.min(1, least / length) * RESERVED))
    kernels.release(mark)
  }

  coded(column: KernelColumn & { form: 'dictionary' }): EncodedColumnChunk {
    const { kernels } = this
    const { dictionary, validity, rows, codes } = column
    const bitWidth = bitWidthOf(dictionary.count)
    const codesCompress = this.compression !== 'SNAPPY' || this.codesCompress(column, bitWidth)
    if (!codesCompress && !this.dictionaryCompresses(dictionary, Math.ceil(((rows - column.nulls) * bitWidth) / 8)))
      this.compression = 'NONE'
    this.dictionaryPage(dictionary)
    if (!codesCompress) this.matching = 'nowhere'
    // Which entries a page has: counted anew for each.
    const seen = kernels.allocate(dictionary.count * 4)
    const entries = kernels.allocate(dictionary.count * 4)
    const present = kernels.allocate(Math.min(rows, PAGE_MAX_ROWS) * 4)
    for (let from = 0; from < rows; from += PAGE_MAX_ROWS) {
      const count = Math.min(rows - from, PAGE_MAX_ROWS)
      const mark = kernels.mark()
      const levels = this.levels(validity, from, count)
      const head = levels.bytes.length + 1
      const page = kernels.allocate(head + hybridBound(levels.present, bitWidth))
      kernels.u8.set(levels.bytes, page)
      kernels.u8[page + head - 1] = bitWidth
      if (levels.present === count) kernels.u8.copyWithin(present, codes + from * 4, codes + (from + count) * 4)
      else kernels.compact(codes + from * 4, 4, validity + from, count, present)
      const length = head + kernels.encodeHybrid(present, 4, levels.present, bitWidth, page + head)
      kernels.u32.fill(NONE, seen >>> 2, (seen >>> 2) + dictionary.count)
      const used = kernels.renumber(present, levels.present, seen, entries, 0)
      const extremes = this.extremesOfEntries(dictionary, entries, used)
      this.dataPage('RLE_DICTIONARY', count, page, length, statisticsOf(dictionary.physical, count - levels.present, extremes))
      kernels.release(mark)
    }
    // Every entry is used.
    const all = extremesOf(kernels, dictionary, 0, 0, dictionary.count)
    return this.finish(rows, 'RLE_DICTIONARY', statisticsOf(dictionary.physical, column.nulls, all))
  }

  /** Whether Snappy makes something of the codes of the first rows. */
  private codesCompress({ codes, validity, rows }: KernelColumn & { form: 'dictionary' }, bitWidth: number): boolean {
    const { kernels } = this
    const mark = kernels.mark()
    const count = Math.min(rows, TRIED_ROWS)
    const tried = kernels.allocate(count * 4)
    let present = count
    if (validity === 0) kernels.u8.copyWithin(tried, codes, codes + count * 4)
    else present = kernels.compact(codes, 4, validity, count, tried)
    const page = kernels.allocate(hybridBound(present, bitWidth))
    const length = kernels.encodeHybrid(tried, 4, present, bitWidth, page)
    const gains = length < TRIED_BYTES_LEAST || compressPage('SNAPPY', kernels, page, length).length * 10 < length * 9
    kernels.release(mark)
    return gains
  }

  /** Whether Snappy makes so much of the dictionary that it counts beside codes of which it makes nothing. */
  private dictionaryCompresses(dictionary: KernelValues, codeBytes: number): boolean {
    const { kernels } = this
    const mark = kernels.mark()
    const bound = plainBound(kernels, dictionary, 0, dictionary.count)
    const page = kernels.allocate(bound)
    const length = this.putPlain(dictionary, 0, 0, dictionary.count, page, page + bound) - page
    const spared = length - compressPage('SNAPPY', kernels, page, length).length
    kernels.release(mark)
    return spared > (length + codeBytes) * LEAST_GAIN
  }

  private extremesOfEntries(dictionary: KernelValues, entries: number, count: number): Extremes {
    const { kernels } = this
    if (count === dictionary.count) return extremesOf(kernels, dictionary, 0, 0, count)
    const values = toPlain(kernels, { form: 'dictionary', rows: count, nulls: 0, validity: 0, codes: entries, dictionary }).values
    return extremesOf(kernels, values, 0, 0, count)
  }

  /** A chunk of rows always has at least one page; one row may be more than a page should hold. */
  private plainPageEnd(column: PlainColumn, from: number): number {
    const { values, rows } = column
    const end = Math.min(from + PAGE_MAX_ROWS, rows)
    if (values.physical !== 'BYTE_ARRAY') return end
    const { u8, u32 } = this.kernels
    const words = values.offsets >>> 2
    if ((end - from) * 4 + u32[words + end]! - u32[words + from]! <= PAGE_MAX_BYTES) return end
    let bytes = 0
    let to = from
    for (; to < end; to++) {
      if (column.validity !== 0 && u8[column.validity + to] === 0) continue
      const size = 4 + u32[words + to + 1]! - u32[words + to]!
      if (bytes + size > PAGE_MAX_BYTES && to > from) break
      bytes += size
    }
    return to
  }

  /** Definition levels of DataPage v1: four bytes of length, then the hybrid encoding of one bit a row. */
  private levels(validity: number, from: number, count: number): { bytes: Uint8Array; present: number } {
    const { kernels } = this
    const present = validity === 0 ? count : kernels.countByte(validity + from, validity + from + count, 1)
    // The encoder gives one run for a page without gaps too, but walking 20,000 bytes to find that out is not needed.
    if (present === count) return { bytes: oneRun(count, 1), present }
    const mark = kernels.mark()
    const out = kernels.allocate(4 + hybridBound(count, 1))
    const length = kernels.encodeHybrid(validity + from, 1, count, 1, out + 4)
    kernels.u32[out >>> 2] = length
    kernels.release(mark)
    return { bytes: kernels.u8.slice(out, out + 4 + length), present }
  }

  private dictionaryPage(dictionary: KernelValues): void {
    const { kernels } = this
    const { count } = dictionary
    const mark = kernels.mark()
    if (dictionary.physical === 'BYTE_ARRAY') {
      const bound = plainBound(kernels, dictionary, 0, count)
      const page = kernels.allocate(bound)
      const length = kernels.interleaveTexts(dictionary.data, dictionary.offsets, 0, count, page, page + bound)
      this.dictionaryPageBytes = this.append('dictionary', 'PLAIN', count, page, length)
    } else {
      assert(dictionary.physical !== 'BOOLEAN', 'Parquet has no dictionaries of booleans')
      this.dictionaryPageBytes = this.append('dictionary', 'PLAIN', count, dictionary.data, count * dictionary.width)
    }
    kernels.release(mark)
  }

  private dataPage(encoding: EncodingName, rows: number, page: number, length: number, statistics: ColumnStatistics, first = 0): void {
    this.pages.push({ rows, bytes: this.append('data', encoding, rows, page, length, first), statistics })
  }

  /** `first`: where Snappy begins to look. */
  private append(
    kind: 'data' | 'dictionary',
    encoding: EncodingName,
    values: number,
    page: number,
    uncompressedBytes: number,
    first = 0,
  ): number {
    const body = compressPage(this.compression, this.kernels, page, uncompressedBytes, this.matching, first)
    const header = encodePageHeader({ kind, encoding, values, uncompressedBytes, body })
    this.sink.append(header)
    this.sink.append(body)
    const bytes = header.length + body.length
    this.compressedBytes += bytes
    this.uncompressedBytes += header.length + uncompressedBytes
    return bytes
  }

  private finish(rows: number, dataEncoding: EncodedColumnChunk['dataEncoding'], statistics: ColumnStatistics): EncodedColumnChunk {
    return {
      rows,
      compression: this.compression,
      compressedBytes: this.compressedBytes,
      uncompressedBytes: this.uncompressedBytes,
      dictionaryPageBytes: this.dictionaryPageBytes,
      pages: this.pages,
      dataEncoding,
      digest: this.digest,
      statistics,
    }
  }
}

/** Bytes that PLAIN takes for some rows at most. */
function plainBound(kernels: Kernels, values: KernelValues, from: number, count: number): number {
  if (values.physical !== 'BYTE_ARRAY') return values.physical === 'BOOLEAN' ? (count + 7) >>> 3 : count * values.width
  const words = values.offsets >>> 2
  return count * 4 + kernels.u32[words + from + count]! - kernels.u32[words + from]!
}

/** The levels of a page without gaps, or without values: one run, with the length before it. */
function oneRun(rows: number, level: 0 | 1): Uint8Array {
  const out: number[] = [0, 0, 0, 0]
  let header = rows * 2
  while (header > 0x7f) {
    out.push((header & 0x7f) | 0x80)
    header >>>= 7
  }
  out.push(header, level)
  out[0] = out.length - 4
  return Uint8Array.from(out)
}
