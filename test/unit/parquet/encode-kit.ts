import { gunzipSync } from 'node:zlib'
import { snappyUncompress } from 'hyparquet'
import { expect } from 'vitest'
import { placeVector } from '../../../src/columns/kernel-column.js'
import { type ColumnVector, takeValues, type Values } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { ByteSink } from '../../../src/parquet/byte-sink.js'
import type { Compression } from '../../../src/parquet/compress-page.js'
import { decodePageHeader } from '../../../src/parquet/decode-page-header.js'
import {
  bitWidthOf,
  DICTIONARY_MAX_ENTRIES,
  type EncodedColumnChunk,
  encodeColumn,
  PAGE_MAX_BYTES,
  PAGE_MAX_ROWS,
} from '../../../src/parquet/encode-column.js'
import { scratch, soil } from '../kernels/both-forms.js'
import { encodeHybrid, encodePlain, plainSizeBytes, snappyCompress } from './plain-encoders.js'

export interface ReadPage {
  readonly kind: 'data' | 'dictionary'
  readonly encoding: string
  /** Rows of a data page, entries of a dictionary. */
  readonly values: number
  /** Before compression. */
  readonly body: Uint8Array
}

export interface Encoded {
  readonly chunk: EncodedColumnChunk
  readonly bytes: Uint8Array
}

/** Encodes a vector where something else lay before. What `encodeColumn` itself takes of the memory it gives back, also when it throws. */
export function encodeVector(kernels: Kernels, vector: ColumnVector, compression: Compression, sink: ByteSink): EncodedColumnChunk {
  return scratch(kernels, () => {
    const { physical } = vector.form === 'plain' ? vector.values : vector.dictionary
    const column = placeVector(kernels, vector, physical)
    const mark = kernels.mark()
    try {
      return encodeColumn(kernels, column, compression, sink)
    } finally {
      expect(kernels.mark()).toBe(mark)
    }
  })
}

/** Encodes over memory that means something else, and sees to it that the memory is left as it was found. */
export function encodeIn(kernels: Kernels, vector: ColumnVector, compression: Compression): Encoded {
  const mark = kernels.mark()
  soil(kernels, 10_000, vector.rows + 1)
  kernels.release(mark)
  const sink = new ByteSink(0)
  // A sink is for all columns of a row group: what stands in it before is not the column's.
  sink.append(Uint8Array.of(1, 2, 3))
  const chunk = encodeVector(kernels, vector, compression, sink)
  expect(kernels.mark()).toBe(mark)
  expect([...sink.bytes().subarray(0, 3)]).toEqual([1, 2, 3])
  return { chunk, bytes: sink.bytes().slice(3) }
}

/** The pages as their headers say, unpacked. */
export function pagesOf({ chunk, bytes }: Encoded): ReadPage[] {
  const { compression } = chunk
  const pages: ReadPage[] = []
  let dataPages = 0
  for (let at = 0; at < bytes.length; ) {
    const { kind, encoding, values, bodyStart, compressedBytes, uncompressedBytes } = decodePageHeader(bytes, at)
    const packed = bytes.subarray(bodyStart, bodyStart + compressedBytes)
    const end = bodyStart + compressedBytes
    expect(end - at).toBe(kind === 'dictionary' ? chunk.dictionaryPageBytes : chunk.pages[dataPages++]!.bytes)
    let body = packed
    if (compression === 'GZIP') body = gunzipSync(packed)
    else if (compression === 'SNAPPY') {
      body = new Uint8Array(uncompressedBytes)
      snappyUncompress(packed, body)
    }
    expect(body.length).toBe(uncompressedBytes)
    pages.push({ kind, encoding, values, body })
    at = end
  }
  return pages
}

export interface ModelChunk {
  readonly dataEncoding: EncodedColumnChunk['dataEncoding']
  readonly pages: readonly ReadPage[]
}

/** What the pages of a column hold, row by row and from the arrays alone. */
export function modelOf(vector: ColumnVector): ModelChunk {
  const { rows, validity } = vector
  const source = vector.form === 'plain' ? vector.values : vector.dictionary
  const entryOf = (row: number): number => (vector.form === 'plain' ? row : vector.codes[row]!)
  // The entries that rows use, in order of first appearance.
  const placeOf = new Map<number, number>()
  if (vector.form === 'dictionary') {
    for (let row = 0; row < rows; row++) {
      const entry = vector.codes[row]!
      if (validity[row] === 1 && !placeOf.has(entry)) placeOf.set(entry, placeOf.size)
    }
  }
  const used = Uint32Array.from(placeOf.keys())
  const coded = vector.form === 'dictionary' && pays(vector, used)
  const bitWidth = bitWidthOf(used.length)
  const sizeOf = (row: number): number => (coded ? bitWidth / 8 : plainSizeBytes(source, entryOf(row)))
  const pages: ReadPage[] = []
  if (coded)
    pages.push({ kind: 'dictionary', encoding: 'PLAIN', values: used.length, body: encodePlain(canonical(takeValues(source, used))) })
  for (const [from, to] of cuts(vector, sizeOf)) {
    const present = Uint32Array.from({ length: to - from }, (_, i) => from + i).filter((row) => validity[row] === 1)
    const isOneRun = present.length === to - from || vector.nulls === rows
    const levels = isOneRun ? runOf(vector.nulls === rows ? 0 : 1, to - from) : encodeHybrid(validity, from, to, 1)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(levels.length)
    const values = coded
      ? [
          Uint8Array.of(bitWidth),
          encodeHybrid(
            present.map((row) => placeOf.get(entryOf(row))!),
            0,
            present.length,
            bitWidth,
          ),
        ]
      : [encodePlain(canonical(takeValues(source, present.map(entryOf))))]
    const body = new Uint8Array(Buffer.concat([length, levels, ...values]))
    pages.push({ kind: 'data', encoding: coded ? 'RLE_DICTIONARY' : 'PLAIN', values: to - from, body })
  }
  return { dataEncoding: coded ? 'RLE_DICTIONARY' : 'PLAIN', pages }
}

/** The levels of a page without gaps, and of a column without values, are one run, however short. */
function runOf(level: 0 | 1, rows: number): Uint8Array {
  const out: number[] = []
  let header = rows * 2
  for (; header > 0x7f; header >>>= 7) out.push((header & 0x7f) | 0x80)
  return Uint8Array.from([...out, header, level])
}

/** The estimate: a dictionary page of all entries and the packed codes against the values in line. */
function pays(vector: ColumnVector & { form: 'dictionary' }, used: Uint32Array): boolean {
  const { dictionary, codes, validity, rows, nulls } = vector
  if (dictionary.physical === 'BOOLEAN' || used.length === 0 || used.length > DICTIONARY_MAX_ENTRIES) return false
  const entries = used.reduce((sum, entry) => sum + plainSizeBytes(dictionary, entry), 24)
  let inLine = 0
  for (let row = 0; row < rows; row++) if (validity[row] === 1) inLine += plainSizeBytes(dictionary, codes[row]!)
  return entries + Math.ceil(((rows - nulls) * bitWidthOf(used.length)) / 8) < inLine
}

/** The rule, row by row: rows without any value are one page, and any other ends at PAGE_MAX_ROWS, or before the present row that would take it beyond PAGE_MAX_BYTES. */
function cuts(vector: ColumnVector, sizeOf: (row: number) => number): [from: number, to: number][] {
  if (vector.nulls === vector.rows && vector.rows > 0) return [[0, vector.rows]]
  const out: [number, number][] = []
  let from = 0
  let bytes = 0
  for (let row = 0; row < vector.rows; row++) {
    const size = vector.validity[row] === 1 ? sizeOf(row) : 0
    if (row - from === PAGE_MAX_ROWS || (row > from && size > 0 && bytes + size > PAGE_MAX_BYTES)) {
      out.push([from, row])
      from = row
      bytes = 0
    }
    bytes += size
  }
  if (vector.rows > from) out.push([from, vector.rows])
  return out
}

/** Every NaN is one in a file. */
function canonical(values: Values): Values {
  return values.physical === 'DOUBLE' ? { ...values, data: values.data.map((n) => (Number.isNaN(n) ? Number.NaN : n)) } : values
}

/** Encodes with both forms and holds pages, order and facts against the model. */
export function expectAsModel(forms: readonly Kernels[], vector: ColumnVector, compression: Compression): Encoded {
  const model = modelOf(vector)
  const encoded = forms.map((kernels) => encodeIn(kernels, vector, compression))
  const first = encoded[0]!
  for (const { chunk, bytes } of encoded) {
    expect(chunk).toEqual(first.chunk)
    expect(Buffer.compare(bytes, first.bytes)).toBe(0)
  }
  const { chunk, bytes } = first
  const pages = pagesOf(first)
  if (chunk.compression !== compression) {
    expect([compression, chunk.compression]).toEqual(['SNAPPY', 'NONE'])
    const codes = pages.find(({ kind }) => kind === 'data')!.body
    expect(snappyCompress(codes).length).toBeGreaterThan(codes.length * (chunk.dataEncoding === 'PLAIN' ? 0.95 : 0.85))
  }
  expect(pages.map(({ body, ...facts }) => ({ ...facts, bytes: body.length }))).toEqual(
    model.pages.map(({ body, ...facts }) => ({ ...facts, bytes: body.length })),
  )
  pages.forEach((page, i) => {
    expect(Buffer.compare(page.body, model.pages[i]!.body), `page ${i}`).toBe(0)
  })
  expect(chunk).toMatchObject({ rows: vector.rows, dataEncoding: model.dataEncoding, compressedBytes: bytes.length })
  expect(chunk.pages.map(({ rows }) => rows)).toEqual(pages.filter(({ kind }) => kind === 'data').map(({ values }) => values))
  expect(chunk.dictionaryPageBytes > 0).toBe(model.dataEncoding === 'RLE_DICTIONARY')
  const sum = (of: (page: ReadPage) => number): number => pages.reduce((total, page) => total + of(page), 0)
  const headers = bytes.length - [...packedLengths(bytes)].reduce((total, length) => total + length, 0)
  expect(chunk.uncompressedBytes).toBe(headers + sum((page) => page.body.length))
  return first
}

function* packedLengths(bytes: Uint8Array): Generator<number> {
  for (let at = 0; at < bytes.length; ) {
    const { bodyStart, compressedBytes } = decodePageHeader(bytes, at)
    yield compressedBytes
    at = bodyStart + compressedBytes
  }
}
