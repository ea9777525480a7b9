import { must, undecodable } from './decode-fault.js'

/**
 * The reading side of page headers: Thrift's compact protocol (apache/thrift, thrift-compact-protocol.md) and the three structs of
 * parquet-format's parquet.thrift that a page of this product has. It knows nothing of page-header.ts, which writes them.
 */

/** The encodings that a page may name, by their number in parquet.thrift. */
const ENCODING_NAMES = new Map([
  [0, 'PLAIN'],
  [2, 'PLAIN_DICTIONARY'],
  [3, 'RLE'],
  [8, 'RLE_DICTIONARY'],
] as const)
export type PageEncoding = 'PLAIN' | 'PLAIN_DICTIONARY' | 'RLE' | 'RLE_DICTIONARY'

export interface DecodedPageHeader {
  readonly kind: 'data' | 'dictionary'
  /** Of the page as it stands in the file, and after decompression; the header itself is counted in neither. */
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  /** CRC-32 of the page as it stands in the file, as a signed number; null: the header has none. */
  readonly crc: number | null
  /** Of a data page: rows, missing ones included. Of a dictionary: entries. */
  readonly values: number
  readonly encoding: PageEncoding
  /** Where the page begins, in the bytes that were given. */
  readonly bodyStart: number
}

const STOP = 0
const TRUE = 1
const FALSE = 2
const BYTE = 3
const I16 = 4
const I32 = 5
const I64 = 6
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const SET = 10
const MAP = 11
const STRUCT = 12

const DATA_PAGE = 0
const DICTIONARY_PAGE = 2
/** Numbers of the fields that describe the two kinds of pages. */
const DATA_PAGE_HEADER = 5
const DICTIONARY_PAGE_HEADER = 7
/** Thrift nests as deep as its bytes say; a page header never needs more. */
const DEPTH_LIMIT = 8

/** Throws PARQUET_INVALID for bytes that are no header of a DataPage v1 or a dictionary page, also where they just end. */
export function decodePageHeader(bytes: Uint8Array, start: number): DecodedPageHeader {
  const reader = new CompactReader(bytes, start)
  // Fields 1 to 4 are numbers: type, uncompressed_page_size, compressed_page_size, crc.
  const numbers: (number | null)[] = [null, null, null, null]
  let data: readonly (number | null)[] | null = null
  let dictionary: readonly (number | null)[] | null = null
  for (let id = reader.nextField(0); id !== 0; id = reader.nextField(id)) {
    if (id <= 4) numbers[id - 1] = reader.i32()
    else if (id === DATA_PAGE_HEADER || id === DICTIONARY_PAGE_HEADER) {
      const fields = reader.structOfI32(id === DATA_PAGE_HEADER ? 4 : 2)
      if (id === DATA_PAGE_HEADER) data = fields
      else dictionary = fields
    } else reader.skip(reader.type, DEPTH_LIMIT)
  }
  const [type, uncompressed, compressed, crc] = numbers as [number | null, number | null, number | null, number | null]
  must(uncompressed !== null && uncompressed >= 0 && compressed !== null && compressed >= 0, 'a page header without sizes')
  const sizes = { compressedBytes: compressed, uncompressedBytes: uncompressed, crc, bodyStart: reader.at }
  if (type === DATA_PAGE) {
    must(data !== null && dictionary === null, 'the header of a data page does not describe one')
    const [values, encoding, definitionLevels, repetitionLevels] = data
    must(encodingName(definitionLevels) === 'RLE' && encodingName(repetitionLevels) === 'RLE', 'levels in another encoding than RLE')
    return { kind: 'data', ...sizes, values: count(values), encoding: encodingName(encoding) }
  }
  must(type === DICTIONARY_PAGE, `a page of type ${type}`)
  must(dictionary !== null && data === null, 'the header of a dictionary page does not describe one')
  return { kind: 'dictionary', ...sizes, values: count(dictionary[0]), encoding: encodingName(dictionary[1]) }
}

function count(value: number | null | undefined): number {
  must(value !== null && value !== undefined && value >= 0, 'a page that does not say how many values it has')
  return value
}

function encodingName(value: number | null | undefined): PageEncoding {
  const name = ENCODING_NAMES.get(value as 0)
  must(name !== undefined, `a page in encoding ${value}`)
  return name
}

class CompactReader {
  /** Of the field that `nextField` found. */
  type = STOP

  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** Number of the next field of a struct, 0 at its end. Fields come in rising order from every writer there is. */
  nextField(last: number): number {
    const head = this.byte()
    if (head === STOP) return 0
    this.type = head & 0x0f
    const delta = head >>> 4
    const id = delta === 0 ? unzigzag(this.varint()) : last + delta
    must(id > last && id <= 0x7fff, 'the fields of a page header are out of order')
    return id
  }

  i32(): number {
    must(this.type === I32, 'a number of a page header has another type')
    return unzigzag(this.varint())
  }

  /** The first `fields` fields of a struct, all of them numbers; later ones are passed over. */
  structOfI32(fields: number): (number | null)[] {
    must(this.type === STRUCT, 'a part of a page header is no struct')
    const values = new Array<number | null>(fields).fill(null)
    for (let id = this.nextField(0); id !== 0; id = this.nextField(id)) {
      if (id <= fields) values[id - 1] = this.i32()
      else this.skip(this.type, DEPTH_LIMIT)
    }
    return values
  }

  skip(type: number, depth: number): void {
    must(depth > 0, 'a page header is nested too deeply')
    switch (type) {
      case TRUE:
      case FALSE:
        return
      case BYTE:
        this.advance(1)
        return
      case I16:
      case I32:
      case I64:
        while (this.byte() > 0x7f) {}
        return
      case DOUBLE:
        this.advance(8)
        return
      case BINARY:
        this.advance(this.varint())
        return
      case LIST:
      case SET: {
        const head = this.byte()
        const size = head >>> 4 === 15 ? this.varint() : head >>> 4
        // Every element takes a byte at least, so the bytes that are there bound this loop.
        for (let i = 0; i < size; i++) this.skipElement(head & 0x0f, depth)
        return
      }
      case MAP: {
        const size = this.varint()
        if (size === 0) return
        const types = this.byte()
        for (let i = 0; i < size; i++) {
          this.skipElement(types >>> 4, depth)
          this.skipElement(types & 0x0f, depth)
        }
        return
      }
      case STRUCT:
        for (let id = this.nextField(0); id !== 0; id = this.nextField(id)) this.skip(this.type, depth - 1)
        return
      default:
        throw undecodable('a page header with a type that Thrift does not have')
    }
  }

  /** In a container a boolean is a byte; as a field its type says it all. */
  private skipElement(type: number, depth: number): void {
    if (type === TRUE || type === FALSE) this.advance(1)
    else this.skip(type, depth - 1)
  }

  private byte(): number {
    if (this.at >= this.bytes.length) throw undecodable('a page header ends before it is whole')
    return this.bytes[this.at++]!
  }

  private advance(bytes: number): void {
    must(bytes <= this.bytes.length - this.at, 'a page header ends before it is whole')
    this.at += bytes
  }

  /** Unsigned, 32 bits. */
  private varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw undecodable('a number of a page header has more than 32 bits')
  }
}

function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1)
}
