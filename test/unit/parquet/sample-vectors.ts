import {
  type ColumnType,
  type ColumnVector,
  DECIMAL_WIDTH_BYTES,
  type LogicalType,
  type PlainVector,
  physicalTypeOf,
  type Values,
} from '../../../src/columns/vector.js'
import type { ContentFacts } from '../../../src/parquet/content-hash.js'
import { type Compression, ParquetFileWriter, type WrittenFile } from '../../../src/parquet/file-writer.js'
import type { WrittenFacts } from '../../../src/parquet/verify-file.js'
import type { OpenFile } from '../../../src/runtime/files.js'

/** A cell in physical form: boolean, number, bigint (INT64, and decimals of 16 bytes), text or bytes; null is missing. */
export type Cell = boolean | number | bigint | string | Uint8Array | null

export function columnType(name: string, logical: LogicalType, unit: string | null = null): ColumnType {
  return { name, logical, physical: physicalTypeOf(logical), unit }
}

/** Every logical type with every parameter that changes its physical form. */
export const ALL_LOGICAL_TYPES: readonly LogicalType[] = [
  { kind: 'string' },
  { kind: 'json' },
  { kind: 'boolean' },
  { kind: 'integer', bits: 32 },
  { kind: 'integer', bits: 64 },
  { kind: 'double' },
  { kind: 'decimal', precision: 9, scale: 2 },
  { kind: 'decimal', precision: 18, scale: 6 },
  { kind: 'decimal', precision: 38, scale: 10 },
  { kind: 'date' },
  { kind: 'time', unit: 'MILLIS' },
  { kind: 'time', unit: 'MICROS' },
  { kind: 'timestamp', unit: 'MILLIS', utc: true },
  { kind: 'timestamp', unit: 'MILLIS', utc: false },
  { kind: 'timestamp', unit: 'MICROS', utc: true },
  { kind: 'timestamp', unit: 'MICROS', utc: false },
]

export function labelOf(logical: LogicalType): string {
  return Object.values(logical).join(' ')
}

function bytesOfCell(cell: Cell): Uint8Array {
  return typeof cell === 'string' ? Buffer.from(cell, 'utf8') : (cell as Uint8Array)
}

export function fixedBytes(value: bigint): Uint8Array {
  const out = new Uint8Array(DECIMAL_WIDTH_BYTES)
  let rest = BigInt.asUintN(DECIMAL_WIDTH_BYTES * 8, value)
  for (let i = DECIMAL_WIDTH_BYTES - 1; i >= 0; i--) {
    out[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return out
}

function valuesOf(type: ColumnType, cells: readonly Cell[]): Values {
  const n = cells.length
  switch (type.physical) {
    case 'BOOLEAN':
      return { physical: 'BOOLEAN', data: Uint8Array.from(cells, (c) => (c === true ? 1 : 0)) }
    case 'INT32':
      return { physical: 'INT32', data: Int32Array.from(cells, (c) => (c as number | null) ?? 0) }
    case 'INT64':
      return { physical: 'INT64', data: BigInt64Array.from(cells, (c) => (c as bigint | null) ?? 0n) }
    case 'DOUBLE':
      return { physical: 'DOUBLE', data: Float64Array.from(cells, (c) => (c as number | null) ?? 0) }
    case 'FIXED_LEN_BYTE_ARRAY': {
      const data = new Uint8Array(n * DECIMAL_WIDTH_BYTES)
      cells.forEach((c, i) => {
        if (c !== null) data.set(fixedBytes(c as bigint), i * DECIMAL_WIDTH_BYTES)
      })
      return { physical: 'FIXED_LEN_BYTE_ARRAY', data, widthBytes: DECIMAL_WIDTH_BYTES }
    }
    case 'BYTE_ARRAY': {
      const parts = cells.map((c) => (c === null ? new Uint8Array(0) : bytesOfCell(c)))
      const offsets = new Uint32Array(n + 1)
      parts.forEach((p, i) => {
        offsets[i + 1] = offsets[i]! + p.length
      })
      return { physical: 'BYTE_ARRAY', data: new Uint8Array(Buffer.concat(parts)), offsets }
    }
  }
}

export function plainVector(type: ColumnType, cells: readonly Cell[]): PlainVector {
  const validity = Uint8Array.from(cells, (c) => (c === null ? 0 : 1))
  return { form: 'plain', rows: cells.length, validity, nulls: cells.filter((c) => c === null).length, values: valuesOf(type, cells) }
}

function keyOfCell(cell: Cell): string {
  if (typeof cell === 'number') return Object.is(cell, -0) ? '-0' : String(cell)
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString('hex')
  return `${typeof cell}:${String(cell)}`
}

/** With entries that no row uses in front, behind and, so that a remapping is needed, in between. */
export function dictionaryVector(type: ColumnType, cells: readonly Cell[], unused: readonly Cell[] = []): ColumnVector {
  const entries: Cell[] = []
  const codeOf = new Map<string, number>()
  const codes = new Uint32Array(cells.length)
  const enter = (cell: Cell): number => {
    const key = keyOfCell(cell)
    let code = codeOf.get(key)
    if (code === undefined) {
      code = entries.length
      codeOf.set(key, code)
      entries.push(cell)
    }
    return code
  }
  unused.slice(0, Math.ceil(unused.length / 2)).forEach(enter)
  cells.forEach((cell, i) => {
    if (cell !== null) codes[i] = enter(cell)
  })
  unused.slice(Math.ceil(unused.length / 2)).forEach(enter)
  const validity = Uint8Array.from(cells, (c) => (c === null ? 0 : 1))
  return {
    form: 'dictionary',
    rows: cells.length,
    validity,
    nulls: cells.filter((c) => c === null).length,
    codes,
    dictionary: valuesOf(type, entries),
  }
}

export function isMissing(vector: ColumnVector, i: number): boolean {
  return vector.validity[i] === 0
}

/** The cell of a vector, as `Cell`. */
export function cellOf(vector: PlainVector, i: number): Cell {
  if (isMissing(vector, i)) return null
  const { values } = vector
  switch (values.physical) {
    case 'BOOLEAN':
      return values.data[i] === 1
    case 'BYTE_ARRAY':
      return Buffer.from(values.data.subarray(values.offsets[i]!, values.offsets[i + 1]!)).toString('utf8')
    case 'FIXED_LEN_BYTE_ARRAY':
      return BigInt.asIntN(128, BigInt(`0x${Buffer.from(values.data.subarray(i * 16, i * 16 + 16)).toString('hex')}`))
    default:
      return values.data[i]!
  }
}

/** A file in memory that behaves like the real one as far as writing goes. */
export class MemoryFile implements OpenFile {
  readonly chunks: Uint8Array[] = []
  sizeBytes = 0
  /** Called before each write; throw to fail it. */
  beforeWrite: (bytes: Uint8Array) => void | Promise<void> = () => undefined

  async write(bytes: Uint8Array): Promise<void> {
    await this.beforeWrite(bytes)
    this.chunks.push(bytes.slice())
    this.sizeBytes += bytes.length
  }
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks))
  }
  stat(): never {
    throw new Error('not used')
  }
  read(): never {
    throw new Error('not used')
  }
  writeAt(): never {
    throw new Error('not used')
  }
  truncate(): never {
    throw new Error('not used')
  }
  sync(): never {
    throw new Error('the writer must not sync')
  }
  close(): never {
    throw new Error('the writer must not close')
  }
}

export async function writeParquet(options: {
  columns: readonly ColumnType[]
  rowGroups: readonly (readonly ColumnVector[])[]
  compression?: Compression
  keyValue?: ReadonlyMap<string, string>
}): Promise<WrittenFile & { file: Uint8Array; content: ContentFacts; facts: WrittenFacts }> {
  const file = new MemoryFile()
  const writer = await ParquetFileWriter.open({
    file,
    columns: options.columns,
    compression: options.compression ?? 'SNAPPY',
    keyValue: options.keyValue ?? new Map(),
  })
  for (const vectors of options.rowGroups) await writer.writeRowGroup(vectors)
  const written = await writer.finish()
  return { ...written, file: file.bytes, content: writer.contentFacts(), facts: writer.writtenFacts() }
}

/** A small deterministic generator (mulberry32); seeds make tests repeatable. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
