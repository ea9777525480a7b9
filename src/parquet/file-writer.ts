import { createHash } from 'node:crypto'
import type { ColumnType, ColumnVector } from '../columns/vector.js'
import { canonicalJson } from '../core/canonical-json.js'
import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import type { Compression } from './compress-page.js'
import { type ContentFacts, ContentHasher } from './content-hash.js'
import { CREATED_BY } from './created-by.js'
import { type EncodedColumnChunk, encodeColumn } from './encode-column.js'
import { encodeKernels } from './encode-kernels.js'
import { UNIT_KEY, UNITS_KEY } from './metadata-keys.js'
import { type ParquetTypes, schemaElements } from './schema-elements.js'

export type { Compression } from './compress-page.js'

/** Deep imports: the package's main entry would load the AWS SDK with it. Loaded on first use (70 ms). */
async function loadParquetjs() {
  const [loaded, { ParquetEnvelopeWriter }, { serializeThrift, cloneInteger }] = await Promise.all([
    import('@dsnp/parquetjs/dist/gen-nodejs/parquet_types.js'),
    import('@dsnp/parquetjs/dist/lib/writer.js'),
    import('@dsnp/parquetjs/dist/lib/util.js'),
  ])
  // Node finds no names of enumerations in this CommonJS file; its `default` is the whole module.
  const types = (loaded as { default?: ParquetTypes }).default ?? loaded
  return { types, ParquetEnvelopeWriter, serializeThrift, cloneInteger }
}
type Parquetjs = Awaited<ReturnType<typeof loadParquetjs>>
type EnvelopeWriter = InstanceType<Parquetjs['ParquetEnvelopeWriter']>
type Int64 = EnvelopeWriter['offset']
type ThriftRowGroup = InstanceType<ParquetTypes['RowGroup']>

export interface WrittenFile {
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
}

/**
 * Writes one Parquet file from column vectors, a row group at a time. Header, offsets and the footer's place are the business of
 * @dsnp/parquetjs's envelope; pages are encoded here, and so is the footer, because the library's own knows no logical types.
 *
 * - The file belongs to the caller, who opens, syncs and closes it; nothing is durable before that sync.
 * - The same vectors in the same row groups give the same bytes, always.
 * - One call at a time. A call that does not wait for the one before it fails an assertion instead of mixing two row groups. After that, and
 *   after a failed write, every call throws that failure again, so that a file with a hole cannot be finished.
 */
export class ParquetFileWriter {
  private readonly envelope: EnvelopeWriter
  private readonly rowGroups: ThriftRowGroup[] = []
  private readonly contentHasher: ContentHasher
  private readonly fileHash = createHash('sha256')
  /** Sections that the envelope has handed over and `flush` has not written yet. */
  private pending: Uint8Array[] = []
  private state: 'open' | 'busy' | 'failed' | 'finished' = 'open'
  private failure: unknown = null
  private overlap: Error | null = null
  private rows = 0
  private bytes = 0

  private constructor(
    private readonly options: {
      readonly file: OpenFile
      readonly columns: readonly ColumnType[]
      readonly compression: Compression
      readonly keyValue: ReadonlyMap<string, string>
    },
    private readonly parquetjs: Parquetjs,
    private readonly kernels: Kernels | null,
  ) {
    this.contentHasher = new ContentHasher(options.columns)
    // The envelope does not wait for what it writes. So it only queues, and flush() below is where writing and waiting happen.
    const queue = (section: Uint8Array): void => {
      this.pending.push(section)
    }
    const noSchema = undefined as never // Only the row path, which is not used, looks at it.
    this.envelope = new parquetjs.ParquetEnvelopeWriter(noSchema, queue, () => undefined, this.int64(0), {})
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
    const [parquetjs, kernels] = await Promise.all([loadParquetjs(), encodeKernels()])
    const writer = new ParquetFileWriter(options, parquetjs, kernels)
    await writer.exclusively(async () => {
      writer.envelope.writeHeader()
      await writer.flush()
    })
    return writer
  }

  /** Appends one row group: one vector per column, all of the same rows. No rows: nothing is written. */
  async writeRowGroup(vectors: readonly ColumnVector[]): Promise<void> {
    const { compression } = this.options
    const { kernels } = this
    await this.exclusively(() => this.putRowGroup(vectors, (i) => encodeColumn(vectors[i]!, { compression, kernels })))
  }

  /** Appends a row group that another thread has encoded: `chunks` are what `encodeColumn` made of `vectors`, which are still hashed here. */
  async writeEncodedRowGroup(vectors: readonly ColumnVector[], chunks: readonly EncodedColumnChunk[]): Promise<void> {
    assert(chunks.length === vectors.length, 'one encoded column per vector')
    await this.exclusively(() => this.putRowGroup(vectors, (i) => chunks[i]!))
  }

  private async putRowGroup(vectors: readonly ColumnVector[], encoded: (column: number) => EncodedColumnChunk): Promise<void> {
    const { columns } = this.options
    assert(vectors.length === columns.length, 'one vector per column')
    const rows = vectors[0]!.rows
    // The hasher checks each vector before anything of this row group is written.
    this.contentHasher.append(vectors)
    if (rows === 0) return
    const { types } = this.parquetjs
    const start = this.offset()
    const chunks: InstanceType<ParquetTypes['ColumnChunk']>[] = []
    let compressedBytes = 0
    let uncompressedBytes = 0
    for (const [i, column] of columns.entries()) {
      const chunk = encoded(i)
      chunks.push(this.columnChunk(column, chunk))
      for (const part of chunk.parts) this.envelope.writeSection(asBuffer(part))
      compressedBytes += chunk.compressedBytes
      uncompressedBytes += chunk.uncompressedBytes
      // Column by column, so that no more than one encoded column is held.
      await this.flush()
    }
    const rowGroup = new types.RowGroup({
      columns: chunks,
      total_byte_size: this.int64(uncompressedBytes),
      num_rows: this.int64(rows),
      file_offset: this.int64(start),
      total_compressed_size: this.int64(compressedBytes),
    })
    // A 16-bit field: beyond it the ordinal is left out, which is allowed.
    if (this.rowGroups.length <= 0x7fff) rowGroup.ordinal = this.rowGroups.length
    this.rowGroups.push(rowGroup)
    this.rows += rows
  }

  /** Writes the footer. The bytes are handed to the operating system and not synced. */
  async finish(): Promise<WrittenFile> {
    await this.exclusively(async () => {
      this.envelope.writeSection(this.footer())
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
    const bytes = this.pending.length === 1 ? this.pending[0]! : Buffer.concat(this.pending)
    this.pending = []
    this.fileHash.update(bytes)
    await this.options.file.write(bytes)
    this.bytes += bytes.length
  }

  private offset(): number {
    return this.envelope.offset.valueOf()
  }

  private int64(value: number): Int64 {
    // node-int64 is a dependency of the library and not ours, so its constructor is reached through the library.
    return this.parquetjs.cloneInteger({ valueOf: () => value } as Int64)
  }

  private columnChunk(column: ColumnType, chunk: EncodedColumnChunk): InstanceType<ParquetTypes['ColumnChunk']> {
    const { types: t } = this.parquetjs
    const start = this.offset()
    const { statistics } = chunk
    const thriftStatistics = new t.Statistics({ null_count: this.int64(statistics.nulls) })
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
    const metadata = new t.ColumnMetaData({
      type: t.Type[column.physical],
      encodings: withDictionary ? [t.Encoding.RLE, t.Encoding.PLAIN, dataEncoding] : [t.Encoding.RLE, dataEncoding],
      path_in_schema: [column.name],
      codec: t.CompressionCodec[this.options.compression === 'NONE' ? 'UNCOMPRESSED' : this.options.compression],
      num_values: this.int64(chunk.rows),
      total_uncompressed_size: this.int64(chunk.uncompressedBytes),
      total_compressed_size: this.int64(chunk.compressedBytes),
      data_page_offset: this.int64(start + chunk.dictionaryPageBytes),
      statistics: thriftStatistics,
      encoding_stats: [
        ...(withDictionary
          ? [new t.PageEncodingStats({ page_type: t.PageType.DICTIONARY_PAGE, encoding: t.Encoding.PLAIN, count: 1 })]
          : []),
        new t.PageEncodingStats({ page_type: t.PageType.DATA_PAGE, encoding: dataEncoding, count: chunk.dataPages }),
      ],
    })
    if (withDictionary) metadata.dictionary_page_offset = this.int64(start)
    if (column.unit !== null) metadata.key_value_metadata = [new t.KeyValue({ key: UNIT_KEY, value: column.unit })]
    return new t.ColumnChunk({ file_offset: this.int64(start), meta_data: metadata })
  }

  private footer(): Buffer {
    const { types: t, serializeThrift } = this.parquetjs
    const { columns, keyValue } = this.options
    const pairs = [...keyValue]
    if (this.rowGroups.length === 0 && columns.some((c) => c.unit !== null))
      pairs.push([UNITS_KEY, canonicalJson(columns.map((c) => c.unit))])
    const metadata = new t.FileMetaData({
      version: 1,
      schema: schemaElements(t, columns),
      num_rows: this.int64(this.rows),
      row_groups: this.rowGroups,
      key_value_metadata: pairs.map(([key, value]) => new t.KeyValue({ key, value })),
      created_by: CREATED_BY,
      // Without it readers must not use min_value and max_value.
      column_orders: columns.map(() => new t.ColumnOrder({ TYPE_ORDER: new t.TypeDefinedOrder() })),
    })
    const body = serializeThrift(metadata)
    const tail = Buffer.alloc(8)
    tail.writeUInt32LE(body.length, 0)
    tail.write('PAR1', 4, 'latin1')
    return Buffer.concat([body, tail])
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
