import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  decisionFileBytes,
  generateApproverKey,
  loadPrivateKey,
  type SigningKey,
  signDecision,
  signerOf,
} from '../../src/decisions/sign.js'
import type { DecisionPayload } from '../../src/documents/decision.js'
import type { JwsEnvelope } from '../../src/documents/metadata.js'
import type { DecisionReceipt } from '../../src/documents/receipt.js'
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import { nodeFiles } from '../../src/runtime/files.js'
import { IntakeWorkspace, type RunningDaemon } from '../support/intake-workspace.js'
import { expectTidy } from '../support/receipt-rules.js'
import { endOfFile } from '../support/temporary-folder.js'

/** One daemon meets every kind of decision (DESIGN §7). */

const TABLES = {
  logs: { name: 'logs', fields: [{ name: 'id', type: 'integer' }] },
  others: { name: 'others', fields: [{ name: 'id', type: 'integer' }] },
}
const SOURCES = [
  { name: 'logs', match: 'logs/*.csv', table: 'logs', record: '{stem}', createdBy: 'lab' },
  { name: 'own', match: 'own/*.csv', table: 'logs', record: '{stem}', createdBy: 'approver-456' },
]

const onEnd = endOfFile()
let ws: IntakeWorkspace
let daemon: RunningDaemon
let storeId: string
const keys = new Map<string, SigningKey>()

const key = (principal: string): SigningKey => keys.get(principal)!
const metadataBytes = (record: string): Buffer => readFileSync(ws.path('store/records', record, 'metadata.json'))
const metadataOf = (record: string): ReturnType<IntakeWorkspace['metadata']> => ws.metadata(record)

/** A decision on the current version, as an approver's program would write it. */
function payloadFor(record: string, rest: Partial<DecisionPayload> = {}): DecisionPayload {
  const { current_version: version, history } = metadataOf(record) as never as {
    current_version: number
    history: Array<{ version: number; parquet_sha256: string }>
  }
  return {
    decision_id: randomUUID(),
    store_id: storeId,
    record_id: record,
    version,
    parquet_sha256: history.find((entry) => entry.version === version)!.parquet_sha256,
    decision: 'approve',
    comment: 'All checks passed',
    decided_by: 'approver-456',
    decided_at: '2024-01-27T11:00:00Z',
    ...rest,
  }
}

async function signed(record: string, rest: Partial<DecisionPayload> = {}, by = 'approver-456'): Promise<JwsEnvelope> {
  return signDecision(payloadFor(record, { decided_by: key(by).principal, ...rest }), key(by))
}

/** Hands a file in, whole at once, and waits for its receipt. */
async function handIn(name: string, content: Uint8Array | string): Promise<DecisionReceipt> {
  const path = ws.path('decisions', `${name}.decision.json`)
  await writeFile(`${path}.tmp`, content)
  await rename(`${path}.tmp`, path)
  return receiptOf(name)
}

async function receiptOf(name: string): Promise<DecisionReceipt> {
  const path = `${name}.decision.json`
  const fits = (r: { path: string }): boolean => r.path === path
  return (await daemon.receipted((receipts) => receipts.some(fits))).find(fits) as DecisionReceipt
}

function expectRefused(receipt: DecisionReceipt, code: ErrorCode): void {
  expect(receipt).toMatchObject({ outcome: 'refused', code })
  expect(receipt.message).not.toBe('')
  expect(receipt.hint).not.toBeNull()
  expect(receipt.stored_at).toMatch(/^quarantine\//)
  const reason = readFileSync(join(ws.path(receipt.stored_at!), '../reason.txt'), 'utf8')
  expect(reason).toContain(`${code}: `)
}

function editKeyring(change: (keys: Array<Record<string, unknown>>) => void): void {
  const path = ws.path('config/approvers.jwks.json')
  const keyring = JSON.parse(readFileSync(path, 'utf8')) as { version: number; keys: Array<Record<string, unknown>> }
  keyring.version++
  change(keyring.keys)
  writeFileSync(path, JSON.stringify(keyring))
}

beforeAll(async () => {
  ws = await IntakeWorkspace.make({ sources: SOURCES, tables: TABLES, onEnd })
  for (const principal of ['late', 'early', 'revoked']) await ws.run(['keygen', '--principal', principal])
  await ws.run(['keygen', '--principal', 'elsewhere', '--tables', 'others'])
  const second = 1000
  const now = Math.floor(Date.now() / second)
  editKeyring((all) => {
    all.find((k) => k.principal === 'late')!.exp = now - 60
    all.find((k) => k.principal === 'early')!.nbf = now + 86_400
    all.find((k) => k.principal === 'revoked')!.revoked_at = now - 60
  })
  for (const principal of ['approver-456', 'late', 'early', 'revoked', 'elsewhere'])
    keys.set(principal, await loadPrivateKey(nodeFiles, ws.path('keys', `${principal}.jwk.json`)))
  const { privateKey } = await generateApproverKey({ principal: 'approver-456', tables: ['*'] })
  keys.set('stranger', { kid: privateKey.kid, principal: 'approver-456', x: privateKey.x, signer: signerOf(privateKey) })
  storeId = (JSON.parse(readFileSync(ws.path('store/store.json'), 'utf8')) as { store_id: string }).store_id
  daemon = await ws.start()
  // One record for each test that changes it: the order of the tests must not matter.
  for (const record of ['refused', 'applied', 'done', 'replayed', 'approved', 'rejected', 'updated', 'keyring'])
    await ws.drop(`logs/${record}.csv`, `id\n1\n`)
  for (const record of ['own-file', 'own-verb']) await ws.drop(`own/${record}.csv`, 'id\n1\n')
  await daemon.receipted((receipts) => receipts.length >= 10)
  expect(await handIn('done', decisionFileBytes(await signed('done')))).toMatchObject({ outcome: 'applied' })
}, 60_000)

// After all of this nothing is half done, and the audit proves every decision from the store.
afterAll(async () => {
  expect((await daemon.stop()).status).toBe(0)
  await expectTidy(ws)
  const applied = ws.decisionReceipts().filter((r) => r.outcome === 'applied').length
  expect(await ws.json<object>(['verify'])).toMatchObject({ findings: [], decisions: applied })
})

describe('a decision that does not count gets its own code, a receipt and its place in quarantine, and leaves the record alone', () => {
  /** A good decision in which something is another. */
  const replacing = async (change: (envelope: JwsEnvelope) => object): Promise<string> => {
    const envelope = await signed('refused')
    return JSON.stringify({ ...envelope, ...change(envelope) })
  }

  const CASES: ReadonlyArray<readonly [string, ErrorCode, () => Promise<Uint8Array | string>]> = [
    ['bare JSON without a signature', 'DECISION_UNSIGNED', async () => JSON.stringify(payloadFor('refused'))],
    ['an envelope without signatures', 'DECISION_UNSIGNED', () => replacing(() => ({ signatures: [] }))],
    ['an empty signature', 'DECISION_UNSIGNED', () => replacing((e) => ({ signatures: [{ ...e.signatures[0], signature: '' }] }))],
    ['two signatures', 'DECISION_SIGNATURES', () => replacing((e) => ({ signatures: [e.signatures[0], e.signatures[0]] }))],
    ['no protected header', 'DECISION_HEADER', () => replacing((e) => ({ signatures: [{ signature: e.signatures[0]!.signature }] }))],
    [
      'a payload that was exchanged',
      'DECISION_SIGNATURE_INVALID',
      async () => {
        const { payload } = await signed('refused', { decision: 'reject' })
        return replacing(() => ({ payload }))
      },
    ],
    ['an unknown key', 'KEY_UNKNOWN', async () => decisionFileBytes(await signed('refused', {}, 'stranger'))],
    ['a key that has ended', 'KEY_EXPIRED', async () => decisionFileBytes(await signed('refused', {}, 'late'))],
    ['a key that is not valid yet', 'KEY_NOT_YET_VALID', async () => decisionFileBytes(await signed('refused', {}, 'early'))],
    ['a key that was revoked', 'KEY_REVOKED', async () => decisionFileBytes(await signed('refused', {}, 'revoked'))],
    ['a key for other tables', 'KEY_TABLE_FORBIDDEN', async () => decisionFileBytes(await signed('refused', {}, 'elsewhere'))],
    [
      'somebody else than the owner of the key',
      'DECISION_PRINCIPAL_MISMATCH',
      async () => decisionFileBytes(await signed('refused', { decided_by: 'boss' })),
    ],
    ['another store', 'DECISION_STORE_MISMATCH', async () => decisionFileBytes(await signed('refused', { store_id: randomUUID() }))],
    ['a record that does not exist', 'DECISION_RECORD_UNKNOWN', async () => decisionFileBytes(await signed('refused', { record_id: 'Z' }))],
    ['another version', 'DECISION_VERSION_MISMATCH', async () => decisionFileBytes(await signed('refused', { version: 2 }))],
    ['other bytes', 'DECISION_HASH_MISMATCH', async () => decisionFileBytes(await signed('refused', { parquet_sha256: 'a'.repeat(64) }))],
    [
      'another record under this hash',
      'DECISION_HASH_MISMATCH',
      async () => decisionFileBytes(await signed('refused', { parquet_sha256: 'b'.repeat(64), record_id: 'applied' })),
    ],
    ['half of a file', 'DECISION_MALFORMED', async () => decisionFileBytes(await signed('refused')).subarray(0, 300)],
    ['an empty file', 'DECISION_MALFORMED', async () => ''],
    ['text that is no JSON', 'DECISION_MALFORMED', async () => 'approved, go ahead'],
    ['a CSV file', 'DECISION_MALFORMED', async () => 'id\n1\n'],
    ['a file over the limit', 'LIMIT_EXCEEDED', async () => Buffer.alloc(70_000, 0x20)],
  ]

  test.each(CASES)('%s: %s', async (rule, code, content) => {
    const name = rule.replaceAll(' ', '-')
    const before = metadataBytes('refused')
    const bytes = Buffer.from(await content())
    const receipt = await handIn(name, bytes)
    expectRefused(receipt, code)
    expect(readFileSync(ws.path(receipt.stored_at!)).equals(bytes)).toBe(true)
    expect(metadataBytes('refused').equals(before)).toBe(true)
    await daemon.logged((line) => line.event === 'decision.refused' && line.drop_id === receipt.drop_id && line.code === code)
  })

  test('who made a version may not approve it, but may reject it: DECISION_SELF_APPROVAL', async () => {
    const before = metadataBytes('own-file')
    expectRefused(await handIn('self-approval', decisionFileBytes(await signed('own-file'))), 'DECISION_SELF_APPROVAL')
    expect(metadataBytes('own-file').equals(before)).toBe(true)
    expect(await handIn('self-rejection', decisionFileBytes(await signed('own-file', { decision: 'reject' })))).toMatchObject({
      outcome: 'applied',
    })
    expect(metadataOf('own-file')).toMatchObject({ status: 'rejected', rejected_by: 'approver-456' })
  })

  const UNOPENED: ReadonlyArray<readonly [string, ErrorCode, (path: string) => Promise<void>]> = [
    ['link', 'SYMLINK', (path) => symlink(ws.path('outside.json'), path)],
    ['pipe', 'FIFO', async (path) => void spawnSync('mkfifo', [path])],
  ]
  test.each(UNOPENED)('a %s to a good decision is not followed: %s', async (name, code, make) => {
    writeFileSync(ws.path('outside.json'), decisionFileBytes(await signed('refused')))
    const before = metadataBytes('refused')
    await make(ws.path('decisions', `${name}.decision.json`))
    const receipt = await receiptOf(name)
    expectRefused(receipt, code)
    expect(lstatSync(ws.path(receipt.stored_at!)).isFile()).toBe(false)
    expect(metadataBytes('refused').equals(before)).toBe(true)
  })
})

describe('a decision counts once', () => {
  test('the same again changes nothing and says repeated, whatever its spelling; the same id with another content is refused and alarmed', async () => {
    const payload = payloadFor('replayed')
    const envelope = await signDecision(payload, key('approver-456'))
    const first = await handIn('first', decisionFileBytes(envelope))
    expect(first).toMatchObject({
      outcome: 'applied',
      code: null,
      decision_id: payload.decision_id,
      record_id: 'replayed',
      version: 1,
      decided_by: 'approver-456',
    })
    expect(first.stored_at).toMatch(/^archive\//)
    const after = metadataBytes('replayed')

    const again = await handIn('again', JSON.stringify(envelope))
    expect(again).toMatchObject({ outcome: 'repeated', code: null })
    expect(metadataBytes('replayed').equals(after)).toBe(true)

    for (const [name, rest] of [
      ['replay-comment', { comment: 'Something else' }],
      ['replay-verb', { decision: 'reject' }],
    ] as const) {
      const receipt = await handIn(name, decisionFileBytes(await signDecision({ ...payload, ...rest }, key('approver-456'))))
      expectRefused(receipt, 'DECISION_REPLAYED')
      await daemon.logged((line) => line.drop_id === receipt.drop_id && line.alarm === true)
    }
    expect(metadataBytes('replayed').equals(after)).toBe(true)
  })

  test('only a draft is decided: ALREADY_APPROVED, CANNOT_REJECT_APPROVED, ALREADY_REJECTED, CANNOT_APPROVE_REJECTED, with the messages of the contract', async () => {
    expect(await handIn('c-1', decisionFileBytes(await signed('approved')))).toMatchObject({ outcome: 'applied' })
    expect(await handIn('c-2', decisionFileBytes(await signed('approved')))).toMatchObject({
      code: 'ALREADY_APPROVED',
      message: 'Already approved',
    })
    expect(await handIn('c-3', decisionFileBytes(await signed('approved', { decision: 'reject' })))).toMatchObject({
      code: 'CANNOT_REJECT_APPROVED',
      message: 'Cannot reject approved',
    })
    expect(await handIn('d-1', decisionFileBytes(await signed('rejected', { decision: 'reject' })))).toMatchObject({ outcome: 'applied' })
    expect(await handIn('d-2', decisionFileBytes(await signed('rejected', { decision: 'reject' })))).toMatchObject({
      code: 'ALREADY_REJECTED',
      message: 'Already rejected',
    })
    expect(await handIn('d-3', decisionFileBytes(await signed('rejected')))).toMatchObject({
      code: 'CANNOT_APPROVE_REJECTED',
      message: 'Cannot approve rejected',
    })
  })

  test('an approval of version 1 does not carry over to version 2', async () => {
    const late = decisionFileBytes(await signed('updated'))
    await ws.drop('logs/updated.csv', 'id\n2\n')
    await daemon.receiptOf('logs/updated.csv', 2)
    const receipt = await handIn('too-late', late)
    expectRefused(receipt, 'DECISION_VERSION_MISMATCH')
    expect(metadataOf('updated')).toMatchObject({ status: 'draft', current_version: 2, approved_version: null })
  })
})

describe('the verbs approve and reject', () => {
  const refusedBy = async (args: readonly string[], code: ErrorCode): Promise<void> => {
    const files = metadataBytes('refused')
    const result = await ws.run([...args, '--json'], null)
    expect(result.status, result.stderr).toBe(ERRORS[code].exit)
    expect(result.stdout).toContain(`"${code}"`)
    expect(result.stderr).toContain(code)
    expect(metadataBytes('refused').equals(files)).toBe(true)
  }

  test.each([
    [
      'another version than the current one',
      ['approve', 'refused', '--version', '2', '--key', 'approver-456'],
      'DECISION_VERSION_MISMATCH',
    ],
    ['a record that does not exist', ['approve', 'Z', '--key', 'approver-456'], 'DECISION_RECORD_UNKNOWN'],
    ['a key that has ended', ['approve', 'refused', '--key', 'late'], 'KEY_EXPIRED'],
    ['a key that was revoked', ['reject', 'refused', '--key', 'revoked'], 'KEY_REVOKED'],
    ['a key for other tables', ['approve', 'refused', '--key', 'elsewhere'], 'KEY_TABLE_FORBIDDEN'],
    ['what is approved already', ['approve', 'done', '--key', 'approver-456'], 'ALREADY_APPROVED'],
    ['what is approved already, by a rejection', ['reject', 'done', '--key', 'approver-456'], 'CANNOT_REJECT_APPROVED'],
  ] as const)('refuse %s with 4 and the reason', async (_, args, code) => {
    await refusedBy(
      args.map((arg, i) => (args[i - 1] === '--key' ? ws.path('keys', `${arg}.jwk.json`) : arg)),
      code,
    )
  })

  test('end with 4 when the daemon refuses what they handed in', async () => {
    // The verb believes what the file says now; the daemon keeps to what it was started with.
    const config = readFileSync(ws.configFile, 'utf8')
    writeFileSync(ws.configFile, JSON.stringify({ ...(JSON.parse(config) as object), decisions: { forbidSelfApproval: false } }))
    try {
      await refusedBy(['approve', 'own-verb', '--key', ws.path('keys/approver-456.jwk.json')], 'DECISION_SELF_APPROVAL')
    } finally {
      writeFileSync(ws.configFile, config)
    }
    expect(metadataOf('own-verb')).toMatchObject({ status: 'draft' })
  })

  test('end with 0 when the decision is applied, and the receipt names it', async () => {
    const result = await ws.json<{ decisions: Array<{ outcome: string; decision_id: string }> }>([
      'approve',
      'applied',
      '--key',
      ws.path('keys/approver-456.jwk.json'),
      '--comment',
      'Looks right',
    ])
    expect(result.decisions).toMatchObject([{ outcome: 'applied' }])
    expect(ws.decisionReceipts().find((r) => r.decision_id === result.decisions[0]!.decision_id)).toMatchObject({
      outcome: 'applied',
      record_id: 'applied',
    })
    expect(metadataOf('applied')).toMatchObject({ status: 'approved', approved_by: 'approver-456' })
  })
})

test('a file of another name in decisions/ stays and shows in status', async () => {
  await writeFile(ws.path('decisions/notes.txt'), 'hello')
  const waits = async (): Promise<boolean> => {
    const { daemon: seen } = await ws.json<{ daemon: { waiting: Array<{ path: string; code: string }> } }>(['status'])
    return seen.waiting.some((w) => w.path === 'notes.txt' && w.code === 'NO_SOURCE')
  }
  await daemon.logged((line) => line.event === 'drop.waiting' && line.path === 'notes.txt')
  await expect.poll(waits, { timeout: 10_000 }).toBe(true)
})

test('a keyring older than one seen before is refused, and decisions count again when the newest is back', async () => {
  const path = ws.path('config/approvers.jwks.json')
  const newest = readFileSync(path, 'utf8')
  const before = metadataBytes('keyring')
  const reject = async (name: string): Promise<DecisionReceipt> =>
    handIn(name, decisionFileBytes(await signed('keyring', { decision: 'reject' })))
  try {
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(newest) as object), version: 1 }))
    expectRefused(await reject('rolled-back'), 'KEYRING_ROLLED_BACK')
    writeFileSync(path, '{"version": ')
    expectRefused(await reject('keyring-torn'), 'KEYRING_INVALID')
  } finally {
    writeFileSync(path, newest)
  }
  expect(metadataBytes('keyring').equals(before)).toBe(true)
  expect(await reject('keyring-back')).toMatchObject({ outcome: 'applied' })
})

test('decisions handed in while no daemon runs are taken by run --once: 0 when applied, 4 when one is refused', async () => {
  const own = await IntakeWorkspace.make({ sources: SOURCES, tables: TABLES })
  await own.drop('logs/A.csv', 'id\n1\n')
  await own.run(['run', '--once'])
  const keyFile = own.path('keys/approver-456.jwk.json')
  const { decisions } = await own.json<{ decisions: Array<{ outcome: string; file: string }> }>(['approve', 'A', '--key', keyFile])
  expect(decisions).toMatchObject([{ outcome: 'placed' }])
  await own.run(['run', '--once'])
  expect(own.metadata('A')).toMatchObject({ status: 'approved' })
  await writeFile(own.path('decisions/bad.decision.json'), '{}')
  await own.run(['run', '--once'], 4)
  expect(own.decisionReceipts().map((r) => r.outcome)).toEqual(['applied', 'refused'])
})
