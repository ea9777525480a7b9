import { createHash, type Hash, hash } from 'node:crypto'
import { type KernelColumn, placeVector } from '../columns/kernel-column.js'
import type { ColumnType, ColumnVector } from '../columns/vector.js'
import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import { ByteSink } from './byte-sink.js'
import type { ChunkDigest } from './chunk-digest.js'
import type { Compression } from './compress-page.js'
import { type ContentFacts, ContentHasher } from './content-hash.js'
import { streamRows } from './content-streams.js'
import { type EncodedColumnChunk, encodeColumn } from './encode-column.js'
import { encodeKernels } from './encode-kernels.js'
import type { EncodedRowGroup } from './encode-row-group.js'
import { encodeFooter, type WrittenChunk, type WrittenRowGroup } from './footer.js'
import { PageIndex } from './page-index.js'

export type { Compression } from './compress-page.js'

/** Encoded columns wait until there is so much to write: each write is a round trip to the operating system. */
const WRITE_BYTES = 1 << 20
/** Sections of this size are written as they are; smaller ones are put in line with others first. */
const LARGE_SECTION_BYTES = 1 << 18
/** What waits for a file to be written: the memory of the one before it, up to this size. */
const KEPT_ROOM_BYTES = 1 << 21
const MAGIC = Buffer.from('PAR1', 'latin1')

export interface WrittenFile {
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
}

/** Waits for the next file; files that are written at the same time in one thread have each their own. */
let idle: ByteSink | null = null
const NO_SINK = new ByteSink(0)

/**
 * Writes one Parquet file from column vectors, a row group at a time: pages (encode-column.ts), the page index behind them, and the footer
 * (footer.ts).
 *
 * - The file belongs to the caller, who opens, syncs and closes it; nothing is durable before that sync.
 * - The same vectors in the same row groups give the same bytes, always.
 * - One call at a time. A call that does not wait for the one before it fails an assertion instead of mixing two row groups. After that, and
 *   after a failed write, every call throws that failure again, so that a file with a hole cannot be finished.
 */
export class ParquetFileWriter {
  private readonly rowGroups: WrittenRowGroup[] = []
  private readonly pageIndex = new PageIndex()
  /** By row group and column. */
  private readonly chunkDigests: ChunkDigest[][] = []
  /** Of the row group that is being written. */
  private digests: ChunkDigest[] = []
  /** Everything behind the last page. */
  private tail: Uint8Array = new Uint8Array(0)
  private readonly contentHasher: ContentHasher
  /** null: nothing was written so far. */
  private fileHash: Hash | null = null
  private parquetSha256 = ''
  /** What `flush` has not written yet. */
  private pending: ByteSink
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
      readonly digested?: boolean
    },
  ) {
    this.contentHasher = new ContentHasher(options.columns)
    this.pending = idle ?? new ByteSink()
    idle = null
    this.append(MAGIC)
  }

  /**
   * Starts a file at the current (first) position of `file`. Column names are written as they are; `unit` goes to each column's key-value
   * metadata, and to the file's under UNITS_KEY when there are no row groups. `keyValue` keeps its order. Zero rows are legal.
   * `digested` (by default): `writtenFacts` will be asked for.
   */
  static async open(options: {
    file: OpenFile
    columns: readonly ColumnType[]
    compression: Compression
    keyValue: ReadonlyMap<string, string>
    digested?: boolean
  }): Promise<ParquetFileWriter> {
    assert(options.columns.length > 0, 'a Parquet file has columns')
    return new ParquetFileWriter(options)
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
      if (group.rows === 0) return
      let at = this.offset
      const columns = group.columns.map(({ chunk, content }, i) => {
        for (const piece of content) this.contentHasher.appendPiece(i, piece, group.bytes)
        const startByte = at
        at += chunk.compressedBytes
        return this.written(startByte, chunk, i)
      })
      this.takeRowGroup(group.rows, this.offset, columns)
      const bytes = group.bytes.subarray(0, at - this.offset)
      // Its memory is the caller's again when this is done.
      if (bytes.length < LARGE_SECTION_BYTES) this.append(bytes)
      await this.flush()
      if (bytes.length < LARGE_SECTION_BYTES) return
      await this.write(bytes)
      this.offset = at
    })
  }

  private encode(kernels: Kernels, column: KernelColumn, index: number): EncodedColumnChunk {
    const chunk = encodeColumn(kernels, column, this.options.compression, this.pending, this.options.digested)
    for (let from = 0; from < column.rows; ) {
      const to = Math.min(column.rows, from + this.contentHasher.rowsToBlockEnd(index))
      streamRows(kernels, column, from, to, this.contentHasher.streams(index, to - from))
      from = to
    }
    return chunk
  }

  /** `encode` puts the bytes of a column at the end of `pending`. */
  private async putRowGroup(rows: number, encode: (column: number) => EncodedColumnChunk): Promise<void> {
    if (rows === 0) return
    const start = this.offset
    const columns: WrittenChunk[] = []
    for (let i = 0; i < this.options.columns.length; i++) {
      const startByte = this.offset
      const before = this.pending.length
      const chunk = encode(i)
      assert(chunk.rows === rows, 'columns of one row group have the same rows')
      this.offset += this.pending.length - before
      columns.push(this.written(startByte, chunk, i))
      // A small file is written at once, with its footer.
      if (this.pending.length >= WRITE_BYTES) await this.flush()
    }
    this.takeRowGroup(rows, start, columns)
  }

  private written(startByte: number, { pages, digest, ...chunk }: EncodedColumnChunk, column: number): WrittenChunk {
    const { physical } = this.options.columns[column]!
    if (digest !== null) this.digests.push(digest)
    return { startByte, chunk, pages: pages.length, indexes: this.pageIndex.add(physical, startByte + chunk.dictionaryPageBytes, pages) }
  }

  private takeRowGroup(rows: number, startByte: number, columns: readonly WrittenChunk[]): void {
    this.rowGroups.push({ rows, startByte, columns })
    this.chunkDigests.push(this.digests)
    this.digests = []
    this.rows += rows
  }

  /** Writes the page index and the footer. The bytes are handed to the operating system and not synced. */
  async finish(): Promise<WrittenFile> {
    await this.exclusively(async () => {
      const before = this.pending.length
      const { columns, offsets } = this.pageIndex.sections()
      const places = { columns: this.offset, offsets: this.offset + columns.length }
      this.append(columns)
      this.append(offsets)
      const footer = encodeFooter(this.options.columns, this.options.keyValue, this.rowGroups, places)
      this.append(footer)
      this.append(Uint8Array.of(footer.length, footer.length >>> 8, footer.length >>> 16, footer.length >>> 24))
      this.append(MAGIC)
      const bytes = this.pending.bytes()
      this.tail = bytes.slice(before)
      // The hash of a small file is one call: an object that takes bytes as they come costs more than its bytes.
      if (this.fileHash === null) this.parquetSha256 = hash('sha256', bytes, 'hex')
      else this.parquetSha256 = this.fileHash.update(bytes).digest('hex')
      await this.options.file.write(bytes)
      this.bytes += bytes.length
    })
    this.state = 'finished'
    this.pending.length = 0
    if (this.pending.roomBytes <= KEPT_ROOM_BYTES) idle = this.pending
    this.pending = NO_SINK
    return {
      rows: this.rows,
      bytes: this.bytes,
      parquetSha256: this.parquetSha256,
      contentSha256: this.contentHasher.digest(),
    }
  }

  /** Digests per column and block, after `finish`: given to `verifyParquet`, it can name the place where a file differs. */
  contentFacts(): ContentFacts {
    assert(this.state === 'finished', 'the file is finished')
    return this.contentHasher.finish()
  }

  /** After `finish`: what verification holds the file against as long as its writer is there (verify-file.ts, `WrittenFacts`). */
  writtenFacts(): { chunks: readonly (readonly ChunkDigest[])[]; tail: Uint8Array } {
    assert(this.state === 'finished', 'the file is finished')
    assert(
      this.chunkDigests.every((ofGroup) => ofGroup.length === this.options.columns.length),
      'digests were asked for',
    )
    return { chunks: this.chunkDigests, tail: this.tail }
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
    await this.write(this.pending.bytes())
    this.pending.length = 0
  }

  private async write(bytes: Uint8Array): Promise<void> {
    this.fileHash ??= createHash('sha256')
    this.fileHash.update(bytes)
    await this.options.file.write(bytes)
    this.bytes += bytes.length
  }

  private append(bytes: Uint8Array): void {
    this.pending.append(bytes)
    this.offset += bytes.length
  }
}
