import { isAbsolute, join, resolve } from 'node:path'
import type { DecisionReference, JwsEnvelope, RecordMetadata } from '../documents/metadata.js'
import { IntakeError } from '../errors.js'
import { fileSource } from '../parquet/read-file.js'
import { type RowFilter, VersionReader } from '../parquet/version-reader.js'
import type { Clock } from '../runtime/clock.js'
import { type Files, makeDirectories } from '../runtime/files.js'
import { RecordStore, type StagedVersion } from './record-store.js'
import { StoreLease } from './store-lease.js'

/** Row objects by column name, or a CSV file. */
export type RowData =
  | Iterable<Readonly<Record<string, unknown>>>
  | AsyncIterable<Readonly<Record<string, unknown>>>
  | { readonly csvPath: string }

/** By what the rows are checked and typed: a registered table, a Table Schema document, or its `fields` alone. */
export type SchemaSource =
  | { readonly table: string }
  | { readonly schema: Readonly<Record<string, unknown>> }
  | { readonly columns: readonly Readonly<Record<string, unknown>>[] }

/** Writes checked rows to one synced, verified Parquet file at `path`, which must not exist; all or nothing. */
export type StageData = (request: {
  readonly schema: SchemaSource
  readonly data: RowData
  readonly path: string
}) => Promise<StagedVersion>

/** A signed decision that counts: signature, key, principal, store, record, version and hash were checked. */
export interface CheckedDecision {
  readonly decision: 'approve' | 'reject'
  readonly recordId: string
  readonly version: number
  readonly parquetSha256: string
  readonly decidedBy: string
  readonly comment: string
  readonly reference: DecisionReference
}

/** Throws the code of the refusal (decisions/). `decision`: the envelope as a value, or its JSON text. */
export type CheckDecision = (request: {
  readonly decision: JwsEnvelope | string
  readonly storeId: string
  readonly receivedAtMs: number
  readonly lookupRecord: (recordId: string) => Promise<RecordMetadata | null>
}) => Promise<CheckedDecision>

/** What the library needs of the other parts of the house; `src/index.ts` puts them together. */
export interface EngineParts {
  readonly files: Files
  readonly clock: Clock
  readonly randomUuid: () => string
  readonly stageData: StageData
}

export interface LocalEngineOptions {
  readonly mode: 'local'
  /** Folder of the store; made when the first record is. */
  readonly basePath: string
}

export interface WrittenFile {
  readonly path: string
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
}

/** First segments of paths that are the store's own. */
const RESERVED = new Set(['records', 'anchors', 'staging', 'orphans', 'store.json', 'lock'])

/** Parquet files on a local file system, and the store that lives there. */
export class LocalParquetEngine {
  readonly root: string
  private readonly lease: StoreLease

  constructor(
    options: LocalEngineOptions,
    readonly parts: EngineParts,
  ) {
    this.root = resolve(options.basePath)
    const { files, clock, randomUuid } = parts
    this.lease = new StoreLease(() =>
      RecordStore.open({ files, clock, randomUuid, root: this.root, mode: 'write', createAs: 'any', writer: 'library' }),
    )
  }

  /**
   * One Parquet file, all or nothing: every row is checked first. `path` is below basePath, or absolute. Never overwrites: FILE_EXISTS.
   * Throws TABLE_UNKNOWN, TABLE_INVALID, PATH_ILLEGAL, and the code of the first bad row.
   */
  async writeParquet(path: string, request: SchemaSource & { readonly data: RowData }): Promise<WrittenFile> {
    const { files } = this.parts
    const target = this.pathOf(path)
    if ((await files.stat(target)) !== null) throw exists(target)
    const folder = join(target, '..')
    await makeDirectories(files, folder)
    const temporary = join(folder, `.${this.parts.randomUuid()}.tmp`)
    const { data, ...schema } = request
    const staged = await this.parts.stageData({ schema, data, path: temporary })
    try {
      // link: of two writers one gets the name, and neither loses its bytes to the other.
      if ((await files.link(temporary, target)) === 'exists') throw exists(target)
      await files.syncDirectory(folder)
    } finally {
      await files.remove(temporary)
    }
    const { rows, bytes, parquetSha256, contentSha256 } = staged
    return { path: target, rows, bytes, parquetSha256, contentSha256 }
  }

  /** Rows of a Parquet file of this product as objects (columns/value-format.ts says how values look). For large files: `openParquet`. */
  async readParquet(
    path: string,
    options: { readonly columns?: readonly string[]; readonly filters?: readonly RowFilter[] } = {},
  ): Promise<Record<string, unknown>[]> {
    const reader = await this.openParquet(path)
    try {
      const rows: Record<string, unknown>[] = []
      for await (const row of reader.rows(options)) rows.push(row)
      return rows
    } finally {
      await reader.close()
    }
  }

  /** The caller closes the reader. Throws IO_FAILED where there is no such file, PARQUET_INVALID. */
  async openParquet(path: string): Promise<VersionReader> {
    const target = this.pathOf(path)
    const file = await this.parts.files.openRead(target, { follow: true })
    if (file === null) throw new IntakeError('IO_FAILED', `There is no file ${target}`, { data: { path: target } })
    return VersionReader.open({ source: await fileSource(file), url: target })
  }

  /** The store for reading: no lock, and it works beside a writer. Throws NO_STORE. */
  openForReading(): Promise<RecordStore> {
    return RecordStore.open({ files: this.parts.files, root: this.root, mode: 'read' })
  }

  /** The store for writing, made if there is none. Operations under way at the same time share it, and the last one lets go of the lock. */
  withStore<T>(work: (store: RecordStore) => Promise<T>): Promise<T> {
    return this.lease.use(work)
  }

  private pathOf(path: string): string {
    if (isAbsolute(path)) return path
    const segments = path.split('/')
    if (path === '' || path.includes('\0') || segments.some((s) => s === '' || s === '.' || s === '..') || RESERVED.has(segments[0]!)) {
      throw new IntakeError('PATH_ILLEGAL', `${JSON.stringify(path)} is not a path for a file below ${this.root}`, { data: { path } })
    }
    return join(this.root, ...segments)
  }
}

function exists(path: string): IntakeError {
  return new IntakeError('FILE_EXISTS', `${path} exists already`, { data: { path } })
}
