import type { PhysicalType } from '../columns/vector.js'
import { assert } from '../errors.js'
import type { ChunkDigest } from './chunk-digest.js'
import { must, undecodable } from './decode-fault.js'
import type { DecodedPageHeader } from './decode-page-header.js'
import { type EncodedChunk, isDictionary, unpackBody, walkPages, widthOf } from './decode-pages.js'
import { preamble, snappyLength } from './decode-snappy.js'
import type { ColumnChunkFacts } from './read-file.js'
import type { PhysicalValue } from './value-order.js'
import type { ColumnVerifier, DigestKind } from './verify-column.js'
import { BlockStreams } from './verify-digest.js'
import { type DecoderModule, SlotMemory, webassembly } from './verify-memory.js'
import { statisticsFault } from './verify-statistics.js'

/** Words for the faults of assembly/faults.as, by their number. They are those of the TypeScript form. */
const FAULTS = [
  '',
  'a snappy literal is cut off',
  'a snappy literal is longer than its stream',
  'a snappy copy is cut off',
  'a snappy copy points outside its stream',
  'a snappy stream ends before its length',
  'the header of a run is not whole',
  'a run of more than 32 bits',
  'a run of nothing',
  'a packed run of levels is cut off',
  'a run of levels is longer than its page',
  'a level that a flat column cannot have',
  'the levels of a page do not end where they should',
  'a packed run of codes is cut off',
  'a run of codes is longer than its page',
  'a run of codes is cut off',
  'the codes of a page do not end where they should',
  'a code outside its dictionary',
  'a page has fewer values than it says',
  'a text is longer than its page',
  'a page has more values than it says',
]

/** What assembly/decoder.as exports; all numbers are addresses, counts, or what the function there says. */
interface Exports {
  inflate(from: number, end: number, to: number, length: number): number
  decodeLevels(start: number, end: number, rows: number, out: number): number
  decodeCodes(start: number, end: number, width: number, count: number, out: number): number
  unpackBits(from: number, count: number, out: number): number
  countOnes(from: number, count: number): number
  markUsed(codes: number, count: number, entries: number, used: number): number
  checkCodes(codes: number, count: number, entries: number): number
  gather4(dictionary: number, codes: number, count: number, out: number): void
  gather8(dictionary: number, codes: number, count: number, out: number): void
  gather16(dictionary: number, codes: number, count: number, out: number): void
  spread1(from: number, validity: number, rows: number, out: number): void
  spread4(from: number, validity: number, rows: number, out: number): void
  spread8(from: number, validity: number, rows: number, out: number): void
  spread16(from: number, validity: number, rows: number, out: number): void
  oneNan(at: number, count: number): void
  compact(from: number, flags: number, count: number, width: number, out: number): number
  splitTexts(from: number, end: number, count: number, texts: number, lengths: number): number
  hashPlainTexts(
    from: number,
    end: number,
    count: number,
    hashes: number,
    least: number,
    leastLength: number,
    most: number,
    mostLength: number,
  ): number
  offsetsOf(lengths: number, count: number, offsets: number): void
  fitting(lengths: number, count: number, limit: number): number
  sum(lengths: number, count: number): number
  gatherTexts(texts: number, offsets: number, codes: number, lengths: number, count: number, out: number): number
  startDigest(): void
  endDigest(): void
  hashes1(from: number, count: number, out: number): void
  hashes4(from: number, count: number, out: number): void
  hashes8(from: number, count: number, out: number): void
  hashes16(from: number, count: number, out: number): void
  hashesOfTexts(texts: number, lengths: number, count: number, out: number): void
  hashesByRow(hashes: number, codes: number, validity: number, rows: number, out: number): void
  foldHashes(hashes: number, codes: number, rows: number): void
  extremes4(from: number, count: number): void
  extremes8(from: number, count: number): void
  extremesDouble(from: number, count: number): void
  bounds16(from: number, count: number, least: number, most: number): number
  boundsTexts(
    texts: number,
    lengths: number,
    flags: number,
    count: number,
    least: number,
    leastLength: number,
    most: number,
    mostLength: number,
  ): number
}

/** Where `endDigest` puts its two words. */
const DIGEST = 0
/** Where `extremes…` put their results. */
const LOWEST = 0
const HIGHEST = 16
const NAN = 32

/** Of a missing row: two words, the lower one first. */
const MISSING = 0x27d4eb2f_6d697373n
/** Digests of column chunks without any value, by their rows: those of one file have the same, save the last ones. */
const emptyChunks = new Map<number, ChunkDigest>()
const EMPTY_CHUNKS_KEPT = 16

/** Texts of a dictionary are put in line here before they are hashed; what the rows of a page add up to may be far more than the page. */
const SLAB_BYTES = 1 << 18
/** The only fixed width that this form knows, that of wide decimals. */
const FIXED_BYTES = 16

interface Dictionary {
  readonly entries: number
  /** Entries that no row had so far. */
  unused: number
}

/** What the pages of a chunk have in common. */
interface Progress {
  readonly chunk: EncodedChunk
  /** Where its bytes lie. */
  readonly at: number
  readonly bounds: SeenOfChunk | null
  dictionary: Dictionary | null
  nulls: number
}

interface Page {
  readonly rows: number
  readonly present: number
  /** Values by row, or lengths of texts; zero for missing rows. */
  readonly values: number
  /** Of texts only: where those of a plain page lie in line; 0 for a page of codes. */
  readonly texts: number
}

/** The compiled form. All pages of a column go through one memory, and only what is hashed is looked at from here. */
export class WebassemblyVerifier implements ColumnVerifier {
  private readonly memory: SlotMemory
  private readonly wasm: Exports
  /** One of the two is there while a column is read. */
  private streams: BlockStreams | null = null
  private chunkDigests: ChunkDigest[] | null = null
  private physical: PhysicalType | null = null
  /** Rows that the chunk begins with and that have no value, none of them in its digest yet; -1: others followed. */
  private missingRows = 0

  /** Throws RangeError where there is no memory to be had. */
  constructor(module: DecoderModule, maximumBytes?: number) {
    assert(webassembly !== undefined, 'there is WebAssembly')
    this.memory = new SlotMemory(maximumBytes)
    this.wasm = new webassembly.Instance(module, { env: { memory: this.memory.imported } }).exports as Exports
  }

  get memoryBytes(): number {
    return this.memory.sizeBytes
  }

  roomFor(sizeBytes: number): Uint8Array {
    const at = this.memory.take('chunk', sizeBytes)
    return this.memory.u8.subarray(at, at + sizeBytes)
  }

  begin(physical: PhysicalType, digests: DigestKind = 'blocks'): void {
    this.streams = digests === 'blocks' ? new BlockStreams(physical) : null
    this.chunkDigests = digests === 'chunks' ? [] : null
    this.physical = physical
  }

  check(chunk: EncodedChunk, statistics: ColumnChunkFacts): string | null {
    const { min, max } = statistics
    const bounds = min === null && max === null ? null : new SeenOfChunk(this.memory, this.wasm, chunk.physical, min, max)
    const progress = this.start(chunk, bounds)
    const { wasm, chunkDigests } = this
    this.missingRows = 0
    if (chunkDigests !== null) wasm.startDigest()
    for (const header of walkPages(progress.chunk)) {
      const page = this.page(progress, header)
      if (page !== null) this.hash(page, 0, page.rows)
    }
    chunkDigests?.push(this.endDigest())
    const { dictionary } = progress
    if (bounds !== null && dictionary !== null) bounds.takeUsed(dictionary.entries)
    return statisticsFault(statistics, progress.nulls, bounds)
  }

  window(chunk: EncodedChunk, from: number, to: number): void {
    assert(this.streams !== null, 'a column was begun for blocks')
    const progress = this.start(chunk, null)
    let row = 0
    for (const header of walkPages(progress.chunk)) {
      if (header.kind === 'data' && row + header.values <= from) {
        row += header.values
        continue
      }
      const page = this.page(progress, header)
      if (page === null) continue
      this.hash(page, Math.max(0, from - row), Math.min(page.rows, to - row))
      row += page.rows
      if (row >= to) return
    }
  }

  finish(): readonly string[] {
    assert(this.streams !== null, 'a column was begun')
    const digests = this.streams.finish()
    this.streams = null
    return digests
  }

  finishChunks(): readonly ChunkDigest[] {
    assert(this.chunkDigests !== null, 'a column was begun')
    const digests = this.chunkDigests
    this.chunkDigests = null
    return digests
  }

  private start(chunk: EncodedChunk, bounds: SeenOfChunk | null): Progress {
    assert((this.streams !== null || this.chunkDigests !== null) && chunk.physical === this.physical, 'a column was begun')
    assert(chunk.physical !== 'FIXED_LEN_BYTE_ARRAY' || chunk.widthBytes === FIXED_BYTES, 'a fixed width of 16 bytes')
    const { memory } = this
    const { bytes } = chunk
    const sizeBytes = bytes.length
    const at = memory.take('chunk', sizeBytes)
    if (bytes.buffer !== memory.u8.buffer || bytes.byteOffset !== at) memory.u8.set(bytes, at)
    const here: EncodedChunk = {
      ...chunk,
      // Another array as soon as the memory grew.
      get bytes() {
        return memory.u8.subarray(at, at + sizeBytes)
      },
    }
    return { chunk: here, at, bounds, dictionary: null, nulls: 0 }
  }

  /** null: it was the dictionary, or its rows are in the digest of the chunk already. */
  private page(progress: Progress, header: DecodedPageHeader): Page | null {
    const at = this.unpack(progress, header)
    if (header.kind === 'data') return this.dataPage(progress, header, at)
    progress.dictionary = this.dictionaryPage(progress.chunk, header, at)
    return null
  }

  /** Where the page lies once it is decompressed. */
  private unpack({ chunk, at }: Progress, { bodyStart, compressedBytes, uncompressedBytes: size }: DecodedPageHeader): number {
    const { memory, wasm } = this
    const start = at + bodyStart
    const end = start + compressedBytes
    if (chunk.compression === 'UNCOMPRESSED') {
      must(size === compressedBytes, 'a page that is not compressed has two sizes')
      return start
    }
    const body = memory.u8.subarray(start, end)
    if (chunk.compression === 'SNAPPY') {
      must(snappyLength(body) === size, 'a page has another size than it says')
      const [length, lengthBytes] = preamble(body)
      const page = memory.take('page', length)
      sound(wasm.inflate(start + lengthBytes, end, page, length))
      return page
    }
    const unpacked = unpackBody(chunk.compression, body, size)
    const page = memory.take('page', size)
    memory.u8.set(unpacked, page)
    return page
  }

  private dictionaryPage(chunk: EncodedChunk, header: DecodedPageHeader, at: number): Dictionary {
    const { memory, wasm } = this
    const { values: entries, uncompressedBytes: sizeBytes } = header
    if (chunk.physical === 'BYTE_ARRAY') {
      must(entries * 4 <= sizeBytes, 'a dictionary has more entries than bytes')
      const texts = memory.take('dictionary', sizeBytes)
      const lengths = memory.take('dictionaryLengths', entries * 4)
      sound(wasm.splitTexts(at, at + sizeBytes, entries, texts, lengths))
      wasm.offsetsOf(lengths, entries, memory.take('dictionaryOffsets', entries * 4))
    } else {
      must(entries * widthOf(chunk) === sizeBytes, 'a dictionary has another size than its entries')
      const values = memory.take('dictionary', sizeBytes)
      memory.u8.copyWithin(values, at, at + sizeBytes)
      if (chunk.physical === 'DOUBLE') wasm.oneNan(values, entries)
    }
    if (this.chunkDigests !== null)
      this.hashValues(chunk.physical, memory.take('dictionary', 0), 'dictionaryLengths', entries, 'entryHashes')
    const used = memory.take('used', entries)
    memory.u8.fill(0, used, used + entries)
    return { entries, unused: entries }
  }

  private dataPage(progress: Progress, header: DecodedPageHeader, at: number): Page | null {
    const { memory, wasm } = this
    const { chunk } = progress
    const { values: rows, uncompressedBytes: sizeBytes } = header
    const end = at + sizeBytes
    let start = at
    let present = rows
    if (chunk.optional) {
      must(sizeBytes >= 4, 'a page without levels')
      const levelBytes = memory.view.getUint32(at, true)
      must(levelBytes <= sizeBytes - 4, 'the levels of a page are longer than the page')
      start = at + 4 + levelBytes
      present = sound(wasm.decodeLevels(at + 4, start, rows, memory.take('validity', rows)))
    }
    progress.nulls += rows - present
    if (isDictionary(header.encoding)) {
      must(progress.dictionary !== null, 'a page has codes and its column no dictionary')
      this.codes(progress.dictionary, start, end, present)
      if (this.chunkDigests !== null) return this.fold(memory.take('entryHashes', 0), memory.take('codes', 0), rows, present)
      return this.codedValues(chunk, rows, present)
    }
    must(header.encoding === 'PLAIN', `values in the encoding ${header.encoding}`)
    return this.plainValues(progress, start, end, rows, present)
  }

  private codes(dictionary: Dictionary, start: number, end: number, present: number): void {
    const { memory, wasm } = this
    const codes = memory.take('codes', present * 4)
    if (present === 0 && start === end) return
    must(start < end, 'a page of codes does not say how wide they are')
    const width = memory.u8[start]!
    must(width <= 32, `codes of ${width} bits`)
    sound(wasm.decodeCodes(start + 1, end, width, present, codes))
    if (dictionary.unused === 0) sound(wasm.checkCodes(codes, present, dictionary.entries))
    else dictionary.unused -= sound(wasm.markUsed(codes, present, dictionary.entries, memory.take('used', 0)))
  }

  private codedValues(chunk: EncodedChunk, rows: number, present: number): Page {
    const { memory, wasm } = this
    const codes = memory.take('codes', 0)
    if (chunk.physical === 'BYTE_ARRAY') {
      const lengths = memory.take('lengths', present * 4)
      wasm.gather4(memory.take('dictionaryLengths', 0), codes, present, lengths)
      return { rows, present, values: this.byRow(lengths, 4, rows, present), texts: 0 }
    }
    const width = widthOf(chunk)
    const values = memory.take('values', present * width)
    const dictionary = memory.take('dictionary', 0)
    if (width === 4) wasm.gather4(dictionary, codes, present, values)
    else if (width === 8) wasm.gather8(dictionary, codes, present, values)
    else wasm.gather16(dictionary, codes, present, values)
    return { rows, present, values: this.byRow(values, width, rows, present), texts: 0 }
  }

  private plainValues({ chunk, bounds }: Progress, start: number, end: number, rows: number, present: number): Page | null {
    const { memory, wasm } = this
    const { physical } = chunk
    const sizeBytes = end - start
    const isFolded = this.chunkDigests !== null
    switch (physical) {
      case 'BOOLEAN': {
        must(sizeBytes === (present + 7) >>> 3, 'a page has another size than its values')
        const values = memory.take('values', present)
        const ones = wasm.unpackBits(start, present, values)
        bounds?.takeBooleans(present, ones)
        if (isFolded) return this.foldValues(physical, values, rows, present)
        return { rows, present, values: this.byRow(values, 1, rows, present), texts: 0 }
      }
      case 'BYTE_ARRAY': {
        if (isFolded) {
          const hashes = memory.take('valueHashes', present * 8)
          const { least, leastLength, most, mostLength } = bounds ?? NO_BOUNDS
          const found = sound(wasm.hashPlainTexts(start, end, present, hashes, least, leastLength, most, mostLength))
          if (bounds !== null) bounds.found |= found
          return this.fold(hashes, 0, rows, present)
        }
        const texts = memory.take('texts', sizeBytes)
        const lengths = memory.take('lengths', present * 4)
        sound(wasm.splitTexts(start, end, present, texts, lengths))
        bounds?.takeTexts(texts, lengths, 0, present)
        return { rows, present, values: this.byRow(lengths, 4, rows, present), texts }
      }
      default: {
        const width = widthOf(chunk)
        must(sizeBytes === present * width, 'a page has another size than its values')
        bounds?.takeFixed(start, present)
        if (physical === 'DOUBLE') wasm.oneNan(start, present)
        if (isFolded) return this.foldValues(physical, start, rows, present)
        return { rows, present, values: this.byRow(start, width, rows, present), texts: 0 }
      }
    }
  }

  /** The hashes of values that lie in line, texts by their lengths. */
  private hashValues(
    physical: PhysicalType,
    values: number,
    lengths: 'lengths' | 'dictionaryLengths',
    count: number,
    out: 'entryHashes' | 'valueHashes',
  ): number {
    const { memory, wasm } = this
    const hashes = memory.take(out, count * 8)
    switch (physical) {
      case 'BYTE_ARRAY':
        wasm.hashesOfTexts(values, memory.take(lengths, 0), count, hashes)
        break
      case 'BOOLEAN':
        wasm.hashes1(values, count, hashes)
        break
      case 'INT32':
        wasm.hashes4(values, count, hashes)
        break
      case 'FIXED_LEN_BYTE_ARRAY':
        wasm.hashes16(values, count, hashes)
        break
      default:
        wasm.hashes8(values, count, hashes)
    }
    return hashes
  }

  private foldValues(physical: PhysicalType, values: number, rows: number, present: number): null {
    return this.fold(this.hashValues(physical, values, 'lengths', present, 'valueHashes'), 0, rows, present)
  }

  /** Puts the rows of a page into the digest of its chunk. `hashes` are those of its values, or of the entries behind `codes`. */
  private fold(hashes: number, codes: number, rows: number, present: number): null {
    const { memory, wasm } = this
    if (present === 0 && this.missingRows >= 0) {
      this.missingRows += rows
      return null
    }
    this.foldMissing()
    if (present === rows) wasm.foldHashes(hashes, codes, rows)
    else {
      const byRow = memory.take('rowHashes', rows * 8)
      wasm.hashesByRow(hashes, codes, memory.take('validity', rows), rows, byRow)
      wasm.foldHashes(byRow, 0, rows)
    }
    return null
  }

  /** Rows without a value that the chunk begins with, put into its digest now that others follow. */
  private foldMissing(): void {
    const { memory, wasm, missingRows } = this
    this.missingRows = -1
    if (missingRows <= 0) return
    const byRow = memory.take('rowHashes', missingRows * 8)
    new BigUint64Array(memory.u8.buffer, byRow, missingRows).fill(MISSING)
    wasm.foldHashes(byRow, 0, missingRows)
  }

  private endDigest(): ChunkDigest {
    const { memory, wasm, missingRows } = this
    const known = missingRows > 0 ? emptyChunks.get(missingRows) : undefined
    if (known !== undefined) return known
    this.foldMissing()
    wasm.endDigest()
    const digest: ChunkDigest = [memory.view.getUint32(DIGEST, true), memory.view.getUint32(DIGEST + 4, true)]
    if (missingRows > 0) {
      if (emptyChunks.size === EMPTY_CHUNKS_KEPT) emptyChunks.clear()
      emptyChunks.set(missingRows, digest)
    }
    return digest
  }

  /** Where values lie by row: where they are, if no row is missing. */
  private byRow(values: number, width: number, rows: number, present: number): number {
    if (present === rows) return values
    const { memory, wasm } = this
    const validity = memory.take('validity', rows)
    const out = memory.take('spread', rows * width)
    if (width === 1) wasm.spread1(values, validity, rows, out)
    else if (width === 4) wasm.spread4(values, validity, rows, out)
    else if (width === 8) wasm.spread8(values, validity, rows, out)
    else wasm.spread16(values, validity, rows, out)
    return out
  }

  /** Hashes the rows `[from, to)` of a page. */
  private hash(page: Page, from: number, to: number): void {
    const { memory, physical } = this
    const streams = this.streams!
    const gaps = page.present < page.rows
    const width =
      physical === 'BOOLEAN' ? 1 : physical === 'INT32' || physical === 'BYTE_ARRAY' ? 4 : physical === 'FIXED_LEN_BYTE_ARRAY' ? 16 : 8
    for (let start = from; start < to; ) {
      const end = Math.min(to, start + streams.roomRows())
      const validity = gaps ? memory.take('validity', page.rows) : 0
      streams.takeRows(end - start, gaps ? memory.u8.subarray(validity + start, validity + end) : null)
      streams.takeValues(memory.u8.subarray(page.values + start * width, page.values + end * width))
      if (physical === 'BYTE_ARRAY') this.hashTexts(streams, page, start, end)
      streams.endPiece()
      start = end
    }
  }

  private hashTexts(streams: BlockStreams, page: Page, start: number, end: number): void {
    const { memory, wasm } = this
    if (page.texts !== 0) {
      const before = start === 0 ? 0 : wasm.sum(page.values, start)
      const bytes = wasm.sum(page.values + start * 4, end - start)
      streams.takeTexts(memory.u8.subarray(page.texts + before, page.texts + before + bytes))
      return
    }
    const gaps = page.present < page.rows
    const validity = gaps ? memory.take('validity', page.rows) : 0
    const first = gaps ? wasm.countOnes(validity, start) : start
    const last = first + (gaps ? wasm.countOnes(validity + start, end - start) : end - start)
    const slab = memory.take('slab', SLAB_BYTES)
    const texts = memory.take('dictionary', 0)
    const offsets = memory.take('dictionaryOffsets', 0)
    for (let i = first; i < last; ) {
      const codes = memory.take('codes', 0) + i * 4
      const lengths = memory.take('lengths', 0) + i * 4
      const count = wasm.fitting(lengths, last - i, SLAB_BYTES)
      if (count > 0) {
        const bytes = wasm.gatherTexts(texts, offsets, codes, lengths, count, slab)
        streams.takeTexts(memory.u8.subarray(slab, slab + bytes))
      } else {
        const at = texts + memory.view.getUint32(offsets + memory.view.getUint32(codes, true) * 4, true)
        streams.takeTexts(memory.u8.subarray(at, at + memory.view.getUint32(lengths, true)))
      }
      i += Math.max(1, count)
    }
  }
}

const NO_BOUNDS = { least: 0, leastLength: 0, most: 0, mostLength: 0 } as const

/** What was seen of the values of one chunk, by the bounds that its statistics have. */
class SeenOfChunk {
  // Numbers, whatever the type: lowest above highest means that there was no value.
  private low: number | bigint = Infinity
  private high: number | bigint = -Infinity
  private nan = false
  /** Of bytes: bit 0 a value lies outside, bit 1 the minimum was seen, bit 2 the maximum. */
  found = 0
  /** Where bounds that are bytes lie; 0: there is none. */
  readonly least: number
  readonly leastLength: number
  readonly most: number
  readonly mostLength: number

  constructor(
    private readonly memory: SlotMemory,
    private readonly wasm: Exports,
    private readonly physical: PhysicalType,
    private readonly min: PhysicalValue | null,
    private readonly max: PhysicalValue | null,
  ) {
    this.least = this.keep('least', min)
    this.leastLength = min instanceof Uint8Array ? min.length : 0
    this.most = this.keep('most', max)
    this.mostLength = max instanceof Uint8Array ? max.length : 0
  }

  private keep(slot: 'least' | 'most', bound: PhysicalValue | null): number {
    if (!(bound instanceof Uint8Array)) return 0
    const at = this.memory.take(slot, bound.length)
    this.memory.u8.set(bound, at)
    return at
  }

  takeBooleans(count: number, ones: number): void {
    if (count > 0) this.widen(ones === count ? 1 : 0, ones > 0 ? 1 : 0)
  }

  takeTexts(texts: number, lengths: number, flags: number, count: number): void {
    const { least, leastLength, most, mostLength } = this
    this.found |= this.wasm.boundsTexts(texts, lengths, flags, count, least, leastLength, most, mostLength)
  }

  takeFixed(at: number, count: number): void {
    if (count === 0) return
    const { wasm, memory } = this
    switch (this.physical) {
      case 'INT32':
        wasm.extremes4(at, count)
        this.widen(memory.view.getInt32(LOWEST, true), memory.view.getInt32(HIGHEST, true))
        return
      case 'INT64':
        wasm.extremes8(at, count)
        this.widen(memory.view.getBigInt64(LOWEST, true), memory.view.getBigInt64(HIGHEST, true))
        return
      case 'DOUBLE':
        wasm.extremesDouble(at, count)
        this.nan ||= memory.view.getUint32(NAN, true) === 1
        this.widen(memory.view.getFloat64(LOWEST, true), memory.view.getFloat64(HIGHEST, true))
        return
      default:
        this.found |= wasm.bounds16(at, count, this.least, this.most)
    }
  }

  /** The entries of the dictionary that a row has. */
  takeUsed(entries: number): void {
    const { memory, wasm } = this
    const values = memory.take('dictionary', 0)
    const used = memory.take('used', 0)
    if (this.physical === 'BYTE_ARRAY') {
      this.takeTexts(values, memory.take('dictionaryLengths', 0), used, entries)
      return
    }
    const width = this.physical === 'INT32' ? 4 : this.physical === 'FIXED_LEN_BYTE_ARRAY' ? FIXED_BYTES : 8
    const compacted = memory.take('compacted', entries * width)
    this.takeFixed(compacted, wasm.compact(values, used, entries, width, compacted))
  }

  private widen(low: number | bigint, high: number | bigint): void {
    if (low < this.low) this.low = low
    if (high > this.high) this.high = high
  }

  outside(): boolean {
    if (this.nan || (this.found & 1) !== 0) return true
    const { low, high, min, max } = this
    return low <= high && ((isNumber(min) && low < min) || (isNumber(max) && high > max))
  }

  minSeen(): boolean {
    return isNumber(this.min) ? this.low <= this.high && this.low === this.min : (this.found & 2) !== 0
  }

  maxSeen(): boolean {
    return isNumber(this.max) ? this.low <= this.high && this.high === this.max : (this.found & 4) !== 0
  }
}

function isNumber(bound: PhysicalValue | null): bound is number | bigint {
  return typeof bound === 'number' || typeof bound === 'bigint'
}

function sound(result: number): number {
  if (result < 0) throw undecodable(FAULTS[-result]!)
  return result
}
