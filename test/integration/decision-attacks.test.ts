import { readFileSync, statSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/documents/defaults.js'
import type { DecisionReceipt } from '../../src/documents/receipt.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'
import { expectTidy, namesIn } from '../support/receipt-rules.js'
import { endOfFile } from '../support/temporary-folder.js'
import { type Attack, attacks, type Scene, type Target } from '../unit/decisions/attacks.js'
import { bytesOf, keyringBytes, makePeople, type People, payloadOf, signed } from '../unit/decisions/world.js'

/** The attacks of hostile-decisions.test.ts as files before the daemon: all but those that need another keyring, or an instant to the millisecond. */

const RECORDS = ['borelog-001', 'approved', 'rejected', 'replayed'] as const

const onEnd = endOfFile()
let ws: IntakeWorkspace
let files: readonly Attack[]
let receipts: ReadonlyMap<string, DecisionReceipt>
let before: string
let after: string
let status: number | null

const nameOf = (at: number): string => `attack-${String(at).padStart(4, '0')}.decision.json`

/** Bytes, inode and time of each metadata.json: one that was written again with the same bytes would show as well. */
function stateOfRecords(): string {
  return RECORDS.map((record) => {
    const path = ws.path('store/records', record, 'metadata.json')
    const { ino, mtimeNs } = statSync(path, { bigint: true })
    return `${record} ${ino} ${mtimeNs} ${readFileSync(path, 'utf8')}`
  }).join('\n')
}

async function place(name: string, bytes: Uint8Array): Promise<void> {
  const path = ws.path('decisions', name)
  await writeFile(`${path}.tmp`, bytes)
  await rename(`${path}.tmp`, path)
}

function targetOf(recordId: string): Target {
  const { current_version: version, history } = ws.metadata(recordId) as never as {
    current_version: number
    history: { status: string; parquet_sha256: string }[]
  }
  return { recordId, version, hashes: history.filter((entry) => entry.status === 'draft').map((entry) => entry.parquet_sha256) }
}

beforeAll(async () => {
  ws = await IntakeWorkspace.make({
    sources: [{ name: 'logs', match: 'logs/*.csv', table: 'borelog_versions', record: '{stem}', createdBy: 'lab-export' }],
    tables: { borelog_versions: { name: 'borelog_versions', fields: [{ name: 'id', type: 'integer' }] } },
    onEnd,
  })
  const made = await makePeople()
  const people: People = { ...made, early: { ...made.early, publicKey: { ...made.early.publicKey, nbf: 4_102_444_800 } } }
  await writeFile(ws.path('config/approvers.jwks.json'), keyringBytes(people))
  const storeId = (JSON.parse(readFileSync(ws.path('store/store.json'), 'utf8')) as { store_id: string }).store_id

  const daemon = await ws.start()
  const version = async (record: string, nth: number): Promise<void> => {
    await ws.drop(`logs/${record}.csv`, `id\n${nth}\n`)
    await daemon.receiptOf(`logs/${record}.csv`, nth)
  }
  for (const record of RECORDS) await version(record, 1)
  for (const nth of [2, 3]) await version('borelog-001', nth)
  const payloadFor = (target: Target, changes: Record<string, unknown>): ReturnType<typeof payloadOf> =>
    payloadOf({
      store_id: storeId,
      record_id: target.recordId,
      version: target.version,
      parquet_sha256: target.hashes.at(-1),
      ...changes,
    })
  const id = (last: string): string => `0f0e0d0c-0b0a-4908-8706-0504030201${last}`
  const earlier = payloadFor(targetOf('replayed'), { decision_id: id('10') })
  const jws = signed(people.ann, earlier)
  await place('good-1.decision.json', bytesOf(jws))
  await place('good-2.decision.json', bytesOf(signed(people.ann, payloadFor(targetOf('approved'), { decision_id: id('11') }))))
  await place(
    'good-3.decision.json',
    bytesOf(signed(people.ann, payloadFor(targetOf('rejected'), { decision_id: id('12'), decision: 'reject' }))),
  )
  const decisions = (): DecisionReceipt[] => ws.decisionReceipts()
  await daemon.receipted(() => decisions().length >= 3)
  expect(decisions().map((receipt) => receipt.outcome)).toEqual(['applied', 'applied', 'applied'])
  await version('replayed', 2)

  const scene: Scene = {
    people,
    storeId,
    nowMs: Date.now(),
    draft: targetOf('borelog-001'),
    approved: targetOf('approved'),
    rejected: targetOf('rejected'),
    replayed: targetOf('replayed'),
    earlier: { payload: earlier, jws },
  }
  files = attacks(scene).filter((attack) => attack.keyring === undefined && attack.receivedAfterMs === undefined)
  before = stateOfRecords()
  const receipted = ws.receipts().length
  for (const [at, attack] of files.entries()) await place(nameOf(at), attack.make())
  // The same file that was applied, among them.
  await place('good-4.decision.json', bytesOf(jws))
  const receiptNames = (): string[] => namesIn(ws.path('receipts')).flatMap((day) => namesIn(ws.path('receipts', day)))
  const expected = receipted + files.length + 1
  await daemon.until(() => receiptNames().filter((name) => name.endsWith('.json')).length >= expected)
  status = (await daemon.stop()).status
  after = stateOfRecords()
  receipts = new Map(decisions().map((receipt) => [receipt.path, receipt]))
}, 120_000)

describe('a daemon under attack', () => {
  test('refuses each file with its code, a receipt, a hint and its bytes in quarantine', () => {
    expect(files.length).toBeGreaterThanOrEqual(300)
    const answers = files.map((attack, at) => {
      const receipt = receipts.get(nameOf(at))
      if (receipt?.hint === null || receipt?.message === '') return `${attack.name}: no hint or message`
      return `${attack.name}: ${receipt?.outcome} ${receipt?.code}`
    })
    const expected = files.map((attack) => {
      // A daemon looks at the size before it reads a byte.
      const code = attack.make().length > DEFAULT_LIMITS.decisionBytes ? 'LIMIT_EXCEEDED' : attack.code
      return `${attack.name}: refused ${code}`
    })
    expect(answers).toEqual(expected)
    for (const [at, attack] of files.entries()) {
      const bytes = attack.make()
      expect(Buffer.compare(readFileSync(ws.path(receipts.get(nameOf(at))!.stored_at!)), bytes), attack.name).toBe(0)
    }
  })

  test('does not touch a record, and takes the applied file for a repetition', async () => {
    expect(receipts.get('good-4.decision.json')).toMatchObject({ outcome: 'repeated', code: null })
    expect(after).toBe(before)
    expect(status).toBe(0)
    await expectTidy(ws)
  })
})
