import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '../../../src/core/hashes.js'
import { brokenLinks, foldHistory } from '../../../src/core/history.js'
import { isVersionEntry } from '../../../src/core/record-model.js'
import { isIntakeError } from '../../../src/errors.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import type { RecordStore } from '../../../src/store/record-store.js'
import { type Fault, FaultFiles, SimulatedCrash } from './fault-files.js'
import { dropOf, openForWriting, STORE_ID, send, temporaryFolder, treeOf } from './store-kit.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

interface Scenario {
  readonly name: string
  readonly prepare: (store: RecordStore) => Promise<void>
  readonly act: (store: RecordStore) => Promise<unknown>
  /** Status and contents of all versions once the act has been done exactly once. */
  readonly status: string
  readonly contents: readonly string[]
}

const first = (store: RecordStore) => send(store, 'soil/r', { drop: dropOf(1, 'a'), content: 'one' })
const second = (store: RecordStore) => send(store, 'soil/r', { drop: dropOf(2, 'b'), content: 'two' })
const reference = {
  decision_id: '00000000-0000-4000-8000-0000000000dd',
  jws: { payload: 'AA', signatures: [{ protected: 'AA', signature: 'AA' }] as [{ protected: string; signature: string }] },
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
}
const approve = (store: RecordStore) =>
  store.commitDecision({ tx: 'decision-1', recordId: 'soil/r', version: 1, decision: 'approve', decidedBy: 'p', comment: '', reference })

const SCENARIOS: readonly Scenario[] = [
  { name: 'create', prepare: async () => {}, act: first, status: 'draft', contents: ['one'] },
  { name: 'update', prepare: async (s) => void (await first(s)), act: second, status: 'draft', contents: ['one', 'two'] },
  { name: 'approve', prepare: async (s) => void (await first(s)), act: approve, status: 'approved', contents: ['one'] },
]

/** Everything that must hold of the record at any time: nothing lost, nothing doubled, every version there with its hash, one chain. */
async function checkRecord(root: string, store: RecordStore): Promise<void> {
  const metadata = await store.metadata('soil/r')
  const tree = await treeOf(nodeFiles, root)
  const files = tree.filter((key) => key.startsWith('records/') && key.endsWith('.parquet'))
  if (metadata === null) return
  expect(brokenLinks(STORE_ID, metadata, metadata.history)).toEqual([])
  expect(foldHistory(metadata, metadata.history).ok).toBe(true)
  const versions = metadata.history.filter(isVersionEntry)
  expect(files).toEqual(versions.map((v) => `records/soil/r/versions/v${v.version}.parquet`))
  for (const v of versions)
    expect(sha256Hex(await readFile(join(root, `records/soil/r/versions/v${v.version}.parquet`)))).toBe(v.parquet_sha256)
  const drops = versions.map((v) => v.drop?.drop_id)
  expect(new Set(drops).size).toBe(drops.length)
}

async function checkDone(root: string, store: RecordStore, scenario: Scenario): Promise<void> {
  await checkRecord(root, store)
  const metadata = await store.metadata('soil/r')
  expect(metadata?.status).toBe(scenario.status)
  const contents = await Promise.all(
    metadata!.history.filter(isVersionEntry).map((v) => readFile(join(root, `records/soil/r/versions/v${v.version}.parquet`), 'utf8')),
  )
  expect(contents).toEqual(scenario.contents)
  const tree = await treeOf(nodeFiles, root)
  expect(tree.filter((key) => key.startsWith('staging/') || key.startsWith('orphans/'))).toEqual([])
  const lines = (await readFile(join(root, 'anchors/test/0000000001.ndjson'), 'utf8')).trimEnd().split('\n')
  const anchored = new Set(lines.map((line) => (JSON.parse(line) as { history_length: number }).history_length))
  expect([...anchored].sort()).toEqual(metadata!.history.map((_, i) => i + 1))
}

async function prepared(place: string, scenario: Scenario): Promise<void> {
  const store = await openForWriting(place)
  await scenario.prepare(store)
  await store.close()
}

/** Opens and acts with the given files; true when it came through. */
async function attempt(place: string, files: FaultFiles, scenario: Scenario): Promise<boolean> {
  let store: RecordStore | null = null
  try {
    store = await openForWriting(place, { files })
    await scenario.act(store)
    return true
  } catch (error) {
    if (error instanceof SimulatedCrash || isIntakeError(error) || (error as { code?: string }).code === 'EIO') return false
    throw error
  } finally {
    await store?.close()
  }
}

describe.each(SCENARIOS)('$name', (scenario) => {
  it('survives the death of the process before any of its file operations', async () => {
    for (let k = 1; ; k++) {
      const place = join(folder.path, `k${k}`)
      await prepared(place, scenario)
      const files = new FaultFiles({ at: k, kind: 'crash' })
      const through = await attempt(place, files, scenario)
      const store = await openForWriting(place)
      await checkRecord(place, store)
      // What comes after a restart: the drop or decision is still claimed, and is sent again.
      await scenario.act(store)
      await checkDone(place, store, scenario)
      await store.close()
      if (through) break
      expect(k).toBeLessThan(200)
    }
  })

  it('survives a second death during the recovery from the first', async () => {
    for (let k = 1; ; k += 2) {
      const place = join(folder.path, `k${k}`)
      await prepared(place, scenario)
      if (await attempt(place, new FaultFiles({ at: k, kind: 'crash' }), scenario)) break
      for (let j = 1; j < 60; j++) {
        const files = new FaultFiles({ at: j, kind: 'crash' })
        const store = await openForWriting(place, { files }).catch((error: unknown) => {
          if (!(error instanceof SimulatedCrash)) throw error
          return null
        })
        if (store === null) continue
        await store.close()
        break
      }
      const store = await openForWriting(place)
      await scenario.act(store)
      await checkDone(place, store, scenario)
      await store.close()
    }
  })

  it.each(['enospc', 'eio'] as const satisfies readonly Fault[])(
    'fails whole under %s at any operation, and succeeds when tried again in the same process',
    async (kind) => {
      for (let k = 1; ; k++) {
        const place = join(folder.path, `k${k}`)
        await prepared(place, scenario)
        const files = new FaultFiles({ at: k, kind })
        let store: RecordStore | null = null
        let failed: unknown = null
        try {
          store = await openForWriting(place, { files })
          await scenario.act(store)
        } catch (error) {
          failed = error
        }
        if (store === null || isIntakeError(failed, 'FSYNC_FAILED')) {
          await store?.close()
          store = await openForWriting(place)
        } else if (failed !== null) {
          // Nothing of it may show as done and not done: what readers see is one whole head.
          const reader = await openForReading(place)
          if (reader !== null) await reader.metadata('soil/r')
        }
        if (failed !== null) {
          const again = await scenario.act(store).catch((error: unknown) => error)
          // An unsigned retry after the commit point would be told "Already approved"; a signed one is known again.
          expect(again).not.toBeInstanceOf(Error)
        }
        await checkDone(place, store, scenario)
        await store.close()
        if (!files.fired) break
        expect(k).toBeLessThan(200)
      }
    },
  )
})

async function openForReading(root: string): Promise<RecordStore | null> {
  const { RecordStore } = await import('../../../src/store/record-store.js')
  return RecordStore.open({ files: nodeFiles, root, mode: 'read' }).catch(() => null)
}

describe('recovery', () => {
  it('undoes a plan whose Parquet file is not what it names, and lets the drop be converted again', async () => {
    const place = join(folder.path, 'store')
    await prepared(place, SCENARIOS[1]!)
    const files = new FaultFiles()
    const probe = await openForWriting(join(folder.path, 'probe'))
    await SCENARIOS[1]!.prepare(probe)
    await probe.close()
    const counting = await openForWriting(join(folder.path, 'probe'), { files })
    await second(counting)
    await counting.close()
    // Die right after the version was linked: the plan is durable and the name exists.
    const at = files.operations.findIndex((o) => o.name === 'link') + 2
    expect(await attempt(place, new FaultFiles({ at, kind: 'crash' }), SCENARIOS[1]!)).toBe(false)
    const staged = (await treeOf(nodeFiles, place)).find((key) => key.endsWith('data.parquet'))
    expect(staged).toBeDefined()
    await nodeFiles.setMode(join(place, staged!), 0o640)
    const file = await nodeFiles.overwrite(join(place, staged!))
    await file.write(Buffer.from('bad'))
    await file.close()
    const store = await openForWriting(place)
    expect(store.recovery.transactions).toMatchObject([{ recordId: 'soil/r', version: 2, result: 'undone' }])
    expect(store.recovery.orphans).toMatchObject([{ recordId: 'soil/r', version: 2 }])
    expect((await store.metadata('soil/r'))?.current_version).toBe(1)
    expect(await second(store)).toMatchObject({ outcome: 'updated', version: 2 })
    await checkRecord(place, store)
    await store.close()
  })

  it('finishes what was planned before it lets new work in', async () => {
    const place = join(folder.path, 'store')
    await prepared(place, SCENARIOS[1]!)
    const files = new FaultFiles()
    await prepared(join(folder.path, 'probe'), SCENARIOS[1]!)
    await attempt(join(folder.path, 'probe'), files, SCENARIOS[1]!)
    const at = files.operations.findIndex((o) => o.name === 'rename') + 1
    await attempt(place, new FaultFiles({ at, kind: 'crash' }), SCENARIOS[1]!)
    const store = await openForWriting(place)
    expect(store.recovery.transactions).toMatchObject([{ recordId: 'soil/r', version: 2, result: 'finished' }])
    expect(await second(store)).toMatchObject({ outcome: 'already', version: 2 })
    await store.close()
  })

  it('of a record whose metadata was damaged meanwhile touches nothing of it, and others go on', async () => {
    const place = join(folder.path, 'store')
    await prepared(place, SCENARIOS[1]!)
    const files = new FaultFiles()
    await prepared(join(folder.path, 'probe'), SCENARIOS[1]!)
    await attempt(join(folder.path, 'probe'), files, SCENARIOS[1]!)
    const at = files.operations.findIndex((o) => o.name === 'rename') + 1
    await attempt(place, new FaultFiles({ at, kind: 'crash' }), SCENARIOS[1]!)
    const damaged = await nodeFiles.overwrite(join(place, 'records/soil/r/metadata.json'))
    await damaged.write(Buffer.from('{}'))
    await damaged.close()
    const before = (await treeOf(nodeFiles, place)).filter((key) => !key.endsWith('.tmp'))
    const store = await openForWriting(place)
    expect(store.recovery.transactions).toMatchObject([{ recordId: 'soil/r', result: 'blocked' }])
    expect(await treeOf(nodeFiles, place)).toEqual(before)
    expect(await send(store, 'other', { content: 'x' })).toMatchObject({ outcome: 'created' })
    await store.close()
  })
})
