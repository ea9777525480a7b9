import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatDropId, transactionId } from '../../../src/core/drop-id.js'
import { sha256Hex } from '../../../src/core/hashes.js'
import type { DropReference } from '../../../src/documents/metadata.js'
import type { Clock } from '../../../src/runtime/clock.js'
import { createFile, type Files, nodeFiles } from '../../../src/runtime/files.js'
import { RecordStore, type StagedVersion, type VersionOutcome, type WriteStoreOptions } from '../../../src/store/record-store.js'

export const STORE_ID = '00000000-0000-4000-8000-000000000001'

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'parquet-intake-store-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** One second a look, so that every entry has a time of its own. */
export function steppingClock(): Clock {
  let ms = Date.UTC(2024, 0, 27, 10)
  return { nowMs: () => (ms += 1000), monotonicMs: () => ms }
}

export function uuids(): () => string {
  let n = 0
  return () => `00000000-0000-4000-8000-${String(++n).padStart(12, '0')}`
}

export function openForWriting(root: string, options: Partial<WriteStoreOptions> = {}): Promise<RecordStore> {
  return RecordStore.open({
    files: nodeFiles,
    clock: steppingClock(),
    root,
    mode: 'write',
    createAs: 'any',
    randomUuid: uuids(),
    writer: 'test',
    lock: 'held',
    ...options,
  })
}

export function dropOf(n: number, bytes: string, rule = 'rule'): DropReference {
  return {
    drop_id: formatDropId(Date.UTC(2024, 0, 27, 9), n, '00000000000000aa'),
    name: 'borelogs/borelog-001.csv',
    sha256: sha256Hex(bytes),
    bytes: Buffer.byteLength(bytes),
    rule_sha256: sha256Hex(rule),
  }
}

export interface SendOptions {
  readonly drop?: DropReference | null
  readonly tx?: string
  readonly content?: string
  readonly schema?: string
  readonly intent?: 'create' | 'update' | 'upsert'
  readonly tableName?: string
  readonly source?: string | null
  readonly force?: boolean
  readonly createdBy?: string
  readonly comment?: string
}

/** What the converter leaves: a synced file. The store does not look inside, so any bytes do. */
export async function stage(store: RecordStore, tx: string, content: string, schema = 'schema'): Promise<StagedVersion> {
  const path = join(await store.stagingFolder(tx), 'data.parquet')
  await createFile(nodeFiles, path, Buffer.from(content), { mode: 0o440 })
  return {
    path,
    rows: 3,
    bytes: Buffer.byteLength(content),
    parquetSha256: sha256Hex(content),
    contentSha256: sha256Hex(`content of ${content}`),
    schemaSha256: sha256Hex(schema),
  }
}

/** Sends one drop to a record, the way the coordinator does: stage, commit. */
export async function send(store: RecordStore, recordId: string, options: SendOptions = {}): Promise<VersionOutcome> {
  const drop = options.drop === undefined ? null : options.drop
  const content = options.content ?? 'PAR1 one PAR1'
  const tx =
    options.tx ??
    (drop === null ? `library-${sha256Hex(recordId + content).slice(0, 16)}` : transactionId(drop.drop_id, sha256Hex(recordId)))
  const staged = await stage(store, tx, content, options.schema)
  return store.commitVersion({
    tx,
    intent: options.intent ?? 'upsert',
    recordId,
    tableName: options.tableName ?? 'borelog_versions',
    source: options.source === undefined ? 'borelogs' : options.source,
    createdBy: options.createdBy ?? 'user-123',
    comment: options.comment ?? '',
    staged,
    drop,
    force: options.force ?? false,
  })
}

export async function treeOf(files: Files, folder: string, prefix = ''): Promise<string[]> {
  const found: string[] = []
  for (const entry of (await files.list(join(folder, prefix))) ?? []) {
    const name = `${prefix}${entry.name.toString('utf8')}`
    if (entry.kind === 'directory') found.push(...(await treeOf(files, folder, `${name}/`)))
    else found.push(name)
  }
  return found.sort()
}
