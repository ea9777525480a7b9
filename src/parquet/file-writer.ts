import { createHash, hash } from 'node:crypto'
import { type KernelColumn, placeVector } from '../columns/kernel-column.js'
import type { ColumnType, ColumnVector } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import { ByteSink } from './byte-sink.js'
import type { ChunkDigest } from './chunk-digest.js'
import type { Compression } from './compress-page.js'
import { type ContentFacts, ContentHasher } from './content-hash.js'
import { streamRows } from './content-streams.js'
import { CREATED_BY } from './created-by.js'
import { type EncodedColumnChunk, encodeColumn } from './encode-column.js'
import { encodeKernels } from './encode-kernels.js'
import type { EncodedRowGroup } from './encode-row-group.js'
import { loadParquetTypes, serializeThrift } from './load-parquetjs.js'
import { UNIT_KEY, UNITS_KEY } from './metadata-keys.js'
import { type ChunkIndexes, PageIndex } from './page-index.js'
import { type ParquetTypes, schemaElements } from './schema-elements.js'

export type { Compression } from './compress-page.js'

/** Encoded columns wait until there is so much to write, or so much memory behind it: each write is a round trip to the operating system. */
const WRITE_BYTES = 1 << 20

interface EncodedBytes {
  readonly chunk: EncodedColumnChunk
  readonly bytes: Uint8Array
}

/** A 64-bit number of a Thrift structure. Plain numbers do: the places and sizes of a file are exact in 53 bits. */
type Int64 = InstanceType<ParquetTypes['FileMetaData']>['num_rows']
type ThriftRowGroup = InstanceType<ParquetTypes['RowGroup']>
type ThriftColumnChunk = InstanceType<ParquetTypes['ColumnChunk']>

export interface WrittenFile {
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
}

/**
 * Writes one Parquet file from column vectors, a row group at a time. The structures of the footer are the Thrift classes of
 * @dsnp/parquetjs; pages are encoded here, and so is the footer, because the library's own knows no logical types.
 *
 * - The file belongs to the caller, who opens, syncs and closes it; nothing is durable before that sync.
 * - The same vectors in the same row groups give the same bytes, always.
 * - One call at a time. A call that does not wait for the one before it fails an assertion instead of mixing two row groups. After that, and
 *   after a failed write, every call throws that failure again, so that a file with a hole cannot be finished.
 */
export class ParquetFileWriter {
  private readonly rowGroups: ThriftRowGroup[] = []
  private readonly pageIndex = new PageIndex()
  /** Column chunks that do not know yet where their indexes will stand. */
  private readonly indexed: { readonly chunk: ThriftColumnChunk; readonly indexes: ChunkIndexes }[] = []
  /** By row group and column. */
  private readonly chunkDigests: ChunkDigest[][] = []
  /** Everything behind the last page. */
  private tail: readonly Uint8Array[] = []
  private readonly contentHasher: ContentHasher
  private readonly fileHash = createHash('sha256')
  /** Sections that `flush` has not written yet. */
  private pending: Uint8Array[] = []
  private pendingBytes = 0
  /** Of the arrays that sections are views of. */
  private pendingMemoryBytes = 0
  private state: 'open' | 'busy' | 'failed' | 'finished' = 'open'
  private failure: unknown = null
  private overlap: Error | null = null
  private rows = 0
  private bytes = 0
  /** Where the next section begins. */
  private offset = 0

  private constructor(
    private readonly options: {
      readonly file: OpenFile
      readonly columns: readonly ColumnType[]
      readonly compression: Compression
      readonly keyValue: ReadonlyMap<string, string>
    },
    private readonly types: ParquetTypes,
  ) {
    this.contentHasher = new ContentHasher(options.columns)
  }

  /**
   * Starts a file at the current (first) position of `file`. Column names are written as they are; `unit` goes to each column's key-value
   * metadata, and to the file's under UNITS_KEY when there are no row groups. `keyValue` keeps its order. Zero rows are legal.
   */
  static async open(options: {
    file: OpenFile
    columns: readonly ColumnType[]
    compression: Compression
    keyValue: ReadonlyMap<string, string>
  }): Promise<ParquetFileWriter> {
    assert(options.columns.length > 0, 'a Parquet file has columns')
    const writer = new ParquetFileWriter(options, loadParquetTypes())
    writer.put(Buffer.from('PAR1', 'latin1'))
    return writer
  }

  /** Appends one row group: one vector per column, all of the same rows. No rows: nothing is written. */
  async writeRowGroup(vectors: readonly ColumnVector[]): Promise<void> {
    const { columns } = this.options
    await this.exclusively(async () => {
      assert(vectors.length === columns.length, 'one vector per column')
      const kernels = await encodeKernels()
      await this.putRowGroup(vectors[0]!.rows, (i) => {
        const mark = kernels.mark()
        try {
          assert(vectors[i]!.rows === vectors[0]!.rows, 'vectors of one row group have the same rows')
          return this.encode(kernels, placeVector(kernels, vectors[i]!, columns[i]!.physical), i)
        } finally {
          kernels.release(mark)
        }
      })
    })
  }

  /** The same with columns in the memory of kernels. They must stay there until this is done. */
  async writeColumns(kernels: Kernels, columns: readonly KernelColumn[]): Promise<void> {
    await this.exclusively(async () => {
      assert(columns.length === this.options.columns.length, 'one column per column of the file')
      await this.putRowGroup(columns[0]!.rows, (i) => this.encode(kernels, columns[i]!, i))
    })
  }

  /** Appends a row group that another thread has encoded. */
  async writeEncodedRowGroup(group: EncodedRowGroup): Promise<void> {
    await this.exclusively(async () => {
      assert(group.columns.length === this.options.columns.length, 'one encoded column per column of the file')
      let at = 0
      await this.putRowGroup(group.rows, (i) => {
        const { chunk, content } = group.columns[i]!
        for (const piece of content) this.contentHasher.appendPiece(i, piece, group.bytes)
        const bytes = group.bytes.subarray(at, at + chunk.compressedBytes)
        at += chunk.compressedBytes
        return { chunk, bytes }
      })
      // Its memory is the caller's again.
      await this.flush()
    })
  }

  private encode(kernels: Kernels, column: KernelColumn, index: number): EncodedBytes {
    // What it comes to uncompressed, texts aside.
    const sink = new ByteSink(column.rows * 8)
    const chunk = encodeColumn(kernels, column, this.options.compression, sink)
    for (let from = 0; from < column.rows; ) {
      const to = Math.min(column.rows, from + this.contentHasher.rowsToBlockEnd(index))
      streamRows(kernels, column, from, to, this.contentHasher.streams(index, to - from))
      from = to
    }
    return { chunk, bytes: sink.bytes() }
  }

  private async putRowGroup(rows: number, encoded: (column: number) => EncodedBytes): Promise<void> {
    const { columns } = this.options
    if (rows === 0) return
    const { types } = this
    const start = this.offset
    const chunks: ThriftColumnChunk[] = []
    const digests: ChunkDigest[] = []
    let compressedBytes = 0
    let uncompressedBytes = 0
    for (const [i, column] of columns.entries()) {
      const { chunk, bytes } = encoded(i)
      assert(chunk.rows === rows, 'columns of one row group have the same rows')
      chunks.push(this.columnChunk(column, chunk))
      digests.push(chunk.digest)
      this.put(asBuffer(bytes))
      compressedBytes += chunk.compressedBytes
      uncompressedBytes += chunk.uncompressedBytes
      if (this.pendingBytes >= WRITE_BYTES) await this.flush()
    }
    // A small file is written at once, with its footer.
    if (this.pendingMemoryBytes >= WRITE_BYTES) await this.flush()
    const rowGroup = fill(new types.RowGroup(), {
      columns: chunks,
      total_byte_size: this.int64(uncompressedBytes),
      num_rows: this.int64(rows),
      file_offset: this.int64(start),
      total_compressed_size: this.int64(compressedBytes),
    })
    // A 16-bit field: beyond it the ordinal is left out, which is allowed.
    if (this.rowGroups.length <= 0x7fff) rowGroup.ordinal = this.rowGroups.length
    this.rowGroups.push(rowGroup)
    this.chunkDigests.push(digests)
    this.rows += rows
  }

  /** Writes the page index and the footer. The bytes are handed to the operating system and not synced. */
  async finish(): Promise<WrittenFile> {
    await this.exclusively(async () => {
      const before = this.pending.length
      this.putPageIndex()
      this.put(this.footer())
      this.tail = this.pending.slice(before)
      await this.flush()
    })
    this.state = 'finished'
    return {
      rows: this.rows,
      bytes: this.bytes,
      parquetSha256: this.fileHash.digest('hex'),
      contentSha256: this.contentHasher.digest(),
    }
  }

  /** Digests per column and block, after `finish`: given to `verifyParquet`, it can name the place where a file differs. */
  contentFacts(): ContentFacts {
    assert(this.state === 'finished', 'the file is finished')
    return this.contentHasher.finish()
  }

  /** After `finish`: what verification holds the file against as long as its writer is there (verify-file.ts, `WrittenFacts`). */
  writtenFacts(): { chunks: readonly (readonly ChunkDigest[])[]; tail: { sizeBytes: number; sha256: string } } {
    assert(this.state === 'finished', 'the file is finished')
    const tail = Buffer.concat(this.tail)
    return { chunks: this.chunkDigests, tail: { sizeBytes: tail.length, sha256: hash('sha256', tail, 'hex') } }
  }

  private async exclusively(work: () => Promise<void>): Promise<void> {
    if (this.state === 'failed') throw this.failure
    if (this.state === 'busy') {
      // The refused rows would be missing from the file, and whoever does not wait may not look at this error either.
      this.overlap ??= new Error('assertion failed: the call before must be awaited')
      throw this.overlap
    }
    assert(this.state === 'open', 'the file is finished')
    this.state = 'busy'
    try {
      await work()
      if (this.overlap !== null) throw this.overlap
      this.state = 'open'
    } catch (error) {
      this.state = 'failed'
      this.failure = error
      throw error
    }
  }

  private async flush(): Promise<void> {
    if (this.pending.length === 0) return
    const bytes = joined(this.pending)
    this.pending = []
    this.pendingBytes = 0
    this.pendingMemoryBytes = 0
    this.fileHash.update(bytes)
    await this.options.file.write(bytes)
    this.bytes += bytes.length
  }

  private put(section: Uint8Array): void {
    this.pending.push(section)
    this.pendingBytes += section.length
    this.pendingMemoryBytes += section.buffer.byteLength
    this.offset += section.length
  }

  private int64(value: number): Int64 {
    return value as unknown as Int64
  }

  private columnChunk(column: ColumnType, chunk: EncodedColumnChunk): ThriftColumnChunk {
    const { types: t } = this
    const start = this.offset
    const { statistics } = chunk
    const thriftStatistics = fill(new t.Statistics(), { null_count: this.int64(statistics.nulls) })
    // min_value and max_value only: the older min and max have no defined order for byte arrays.
    if (statistics.min !== null) {
      thriftStatistics.min_value = asBuffer(statistics.min)
      thriftStatistics.is_min_value_exact = statistics.minExact
    }
    if (statistics.max !== null) {
      thriftStatistics.max_value = asBuffer(statistics.max)
      thriftStatistics.is_max_value_exact = statistics.maxExact
    }
    const withDictionary = chunk.dictionaryPageBytes > 0
    const dataEncoding = t.Encoding[chunk.dataEncoding]
    const metadata = fill(new t.ColumnMetaData(), {
      type: t.Type[column.physical],
      encodings: withDictionary ? [t.Encoding.RLE, t.Encoding.PLAIN, dataEncoding] : [t.Encoding.RLE, dataEncoding],
      path_in_schema: [column.name],
      codec: t.CompressionCodec[chunk.compression === 'NONE' ? 'UNCOMPRESSED' : chunk.compression],
      num_values: this.int64(chunk.rows),
      total_uncompressed_size: this.int64(chunk.uncompressedBytes),
      total_compressed_size: this.int64(chunk.compressedBytes),
      data_page_offset: this.int64(start + chunk.dictionaryPageBytes),
      statistics: thriftStatistics,
      encoding_stats: [
        ...(withDictionary
          ? [fill(new t.PageEncodingStats(), { page_type: t.PageType.DICTIONARY_PAGE, encoding: t.Encoding.PLAIN, count: 1 })]
          : []),
        fill(new t.PageEncodingStats(), { page_type: t.PageType.DATA_PAGE, encoding: dataEncoding, count: chunk.pages.length }),
      ],
    })
    if (withDictionary) metadata.dictionary_page_offset = this.int64(start)
    if (column.unit !== null) metadata.key_value_metadata = [new t.KeyValue({ key: UNIT_KEY, value: column.unit })]
    const thriftChunk = fill(new t.ColumnChunk(), { file_offset: this.int64(start), meta_data: metadata })
    const indexes = this.pageIndex.add(column.physical, start + chunk.dictionaryPageBytes, chunk.pages)
    this.indexed.push({ chunk: thriftChunk, indexes })
    return thriftChunk
  }

  private putPageIndex(): void {
    const { columns, offsets } = this.pageIndex.sections()
    const columnsAt = this.offset
    this.put(columns)
    const offsetsAt = this.offset
    this.put(offsets)
    for (const { chunk, indexes } of this.indexed) {
      chunk.offset_index_offset = this.int64(offsetsAt + indexes.offset.start)
      chunk.offset_index_length = indexes.offset.bytes
      if (indexes.column === null) continue
      chunk.column_index_offset = this.int64(columnsAt + indexes.column.start)
      chunk.column_index_length = indexes.column.bytes
    }
  }

  private footer(): Buffer {
    const { types: t } = this
    const { columns, keyValue } = this.options
    const pairs = [...keyValue]
    if (this.rowGroups.length === 0 && columns.some((c) => c.unit !== null))
      pairs.push([UNITS_KEY, canonicalJson(columns.map((c) => c.unit))])
    const { schema, orders } = schemaOf(t, columns)
    const metadata = fill(new t.FileMetaData(), {
      version: 1,
      schema,
      num_rows: this.int64(this.rows),
      row_groups: this.rowGroups,
      key_value_metadata: pairs.map(([key, value]) => new t.KeyValue({ key, value })),
      created_by: CREATED_BY,
      // Without it readers must not use min_value and max_value.
      column_orders: orders,
    })
    const body = serializeThrift(metadata)
    const tail = Buffer.alloc(8)
    tail.writeUInt32LE(body.length, 0)
    tail.write('PAR1', 4, 'latin1')
    return Buffer.concat([body, tail])
  }
}

interface ThriftSchema {
  readonly schema: InstanceType<ParquetTypes['SchemaElement']>[]
  readonly orders: InstanceType<ParquetTypes['ColumnOrder']>[]
}

/** A table of a thousand records writes a thousand files of the same columns. */
const schemas = new WeakMap<readonly ColumnType[], ThriftSchema>()

function schemaOf(t: ParquetTypes, columns: readonly ColumnType[]): ThriftSchema {
  let known = schemas.get(columns)
  if (known === undefined) {
    known = {
      schema: schemaElements(t, columns),
      orders: columns.map(() => new t.ColumnOrder({ TYPE_ORDER: new t.TypeDefinedOrder() })),
    }
    schemas.set(columns, known)
  }
  return known
}

/** Their constructors would copy every list with all that is in it, and make an object of each number. */
function fill<T extends object>(structure: T, fields: Partial<T>): T {
  return Object.assign(structure, fields)
}

/** Without a copy where one begins in memory where the one before it ends, as the columns of another thread's row group do. */
function joined(sections: readonly Uint8Array[]): Uint8Array {
  const [first] = sections
  let end = first!.byteOffset
  for (const { buffer, byteOffset, length } of sections) {
    if (buffer !== first!.buffer || byteOffset !== end) return Buffer.concat(sections)
    end += length
  }
  return new Uint8Array(first!.buffer, first!.byteOffset, end - first!.byteOffset)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
