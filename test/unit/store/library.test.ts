import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addToKeyring, loadKeyring } from '../../../src/decisions/keyring.js'
import { generateApproverKey, signDecision, signerOf } from '../../../src/decisions/sign.js'
import { verifyStoredDecision } from '../../../src/decisions/verify-decision.js'
import { getSchema, isIntakeError, listTables, ParquetStorageEngine, registerTable, VersionedParquetStorage } from '../../../src/index.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { auditStore } from '../../../src/store/audit.js'
import { lockStore } from '../../../src/store/lock.js'
import { RecordStore } from '../../../src/store/record-store.js'
import { temporaryFolder, treeOf, uuids } from './store-kit.js'

registerTable(
  {
    name: 'library_test',
    fieldsMatch: 'superset',
    fields: [
      { name: 'id', type: 'integer', constraints: { required: true } },
      { name: 'depth', type: 'number', parquet: { type: 'DECIMAL', precision: 9, scale: 2 } },
      { name: 'note', type: 'string' },
    ],
  },
  'library_test',
)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let root: string
let engine: ParquetStorageEngine
let storage: VersionedParquetStorage
beforeEach(async () => {
  folder = await temporaryFolder()
  root = join(folder.path, 'data')
  engine = new ParquetStorageEngine({ mode: 'local', basePath: root })
  storage = new VersionedParquetStorage(engine)
})
afterEach(() => folder.remove())

const one = [
  { id: 1n, depth: '1.50', note: 'a' },
  { id: 2n, depth: null, note: null },
]
const two = [...one, { id: 9_007_199_254_740_993n, depth: '0.29', note: 'ü, "q"' }]
const create = (recordId = 'borelog-001') =>
  storage.createRecord({ recordId, tableName: 'library_test', data: one, createdBy: 'user-123', comment: 'Initial creation' })

async function rowsOf(reader: Awaited<ReturnType<VersionedParquetStorage['getLatestVersion']>>): Promise<unknown[]> {
  const rows: unknown[] = []
  for await (const row of reader.rows()) rows.push({ ...row })
  await reader.close()
  return rows
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  if (!isIntakeError(error)) throw new Error(`expected an IntakeError, got ${String(error)}`)
  return `${error.code}: ${error.message}`
}

describe('the library', () => {
  it('creates, updates, approves and rejects, and reads every version back', async () => {
    expect(await create()).toMatchObject({ current_version: 1, status: 'draft', source: null, history: [{ rows: 2, drop: null }] })
    expect(await storage.approveRecord({ recordId: 'borelog-001', approvedBy: 'approver-456', comment: 'ok' })).toMatchObject({
      status: 'approved',
      approved_by: 'approver-456',
      approved_version: 1,
    })
    const csvPath = join(folder.path, 'next.csv')
    await writeFile(csvPath, 'id,depth,note\n1,1.5,a\n2,,\n9007199254740993,0.29,"ü, ""q"""\n')
    expect(await storage.updateRecord({ recordId: 'borelog-001', data: { csvPath }, updatedBy: 'user-2' })).toMatchObject({
      current_version: 2,
      status: 'draft',
      approved_version: 1,
    })
    expect(await storage.rejectRecord({ recordId: 'borelog-001', rejectedBy: 'p' })).toMatchObject({ status: 'rejected', rejected_by: 'p' })
    expect(await storage.getAllVersions('borelog-001')).toEqual([1, 2])
    expect(await rowsOf(await storage.getLatestVersion('borelog-001'))).toEqual(two)
    expect(await rowsOf(await storage.getApprovedVersion('borelog-001'))).toEqual(one)
    expect(await rowsOf(await storage.getSpecificVersion('borelog-001', 1))).toEqual(one)
    const reader = await storage.getLatestVersion('borelog-001')
    expect(reader.rowCount).toBe(3)
    expect(reader.url).toBe(join(root, 'records/borelog-001/versions/v2.parquet'))
    const { values, validity } = (await reader.columns(['id'])).get('id')!
    expect([...(values as BigInt64Array)]).toEqual([1n, 2n, 9_007_199_254_740_993n])
    expect([...validity]).toEqual([1, 1, 1])
    await reader.close()
    const report = await auditStore({ files: nodeFiles, root, checkDecision: async () => null })
    expect(report).toMatchObject({ records: 1, versions: 2, findings: [] })
    expect(JSON.parse(await readFile(join(root, 'store.json'), 'utf8'))).toMatchObject({ approvals: 'any' })
  })

  it('says exactly what is wrong, and changes nothing', async () => {
    expect(await failure(storage.updateRecord({ recordId: 'r', data: one, updatedBy: 'u' }))).toBe(
      'RECORD_NOT_FOUND: Record does not exist',
    )
    expect(await failure(storage.getMetadata('r'))).toBe('RECORD_NOT_FOUND: Record does not exist')
    expect(await failure(storage.approveRecord({ recordId: 'r', approvedBy: 'u' }))).toBe('RECORD_NOT_FOUND: Record does not exist')
    expect(await nodeFiles.stat(root)).toBeNull()
    await create('r')
    const before = await treeOf(nodeFiles, root)
    expect(await failure(create('r'))).toBe('RECORD_EXISTS: Record already exists')
    expect(await failure(storage.getApprovedVersion('r'))).toMatch(/^VERSION_NOT_FOUND: /)
    expect(await failure(storage.getSpecificVersion('r', 2))).toMatch(/^VERSION_NOT_FOUND: /)
    expect(await failure(storage.approveRecord({ recordId: 'r', approvedBy: 'u', version: 2 }))).toMatch(/^VERSION_NOT_FOUND: /)
    expect(await failure(storage.approveRecord({ recordId: 'r', approvedBy: '' }))).toMatch(/^ACTOR_INVALID: /)
    expect(await failure(storage.approveRecord({ recordId: 'r' }))).toMatch(/^ACTOR_INVALID: /)
    expect(await failure(storage.updateRecord({ recordId: 'r', data: [{ id: 'x' }], updatedBy: 'u' }))).toMatch(/^TYPE_ERROR: /)
    expect(await failure(storage.updateRecord({ recordId: 'r', data: [], updatedBy: 'u' }))).toMatch(/^HEADER_ONLY: /)
    expect(await failure(storage.createRecord({ recordId: 'q', tableName: 'nobody', data: one, createdBy: 'u' }))).toMatch(
      /^TABLE_UNKNOWN: /,
    )
    expect(await failure(storage.createRecord({ recordId: '../q', tableName: 'library_test', data: one, createdBy: 'u' }))).toMatch(
      /^RECORD_ID_ILLEGAL: /,
    )
    expect(await treeOf(nodeFiles, root)).toEqual(before)
    await storage.approveRecord({ recordId: 'r', approvedBy: 'u' })
    expect(await failure(storage.approveRecord({ recordId: 'r', approvedBy: 'u' }))).toBe('ALREADY_APPROVED: Already approved')
    expect(await failure(storage.rejectRecord({ recordId: 'r', rejectedBy: 'u' }))).toBe('CANNOT_REJECT_APPROVED: Cannot reject approved')
    await storage.updateRecord({ recordId: 'r', data: two, updatedBy: 'u' })
    await storage.rejectRecord({ recordId: 'r', rejectedBy: 'u' })
    expect(await failure(storage.rejectRecord({ recordId: 'r', rejectedBy: 'u' }))).toBe('ALREADY_REJECTED: Already rejected')
    expect(await failure(storage.approveRecord({ recordId: 'r', approvedBy: 'u' }))).toBe(
      'CANNOT_APPROVE_REJECTED: Cannot approve rejected',
    )
  })

  it('does not lock itself out when operations run at the same time', async () => {
    await Promise.all(Array.from({ length: 5 }, (_, n) => create(`r-${n}`)))
    await Promise.all([
      storage.updateRecord({ recordId: 'r-0', data: two, updatedBy: 'u' }),
      create('r-9'),
      storage.approveRecord({ recordId: 'r-1', approvedBy: 'u' }),
    ])
    expect(await storage.getAllVersions('r-0')).toEqual([1, 2])
    lockStore(join(root, 'lock')).release()
  })

  it('beside another writer is told STORE_LOCKED at once, reads on, and has changed nothing', async () => {
    await create()
    const lock = lockStore(join(root, 'lock'))
    const before = await treeOf(nodeFiles, root)
    expect(await failure(create('other'))).toMatch(/^STORE_LOCKED: /)
    expect(await failure(storage.approveRecord({ recordId: 'borelog-001', approvedBy: 'u' }))).toMatch(/^STORE_LOCKED: /)
    expect(await storage.getAllVersions('borelog-001')).toEqual([1])
    expect(await treeOf(nodeFiles, root)).toEqual(before)
    lock.release()
    await create('other')
  })

  it('in a store of signed decisions asks for one', async () => {
    const store = await RecordStore.open({
      files: nodeFiles,
      clock: systemClock,
      root,
      mode: 'write',
      createAs: 'signed',
      randomUuid: uuids(),
      writer: 'test',
    })
    await store.close()
    await create()
    expect(await failure(storage.approveRecord({ recordId: 'borelog-001', approvedBy: 'u' }))).toMatch(/^DECISION_REQUIRED: /)
    expect(await failure(storage.rejectRecord({ recordId: 'borelog-001', decision: '{}' }))).toMatch(/^KEYRING_INVALID: /)
    expect(await storage.getMetadata('borelog-001')).toMatchObject({ status: 'draft' })
  })

  it('takes a signed decision over exactly the current version, and keeps the proof', async () => {
    const store = await RecordStore.open({
      files: nodeFiles,
      clock: systemClock,
      root,
      mode: 'write',
      createAs: 'signed',
      randomUuid: uuids(),
      writer: 'test',
    })
    const storeId = store.identity.store_id
    await store.close()
    const metadata = await create()
    const keyring = join(folder.path, 'approvers.jwks.json')
    const { privateKey, publicKey } = await generateApproverKey({ principal: 'approver-456', tables: ['*'] })
    await addToKeyring(nodeFiles, keyring, publicKey, { unique: 'x' })
    const version = metadata.history[0]
    if (version?.status !== 'draft') throw new Error('the first entry is a version')
    const payload = {
      decision_id: '00000000-0000-4000-8000-0000000000dd',
      store_id: storeId,
      record_id: 'borelog-001',
      version: 1,
      parquet_sha256: version.parquet_sha256,
      decision: 'approve' as const,
      comment: 'All checks passed',
      decided_by: 'approver-456',
      decided_at: '2024-01-27T11:00:00Z',
    }
    const signer = signerOf(privateKey)
    const key = { kid: privateKey.kid, principal: privateKey.principal, x: privateKey.x, signer }
    const decision = await signDecision(payload, key)
    const signed = new VersionedParquetStorage(engine, { keyring })
    const recordId = 'borelog-001'
    const wrong = await signDecision({ ...payload, parquet_sha256: '0'.repeat(64) }, key)
    expect(await failure(signed.approveRecord({ recordId, decision: wrong }))).toMatch(/^DECISION_HASH_MISMATCH: /)
    expect(await failure(signed.rejectRecord({ recordId, decision }))).toMatch(/^DECISION_MALFORMED: .*another decision/)
    expect(await failure(signed.approveRecord({ recordId, decision, approvedBy: 'somebody' }))).toMatch(
      /^DECISION_MALFORMED: .*another person/,
    )
    expect(await failure(signed.approveRecord({ recordId, decision, version: 2 }))).toMatch(/^DECISION_MALFORMED: .*another version/)
    expect(await failure(signed.approveRecord({ recordId, decision: '{}' }))).toMatch(/^DECISION_/)
    expect((await signed.getMetadata(recordId)).status).toBe('draft')
    expect(await signed.approveRecord({ recordId, decision: JSON.stringify(decision) })).toMatchObject({
      status: 'approved',
      approved_by: 'approver-456',
      history: [{}, { comment: 'All checks passed', decision: { decision_id: payload.decision_id, jws: decision } }],
    })
    expect((await signed.approveRecord({ recordId, decision })).history).toHaveLength(2)
    const loaded = await loadKeyring(nodeFiles, keyring)
    const report = await auditStore({
      files: nodeFiles,
      root,
      checkDecision: (request) => verifyStoredDecision({ ...request, keyring: loaded }),
    })
    expect(report).toMatchObject({ decisions: 1, findings: [] })
  })

  it('knows the tables of the package and those registered', () => {
    expect(listTables()).toContain('library_test')
    expect(listTables()).toContain('borelog_versions')
    expect(getSchema('library_test').columns.map((c) => c.name)).toEqual(['id', 'depth', 'note'])
    expect(() => getSchema('nobody')).toThrow(expect.objectContaining({ code: 'TABLE_UNKNOWN' }))
  })
})

describe('the engine', () => {
  it('writes one file, reads it with columns and filters, and refuses to overwrite', async () => {
    const written = await engine.writeParquet('exports/x.parquet', { table: 'library_test', data: two })
    expect(written).toMatchObject({ path: join(root, 'exports/x.parquet'), rows: 3 })
    expect(await failure(engine.writeParquet('exports/x.parquet', { table: 'library_test', data: one }))).toMatch(/^FILE_EXISTS: /)
    const rows = await engine.readParquet('exports/x.parquet', { columns: ['note'], filters: [{ column: 'id', op: '>', value: 2n }] })
    expect(rows.map((row) => ({ ...row }))).toEqual([{ note: 'ü, "q"' }])
    expect(await engine.readParquet(join(root, 'exports/x.parquet'))).toHaveLength(3)
    expect(await treeOf(nodeFiles, root)).toEqual(['exports/x.parquet'])
  })

  it('takes columns instead of a table', async () => {
    await engine.writeParquet('y.parquet', { columns: [{ name: 'a', type: 'boolean' }], data: [{ a: true }, { a: null }] })
    expect((await engine.readParquet('y.parquet')).map((row) => row.a)).toEqual([true, null])
  })

  it('of two writers of one path lets one through, and leaves no trace of the other', async () => {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => engine.writeParquet('z.parquet', { table: 'library_test', data: one })))
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1)
    expect(await treeOf(nodeFiles, root)).toEqual(['z.parquet'])
  })

  it.each(['../x.parquet', 'a/../../x.parquet', '', 'records/x.parquet', 'staging/x', 'store.json', 'a//b'])(
    'does not write to %j',
    async (path) => {
      expect(await failure(engine.writeParquet(path, { table: 'library_test', data: one }))).toMatch(/^PATH_ILLEGAL: /)
      expect(await nodeFiles.stat(root)).toBeNull()
    },
  )

  it('leaves nothing of a file with a bad row', async () => {
    expect(await failure(engine.writeParquet('x.parquet', { table: 'library_test', data: [...one, { id: 1.5 }] }))).toMatch(/^TYPE_ERROR: /)
    expect(await treeOf(nodeFiles, root)).toEqual([])
    expect(await failure(engine.readParquet('x.parquet'))).toMatch(/^IO_FAILED: /)
  })
})
