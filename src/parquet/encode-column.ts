import { type ColumnVector, countOf, type DictionaryVector, takeValues, type Values } from '../columns/vector.js'
import type { Kernels } from '../kernels/kernels.js'
import { type Compression, compressPage } from './compress-page.js'
import { bitWidthOf, encodeHybrid } from './encode-hybrid.js'
import { encodePlain, plainSizeBytes, takePresent } from './encode-plain.js'
import { type EncodingName, encodePageHeader } from './page-header.js'
import { type ColumnStatistics, statisticsOf, usedEntries } from './statistics.js'

/** Rows and bytes (before compression, about) at which a data page ends. */
export const PAGE_MAX_ROWS = 20_000
export const PAGE_MAX_BYTES = 1 << 20
/** More entries never make a dictionary: readers decode codes of up to 24 bits everywhere, and a dictionary is held in memory whole. */
export const DICTIONARY_MAX_ENTRIES = 1 << 20
/** What a dictionary page costs besides its values. */
const DICTIONARY_OVERHEAD_BYTES = 24

export interface EncodeOptions {
  readonly compression: Compression
  /** Where the loops over pages run, if not in TypeScript. They are used between the call and its return only. */
  readonly kernels?: Kernels | null
}

/** One column of one row group, ready to be written, and the facts that its metadata needs. */
export interface EncodedColumnChunk {
  readonly rows: number
  /** Headers and bodies of the pages in file order: the dictionary page first, if there is one. */
  readonly parts: readonly Uint8Array[]
  /** Of the dictionary page with its header; 0: there is none. The first data page follows it. */
  readonly dictionaryPageBytes: number
  readonly dataPages: number
  /** All pages with their headers, as in the file and before compression. */
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  /** Of the values of the data pages. */
  readonly dataEncoding: Extract<EncodingName, 'PLAIN' | 'RLE_DICTIONARY'>
  readonly statistics: ColumnStatistics
}

/**
 * Encodes one column of a row group: DataPage v1, definition levels RLE (every column is OPTIONAL), values PLAIN, or as codes into a
 * dictionary page where that is estimated to be smaller. Pure: the same vector gives the same bytes, with kernels or without.
 */
export function encodeColumn(vector: ColumnVector, options: EncodeOptions): EncodedColumnChunk {
  const kernels = options.kernels ?? null
  const chunk = new ChunkBuilder(options.compression, kernels)
  if (vector.form === 'plain') {
    const { values, validity } = vector
    for (const [from, to, present] of pagesOf(vector, plainSizes(values))) {
      const body = present === to - from ? encodePlain(values, from, to) : encodePlain(takePresent(values, validity, from, to, present))
      chunk.dataPage('PLAIN', to - from, [...definitionLevels(validity, from, to, present, kernels), body])
    }
    return chunk.finish(vector.rows, 'PLAIN', statisticsOf(vector, null))
  }

  const { dictionary, codes, validity } = vector
  const { used, placeOf } = usedEntries(vector)
  const statistics = statisticsOf(vector, used)
  if (!dictionaryPays(vector, used)) {
    for (const [from, to, present] of pagesOf(vector, entrySizes(dictionary, codes, used))) {
      chunk.dataPage('PLAIN', to - from, [
        ...definitionLevels(validity, from, to, present, kernels),
        encodePlain(valuesOfRows(vector, from, to, present)),
      ])
    }
    return chunk.finish(vector.rows, 'PLAIN', statistics)
  }

  chunk.dictionaryPage(used.length, encodePlain(takeValues(dictionary, used)))
  const bitWidth = bitWidthOf(used.length)
  // Every entry is used, in the order of the dictionary (which is that of first appearance): codes are places already.
  const inPlace = used.length === countOf(dictionary) && used.every((entry, place) => entry === place)
  const places = new Uint32Array(Math.min(vector.rows, PAGE_MAX_ROWS))
  for (const [from, to, present] of pagesOf(vector, fixedSizes(bitWidth / 8))) {
    const levels = definitionLevels(validity, from, to, present, kernels)
    if (inPlace && present === to - from) {
      chunk.dataPage('RLE_DICTIONARY', to - from, [...levels, Uint8Array.of(bitWidth), encodeHybrid(codes, from, to, bitWidth, kernels)])
      continue
    }
    let n = 0
    for (let i = from; i < to; i++) if (validity[i] === 1) places[n++] = placeOf[codes[i]!]!
    chunk.dataPage('RLE_DICTIONARY', to - from, [...levels, Uint8Array.of(bitWidth), encodeHybrid(places, 0, n, bitWidth, kernels)])
  }
  return chunk.finish(vector.rows, 'RLE_DICTIONARY', statistics)
}

/** Estimated before compression, codes as if none were run-length encoded. BOOLEAN never pays: a code is as wide as the value. */
function dictionaryPays(vector: DictionaryVector, used: Uint32Array): boolean {
  const { dictionary } = vector
  if (used.length === 0 || used.length > DICTIONARY_MAX_ENTRIES || dictionary.physical === 'BOOLEAN') return false
  const present = vector.rows - vector.nulls
  let dictionaryBytes = DICTIONARY_OVERHEAD_BYTES
  for (const entry of used) dictionaryBytes += plainSizeBytes(dictionary, entry)
  const codeBytes = Math.ceil((present * bitWidthOf(used.length)) / 8)
  let plainBytes = 0
  if (dictionary.physical === 'BYTE_ARRAY') {
    const { offsets } = dictionary
    const { codes, validity } = vector
    plainBytes = present * 4
    for (let i = 0; i < vector.rows; i++) if (validity[i] === 1) plainBytes += offsets[codes[i]! + 1]! - offsets[codes[i]!]!
  } else {
    plainBytes = present * plainSizeBytes(dictionary, 0)
  }
  return dictionaryBytes + codeBytes < plainBytes
}

function valuesOfRows(vector: DictionaryVector, from: number, to: number, present: number): Values {
  const entries = new Uint32Array(present)
  let n = 0
  for (let i = from; i < to; i++) if (vector.validity[i] === 1) entries[n++] = vector.codes[i]!
  return takeValues(vector.dictionary, entries)
}

/** What present rows take in a data page before compression. */
interface RowSizes {
  /** Of the row at `row`. */
  readonly of: (row: number) => number
  /** Of all rows of `[from, to)` together: that much or less, missing rows counted as it is easiest. */
  readonly atMost: (from: number, to: number) => number
}

function fixedSizes(bytes: number): RowSizes {
  return { of: () => bytes, atMost: (from, to) => (to - from) * bytes }
}

function plainSizes(values: Values): RowSizes {
  if (values.physical !== 'BYTE_ARRAY') return fixedSizes(plainSizeBytes(values, 0))
  const { offsets } = values
  return { of: (row) => plainSizeBytes(values, row), atMost: (from, to) => (to - from) * 4 + offsets[to]! - offsets[from]! }
}

/** Of rows that are written as the values behind their codes. */
function entrySizes(dictionary: Values, codes: Uint32Array, used: Uint32Array): RowSizes {
  if (dictionary.physical !== 'BYTE_ARRAY') return fixedSizes(plainSizeBytes(dictionary, 0))
  let longest = 0
  for (const entry of used) longest = Math.max(longest, plainSizeBytes(dictionary, entry))
  return { of: (row) => plainSizeBytes(dictionary, codes[row]!), atMost: (from, to) => (to - from) * longest }
}

/** [first row, end row, present rows] of each data page; a chunk of rows always has at least one page. */
function* pagesOf(vector: ColumnVector, sizes: RowSizes): Generator<readonly [number, number, number]> {
  const { rows, validity } = vector
  let from = 0
  while (from < rows) {
    const end = Math.min(from + PAGE_MAX_ROWS, rows)
    let to = from
    let present = 0
    if (sizes.atMost(from, end) <= PAGE_MAX_BYTES) {
      // No row before the last can be the one that is too much, so there is no need to look for it.
      if (vector.nulls === 0) present = end - from
      else for (let i = from; i < end; i++) present += validity[i]!
      to = end
    }
    let bytes = 0
    while (to < end) {
      if (validity[to] === 1) {
        const size = sizes.of(to)
        if (bytes + size > PAGE_MAX_BYTES && to > from) break
        bytes += size
        present++
      }
      to++
    }
    yield [from, to, present]
    from = to
  }
}

/** Definition levels of DataPage v1: four bytes of length, then the hybrid encoding of one bit a row. */
function definitionLevels(
  validity: Uint8Array,
  from: number,
  to: number,
  present: number,
  kernels: Kernels | null,
): readonly [Uint8Array, Uint8Array] {
  // encodeHybrid gives one run for a page without gaps too, but walking 20,000 bytes to find that out is not needed.
  const levels = present === to - from ? allPresent(to - from) : encodeHybrid(validity, from, to, 1, kernels)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, levels.length, true)
  return [length, levels]
}

function allPresent(rows: number): Uint8Array {
  const out: number[] = []
  let header = rows * 2
  while (header > 0x7f) {
    out.push((header & 0x7f) | 0x80)
    header >>>= 7
  }
  out.push(header, 1)
  return Uint8Array.from(out)
}

class ChunkBuilder {
  private readonly parts: Uint8Array[] = []
  private dictionaryPageBytes = 0
  private dataPages = 0
  private compressedBytes = 0
  private uncompressedBytes = 0

  constructor(
    private readonly compression: Compression,
    private readonly kernels: Kernels | null,
  ) {}

  dictionaryPage(entries: number, page: Uint8Array): void {
    this.dictionaryPageBytes = this.append('dictionary', 'PLAIN', entries, page, page.length)
  }

  dataPage(encoding: EncodingName, rows: number, sections: readonly Uint8Array[]): void {
    let bytes = 0
    for (const section of sections) bytes += section.length
    this.append('data', encoding, rows, sections, bytes)
    this.dataPages++
  }

  private append(
    kind: 'data' | 'dictionary',
    encoding: EncodingName,
    values: number,
    page: Uint8Array | readonly Uint8Array[],
    uncompressedBytes: number,
  ): number {
    const body = compressPage(this.compression, page, this.kernels)
    const header = encodePageHeader({ kind, encoding, values, uncompressedBytes, body })
    this.parts.push(header, body)
    this.compressedBytes += header.length + body.length
    this.uncompressedBytes += header.length + uncompressedBytes
    return header.length + body.length
  }

  finish(rows: number, dataEncoding: EncodedColumnChunk['dataEncoding'], statistics: ColumnStatistics): EncodedColumnChunk {
    return {
      rows,
      parts: this.parts,
      dictionaryPageBytes: this.dictionaryPageBytes,
      dataPages: this.dataPages,
      compressedBytes: this.compressedBytes,
      uncompressedBytes: this.uncompressedBytes,
      dataEncoding,
      statistics,
    }
  }
}
