import { createHash, type Hash } from 'node:crypto'
import type { ColumnType, ColumnVector, LogicalType, Values } from '../columns/vector.js'
import { countOf } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { assert } from '../errors.js'
import { checkVector } from './check-vector.js'
import { bytesOf } from './encode-plain.js'

/**
 * content_sha256: what a version says, independent of how its file says it. The byte layout stands in `documents/FORMAT.md` and never
 * changes; the files of the test fixtures hold this code to it.
 */
export const CONTENT_BLOCK_ROWS = 65_536
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

  /** content_sha256, lower-case hex. */
  digest(): string {
    return this.finish().contentSha256
  }

  finish(): ContentFacts {
    if (this.facts !== null) return this.facts
    const rows = this.columns[0]?.rows ?? 0
    const hash = createHash('sha256').update(CONTENT_MAGIC, 'utf8')
    const counts = Buffer.alloc(12)
    counts.writeBigUInt64LE(BigInt(rows), 0)
    counts.writeUInt32LE(this.columns.length, 8)
    hash.update(counts)
    const columns = this.columns.map((column) => {
      assert(column.rows === rows, 'columns of one content have the same rows')
      const { digest, blocks } = column.finish()
      hash.update(digest)
      return { digest: digest.toString('hex'), blocks }
    })
    this.facts = { contentSha256: hash.digest('hex'), rows, columns }
    return this.facts
  }
}

class ColumnHasher {
  rows = 0
  private readonly column: Hash
  private readonly blocks: string[] = []
  private rowsInBlock = 0
  private validity = createHash('sha256')
  private values = createHash('sha256')
  private bytes: Hash | null

  constructor(private readonly type: ColumnType) {
    const description = Buffer.from(columnDescription(type), 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32LE(description.length)
    this.column = createHash('sha256').update(length).update(description)
    this.bytes = type.physical === 'BYTE_ARRAY' ? createHash('sha256') : null
  }

  append(vector: ColumnVector): void {
    checkVector(vector, this.type.physical)
    for (let from = 0; from < vector.rows; ) {
      const to = Math.min(vector.rows, from + CONTENT_BLOCK_ROWS - this.rowsInBlock)
      this.appendPiece(vector, from, to)
      this.rows += to - from
      this.rowsInBlock += to - from
      if (this.rowsInBlock === CONTENT_BLOCK_ROWS) this.endBlock()
      from = to
    }
  }

  private appendPiece(vector: ColumnVector, from: number, to: number): void {
    const { validity } = vector
    let present = 0
    for (let i = from; i < to; i++) present += validity[i]!
    this.validity.update(validity.subarray(from, to))
    const values = vector.form === 'plain' ? piece(vector.values, from, to) : materialised(vector, from, to)
    if (vector.form === 'plain' && present < to - from) assertMissingIsZero(values, validity, from)
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
    const block = createHash('sha256').update(this.validity.digest()).update(this.values.digest())
    if (this.bytes !== null) block.update(this.bytes.digest())
    const digest = block.digest()
    this.column.update(digest)
    this.blocks.push(digest.toString('hex'))
    this.rowsInBlock = 0
    this.validity = createHash('sha256')
    this.values = createHash('sha256')
    if (this.bytes !== null) this.bytes = createHash('sha256')
  }

  finish(): { digest: Buffer; blocks: readonly string[] } {
    if (this.rowsInBlock > 0) this.endBlock()
    return { digest: this.column.digest(), blocks: this.blocks }
  }
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

/** A missing row that holds something would give one content two hashes: whoever made the vector broke its contract. */
function assertMissingIsZero(values: Values, validity: Uint8Array, from: number): void {
  const rows = countOf(values)
  for (let i = 0; i < rows; i++) {
    if (validity[from + i] === 1) continue
    let zero = true
    switch (values.physical) {
      case 'BOOLEAN':
      case 'INT32':
        zero = values.data[i] === 0
        break
      case 'INT64':
        zero = values.data[i] === 0n
        break
      case 'DOUBLE':
        zero = Object.is(values.data[i], 0)
        break
      case 'FIXED_LEN_BYTE_ARRAY':
        zero = values.data.subarray(i * values.widthBytes, (i + 1) * values.widthBytes).every((byte) => byte === 0)
        break
      case 'BYTE_ARRAY':
        zero = values.offsets[i] === values.offsets[i + 1]
        break
    }
    assert(zero, 'missing rows of a plain vector are zero')
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
