import { dirname, join } from 'node:path'
import type { KernelColumn } from '../columns/kernel-column.js'
import type { ColumnVector } from '../columns/vector.js'
import { transactionId } from '../core/drop-id.js'
import { sha256Hex } from '../core/hashes.js'
import { IntakeError } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { EncodedRowGroup } from '../parquet/encode-row-group.js'
import { ParquetFileWriter, type WrittenFile } from '../parquet/file-writer.js'
import { bytesSource, fileSource } from '../parquet/read-file.js'
import { type ExpectedFile, verifyParquet } from '../parquet/verify-file.js'
import type { Files, OpenFile } from '../runtime/files.js'
import type { Table } from '../tables/schema.js'
import type { ConvertRequest, Output } from './protocol.js'

/** Where the Parquet file of a record goes, and its staging transaction. */
export function outputPath(output: Exclude<Output, { kind: 'none' }>, recordId: string): { path: string; tx: string | null } {
  if (output.kind === 'file') return { path: output.path, tx: null }
  const tx = transactionId(output.dropId, sha256Hex(recordId))
  return { path: join(output.stagingRoot, tx, 'data.parquet'), tx }
}

export interface WrittenRecord {
  readonly path: string
  readonly tx: string | null
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
}

/**
 * Writes one record's Parquet file: created, filled row group by row group, synced, read back and compared. Only then is it staged.
 * A file that a crashed attempt left is unlinked first and never truncated: it may be a second name of a committed version.
 */
export class RecordWriter {
  private isClosed = false

  private constructor(
    private readonly options: { files: Files; table: Table; verify: ConvertRequest['verify']; sampledShare?: number },
    private readonly target: { path: string; tx: string | null },
    private readonly file: OpenFile,
    private readonly writer: ParquetFileWriter,
  ) {}

  static async open(options: {
    files: Files
    table: Table
    output: Exclude<Output, { kind: 'none' }>
    recordId: string
    compression: ConvertRequest['compression']
    verify: ConvertRequest['verify']
    /** Of a drop of many records, the share of files of which hyparquet decodes rows (DESIGN §9: so many rows of a drop); their own hash says which. */
    sampledShare?: number
  }): Promise<RecordWriter> {
    const { files, table, output } = options
    const target = outputPath(output, options.recordId)
    const file = await createOutput(files, target)
    if (file === 'exists') throw new IntakeError('FILE_EXISTS', `${target.path} exists already`)
    try {
      const writer = await ParquetFileWriter.open({
        file,
        columns: table.columns,
        compression: options.compression,
        keyValue: keyValueOf(table),
        digested: options.verify === 'full',
      })
      return new RecordWriter(options, target, file, writer)
    } catch (error) {
      await file.close().catch(() => {})
      await discardOutput(files, target).catch(() => {})
      throw error
    }
  }

  writeRowGroup(vectors: readonly ColumnVector[]): Promise<void> {
    return this.writer.writeRowGroup(vectors)
  }

  /** Columns in the memory of kernels, which they keep until this is done. */
  writeColumns(kernels: Kernels, columns: readonly KernelColumn[]): Promise<void> {
    return this.writer.writeColumns(kernels, columns)
  }

  /** A row group that another thread has encoded. */
  writeEncodedRowGroup(group: EncodedRowGroup): Promise<void> {
    return this.writer.writeEncodedRowGroup(group)
  }

  /**
   * Finishes and verifies the file. Throws VERIFY_MISMATCH, FSYNC_FAILED, DISK_FULL; then the caller discards it. A file that is nobody's to commit
   * is synced; of a staged one this is left to the commit, where many wait for the disk at once and no thread does.
   */
  async finish(verifyFile?: VerifyFile): Promise<WrittenRecord> {
    const written = await this.writer.finish()
    const syncing = this.target.tx === null ? this.file.sync() : Promise.resolve()
    syncing.catch(() => {})
    try {
      // Where other threads verify, the disk works meanwhile; both must succeed, in whatever order.
      if (verifyFile !== undefined) await this.verify(written, verifyFile)
    } finally {
      await syncing
      await this.close()
    }
    if (verifyFile === undefined) await this.verify(written, (path, expected) => this.verifyHere(path, expected, written.bytes))
    return { ...this.target, ...written }
  }

  private async verify(written: WrittenFile, verifyFile: VerifyFile): Promise<void> {
    const { table, verify } = this.options
    if (verify === 'none') return
    const { rows, contentSha256, parquetSha256 } = written
    const expected = {
      columns: table.columns,
      rows,
      contentSha256,
      parquetSha256,
      // Without what was written, the content hash itself is computed once more, by code of its own.
      ...(verify === 'paranoid' ? { content: this.writer.contentFacts() } : { written: this.writer.writtenFacts() }),
    }
    await verifyFile(this.target.path, expected)
  }

  private async verifyHere(path: string, expected: ExpectedFile, sizeBytes: number): Promise<void> {
    const file = await this.options.files.openRead(path)
    if (file === null) throw new IntakeError('VERIFY_MISMATCH', `${path} vanished before it could be verified`)
    const room = sizeBytes <= SMALL_FILE_BYTES ? takeRoom() : null
    try {
      const { sampledShare = 1, verify } = this.options
      const isSampled = Number.parseInt(expected.contentSha256.slice(0, 8), 16) / 2 ** 32 < sampledShare
      // One byte more than there should be: what is longer must not pass for what was written.
      const source =
        room === null ? await fileSource(file) : bytesSource(room.subarray(0, await file.read(room.subarray(0, sizeBytes + 1), 0)))
      await verifyParquet(source, expected, verify === 'paranoid' ? 'paranoid' : 'full', isSampled ? {} : { sampleRows: 0 })
    } finally {
      idleRoom = room ?? idleRoom
      await file.close().catch(() => {})
    }
  }

  /** Gives the file up: closed and unlinked, with its staging folder. */
  async discard(): Promise<void> {
    try {
      await this.close()
    } finally {
      await discardOutput(this.options.files, this.target)
    }
  }

  private async close(): Promise<void> {
    if (this.isClosed) return
    // Even a close that fails gives the descriptor back (close(2), Linux).
    this.isClosed = true
    await this.file.close()
  }
}

type VerifyFile = (path: string, expected: ExpectedFile) => Promise<void>

const keyValues = new WeakMap<Table, ReadonlyMap<string, string>>()

/** The same for each file of a table. */
function keyValueOf(table: Table): ReadonlyMap<string, string> {
  let known = keyValues.get(table)
  if (known === undefined) {
    known = new Map([
      ['parquet_intake.table', table.name],
      ['parquet_intake.schema', JSON.stringify(table.document)],
      ['parquet_intake.schema_sha256', table.schemaSha256],
    ])
    keyValues.set(table, known)
  }
  return known
}

/** Files up to this size are read at once: a call for each column would cost more than to decode it. */
const SMALL_FILE_BYTES = 1 << 20

/** Waits for the next file; files that are verified at the same time in one thread have each their own. */
let idleRoom: Uint8Array | null = null

function takeRoom(): Uint8Array {
  const room = idleRoom ?? new Uint8Array(SMALL_FILE_BYTES + 1)
  idleRoom = null
  return room
}

interface Target {
  readonly path: string
  /** null: the path is the caller's and has no staging folder. */
  readonly tx: string | null
}

async function createOutput(files: Files, target: Target): Promise<OpenFile | 'exists'> {
  if (target.tx === null) return files.create(target.path, { mode: 0o640 })
  const made = await files.makeDirectory(dirname(target.path))
  try {
    if (made === 'exists') await files.remove(target.path)
    // Read-only from birth: its inode becomes the version's, and a mode changed after the fsync could be lost in a power cut.
    return await files.create(target.path, { mode: 0o440 })
  } catch (error) {
    await discardOutput(files, target).catch(() => {})
    throw error
  }
}

/** Unlinks the file of a record that is not to be staged after all, and its staging folder unless something else lies in it. */
export async function discardOutput(files: Files, target: Target): Promise<void> {
  await files.remove(target.path)
  if (target.tx !== null) await files.removeDirectory(dirname(target.path))
}
