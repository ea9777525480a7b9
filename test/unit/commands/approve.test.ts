import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { approve, type DecideOptions, reject } from '../../../src/commands/approve.js'
import { DecisionIntake, type DecisionResult } from '../../../src/decisions/decision-intake.js'
import { KeyringState, loadKeyring } from '../../../src/decisions/keyring.js'
import { verifyDecision } from '../../../src/decisions/verify-decision.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import type { RecordStore } from '../../../src/store/record-store.js'
import { type DecideWorld, decideWorld } from './decide-world.js'

const options = (changes: Partial<DecideOptions>): DecideOptions => ({
  ids: [],
  drop: undefined,
  key: undefined,
  version: undefined,
  comment: '',
  out: undefined,
  ...changes,
})

/** What the daemon does with decisions, without a watcher: takes what lies there, judges it, writes receipts. */
function standIn(world: DecideWorld, store: RecordStore) {
  let taken = 0
  const intake = new DecisionIntake({
    clock: systemClock,
    keyring: new KeyringState({
      files: nodeFiles,
      path: join(world.root, 'config/approvers.jwks.json'),
      seenPath: join(world.root, 'state/keyring.json'),
    }),
    storeId: store.identity.store_id,
    forbidSelfApproval: true,
    lookupRecord: (id) => store.metadata(id),
    commit: (request) => store.commitDecision(request),
  })
  return async (): Promise<DecisionResult[]> => {
    const results: DecisionResult[] = []
    for (const name of (await readdir(join(world.root, 'decisions'))).sort()) {
      if (name.startsWith('.') || !name.endsWith('.decision.json')) continue
      const from = join(world.root, 'decisions', name)
      const stamp = new Date().toISOString()
      taken += 1
      const dropId = `${stamp.replace(/[-:.]/g, '')}-${String(taken).padStart(6, '0')}-0123456789abcdef`
      const result = await intake.handle(await readFile(from), { dropId, receivedAtMs: Date.now() })
      await nodeFiles.remove(from)
      results.push(result)
      const { alarm: _, ...members } = result
      const receipt = {
        format: 1,
        drop_id: dropId,
        path: name,
        sha256: null,
        bytes: null,
        received_at: stamp,
        finished_at: stamp,
        stored_at: null,
        requeue_of: null,
        kind: 'decision',
        ...members,
      }
      const folder = join(world.root, 'receipts', stamp.slice(0, 10))
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `.${dropId}.tmp`), JSON.stringify(receipt))
      await nodeFiles.rename(join(folder, `.${dropId}.tmp`), join(folder, `${dropId}.json`))
    }
    return results
  }
}

/** Runs the stand-in beside a verb until that ends. */
async function beside<T>(take: () => Promise<unknown>, verb: Promise<T>): Promise<T> {
  let running = true
  const ended = verb.finally(() => {
    running = false
  })
  while (running) {
    await take()
    await nextTurn()
  }
  return ended
}

const files = async (world: DecideWorld, folder = 'decisions'): Promise<string[]> => (await readdir(join(world.root, folder))).sort()

describe('without a daemon', () => {
  test('one signed file per record is placed, whole, and status 0 says that it was handed in', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    await world.addVersion('soil/r-7')
    const context = world.context({ json: true })
    expect(await approve(context, options({ ids: ['borelog-001', 'soil/r-7', 'borelog-001'], comment: 'All checks passed' }))).toBe(0)
    const printed = JSON.parse(context.stdout.text)
    expect(printed.decisions.map((d: { record_id: string; outcome: string }) => [d.record_id, d.outcome])).toEqual([
      ['borelog-001', 'placed'],
      ['soil/r-7', 'placed'],
    ])
    const names = await files(world)
    expect(names).toHaveLength(2)
    expect(names[0]).toMatch(/^borelog-001-[0-9a-f-]{36}\.decision\.json$/)
    expect(names[1]).toMatch(/^soil_r-7-[0-9a-f-]{36}\.decision\.json$/)
    expect(context.stderr.text).toContain('No daemon runs')

    const record = (await world.metadata('borelog-001'))!
    const verdict = await verifyDecision({
      decision: await readFile(join(world.root, 'decisions', names[0]!)),
      keyring: await loadKeyring(nodeFiles, join(world.root, 'config/approvers.jwks.json')),
      receivedAtMs: Date.now(),
      storeId: JSON.parse(await readFile(join(world.root, 'store/store.json'), 'utf8')).store_id,
      forbidSelfApproval: true,
      lookupRecord: async () => record,
    })
    expect(verdict).toMatchObject({
      ok: true,
      payload: { decision: 'approve', comment: 'All checks passed', decided_by: 'ann', version: 1 },
    })
  })

  test('what is signed is listed before', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    const record = await world.addVersion('borelog-001')
    const context = world.context()
    await reject(context, options({ ids: ['borelog-001'], comment: 'Depths are wrong' }))
    const entry = record.history[0]!
    for (const text of [
      'borelog-001',
      'borelog_versions',
      '24',
      entry.status === 'draft' ? entry.parquet_sha256 : '',
      'lab-export',
      'Depths are wrong',
      'reject',
    ]) {
      expect(context.stdout.text).toContain(text)
    }
  })

  test('--out only signs', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    const context = world.context({ json: true })
    expect(await approve(context, options({ ids: ['borelog-001'], out: 'signed' }))).toBe(0)
    expect(await files(world)).toEqual([])
    expect(await files(world, 'signed')).toHaveLength(1)
    expect(JSON.parse(context.stdout.text).decisions[0].outcome).toBe('signed')
  })
})

describe('beside a daemon', () => {
  test('the verb waits for the receipts and says what became of each', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    await world.addVersion('borelog-002')
    const store = await world.open('write')
    try {
      const take = standIn(world, store)
      const context = world.context()
      expect(await beside(take, approve(context, options({ ids: ['borelog-001', 'borelog-002'] })))).toBe(0)
      expect(context.stdout.text).toContain('borelog-001 version 1: approved')
      expect(context.stdout.text).toContain('borelog-002 version 1: approved')
      expect((await store.metadata('borelog-001'))?.status).toBe('approved')
      expect((await store.metadata('borelog-001'))?.approved_by).toBe('ann')
      expect(await files(world)).toEqual([])
    } finally {
      await store.close()
    }
  })

  test('a refusal by the daemon is status 4 with its reason on stderr', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    const store = await world.open('write')
    try {
      const take = standIn(world, store)
      const context = world.context({ json: true })
      // The key is revoked between signing and judging: only the daemon can see that.
      const ring = join(world.root, 'config/approvers.jwks.json')
      const revoke = async (): Promise<void> => {
        if ((await files(world)).some((name) => name.endsWith('.decision.json') && !name.startsWith('.'))) {
          const document = JSON.parse(await readFile(ring, 'utf8'))
          await writeFile(
            ring,
            JSON.stringify({ version: document.version + 1, keys: document.keys.map((k: object) => ({ ...k, revoked_at: 1 })) }),
          )
          await take()
        }
      }
      expect(await beside(revoke, approve(context, options({ ids: ['borelog-001'] })))).toBe(4)
      expect(context.stderr.text).toContain('refused KEY_REVOKED: borelog-001')
      expect(JSON.parse(context.stdout.text).decisions[0]).toMatchObject({
        outcome: 'refused',
        code: 'KEY_REVOKED',
        drop_id: expect.any(String),
      })
      expect((await store.metadata('borelog-001'))?.status).toBe('draft')
    } finally {
      await store.close()
    }
  })

  test('no receipt in time is status 75, and the decision stays where it is', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    const store = await world.open('write')
    try {
      let ms = 0
      const clock = { nowMs: () => Date.now(), monotonicMs: () => (ms += 6000) }
      const context = world.context({ json: true, clock })
      expect(await approve(context, options({ ids: ['borelog-001'] }))).toBe(75)
      expect(JSON.parse(context.stdout.text).decisions[0].outcome).toBe('waiting')
      expect(await files(world)).toHaveLength(1)
    } finally {
      await store.close()
    }
  })

  test('receipts of earlier decisions are not taken for these', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    const store = await world.open('write')
    const take = standIn(world, store)
    expect(await beside(take, approve(world.context({ json: true }), options({ ids: ['borelog-001'] })))).toBe(0)
    await store.close()
    await world.addVersion('borelog-001')
    const again = await world.open('write')
    try {
      let ms = 0
      const context = world.context({ json: true, clock: { nowMs: () => Date.now(), monotonicMs: () => (ms += 6000) } })
      expect(await approve(context, options({ ids: ['borelog-001'] }))).toBe(75)
    } finally {
      await again.close()
    }
  })
})

describe('--drop decides on what one drop made', () => {
  const DROP = '20240601T120000000Z-000009-9f86d081884c7d65'
  async function receipt(world: DecideWorld, records: object[], outcome = 'committed'): Promise<void> {
    await mkdir(join(world.root, 'receipts/2024-06-01'), { recursive: true })
    const time = '2024-06-01T12:00:00.000Z'
    const rows = { in: 0, committed: 0, unchanged: 0, withheld: 0, invalid: 0, blank: 0 }
    const document = {
      format: 1,
      drop_id: DROP,
      path: 'x.csv',
      sha256: null,
      bytes: null,
      received_at: time,
      finished_at: time,
      code: null,
      message: null,
      hint: null,
      stored_at: null,
      requeue_of: null,
    }
    await writeFile(
      join(world.root, 'receipts/2024-06-01', `${DROP}.json`),
      JSON.stringify({
        ...document,
        kind: 'drop',
        outcome,
        source: 's',
        table: 't',
        rows,
        records,
        errors: null,
        absent_columns: [],
        report_at: null,
        force: false,
      }),
    )
  }
  const record = (record_id: string, outcome: string, version: number | null) => ({
    record_id,
    outcome,
    version,
    rows: 1,
    invalid: 0,
    key: null,
    parquet_sha256: null,
    code: null,
    message: null,
  })

  test('and leaves alone what it did not make', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    for (const id of ['a', 'b', 'c', 'd']) await world.addVersion(id)
    await receipt(world, [
      record('a', 'created', 1),
      record('b', 'updated', 1),
      record('c', 'unchanged', 1),
      record('d', 'quarantined', null),
    ])
    const context = world.context({ json: true })
    expect(await approve(context, options({ drop: DROP }))).toBe(0)
    expect(JSON.parse(context.stdout.text).decisions.map((d: { record_id: string }) => d.record_id)).toEqual(['a', 'b'])
  })

  test('and not on a newer version than the drop made', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('a')
    await world.addVersion('a')
    await receipt(world, [record('a', 'created', 1)])
    const context = world.context({ json: true })
    expect(await approve(context, options({ drop: DROP }))).toBe(4)
    expect(JSON.parse(context.stdout.text).decisions[0]).toMatchObject({ outcome: 'refused', code: 'DECISION_VERSION_MISMATCH' })
    expect(await files(world)).toEqual([])
  })

  test.each(['nonsense', '../../store/store', DROP])('without such a receipt nothing is signed: %s', async (drop) => {
    const world = await decideWorld()
    await world.addKey('ann')
    await expect(approve(world.context(), options({ drop }))).rejects.toMatchObject({ code: 'DROP_NOT_FOUND' })
  })

  test('a drop that made nothing is said to be so', async () => {
    const world = await decideWorld()
    await receipt(world, [record('a', 'quarantined', null)], 'quarantined')
    await expect(approve(world.context(), options({ drop: DROP }))).rejects.toMatchObject({ code: 'DROP_NOT_FOUND' })
  })
})

describe('what cannot count is not signed', () => {
  test.each([
    ['another version', { ids: ['borelog-001'], version: 1 }, 'DECISION_VERSION_MISMATCH'],
    ['a version to come', { ids: ['borelog-001'], version: 3 }, 'DECISION_VERSION_MISMATCH'],
    ['a record that is not there', { ids: ['borelog-404'] }, 'DECISION_RECORD_UNKNOWN'],
    ['a record id that leaves the store', { ids: ['../borelog-001'] }, 'DECISION_RECORD_UNKNOWN'],
    ['a version of one’s own', { ids: ['own'] }, 'DECISION_SELF_APPROVAL'],
    ['a record of another table', { ids: ['other-table'] }, 'KEY_TABLE_FORBIDDEN'],
  ])('%s', async (_name, changes, code) => {
    const world = await decideWorld()
    await world.addKey('ann', { tables: ['borelog_versions'] })
    await world.addVersion('borelog-001')
    await world.addVersion('borelog-001')
    await world.addVersion('own', { createdBy: 'ann' })
    await world.addVersion('other-table', { table: 'soil_test_samples' })
    const context = world.context({ json: true })
    expect(await approve(context, options(changes))).toBe(4)
    expect(context.stderr.text).toContain(`refused ${code}`)
    expect(JSON.parse(context.stdout.text).decisions).toMatchObject([{ outcome: 'refused', code, file: null }])
    expect(await files(world)).toEqual([])
  })

  test('one refused record does not hold up the others', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    const context = world.context({ json: true })
    expect(await approve(context, options({ ids: ['missing', 'borelog-001'] }))).toBe(4)
    expect(JSON.parse(context.stdout.text).decisions.map((d: { outcome: string }) => d.outcome)).toEqual(['refused', 'placed'])
    expect(await files(world)).toHaveLength(1)
  })

  test('an approved version, with the words of the record rules', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('borelog-001')
    const store = await world.open('write')
    await beside(standIn(world, store), approve(world.context(), options({ ids: ['borelog-001'] })))
    await store.close()
    const context = world.context()
    expect(await approve(context, options({ ids: ['borelog-001'] }))).toBe(4)
    expect(context.stderr.text).toContain('Already approved')
    const other = world.context()
    expect(await reject(other, options({ ids: ['borelog-001'] }))).toBe(4)
    expect(other.stderr.text).toContain('Cannot reject approved')
  })

  test('a rejection of one’s own version is signed', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addVersion('own', { createdBy: 'ann' })
    expect(await reject(world.context(), options({ ids: ['own'] }))).toBe(0)
  })
})

describe('keys', () => {
  test('several in keys/ must be told apart', async () => {
    const world = await decideWorld()
    await world.addKey('ann')
    await world.addKey('ben')
    await world.addVersion('borelog-001')
    await expect(approve(world.context(), options({ ids: ['borelog-001'] }))).rejects.toMatchObject({ code: 'USAGE' })
    const context = world.context({ json: true })
    expect(await approve(context, options({ ids: ['borelog-001'], key: 'keys/ben.jwk.json' }))).toBe(0)
    expect(JSON.parse(context.stdout.text).decided_by).toBe('ben')
  })

  test('none is a helpful error', async () => {
    const world = await decideWorld()
    await world.addVersion('borelog-001')
    await expect(approve(world.context(), options({ ids: ['borelog-001'] }))).rejects.toMatchObject({
      code: 'KEY_INVALID',
      hint: expect.stringContaining('keygen'),
    })
  })

  test.each([
    ['that the keyring does not hold', 'KEY_UNKNOWN', (k: object) => ({ ...k, kid: 'other' })],
    ['that has ended', 'KEY_EXPIRED', (k: object) => ({ ...k, exp: 1 })],
    ['that was revoked', 'KEY_REVOKED', (k: object) => ({ ...k, revoked_at: 1 })],
    ['whose principal is another in the keyring', 'DECISION_PRINCIPAL_MISMATCH', (k: object) => ({ ...k, principal: 'ben' })],
  ])('one %s is not used', async (_name, code, change) => {
    const world = await decideWorld()
    const key = await world.addKey('ann')
    await world.addVersion('borelog-001')
    await writeFile(join(world.root, 'config/approvers.jwks.json'), JSON.stringify({ version: 9, keys: [change(key)] }))
    await expect(approve(world.context(), options({ ids: ['borelog-001'] }))).rejects.toMatchObject({ code })
    expect(await files(world)).toEqual([])
  })
})

test.each([
  [{}, 'USAGE'],
  [{ ids: ['a'], drop: 'x' }, 'USAGE'],
  [{ drop: 'x', version: 1 }, 'USAGE'],
  [{ ids: ['a'], comment: 'a\u001b[2Jb' }, 'COMMENT_INVALID'],
  [{ ids: ['a'], comment: 'x'.repeat(513) }, 'COMMENT_INVALID'],
])('arguments that make no sense are refused before anything is read: %j', async (changes, code) => {
  const world = await decideWorld()
  await expect(approve(world.context(), options(changes))).rejects.toMatchObject({ code })
})
