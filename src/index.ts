/**
 * The library: versioned, approved Parquet records without the daemon.
 *
 *     const engine = new ParquetStorageEngine({ mode: 'local', basePath: './data' })
 *     const storage = new VersionedParquetStorage(engine)
 *     await storage.createRecord({ recordId: 'borelog-001', tableName: 'borelog_versions', data: rows, createdBy: 'user-123' })
 *
 * Both use the same store, with the same rules (DESIGN §3, §4). Errors are `IntakeError`s with a `code` of the closed set in `ERRORS`.
 */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { IntakeError } from './errors.js'
import { systemClock } from './runtime/clock.js'
import { nodeFiles } from './runtime/files.js'
import type { CheckDecision, LocalEngineOptions, SchemaSource, StageData } from './store/engine.js'
import { LocalParquetEngine } from './store/engine.js'
import { VersionedStorage } from './store/versioned-storage.js'
import { TableRegistry } from './tables/registry.js'
import { compileTable, type Table } from './tables/schema.js'

export type { ColumnType, LogicalType, PhysicalType } from './columns/vector.js'
export type { DecisionEntry, HistoryEntry, JwsEnvelope, RecordMetadata, RecordStatus, VersionEntry } from './documents/metadata.js'
export { ERRORS, type ErrorCode, IntakeError, isIntakeError } from './errors.js'
export type { ColumnData, RowFilter, RowsOptions } from './parquet/version-reader.js'
export { VersionReader } from './parquet/version-reader.js'
export type { LocalEngineOptions, RowData, SchemaSource, WrittenFile } from './store/engine.js'
export type { ApproveRecordRequest, CreateRecordRequest, RejectRecordRequest, UpdateRecordRequest } from './store/versioned-storage.js'
export type { Table } from './tables/schema.js'

/** The tables that come with the package, and those that the program registers. */
const tables = await shippedTables()

/** A table by name: its columns, and as `document` the Table Schema it was made of. Throws TABLE_UNKNOWN. */
export function getSchema(tableName: string): Table {
  return tables.get(tableName)
}

/** Names of all tables, sorted. */
export function listTables(): string[] {
  return tables.list()
}

/** Adds a table for this process, or replaces the one of that name, from a Table Schema document. Throws TABLE_INVALID. */
export function registerTable(document: unknown, name?: string): Table {
  return tables.register(compileTable(document, name))
}

/** Parquet files in a folder. Nothing is opened and nothing made before it is used. */
export class ParquetStorageEngine extends LocalParquetEngine {
  constructor(options: LocalEngineOptions) {
    super(options, { files: nodeFiles, clock: systemClock, randomUuid: randomUUID, stageData })
  }
}

export interface StorageOptions {
  /** Path of the approvers' keyring; needed for signed decisions. */
  readonly keyring?: string
  /** Refuse an approval by whoever made the version; true by default. */
  readonly forbidSelfApproval?: boolean
}

export class VersionedParquetStorage extends VersionedStorage {
  constructor(engine: ParquetStorageEngine, options: StorageOptions = {}) {
    super(engine, checkDecisionWith(options))
  }
}

const stageData: StageData = async ({ schema, data, path }) => {
  const table = tableOf(schema)
  // Loaded when first needed: the Parquet structures take their time, and a program that only reads never pays for the writer.
  const { stageData: stage } = await import('./convert/stage-rows.js')
  return stage({ files: nodeFiles, table, data, path })
}

function tableOf(schema: SchemaSource): Table {
  if ('table' in schema) return tables.get(schema.table)
  return compileTable('schema' in schema ? schema.schema : { fields: schema.columns }, 'file')
}

function checkDecisionWith(options: StorageOptions): CheckDecision {
  return async ({ decision, storeId, receivedAtMs, lookupRecord }) => {
    if (options.keyring === undefined) {
      throw new IntakeError('KEYRING_INVALID', 'A signed decision was given, but no keyring', {
        hint: 'Pass its path: new VersionedParquetStorage(engine, { keyring }).',
      })
    }
    const [{ verifyDecision }, { loadKeyring }] = await Promise.all([
      import('./decisions/verify-decision.js'),
      import('./decisions/keyring.js'),
    ])
    const verified = await verifyDecision({
      decision: typeof decision === 'string' ? Buffer.from(decision, 'utf8') : { envelope: decision },
      keyring: await loadKeyring(nodeFiles, options.keyring),
      receivedAtMs,
      storeId,
      forbidSelfApproval: options.forbidSelfApproval ?? true,
      lookupRecord,
    })
    if (verified.ok === false) throw new IntakeError(verified.code, verified.message, { hint: verified.hint })
    const { payload } = verified
    const reference = verified.ok === true ? verified.reference : verified.entry.decision
    if (reference === null) throw new IntakeError('INTERNAL', 'A repeated decision stands in the history without its signature')
    return {
      decision: payload.decision,
      recordId: payload.record_id,
      version: payload.version,
      parquetSha256: payload.parquet_sha256,
      decidedBy: payload.decided_by,
      comment: payload.comment,
      reference,
    }
  }
}

/** config/tables of the package: one folder up from the source, two from the built file. */
async function shippedTables(): Promise<TableRegistry> {
  for (const up of ['../config/tables', '../../config/tables']) {
    const folder = fileURLToPath(new URL(up, import.meta.url))
    if ((await nodeFiles.stat(folder)) !== null) return TableRegistry.load(nodeFiles, folder)
  }
  return new TableRegistry()
}
