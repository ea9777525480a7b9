import { chmod, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '../../../src/core/hashes.js'
import { brokenLinks } from '../../../src/core/history.js'
import { isIntakeError } from '../../../src/errors.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { RecordStore } from '../../../src/store/record-store.js'
import { FaultFiles } from './fault-files.js'
import { dropOf, openForWriting, STORE_ID, send, stage, steppingClock, temporaryFolder, treeOf, uuids } from './store-kit.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let root: string
beforeEach(async () => {
  folder = await temporaryFolder()
  root = join(folder.path, 'store')
})
afterEach(() => folder.remove())

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  if (!isIntakeError(error)) throw new Error(`expected an IntakeError, got ${String(error)}`)
  return `${error.code}: ${error.message}`
}

const approve = (tx: string, version: number | null = null) =>
  ({
    tx,
    recordId: 'borelog-001',
    version,
    decision: 'approve',
    decidedBy: 'approver-456',
    comment: 'All checks passed',
    reference: null,
  }) as const

describe('a record', () => {
  it('goes from create over update and approve to reject, and says so in one chained history', async () => {
    const store = await openForWriting(root)
    const made = await send(store, 'borelog-001', { drop: dropOf(1, 'a'), content: 'one' })
    expect(made).toMatchObject({
      outcome: 'created',
      version: 1,
      key: 'records/borelog-001/versions/v1.parquet',
      parquetSha256: sha256Hex('one'),
    })
    expect(await send(store, 'borelog-001', { drop: dropOf(2, 'b'), content: 'two' })).toMatchObject({ outcome: 'updated', version: 2 })
    expect(await store.commitDecision(approve('t1'))).toMatchObject({ outcome: 'approved', version: 2 })
    expect(await send(store, 'borelog-001', { drop: dropOf(3, 'c'), content: 'three' })).toMatchObject({ outcome: 'updated', version: 3 })
    expect(await store.commitDecision({ ...approve('t2'), decision: 'reject' })).toMatchObject({ outcome: 'rejected', version: 3 })
    const metadata = await store.metadata('borelog-001')
    expect(metadata).toMatchObject({
      current_version: 3,
      status: 'rejected',
      approved_by: null,
      approved_version: 2,
      rejected_by: 'approver-456',
      created_by: 'user-123',
      source: 'borelogs',
    })
    expect(brokenLinks(STORE_ID, metadata!, metadata!.history)).toEqual([])
    expect(await treeOf(nodeFiles, root)).toEqual([
      'anchors/test/0000000001.ndjson',
      'records/borelog-001/metadata.json',
      'records/borelog-001/versions/v1.parquet',
      'records/borelog-001/versions/v2.parquet',
      'records/borelog-001/versions/v3.parquet',
      'store.json',
    ])
    for (const [version, content] of [
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ] as const) {
      const path = join(root, `records/borelog-001/versions/v${version}.parquet`)
      expect(await readFile(path, 'utf8')).toBe(content)
      expect((await stat(path)).mode & 0o777).toBe(0o440)
    }
    await store.close()
  })

  it('is not created twice, nor updated or decided before it exists', async () => {
    const store = await openForWriting(root)
    expect(await failure(send(store, 'borelog-001', { intent: 'update' }))).toBe('RECORD_NOT_FOUND: Record does not exist')
    expect(await failure(store.commitDecision(approve('t0')))).toBe('RECORD_NOT_FOUND: Record does not exist')
    await send(store, 'borelog-001', { intent: 'create' })
    expect(await failure(send(store, 'borelog-001', { intent: 'create', content: 'other' }))).toBe('RECORD_EXISTS: Record already exists')
    expect((await store.metadata('borelog-001'))?.history).toHaveLength(1)
    await store.close()
  })

  it('is not moved to another table or source', async () => {
    const store = await openForWriting(root)
    await send(store, 'borelog-001', { drop: dropOf(1, 'a') })
    expect(await failure(send(store, 'borelog-001', { drop: dropOf(2, 'b'), content: 'x', tableName: 'other' }))).toMatch(
      /^TABLE_MISMATCH: /,
    )
    expect(await failure(send(store, 'borelog-001', { drop: dropOf(3, 'b'), content: 'x', source: 'other' }))).toMatch(/^SOURCE_MISMATCH: /)
    expect(await send(store, 'borelog-001', { source: null, content: 'library' })).toMatchObject({ outcome: 'updated', version: 2 })
    await store.close()
  })

  it('keeps apart from one whose id begins with its own', async () => {
    const store = await openForWriting(root)
    await send(store, 'a', { content: '1' })
    await send(store, 'a/b', { content: '2' })
    await send(store, 'a/metadata.json.tmp', { content: '3' })
    await send(store, 'a', { content: '4' })
    const ids: string[] = []
    for await (const id of store.listRecords()) ids.push(id)
    expect(ids.sort()).toEqual(['a', 'a/b', 'a/metadata.json.tmp'])
    expect((await store.metadata('a'))?.current_version).toBe(2)
    await store.close()
  })

  it.each(['', '../x', 'a//b', '.', '/etc', 'a/versions', 'a/metadata.json/b', 'a/b/c/d/e'])('with the id %j is refused', async (id) => {
    const store = await openForWriting(root)
    expect(await failure(store.metadata(id))).toMatch(/^RECORD_ID_ILLEGAL: /)
    expect(await failure(store.commitDecision({ ...approve('t'), recordId: id }))).toMatch(/^RECORD_ID_ILLEGAL: /)
    await store.close()
  })

  it('takes no actor or comment that its documents cannot hold', async () => {
    const store = await openForWriting(root)
    await send(store, 'borelog-001')
    expect(await failure(store.commitDecision({ ...approve('t'), decidedBy: '' }))).toMatch(/^ACTOR_INVALID: /)
    expect(await failure(store.commitDecision({ ...approve('t'), comment: 'x'.repeat(513) }))).toMatch(/^COMMENT_INVALID: /)
    expect(await failure(store.commitDecision({ ...approve('t'), comment: 'a\u0007' }))).toMatch(/^COMMENT_INVALID: /)
    await store.close()
  })
})

describe('a drop', () => {
  it('makes at most one version, however often it is committed', async () => {
    const store = await openForWriting(root)
    await send(store, 'r', { drop: dropOf(1, 'a'), content: 'one' })
    await send(store, 'r', { drop: dropOf(2, 'b'), content: 'two' })
    expect(await send(store, 'r', { drop: dropOf(1, 'a'), content: 'one', force: true })).toMatchObject({ outcome: 'already', version: 1 })
    expect(await send(store, 'r', { drop: dropOf(2, 'b'), content: 'two' })).toMatchObject({ outcome: 'already', version: 2 })
    expect((await store.metadata('r'))?.history).toHaveLength(2)
    expect((await treeOf(nodeFiles, root)).filter((key) => key.startsWith('staging/'))).toEqual([])
    await store.close()
  })

  it('that changes nothing makes no version and leaves nothing behind', async () => {
    const store = await openForWriting(root)
    await send(store, 'r', { drop: dropOf(1, 'a'), content: 'one' })
    const before = await treeOf(nodeFiles, root)
    expect(await send(store, 'r', { drop: dropOf(2, 'a'), content: 'one' })).toMatchObject({
      outcome: 'duplicate',
      version: 1,
      sameAsVersion: 1,
    })
    expect(await send(store, 'r', { drop: dropOf(3, 'a '), content: 'one' })).toMatchObject({ outcome: 'unchanged', version: 1 })
    expect(await treeOf(nodeFiles, root)).toEqual(before)
    await send(store, 'r', { drop: dropOf(4, 'b'), content: 'two' })
    expect(await send(store, 'r', { drop: dropOf(5, 'a'), content: 'one' })).toMatchObject({
      outcome: 'superseded',
      version: 2,
      sameAsVersion: 1,
    })
    expect(await send(store, 'r', { drop: dropOf(6, 'a'), content: 'one', force: true })).toMatchObject({ outcome: 'updated', version: 3 })
    await store.close()
  })
})

describe('a store that takes signed decisions', () => {
  it('takes no unsigned one', async () => {
    const store = await openForWriting(root, { createAs: 'signed' })
    await send(store, 'borelog-001')
    expect(await failure(store.commitDecision(approve('t')))).toMatch(/^DECISION_REQUIRED: /)
    expect((await store.metadata('borelog-001'))?.status).toBe('draft')
    await store.close()
  })

  it('knows a decision again by its id and content', async () => {
    const store = await openForWriting(root, { createAs: 'signed' })
    await send(store, 'borelog-001')
    const reference = (payload: object) => ({
      decision_id: '00000000-0000-4000-8000-0000000000dd',
      jws: {
        payload: Buffer.from(JSON.stringify(payload)).toString('base64url'),
        signatures: [{ protected: 'AA', signature: 'AA' }] as [{ protected: string; signature: string }],
      },
      key: {
        kty: 'OKP' as const,
        crv: 'Ed25519' as const,
        x: 'AA',
        kid: 'k',
        principal: 'p',
        tables: ['*'],
        nbf: null,
        exp: null,
        revoked_at: null,
      },
    })
    const first = { ...approve('t', 1), reference: reference({ a: 1, b: 2 }) }
    expect(await store.commitDecision(first)).toMatchObject({ outcome: 'approved' })
    expect(await store.commitDecision({ ...first, tx: 't2', reference: reference({ b: 2, a: 1 }) })).toMatchObject({
      outcome: 'repeated',
      version: 1,
    })
    expect(await failure(store.commitDecision({ ...first, tx: 't3', reference: reference({ a: 2 }) }))).toMatch(/^DECISION_REPLAYED: /)
    expect((await store.metadata('borelog-001'))?.history).toHaveLength(2)
    await store.close()
  })
})

describe('opening', () => {
  const read = () => RecordStore.open({ files: nodeFiles, root, mode: 'read' })

  it('makes no store where none was asked for', async () => {
    expect(await failure(read())).toMatch(/^NO_STORE: /)
    const { createAs: _, ...rest } = {
      files: nodeFiles,
      clock: steppingClock(),
      root,
      randomUuid: uuids(),
      writer: 'test',
      createAs: undefined,
    }
    expect(await failure(RecordStore.open({ ...rest, mode: 'write' }))).toMatch(/^NO_STORE: /)
    expect(await nodeFiles.stat(root)).toBeNull()
  })

  it('keeps the kind that the store was made with', async () => {
    await (await openForWriting(root, { createAs: 'signed' })).close()
    const again = await openForWriting(root, { createAs: 'any' })
    expect(again.identity).toMatchObject({ approvals: 'signed', store_id: STORE_ID })
    await again.close()
  })

  it('refuses a store whose store.json is gone, though it is asked to make one', async () => {
    const store = await openForWriting(root)
    await send(store, 'r')
    await store.close()
    await rename(join(root, 'store.json'), join(folder.path, 'aside'))
    expect(await failure(openForWriting(root))).toMatch(/^STORE_IDENTITY_MISSING: /)
    expect(await failure(read())).toMatch(/^STORE_IDENTITY_MISSING: /)
    await rm(join(root, 'records'), { recursive: true })
    expect(await failure(openForWriting(root))).toMatch(/^STORE_IDENTITY_MISSING: /)
  })

  it('refuses an edited store.json', async () => {
    await (await openForWriting(root)).close()
    await writeFile(join(root, 'store.json'), (await readFile(join(root, 'store.json'), 'utf8')).trimEnd())
    expect(await failure(read())).toMatch(/^STORE_INVALID: .*fixed form/)
  })

  it('refuses to build on edited metadata, and leaves it alone', async () => {
    const store = await openForWriting(root)
    await send(store, 'r')
    const path = join(root, 'records/r/metadata.json')
    const text = await readFile(path, 'utf8')
    for (const [edit, why] of [
      [text.replace('"draft"', '"approved"'), 'does not follow from its own history'],
      [text.replaceAll('  ', ' '), 'fixed form'],
      [text.replace('"rows": 3', '"rows": -3'), 'not the metadata'],
      ['{', 'not JSON'],
    ] as const) {
      await writeFile(path, edit)
      expect(await failure(send(store, 'r', { content: `x${why}` }))).toMatch(new RegExp(`^STORE_INVALID: .*${why}`))
      expect(await readFile(path, 'utf8')).toBe(edit)
    }
    await store.close()
  })

  it('for reading works beside a writer', async () => {
    const store = await openForWriting(root)
    const reader = await read()
    await send(store, 'r', { content: 'one' })
    expect((await reader.metadata('r'))?.current_version).toBe(1)
    const opened = await reader.openVersion('r', 'current')
    expect(Buffer.from(await opened.body.read(0, 3)).toString()).toBe('one')
    expect(opened.url).toBe(join(root, 'records/r/versions/v1.parquet'))
    await opened.body.close()
    expect(await failure(reader.openVersion('r', 'approved'))).toMatch(/^VERSION_NOT_FOUND: /)
    expect(await failure(reader.openVersion('r', 2))).toMatch(/^VERSION_NOT_FOUND: /)
    expect(await failure(reader.openVersion('nobody', 1))).toMatch(/^RECORD_NOT_FOUND: /)
    await store.close()
  })
})

describe('a foreign file where the next version goes', () => {
  it('is moved to the orphans, told of, and never overwritten', async () => {
    const orphans: unknown[] = []
    const store = await openForWriting(root, { orphans: join(folder.path, 'orphans'), onOrphan: (orphan) => orphans.push(orphan) })
    await send(store, 'r', { content: 'one' })
    const foreign = join(root, 'records/r/versions/v2.parquet')
    await writeFile(foreign, 'foreign')
    expect(await send(store, 'r', { content: 'two' })).toMatchObject({ version: 2 })
    expect(await readFile(foreign, 'utf8')).toBe('two')
    expect(orphans).toEqual([
      { recordId: 'r', version: 2, key: 'records/r/versions/v2.parquet', movedTo: join(folder.path, 'orphans/r-v2.parquet') },
    ])
    expect(await readFile(join(folder.path, 'orphans/r-v2.parquet'), 'utf8')).toBe('foreign')
    await writeFile(join(root, 'records/r/versions/v3.parquet'), 'foreign again')
    await send(store, 'r', { content: 'three' })
    expect((await treeOf(nodeFiles, join(folder.path, 'orphans'))).sort()).toEqual(['r-v2.parquet', 'r-v3.parquet'])
    await store.close()
  })
})

describe('operations at the same time', () => {
  it('of one record queue, and each builds on the one before', async () => {
    const store = await openForWriting(root)
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => send(store, 'r', { drop: dropOf(n, `bytes ${n}`), content: `content ${n}` })),
    )
    expect(outcomes.map((o) => o.version).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
    const metadata = await store.metadata('r')
    expect(brokenLinks(STORE_ID, metadata!, metadata!.history)).toEqual([])
    await store.close()
  })

  it('of several records share the fsyncs of common folders and of the anchors', async () => {
    const files = new FaultFiles()
    const store = await openForWriting(root, { files })
    const before = files.operations.length
    const n = 50
    await Promise.all(Array.from({ length: n }, (_, i) => send(store, `r${i}`, { drop: dropOf(i, `${i}`), content: `${i}` })))
    const operations = files.operations.slice(before)
    const shared = (path: string) => operations.filter((o) => o.name.startsWith('sync') && o.path === path).length
    expect(shared(join(root, 'staging'))).toBeLessThan(n / 2)
    expect(shared(join(root, 'records'))).toBeLessThan(n / 2)
    expect(shared(join(root, 'anchors/test/0000000001.ndjson'))).toBeLessThan(n / 2)
    await store.close()
    const anchors = (await readFile(join(root, 'anchors/test/0000000001.ndjson'), 'utf8')).trimEnd().split('\n')
    expect(anchors).toHaveLength(n)
  })
})

describe('the fsync budget of DESIGN §8', () => {
  it('is kept: six of the store for an update, eight for a create, the staged file included, besides those that are shared', async () => {
    const files = new FaultFiles()
    const store = await openForWriting(root, { files })
    // The first commit of a process also makes sure of the folders above all records.
    await send(store, 'warm-up', { drop: dropOf(1, 'w'), content: 'w' })
    const ownSyncs = async (work: () => Promise<unknown>): Promise<string[]> => {
      const before = files.operations.length
      await work()
      const shared = [join(root, 'staging'), join(root, 'anchors/test'), join(root, 'anchors/test/0000000001.ndjson')]
      return files.operations
        .slice(before)
        .filter((o) => o.name.startsWith('sync') && !shared.includes(o.path))
        .map((o) => o.path.slice(root.length + 1))
    }
    const create = await ownSyncs(() => send(store, 'r', { drop: dropOf(2, 'a'), content: 'one' }))
    expect(create).toHaveLength(8)
    // The staged file alone and first: a plan is never durable before the file whose hash it names.
    expect(create[0]).toMatch(/^staging\/.*\/data\.parquet$/)
    expect(create.slice(1, 3).every((path) => path.startsWith('staging/'))).toBe(true)
    expect(create.slice(3)).toEqual([
      'records',
      'records/r',
      'records/r/versions',
      expect.stringMatching(/^staging\/.*\.tmp$/),
      'records/r',
    ])
    const update = await ownSyncs(() => send(store, 'r', { drop: dropOf(3, 'b'), content: 'two' }))
    expect(update).toHaveLength(6)
    expect(await ownSyncs(() => store.commitDecision({ ...approve('t'), recordId: 'r' }))).toHaveLength(4)
    await store.close()
  })
})

describe('a failed fsync', () => {
  it('is not tried again: the store takes no more writes until it is opened anew, and then nothing is lost or doubled', async () => {
    const count = new FaultFiles()
    const probe = await openForWriting(join(folder.path, 'probe'), { files: count })
    const opened = count.operations.length
    await send(probe, 'r', { drop: dropOf(1, 'a'), content: 'one' })
    const syncs = count.operations.map((o, i) => ({ ...o, at: i + 1 })).filter((o) => o.at > opened && o.name.startsWith('sync'))
    await probe.close()
    expect(syncs.length).toBeGreaterThan(7)
    for (const { at } of syncs) {
      const place = join(folder.path, `at-${at}`)
      const store = await openForWriting(place, { files: new FaultFiles({ at, kind: 'eio' }) })
      expect(await failure(send(store, 'r', { drop: dropOf(1, 'a'), content: 'one' }))).toMatch(/^FSYNC_FAILED: /)
      expect(await failure(send(store, 'other', { drop: dropOf(2, 'b'), content: 'two' }))).toMatch(/^FSYNC_FAILED: /)
      await store.close()
      const again = await openForWriting(place)
      expect(['created', 'already']).toContain((await send(again, 'r', { drop: dropOf(1, 'a'), content: 'one' })).outcome)
      expect((await again.metadata('r'))?.history).toHaveLength(1)
      await again.close()
    }
  })
})

it('chmod of a version does not stop a reader', async () => {
  const store = await openForWriting(root)
  await send(store, 'r', { content: 'one' })
  await chmod(join(root, 'records/r/versions/v1.parquet'), 0o640)
  const opened = await store.openVersion('r', 1)
  expect(opened.body.sizeBytes).toBe(3)
  await opened.body.close()
  await store.close()
})

it('a staged transaction that is given up leaves nothing', async () => {
  const store = await openForWriting(root)
  await stage(store, 'tx-1', 'one')
  await store.discardStaging('tx-1')
  await store.discardStaging('tx-1')
  expect((await treeOf(nodeFiles, root)).filter((key) => key.startsWith('staging/'))).toEqual([])
  await store.close()
})
