import { createHash, type Hash, hash } from 'node:crypto'
import { checkVector } from '../columns/check-vector.js'
import type { ColumnType, ColumnVector, LogicalType, Values } from '../columns/vector.js'
import { countOf } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { assert } from '../errors.js'
import { CONTENT_BLOCK_ROWS, type ContentPiece, type ContentStreams, ONES, type Span, ZEROS } from './content-streams.js'

/**
 * content_sha256: what a version says, independent of how its file says it. The byte layout stands in `documents/FORMAT.md` and never
 * changes; the files of the test fixtures hold this code to it.
 */
export { CONTENT_BLOCK_ROWS } from './content-streams.js'

const CONTENT_MAGIC = 'parquet-intake content 1\n'

// Typed arrays are hashed as the memory they are; the layout is little-endian.
assert(new Uint8Array(Uint16Array.of(1).buffer)[0] === 1, 'parquet-intake runs on little-endian machines only')

/** Digests below the content hash, to say where two contents part. Lower-case hex. */
export interface ContentFacts {
  readonly contentSha256: string
  readonly rows: number
  readonly columns: readonly { readonly digest: string; readonly blocks: readonly string[] }[]
}

/** What a column's digest says of the column itself: name, logical type, and its parameters in a fixed order. */
export function columnDescription(column: ColumnType): string {
  return canonicalJson([column.name, ...logicalParts(column.logical)])
}

/** Of the columns of a table, which do not change, for each of its files. */
const describedColumns = new WeakMap<ColumnType, Buffer>()

/** With its length before it. */
function describedColumn(column: ColumnType): Buffer {
  let bytes = describedColumns.get(column)
  if (bytes === undefined) {
    const description = Buffer.from(columnDescription(column), 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32LE(description.length)
    bytes = Buffer.concat([length, description])
    describedColumns.set(column, bytes)
  }
  return bytes
}

function logicalParts(logical: LogicalType): (string | number | boolean)[] {
  switch (logical.kind) {
    case 'string':
    case 'json':
    case 'boolean':
    case 'double':
    case 'date':
      return [logical.kind]
    case 'integer':
      return [logical.kind, logical.bits]
    case 'decimal':
      return [logical.kind, logical.precision, logical.scale]
    case 'time':
      return [logical.kind, logical.unit]
    case 'timestamp':
      return [logical.kind, logical.unit, logical.utc]
  }
}

/**
 * Takes the rows of a table in order, in chunks of any size, and gives its content hash. Columns may run ahead of each other
 * (`appendColumn`); at the end all must have the same number of rows.
 */
export class ContentHasher {
  private readonly columns: readonly ColumnHasher[]
  private facts: ContentFacts | null = null

  constructor(columns: readonly ColumnType[]) {
    this.columns = columns.map((column) => new ColumnHasher(column))
  }

  append(vectors: readonly ColumnVector[]): void {
    assert(vectors.length === this.columns.length, 'one vector per column')
    for (const [i, vector] of vectors.entries()) {
      assert(vector.rows === vectors[0]!.rows, 'vectors of one chunk have the same rows')
      this.appendColumn(i, vector)
    }
  }

  appendColumn(index: number, vector: ColumnVector): void {
    assert(this.facts === null, 'nothing is appended after the digest')
    this.columns[index]!.append(vector)
  }

  /** Rows of one column as their streams, or whole blocks of them as digests: what `content-streams.ts` makes of rows in the memory of kernels. */
  appendPiece(index: number, piece: ContentPiece, bytes: Uint8Array): void {
    assert(this.facts === null, 'nothing is appended after the digest')
    this.columns[index]!.appendPiece(piece, bytes)
  }

  /** Rows that the block of a column still has room for. */
  rowsToBlockEnd(index: number): number {
    return CONTENT_BLOCK_ROWS - this.columns[index]!.rowsInBlock
  }

  /** Where the streams of some rows go: at most to the end of the block. */
  streams(index: number, rows: number): ContentStreams {
    return this.columns[index]!.streams(rows)
  }

  /** content_sha256, lower-case hex. */
  digest(): string {
    return this.finish().contentSha256
  }

  finish(): ContentFacts {
    if (this.facts !== null) return this.facts
    const rows = this.columns[0]?.rows ?? 0
    const content = createHash('sha256').update(CONTENT_MAGIC, 'utf8')
    const counts = Buffer.alloc(12)
    counts.writeBigUInt64LE(BigInt(rows), 0)
    counts.writeUInt32LE(this.columns.length, 8)
    content.update(counts)
    const columns = this.columns.map((column) => {
      assert(column.rows === rows, 'columns of one content have the same rows')
      const { digest, blocks } = column.finish()
      content.update(digest)
      return { digest: digest.toString('hex'), blocks }
    })
    this.facts = { contentSha256: content.digest('hex'), rows, columns }
    return this.facts
  }
}

class ColumnHasher {
  rows = 0
  private readonly digests: Buffer[] = []
  rowsInBlock = 0
  private readonly validity = new StreamHash()
  private readonly values = new StreamHash()
  private readonly bytes: StreamHash | null

  constructor(private readonly type: ColumnType) {
    this.bytes = type.physical === 'BYTE_ARRAY' ? new StreamHash() : null
  }

  append(vector: ColumnVector): void {
    checkVector(vector, this.type.physical)
    for (let from = 0; from < vector.rows; ) {
      const to = Math.min(vector.rows, from + CONTENT_BLOCK_ROWS - this.rowsInBlock)
      this.appendRows(vector, from, to)
      this.advance(to - from)
      from = to
    }
  }

  appendPiece(piece: ContentPiece, bytes: Uint8Array): void {
    const at = ([from, to]: Span): Uint8Array => bytes.subarray(from, to)
    if (piece.kind === 'blocks') {
      assert(this.rowsInBlock === 0 && this.rows % CONTENT_BLOCK_ROWS === 0, 'whole blocks follow whole blocks')
      const digests = at(piece.digests)
      for (let i = 0; i < digests.length; i += 32) this.digests.push(Buffer.from(digests.subarray(i, i + 32)))
      this.rows += piece.rows
      return
    }
    assert(this.rowsInBlock === this.rows % CONTENT_BLOCK_ROWS, 'nothing follows a block that is short')
    const streams = this.streams(piece.rows)
    streams.validity(piece.validity === null ? ONES.subarray(0, piece.rows) : at(piece.validity))
    streams.values(at(piece.values))
    if (piece.texts !== null) streams.texts(at(piece.texts))
    streams.end()
  }

  streams(rows: number): ContentStreams {
    assert(this.rowsInBlock + rows <= CONTENT_BLOCK_ROWS, 'streams stay within a block')
    return {
      validity: (bytes) => void this.validity.update(bytes),
      values: (bytes) => void this.values.update(bytes),
      texts: (bytes) => void this.bytes!.update(bytes),
      end: () => this.advance(rows),
    }
  }

  private advance(rows: number): void {
    this.rows += rows
    this.rowsInBlock += rows
    if (this.rowsInBlock === CONTENT_BLOCK_ROWS) this.endBlock()
  }

  private appendRows(vector: ColumnVector, from: number, to: number): void {
    const { validity } = vector
    this.validity.update(validity.subarray(from, to))
    const values = vector.form === 'plain' ? piece(vector.values, from, to) : materialised(vector, from, to)
    if (values.physical === 'BYTE_ARRAY') {
      const rows = countOf(values)
      const lengths = new Uint32Array(rows)
      for (let i = 0; i < rows; i++) lengths[i] = values.offsets[i + 1]! - values.offsets[i]!
      this.values.update(bytesOf(lengths))
      this.bytes!.update(values.data.subarray(values.offsets[0]!, values.offsets[rows]!))
    } else {
      this.values.update(bytesOf(values.physical === 'DOUBLE' ? withCanonicalNan(values.data) : values.data))
    }
  }

  private endBlock(): void {
    const streams = [this.validity.digest(), this.values.digest()]
    if (this.bytes !== null) streams.push(this.bytes.digest())
    this.digests.push(hash('sha256', Buffer.concat(streams), 'buffer'))
    this.rowsInBlock = 0
  }

  finish(): { digest: Buffer; blocks: readonly string[] } {
    if (this.rowsInBlock > 0) this.endBlock()
    return {
      digest: hash('sha256', Buffer.concat([describedColumn(this.type), ...this.digests]), 'buffer'),
      blocks: this.digests.map((digest) => digest.toString('hex')),
    }
  }
}

/** Bytes that wait for the end of their stream. */
const HELD_BYTES = 1 << 15
/** Copies lie side by side in one array after the other: an array for each would cost more than the copy. */
const SLAB_BYTES = 1 << 18
let slab = new Uint8Array(0)
let slabUsed = 0

function kept(bytes: Uint8Array): Uint8Array {
  if (holdsForGood(bytes)) return bytes
  if (slabUsed + bytes.length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  const copy = slab.subarray(slabUsed, slabUsed + bytes.length)
  copy.set(bytes)
  slabUsed += bytes.length
  return copy
}

const NO_BYTES = new Uint8Array(0)

/** Most columns of a file have the same rows, of which none is missing, or all of them: digests of so many ones, and of so many zeros. */
const digestsOfOnes = new Map<number, Buffer>()
const digestsOfZeros = new Map<number, Buffer>()
/** As many as a file may need: columns of several widths, in full blocks and in the last one. */
const DIGESTS_KEPT = 16

function holdsForGood({ buffer }: Uint8Array): boolean {
  return buffer === ONES.buffer || buffer === ZEROS.buffer
}

function digestOf(bytes: Uint8Array): Buffer {
  if (!holdsForGood(bytes)) return hash('sha256', bytes, 'buffer')
  const known = bytes.buffer === ONES.buffer ? digestsOfOnes : digestsOfZeros
  let digest = known.get(bytes.length)
  if (digest === undefined) {
    if (known.size === DIGESTS_KEPT) known.clear()
    digest = hash('sha256', bytes, 'buffer')
    known.set(bytes.length, digest)
  }
  return digest
}

/**
 * SHA-256 of one stream after the other. A short one, that of a file with few rows, is hashed in one call: the object that takes bytes as they
 * come costs more than the bytes, and more still when it is collected.
 */
class StreamHash {
  private held: Uint8Array | null = null
  private running: Hash | null = null

  update(bytes: Uint8Array): void {
    if (this.running === null && this.held === null && (bytes.length <= HELD_BYTES || holdsForGood(bytes))) {
      this.held = kept(bytes)
      return
    }
    this.running ??= createHash('sha256')
    if (this.held !== null) this.running.update(this.held)
    this.held = null
    this.running.update(bytes)
  }

  /** Of all bytes since the last digest. */
  digest(): Buffer {
    const digest = this.running?.digest() ?? digestOf(this.held ?? NO_BYTES)
    this.running = null
    this.held = null
    return digest
  }
}

/** The memory behind a typed array, without a copy. */
function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

/** The values of some rows, without a copy. */
function piece(values: Values, from: number, to: number): Values {
  switch (values.physical) {
    case 'BOOLEAN':
      return { physical: 'BOOLEAN', data: values.data.subarray(from, to) }
    case 'INT32':
      return { physical: 'INT32', data: values.data.subarray(from, to) }
    case 'INT64':
      return { physical: 'INT64', data: values.data.subarray(from, to) }
    case 'DOUBLE':
      return { physical: 'DOUBLE', data: values.data.subarray(from, to) }
    case 'FIXED_LEN_BYTE_ARRAY':
      return { ...values, data: values.data.subarray(from * values.widthBytes, to * values.widthBytes) }
    case 'BYTE_ARRAY':
      return { physical: 'BYTE_ARRAY', data: values.data, offsets: values.offsets.subarray(from, to + 1) }
  }
}

/** The values of some rows of a dictionary vector; missing rows are zero. */
function materialised(vector: ColumnVector & { form: 'dictionary' }, from: number, to: number): Values {
  const { dictionary, codes, validity } = vector
  const rows = to - from
  switch (dictionary.physical) {
    case 'BOOLEAN': {
      const data = new Uint8Array(rows)
      for (let i = 0; i < rows; i++) if (validity[from + i] === 1) data[i] = dictionary.data[codes[from + i]!]!
      return { physical: 'BOOLEAN', data }
    }
    case 'INT32': {
      const data = new Int32Array(rows)
      for (let i = 0; i < rows; i++) if (validity[from + i] === 1) data[i] = dictionary.data[codes[from + i]!]!
      return { physical: 'INT32', data }
    }
    case 'INT64': {
      const data = new BigInt64Array(rows)
      for (let i = 0; i < rows; i++) if (validity[from + i] === 1) data[i] = dictionary.data[codes[from + i]!]!
      return { physical: 'INT64', data }
    }
    case 'DOUBLE': {
      const data = new Float64Array(rows)
      for (let i = 0; i < rows; i++) if (validity[from + i] === 1) data[i] = dictionary.data[codes[from + i]!]!
      return { physical: 'DOUBLE', data }
    }
    case 'FIXED_LEN_BYTE_ARRAY': {
      const w = dictionary.widthBytes
      const data = new Uint8Array(rows * w)
      for (let i = 0; i < rows; i++) {
        if (validity[from + i] === 0) continue
        const start = codes[from + i]! * w
        for (let b = 0; b < w; b++) data[i * w + b] = dictionary.data[start + b]!
      }
      return { physical: 'FIXED_LEN_BYTE_ARRAY', data, widthBytes: w }
    }
    case 'BYTE_ARRAY': {
      const offsets = new Uint32Array(rows + 1)
      let total = 0
      for (let i = 0; i < rows; i++) {
        const code = codes[from + i]!
        if (validity[from + i] === 1) total += dictionary.offsets[code + 1]! - dictionary.offsets[code]!
        offsets[i + 1] = total
      }
      const data = new Uint8Array(total)
      for (let i = 0; i < rows; i++) {
        if (validity[from + i] === 0) continue
        let source = dictionary.offsets[codes[from + i]!]!
        const end = offsets[i + 1]!
        for (let at = offsets[i]!; at < end; at++) data[at] = dictionary.data[source++]!
      }
      return { physical: 'BYTE_ARRAY', data, offsets }
    }
  }
}

/** NaN has 2^53 - 2 bit patterns and one meaning; 0x7ff8000000000000 stands for all of them. */
function withCanonicalNan(data: Float64Array): Float64Array {
  if (!data.some(Number.isNaN)) return data
  const copy = data.slice()
  const words = new BigUint64Array(copy.buffer)
  for (let i = 0; i < copy.length; i++) if (Number.isNaN(copy[i])) words[i] = 0x7ff8000000000000n
  return copy
}
