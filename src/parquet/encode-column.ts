import { type ColumnVector, type DictionaryVector, takeValues, type Values } from '../columns/vector.js'
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
 * dictionary page where that is estimated to be smaller. Pure: the same vector gives the same bytes.
 */
export function encodeColumn(vector: ColumnVector, options: EncodeOptions): EncodedColumnChunk {
  const chunk = new ChunkBuilder(options.compression)
  if (vector.form === 'plain') {
    for (const [from, to, present] of pagesOf(vector, (i) => plainSizeBytes(vector.values, i))) {
      const body =
        present === to - from
          ? encodePlain(vector.values, from, to)
          : encodePlain(takePresent(vector.values, vector.validity, from, to, present))
      chunk.dataPage('PLAIN', to - from, [definitionLevels(vector.validity, from, to, present), body])
    }
    return chunk.finish(vector.rows, 'PLAIN', statisticsOf(vector, null))
  }

  const { used, placeOf } = usedEntries(vector)
  const statistics = statisticsOf(vector, used)
  if (!dictionaryPays(vector, used)) {
    const { dictionary, codes, validity } = vector
    for (const [from, to, present] of pagesOf(vector, (i) => plainSizeBytes(dictionary, codes[i]!))) {
      chunk.dataPage('PLAIN', to - from, [
        definitionLevels(validity, from, to, present),
        encodePlain(valuesOfRows(vector, from, to, present)),
      ])
    }
    return chunk.finish(vector.rows, 'PLAIN', statistics)
  }

  chunk.dictionaryPage(used.length, encodePlain(takeValues(vector.dictionary, used)))
  const bitWidth = bitWidthOf(used.length)
  for (const [from, to, present] of pagesOf(vector, () => bitWidth / 8)) {
    const codes = new Uint32Array(present)
    let n = 0
    for (let i = from; i < to; i++) if (vector.validity[i] === 1) codes[n++] = placeOf[vector.codes[i]!]!
    chunk.dataPage('RLE_DICTIONARY', to - from, [
      definitionLevels(vector.validity, from, to, present),
      Uint8Array.of(bitWidth),
      encodeHybrid(codes, 0, present, bitWidth),
    ])
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
    for (let i = 0; i < vector.rows; i++) if (vector.validity[i] === 1) plainBytes += plainSizeBytes(dictionary, vector.codes[i]!)
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

/** [first row, end row, present rows] of each data page; a chunk of rows always has at least one page. */
function* pagesOf(vector: ColumnVector, sizeBytes: (row: number) => number): Generator<readonly [number, number, number]> {
  let from = 0
  while (from < vector.rows) {
    let to = from
    let present = 0
    let bytes = 0
    while (to < vector.rows && to - from < PAGE_MAX_ROWS) {
      if (vector.validity[to] === 1) {
        const size = sizeBytes(to)
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
function definitionLevels(validity: Uint8Array, from: number, to: number, present: number): Uint8Array {
  // encodeHybrid gives one run for a page without gaps too, but walking 20,000 bytes to find that out is not needed.
  const levels = present === to - from ? allPresent(to - from) : encodeHybrid(validity, from, to, 1)
  const out = new Uint8Array(4 + levels.length)
  new DataView(out.buffer).setUint32(0, levels.length, true)
  out.set(levels, 4)
  return out
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

  constructor(private readonly compression: Compression) {}

  dictionaryPage(entries: number, page: Uint8Array): void {
    this.dictionaryPageBytes = this.append('dictionary', 'PLAIN', entries, page)
  }

  dataPage(encoding: EncodingName, rows: number, sections: readonly Uint8Array[]): void {
    this.append('data', encoding, rows, Buffer.concat(sections))
    this.dataPages++
  }

  private append(kind: 'data' | 'dictionary', encoding: EncodingName, values: number, page: Uint8Array): number {
    const body = compressPage(this.compression, page)
    const header = encodePageHeader({ kind, encoding, values, uncompressedBytes: page.length, body })
    this.parts.push(header, body)
    this.compressedBytes += header.length + body.length
    this.uncompressedBytes += header.length + page.length
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
