import { appendFileSync, chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { InvariantCode, SeenFacts } from '../../src/core/invariants.js'
import { checkInvariants, type FactReader } from '../support/check-invariants.js'
import { endOfFile, temporaryFolder } from '../support/temporary-folder.js'
import { ROOT, World } from './world.js'

/** Whoever checks the promises must see each of them broken: a workspace damaged in one way is found, with the invariant it breaks. */

const onEnd = endOfFile()
let good: string
let seen: SeenFacts

beforeAll(async () => {
  const world = await World.make()
  world.put('inbox/one/a.csv', 'id,hole,note\n1,h,x\n')
  world.put('inbox/one/b.csv', 'id,hole,note\nwrong,h,x\n')
  world.put('inbox/skip/s.csv', 'id,hole,note\n1,h,x\nwrong,h,y\n')
  await world.liveWell()
  world.decide('yes', 'a', 'approve')
  await world.liveWell()
  world.put('inbox/one/2/a.csv', 'id,hole,note\n1,h,y\n2,h,z\n')
  await world.liveWell()
  world.decide('no', 'a', 'reject')
  await world.liveWell()
  good = await temporaryFolder(onEnd)
  copyOut(world.disk.reader(ROOT), '', good)
  seen = checkInvariants(good).seen
})

function copyOut(reader: FactReader, path: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const { name, kind } of reader.list(path)) {
    if (kind === 'directory') copyOut(reader, `${path}/${name}`, join(to, name))
    else writeFileSync(join(to, name), reader.read(`${path}/${name}`)!)
  }
}

type Json = Record<string, never> & { history: Json[]; rows: Json; records: Json[] }

/** A workspace of its own to damage. */
class Damaged {
  constructor(readonly root: string) {}

  path(path: string): string {
    return join(this.root, path)
  }

  json(path: string, change: (document: Json) => void): void {
    const document = JSON.parse(readFileSync(this.path(path), 'utf8')) as Json
    change(document)
    writeFileSync(this.path(path), `${JSON.stringify(document, null, 2)}\n`)
  }

  metadata(change: (document: Json) => void): void {
    this.json('store/records/a/metadata.json', change)
  }

  /** The receipt of the drop or decision with this path, below the root. */
  receipt(path: string): string {
    const days = readdirSync(this.path('receipts'))
    const all = days.flatMap((day) => readdirSync(this.path(`receipts/${day}`)).map((name) => `receipts/${day}/${name}`))
    return all.find((at) => (JSON.parse(readFileSync(this.path(at), 'utf8')) as { path: string }).path === path)!
  }

  original(path: string): string {
    return (JSON.parse(readFileSync(this.path(this.receipt(path)), 'utf8')) as { stored_at: string }).stored_at
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true })
    writeFileSync(this.path(path), content)
  }
}

const V1 = 'store/records/a/versions/v1.parquet'
const V2 = 'store/records/a/versions/v2.parquet'
const STRANGER = '20240301T080000000Z-000099-0123456789abcdef'

const DAMAGES: readonly (readonly [string, InvariantCode, (at: Damaged) => void])[] = [
  ['I1', 'VERSION_CHANGED', (at) => appendFileSync(at.path(V1), 'x')],
  ['I1', 'VERSION_LOST', (at) => rmSync(at.path(V1))],
  ['I2', 'VERSION_MISSING', (at) => rmSync(at.path(V2))],
  ['I2', 'VERSION_BYTES_DIFFER', (at) => at.metadata((m) => Object.assign(m.history[0]!, { parquet_sha256: '0'.repeat(64) }))],
  ['I2', 'VERSION_BYTES_DIFFER', (at) => at.metadata((m) => Object.assign(m.history[0]!, { bytes: 1 }))],
  ['I2', 'METADATA_UNREADABLE', (at) => writeFileSync(at.path('store/records/a/metadata.json'), '{"record_id":"a","hist')],
  ['I3', 'VERSION_NUMBER_WRONG', (at) => at.metadata((m) => Object.assign(m.history[2]!, { version: 3 }))],
  ['I3', 'VERSION_UNOWNED', (at) => cpSync(at.path(V2), at.path('store/records/a/versions/v3.parquet'))],
  ['I4', 'DROP_TWICE', (at) => at.metadata((m) => Object.assign(m.history[2]!, { drop: m.history[0]!.drop }))],
  ['I5', 'HISTORY_UNCHAINED', (at) => at.metadata((m) => Object.assign(m.history[1]!, { prev: '0'.repeat(64) }))],
  ['I5', 'HISTORY_IMPOSSIBLE', (at) => at.metadata((m) => void m.history.splice(0, 1))],
  ['I5', 'HISTORY_REWRITTEN', (at) => at.metadata((m) => Object.assign(m.history[0]!, { comment: 'another' }))],
  ['I5', 'HISTORY_NOT_FOLLOWED', (at) => at.metadata((m) => Object.assign(m, { status: 'approved' }))],
  ['I5', 'ANCHOR_AHEAD', (at) => at.metadata((m) => void m.history.pop())],
  ['I5', 'HISTORY_REWRITTEN', (at) => rmSync(at.path('store/records/a'), { recursive: true })],
  ['I5', 'STORE_UNREADABLE', (at) => writeFileSync(at.path('store/store.json'), '{}')],
  ['I6', 'DROP_LOST', (at) => rmSync(at.path(at.receipt('one/b.csv')))],
  ['I6', 'ORIGINAL_UNRECEIPTED', (at) => rmSync(at.path(at.receipt('one/b.csv')))],
  ['I6', 'VERSION_UNRECEIPTED', (at) => rmSync(at.path(at.receipt('one/a.csv')))],
  ['I6', 'CLAIM_MISSING', (at) => at.write(`inbox/one/.${STRANGER}.claimed`, 'x')],
  ['I6', 'RECEIPT_UNREADABLE', (at) => writeFileSync(at.path(at.receipt('one/a.csv')), '{"format": 1')],
  ['I6', 'RECEIPT_UNREADABLE', (at) => at.json(at.receipt('one/a.csv'), (r) => Object.assign(r, { drop_id: STRANGER }))],
  ['I6', 'RECEIPT_CHANGED', (at) => at.json(at.receipt('one/a.csv'), (r) => Object.assign(r, { message: 'another' }))],
  ['I6', 'ORIGINAL_MISSING', (at) => rmSync(at.path(at.original('one/a.csv')))],
  ['I6', 'ORIGINAL_MISSING', (at) => at.json(at.receipt('one/a.csv'), (r) => Object.assign(r, { stored_at: null }))],
  ['I6', 'ORIGINAL_DIFFERS', (at) => appendFileSync(at.path(at.original('one/b.csv')), '\n')],
  ['I6', 'ROWS_DO_NOT_ADD_UP', (at) => at.json(at.receipt('one/a.csv'), (r) => Object.assign(r.rows, { in: 7 }))],
  [
    'I6',
    'ROWS_DO_NOT_ADD_UP',
    (at) => at.json(at.receipt('skip/s.csv'), (r) => Object.assign(r.rows, { invalid: 0, withheld: 1, committed: 0, unchanged: 1 })),
  ],
  ['I6', 'ROWS_DO_NOT_ADD_UP', (at) => at.json(at.receipt('one/b.csv'), (r) => Object.assign(r.rows, { in: null }))],
  ['I6', 'RECEIPT_NAMES_NO_VERSION', (at) => at.json(at.receipt('one/a.csv'), (r) => Object.assign(r.records[0]!, { version: 2 }))],
  ['I7', 'APPROVAL_UNSIGNED', (at) => at.metadata((m) => Object.assign(m.history[1]!, { decision: null }))],
  [
    'I7',
    'SIGNATURE_WRONG',
    (at) =>
      at.metadata((m) =>
        Object.assign((m.history[1] as never as { decision: { jws: { payload: string } } }).decision.jws, { payload: 'e30' }),
      ),
  ],
  // The key is not in the keyring.
  ['I7', 'SIGNATURE_WRONG', (at) => at.json('config/approvers.jwks.json', (k) => Object.assign(k, { keys: [] }))],
  // A good signature of the same person over another version.
  [
    'I7',
    'SIGNED_SOMETHING_ELSE',
    (at) => at.metadata((m) => Object.assign(m.history[3]!, { decision: m.history[1]!.decision, status: 'approved' })),
  ],
]

describe('a workspace', () => {
  it('that nobody damaged breaks no promise, looked at once or again', () => {
    expect(checkInvariants(good).findings).toEqual([])
    expect(checkInvariants(good, seen).findings).toEqual([])
  })

  it('that does not exist breaks no promise', () => {
    expect(checkInvariants(join(good, 'nowhere')).findings).toEqual([])
  })

  it.each(DAMAGES)('that breaks %s is found: %s', async (invariant, code, damage) => {
    const root = join(await temporaryFolder(), 'ws')
    cpSync(good, root, { recursive: true })
    damage(new Damaged(root))
    const { findings } = checkInvariants(root, seen)
    expect(findings.map((f) => `${f.invariant} ${f.code}`)).toContain(`${invariant} ${code}`)
  })

  it('may have what a crash leaves: a claim with its hidden file and its archived original, and a planned version', async () => {
    const at = new Damaged(join(await temporaryFolder(), 'ws'))
    cpSync(good, at.root, { recursive: true })
    at.write(`state/claims/${STRANGER}/drop.json`, '{}')
    at.write(`inbox/one/.${STRANGER}.claimed`, 'x')
    at.write(`archive/2024-03-01/${STRANGER}-x.csv`, 'x')
    cpSync(at.path(V2), at.path('store/records/a/versions/v3.parquet'))
    at.write('store/staging/tx/plan.json', JSON.stringify({ plan: { record_id: 'a', entry: { version: 3 } } }))
    at.write(`receipts/2024-03-01/.${STRANGER}.tmp`, '{"for')
    expect(checkInvariants(at.root, seen).findings).toEqual([])
  })

  it('whose receipts and archive were moved away is told from one that lost a file only by the drops that are known', async () => {
    const at = new Damaged(join(await temporaryFolder(), 'ws'))
    cpSync(good, at.root, { recursive: true })
    renameSync(at.path('receipts'), at.path('receipts-2024'))
    chmodSync(at.path('archive'), 0o750)
    const codes = new Set(checkInvariants(at.root).findings.map((f) => f.code))
    expect([...codes].sort()).toEqual(['ORIGINAL_UNRECEIPTED', 'VERSION_UNRECEIPTED'])
  })
})
