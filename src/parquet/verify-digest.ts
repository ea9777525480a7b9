import { createHash, type Hash, hash } from 'node:crypto'
import type { ColumnVector, PhysicalType, Values } from '../columns/vector.js'
import { assert } from '../errors.js'
import { COPY_SLACK_BYTES, copyShort, viewOf } from './decode-copy.js'

/**
 * The content hash once more, written from `documents/FORMAT.md` for decoded pages and without content-hash.ts, which the writer uses: a row
 * that both left out by the same mistake would not be missed. It also works on a part of a column, so that parts can be checked by
 * several threads; the golden file holds both to the one layout.
 */
const BLOCK_ROWS = 65_536
const CONTENT_MAGIC = 'parquet-intake content 1\n'
/** Texts of a dictionary are put in line here before they are hashed; it stays in the processor's cache, whatever the texts add up to. */
const SLAB_BYTES = 1 << 17
/** Up to here a loop is quicker than a call that copies. */
const SHORT_TEXT_BYTES = 64

const slab = new Uint8Array(SLAB_BYTES + COPY_SLACK_BYTES)
const slabView = viewOf(slab)
const allOnes = new Uint8Array(BLOCK_ROWS).fill(1)
/** Most columns of a file have the same rows, all of them present. */
let present: { rows: number; digest: Buffer } | null = null
let gathered = new Int32Array(0)

/** The streams of a column's blocks, from a row on that begins a block: who decodes the rows gives them piece by piece. */
export class BlockStreams {
  private readonly digests: string[] = []
  private rowsInBlock = 0
  /** Rows of the block so far when none is missing; they are hashed only when it turns out that one is. */
  private onlyPresent = 0
  private readonly validity = new Stream()
  private readonly values = new Stream()
  private readonly texts: Stream | null

  constructor(physical: PhysicalType) {
    this.texts = physical === 'BYTE_ARRAY' ? new Stream() : null
  }

  /** Rows that the block has room for: a piece has no more. */
  roomRows(): number {
    return BLOCK_ROWS - this.rowsInBlock
  }

  /** The next rows, before their values; `validity` null: none is missing. */
  takeRows(rows: number, validity: Uint8Array | null): void {
    if (validity === null && this.onlyPresent === this.rowsInBlock) this.onlyPresent += rows
    else {
      this.hashOnlyPresent()
      this.validity.update(validity ?? allOnes.subarray(0, rows))
    }
    this.rowsInBlock += rows
  }

  takeValues(bytes: Uint8Array): void {
    this.values.update(bytes)
  }

  takeTexts(bytes: Uint8Array): void {
    this.texts!.update(bytes)
  }

  /** Behind the values of a piece. */
  endPiece(): void {
    if (this.rowsInBlock === BLOCK_ROWS) this.endBlock()
  }

  /** Lower-case hex, in row order; the last block may be short. */
  finish(): readonly string[] {
    if (this.rowsInBlock > 0) this.endBlock()
    return this.digests
  }

  private hashOnlyPresent(): void {
    if (this.onlyPresent > 0) this.validity.update(allOnes.subarray(0, this.onlyPresent))
    this.onlyPresent = 0
  }

  private endBlock(): void {
    const streams = [this.validityDigest(), this.values.digest()]
    if (this.texts !== null) streams.push(this.texts.digest())
    this.digests.push(hash('sha256', Buffer.concat(streams), 'hex'))
    this.rowsInBlock = 0
  }

  private validityDigest(): Buffer {
    if (this.onlyPresent === this.rowsInBlock) {
      this.onlyPresent = 0
      return presentDigest(this.rowsInBlock)
    }
    this.hashOnlyPresent()
    return this.validity.digest()
  }
}

function presentDigest(rows: number): Buffer {
  if (present?.rows !== rows) present = { rows, digest: hash('sha256', allOnes.subarray(0, rows), 'buffer') }
  return present.digest
}

/** A piece of up to so many bytes waits for what follows: if nothing does, it is hashed in one call, for which no object is made. */
const WAITING_BYTES = 1 << 15
/** Room for many of them, that not each makes an array of its own. */
const ASIDE_BYTES = 1 << 18
let aside = new Uint8Array(0)
let asideNext = 0

function laidAside(bytes: Uint8Array): Uint8Array {
  if (aside.length - asideNext < bytes.length) {
    aside = new Uint8Array(ASIDE_BYTES)
    asideNext = 0
  }
  const start = asideNext
  asideNext += bytes.length
  aside.set(bytes, start)
  return aside.subarray(start, asideNext)
}

class Stream {
  private waiting: Uint8Array | null = null
  private object: Hash | null = null

  update(bytes: Uint8Array): void {
    if (this.object === null) {
      if (this.waiting === null && bytes.length <= WAITING_BYTES) {
        this.waiting = laidAside(bytes)
        return
      }
      this.object = createHash('sha256')
      if (this.waiting !== null) this.object.update(this.waiting)
      this.waiting = null
    }
    this.object.update(bytes)
  }

  /** The next stream begins behind it. */
  digest(): Buffer {
    const { object, waiting } = this
    this.object = null
    this.waiting = null
    return object === null ? hash('sha256', waiting ?? new Uint8Array(0), 'buffer') : object.digest()
  }
}

/** Digests of the blocks of one column, from a row on that begins a block. */
export class BlockDigester {
  private readonly streams: BlockStreams

  constructor(private readonly physical: PhysicalType) {
    this.streams = new BlockStreams(physical)
  }

  /** Takes the rows `[from, to)` of a vector whose missing rows are zero. */
  append(vector: ColumnVector, from = 0, to = vector.rows): void {
    for (let start = from; start < to; ) {
      const end = Math.min(to, start + this.streams.roomRows())
      this.streams.takeRows(end - start, vector.nulls === 0 ? null : vector.validity.subarray(start, end))
      if (vector.form === 'dictionary')
        this.appendCoded(vector.dictionary, vector.codes, vector.nulls > 0 ? vector.validity : null, start, end)
      else this.appendValues(vector.values, start, end)
      this.streams.endPiece()
      start = end
    }
  }

  /** Lower-case hex, in row order; the last block may be short. */
  finish(): readonly string[] {
    return this.streams.finish()
  }

  private appendValues(values: Values, from: number, to: number): void {
    assert(values.physical === this.physical, 'a column has one physical type')
    if (values.physical === 'BYTE_ARRAY') {
      const { offsets } = values
      const lengths = wordsFor(to - from)
      for (let i = from; i < to; i++) lengths[i - from] = offsets[i + 1]! - offsets[i]!
      this.streams.takeValues(bytesOf(lengths))
      this.streams.takeTexts(values.data.subarray(offsets[from]!, offsets[to]!))
    } else if (values.physical === 'FIXED_LEN_BYTE_ARRAY') {
      this.streams.takeValues(values.data.subarray(from * values.widthBytes, to * values.widthBytes))
    } else if (values.physical === 'DOUBLE') {
      this.streams.takeValues(bytesOf(oneNan(values.data.subarray(from, to))))
    } else this.streams.takeValues(bytesOf(values.data.subarray(from, to)))
  }

  private appendCoded(dictionary: Values, codes: Uint32Array, gaps: Uint8Array | null, from: number, to: number): void {
    assert(dictionary.physical === this.physical && dictionary.physical !== 'BOOLEAN', 'a dictionary of the type of its column')
    if (dictionary.physical === 'BYTE_ARRAY') {
      const lengths = wordsFor(to - from)
      gatherLengths(dictionary.offsets, codes, gaps, from, to, lengths)
      this.streams.takeValues(bytesOf(lengths))
      this.appendCodedTexts(dictionary.data, dictionary.offsets, codes, lengths, from)
      return
    }
    const source = wordsOf(dictionary.physical === 'DOUBLE' ? oneNan(dictionary.data) : dictionary.data)
    const width = dictionary.physical === 'INT32' ? 1 : dictionary.physical === 'FIXED_LEN_BYTE_ARRAY' ? dictionary.widthBytes / 4 : 2
    assert(Number.isInteger(width), 'fixed values are whole words wide')
    const out = wordsFor((to - from) * width)
    if (width === 1) gatherWords(source, codes, gaps, from, to, out)
    else if (width === 2) gatherPairs(source, codes, gaps, from, to, out)
    else gatherMany(source, codes, gaps, from, to, out, width)
    this.streams.takeValues(bytesOf(out))
  }

  /** Texts go to the hash by slabs: what the rows of a page add up to may be far more than the page. `lengths` begins with row `from`. */
  private appendCodedTexts(data: Uint8Array, offsets: Uint32Array, codes: Uint32Array, lengths: Int32Array, from: number): void {
    const { streams } = this
    const view = viewOf(data)
    for (let start = 0; start < lengths.length; ) {
      const end = endOfSlab(lengths, start)
      if (end > start) streams.takeTexts(slab.subarray(0, fillSlab(data, view, offsets, codes, lengths, from, start, end)))
      else {
        const at = offsets[codes[from + start]!]!
        streams.takeTexts(data.subarray(at, at + lengths[start]!))
      }
      start = Math.max(end, start + 1)
    }
  }
}

/** `description`: columnDescription of content-hash.ts, which names what the cells mean. Lower-case hex. */
export function columnDigest(description: string, blocks: readonly string[]): string {
  const text = Buffer.from(description, 'utf8')
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return hash('sha256', Buffer.concat([length, text, Buffer.from(blocks.join(''), 'hex')]), 'hex')
}

/** content_sha256 from the digests of all columns. Lower-case hex. */
export function contentDigest(rows: number, columns: readonly string[]): string {
  const counts = Buffer.alloc(12)
  counts.writeBigUInt64LE(BigInt(rows), 0)
  counts.writeUInt32LE(columns.length, 8)
  const hash = createHash('sha256').update(CONTENT_MAGIC, 'utf8').update(counts)
  for (const column of columns) hash.update(column, 'hex')
  return hash.digest('hex')
}

/** All of what it gives is to be overwritten: it holds what was there before. */
function wordsFor(count: number): Int32Array {
  if (gathered.length < count) gathered = new Int32Array(Math.ceil(count * 1.25))
  return gathered.subarray(0, count)
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function wordsOf(array: ArrayBufferView): Int32Array {
  if (array.byteOffset % 4 === 0) return new Int32Array(array.buffer, array.byteOffset, array.byteLength / 4)
  return new Int32Array(bytesOf(array).slice().buffer)
}

/** Every NaN as 0x7ff8000000000000. The array itself is left as it is. */
function oneNan(data: Float64Array): Float64Array {
  let first = 0
  // NaN is what differs from itself; Number.isNaN in a callback costs ten times as much.
  // biome-ignore lint/suspicious/noSelfCompare: see above
  while (first < data.length && data[first] === data[first]) first++
  if (first === data.length) return data
  const copy = data.slice()
  const words = new BigUint64Array(copy.buffer)
  for (let i = first; i < copy.length; i++) if (Number.isNaN(copy[i])) words[i] = 0x7ff8000000000000n
  return copy
}

/** The end of the run from `start` on that fits into the slab. */
function endOfSlab(lengths: Int32Array, start: number): number {
  let left = SLAB_BYTES
  let end = start
  while (end < lengths.length && lengths[end]! <= left) left -= lengths[end++]!
  return end
}

/** Returns the bytes filled. */
function fillSlab(
  data: Uint8Array,
  view: DataView,
  offsets: Uint32Array,
  codes: Uint32Array,
  lengths: Int32Array,
  from: number,
  start: number,
  end: number,
): number {
  let filled = 0
  for (let i = start; i < end; i++) {
    const length = lengths[i]!
    const at = offsets[codes[from + i]!]!
    if (length <= SHORT_TEXT_BYTES) copyShort(view, at, length, slabView, filled)
    else slab.set(data.subarray(at, at + length), filled)
    filled += length
  }
  return filled
}

// Missing rows have the code 0 and become zero by a mask: a branch that depends on the data costs more than the work it saves.

function gatherLengths(offsets: Uint32Array, codes: Uint32Array, gaps: Uint8Array | null, from: number, to: number, out: Int32Array): void {
  for (let i = from; i < to; i++) {
    const code = codes[i]!
    const length = offsets[code + 1]! - offsets[code]!
    out[i - from] = gaps === null ? length : length & -gaps[i]!
  }
}

function gatherWords(source: Int32Array, codes: Uint32Array, gaps: Uint8Array | null, from: number, to: number, out: Int32Array): void {
  for (let i = from; i < to; i++) {
    const word = source[codes[i]!]!
    out[i - from] = gaps === null ? word : word & -gaps[i]!
  }
}

function gatherPairs(source: Int32Array, codes: Uint32Array, gaps: Uint8Array | null, from: number, to: number, out: Int32Array): void {
  let o = 0
  for (let i = from; i < to; i++, o += 2) {
    const at = codes[i]! * 2
    const mask = gaps === null ? -1 : -gaps[i]!
    out[o] = source[at]! & mask
    out[o + 1] = source[at + 1]! & mask
  }
}

function gatherMany(
  source: Int32Array,
  codes: Uint32Array,
  gaps: Uint8Array | null,
  from: number,
  to: number,
  out: Int32Array,
  width: number,
): void {
  let o = 0
  for (let i = from; i < to; i++) {
    const at = codes[i]! * width
    const mask = gaps === null ? -1 : -gaps[i]!
    for (let w = 0; w < width; w++) out[o++] = source[at + w]! & mask
  }
}
