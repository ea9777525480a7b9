import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type DecisionCommit, DecisionIntake, readDecisionFile } from '../../../src/decisions/decision-intake.js'
import type { Keyring } from '../../../src/decisions/keyring.js'
import { KeyringState } from '../../../src/decisions/keyring.js'
import type { RecordMetadata } from '../../../src/documents/metadata.js'
import { decisionReceipt } from '../../../src/documents/receipt.js'
import { type ErrorCode, IntakeError } from '../../../src/errors.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import {
  bytesOf,
  earlierDecision,
  keyringBytes,
  keyringOf,
  makePeople,
  NOW_MS,
  type People,
  payloadOf,
  recordOf,
  STORE,
  signed,
} from './world.js'

let people: People
beforeAll(async () => {
  people = await makePeople()
})

const DROP = '20240601T120000000Z-000001-9f86d081884c7d65'
const drop = { dropId: DROP, receivedAtMs: NOW_MS }
const clock = { nowMs: () => NOW_MS + 5, monotonicMs: () => 0 }

function intake(
  options: {
    commit?: (request: DecisionCommit) => Promise<{ outcome: 'approved' | 'rejected' | 'repeated' }>
    keyring?: { read(): Promise<Keyring> }
    record?: RecordMetadata | null
  } = {},
) {
  const commits: DecisionCommit[] = []
  const made = new DecisionIntake({
    clock,
    keyring: options.keyring ?? { read: async () => keyringOf(people) },
    storeId: STORE,
    forbidSelfApproval: true,
    lookupRecord: async () => (options.record === undefined ? recordOf() : options.record),
    commit: async (request) => {
      commits.push(request)
      return (options.commit ?? (async () => ({ outcome: 'approved' as const })))(request)
    },
  })
  return { made, commits }
}

const good = () => bytesOf(signed(people.ann, payloadOf()))

describe('a decision that counts is applied', () => {
  test('the store is given exactly what was signed, the whole envelope, and one transaction for every attempt', async () => {
    const { made, commits } = intake()
    const result = await made.handle(good(), drop)
    expect(result).toEqual({
      outcome: 'applied',
      code: null,
      message: null,
      hint: null,
      alarm: false,
      decision_id: payloadOf().decision_id,
      decision: 'approve',
      record_id: 'borelog-001',
      version: 3,
      decided_by: 'approver-456',
    })
    await made.handle(good(), drop)
    expect(commits).toHaveLength(2)
    expect(commits[0]).toEqual(commits[1])
    expect(commits[0]).toEqual({
      tx: expect.stringMatching(new RegExp(`^${DROP}-[0-9a-f]{16}$`)),
      recordId: 'borelog-001',
      version: 3,
      decision: 'approve',
      decidedBy: 'approver-456',
      comment: 'All checks passed',
      expectedParquetSha256: payloadOf().parquet_sha256,
      reference: { decision_id: payloadOf().decision_id, jws: signed(people.ann, payloadOf()), key: people.ann.publicKey },
    })
  })

  test('the result fits a receipt', async () => {
    const { made } = intake()
    const { alarm: _, ...result } = await made.handle(good(), drop)
    const base = {
      format: 1,
      drop_id: DROP,
      path: 'x.decision.json',
      sha256: null,
      bytes: 1,
      received_at: '2024-06-01T12:00:00.000Z',
      finished_at: '2024-06-01T12:00:00.000Z',
      stored_at: null,
      requeue_of: null,
      kind: 'decision',
    }
    expect(decisionReceipt.parse({ ...base, ...result })).toBeDefined()
    const { alarm: __, ...refused } = await made.handle(Buffer.from('x'), drop)
    expect(decisionReceipt.parse({ ...base, ...refused })).toBeDefined()
  })
})

describe('a refused decision changes nothing', () => {
  test('one that does not verify never reaches the store', async () => {
    const { made, commits } = intake()
    const result = await made.handle(bytesOf(signed(people.stranger, payloadOf())), drop)
    expect(result).toMatchObject({
      outcome: 'refused',
      code: 'KEY_UNKNOWN',
      decision_id: payloadOf().decision_id,
      record_id: 'borelog-001',
    })
    expect(result.hint).not.toBeNull()
    expect(commits).toEqual([])
  })

  test('one that cannot be read claims nothing', async () => {
    const { made, commits } = intake()
    expect(await made.handle(Buffer.from('{"payload":'), drop)).toMatchObject({
      outcome: 'refused',
      code: 'DECISION_MALFORMED',
      decision_id: null,
      decision: null,
      record_id: null,
      version: null,
      decided_by: null,
    })
    expect(commits).toEqual([])
  })

  test.each([
    'ALREADY_APPROVED',
    'ALREADY_REJECTED',
    'CANNOT_APPROVE_REJECTED',
    'CANNOT_REJECT_APPROVED',
    'DECISION_REPLAYED',
    'DECISION_VERSION_MISMATCH',
    'DECISION_HASH_MISMATCH',
    'RECORD_NOT_FOUND',
  ] satisfies ErrorCode[])('one that the store refuses with %s says so', async (code) => {
    const { made } = intake({
      commit: async () => {
        throw new IntakeError(code, 'the store says no')
      },
    })
    expect(await made.handle(good(), drop)).toMatchObject({
      outcome: 'refused',
      code,
      message: 'the store says no',
      record_id: 'borelog-001',
      version: 3,
    })
  })

  test('a record whose metadata is damaged refuses its decisions only', async () => {
    const made = new DecisionIntake({
      clock,
      keyring: { read: async () => keyringOf(people) },
      storeId: STORE,
      forbidSelfApproval: true,
      lookupRecord: async () => {
        throw new IntakeError('STORE_INVALID', 'damaged')
      },
      commit: async () => expect.unreachable('nothing may be committed'),
    })
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'refused', code: 'STORE_INVALID' })
  })

  test.each(['KEYRING_INVALID', 'KEYRING_ROLLED_BACK'] satisfies ErrorCode[])(
    'no decision counts under a keyring with %s',
    async (code) => {
      const { made, commits } = intake({
        keyring: {
          read: async () => {
            throw new IntakeError(code, 'no')
          },
        },
      })
      expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'refused', code })
      expect(commits).toEqual([])
    },
  )

  test('a keyring put back to an older version refuses what it accepted before', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'approvers.jwks.json')
    const state = new KeyringState({ files: nodeFiles, path, seenPath: join(folder, 'keyring.json') })
    const { made } = intake({ keyring: state })
    await writeFile(path, keyringBytes(people, 7))
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'applied' })
    await writeFile(path, keyringBytes(people, 6))
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'refused', code: 'KEYRING_ROLLED_BACK', alarm: true })
  })

  test('a key revoked between two decisions ends at once', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'approvers.jwks.json')
    const { made } = intake({ keyring: new KeyringState({ files: nodeFiles, path, seenPath: join(folder, 'keyring.json') }) })
    await writeFile(path, keyringBytes(people, 7))
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'applied' })
    await writeFile(path, JSON.stringify({ version: 8, keys: [{ ...people.ann.publicKey, revoked_at: Math.floor(NOW_MS / 1000) }] }))
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'refused', code: 'KEY_REVOKED', alarm: true })
  })
})

describe('trouble of the machine is not a refusal', () => {
  test.each(['FSYNC_FAILED', 'DISK_FULL', 'STORE_CONFLICT', 'INTERNAL'] satisfies ErrorCode[])(
    '%s passes through, and the decision is still to be handled',
    async (code) => {
      const { made } = intake({
        commit: async () => {
          throw new IntakeError(code, 'x')
        },
      })
      await expect(made.handle(good(), drop)).rejects.toMatchObject({ code })
    },
  )

  test('an unreadable keyring passes through', async () => {
    const { made } = intake({
      keyring: {
        read: async () => {
          throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
        },
      },
    })
    await expect(made.handle(good(), drop)).rejects.toMatchObject({ code: 'EACCES' })
  })
})

describe('the same decision again', () => {
  test('is repeated and not committed', async () => {
    const earlier = earlierDecision(people.ann)
    const { made, commits } = intake({ record: recordOf(earlier) })
    expect(await made.handle(bytesOf(earlier.jws), drop)).toMatchObject({ outcome: 'repeated', code: null, version: 2 })
    expect(commits).toEqual([])
  })

  test('is repeated when another copy was quicker', async () => {
    const { made } = intake({ commit: async () => ({ outcome: 'repeated' }) })
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'repeated' })
  })

  test('taken up after a restart, is what this very drop applied, but not what an older one did', async () => {
    const earlier = earlierDecision(people.ann)
    const { made } = intake({ record: recordOf(earlier) })
    const before = Date.parse('2024-05-02T09:59:59.000Z')
    expect(await made.handle(bytesOf(earlier.jws), { dropId: DROP, receivedAtMs: before, resumed: true })).toMatchObject({
      outcome: 'applied',
    })
    expect(await made.handle(bytesOf(earlier.jws), { ...drop, resumed: true })).toMatchObject({ outcome: 'repeated' })
  })

  test('of two files of one decision that are taken up after a restart, one applied it', async () => {
    const earlier = earlierDecision(people.ann)
    const { made } = intake({ record: recordOf(earlier) })
    const atMs = Date.parse('2024-05-02T09:59:59.000Z')
    const taken = (tail: string) => ({ dropId: `${DROP.slice(0, -1)}${tail}`, receivedAtMs: atMs, resumed: true })
    const outcomes = []
    for (const tail of ['0', '1', '0']) outcomes.push((await made.handle(bytesOf(earlier.jws), taken(tail))).outcome)
    expect(outcomes).toEqual(['applied', 'repeated', 'applied'])
  })

  test('taken up after a restart, did not apply what the receipt of another drop says that it applied', async () => {
    const earlier = earlierDecision(people.ann)
    const { made } = intake({ record: recordOf(earlier) })
    const { options } = made as unknown as { options: ConstructorParameters<typeof DecisionIntake>[0] }
    const asked: unknown[] = []
    const isAppliedByAnother = async (question: unknown) => asked.push(question) > 0
    const atMs = Date.parse('2024-05-02T09:59:59.000Z')
    const told = new DecisionIntake({ ...options, isAppliedByAnother }).handle(bytesOf(earlier.jws), {
      dropId: DROP,
      receivedAtMs: atMs,
      resumed: true,
    })
    expect((await told).outcome).toBe('repeated')
    expect(asked).toEqual([expect.objectContaining({ recordId: 'borelog-001', dropId: DROP })])
  })

  test('taken up after a restart, is what this drop applied although the clock went back by hours meanwhile', async () => {
    const earlier = earlierDecision(people.ann)
    const { made } = intake({ record: recordOf(earlier) })
    const later = Date.parse('2024-05-02T15:00:00.000Z')
    expect(await made.handle(bytesOf(earlier.jws), { dropId: DROP, receivedAtMs: later, resumed: true })).toMatchObject({
      outcome: 'applied',
    })
  })
})

describe('a decision file is read', () => {
  test('whole, or just far enough to see that it is too large', async () => {
    const path = join(await temporaryFolder(), 'x.decision.json')
    await writeFile(path, Buffer.alloc(1000, 0x20))
    expect((await readDecisionFile(nodeFiles, path, 1000))?.length).toBe(1000)
    expect((await readDecisionFile(nodeFiles, path, 999))?.length).toBe(1000)
    await writeFile(path, Buffer.alloc(100_000, 0x20))
    const bytes = await readDecisionFile(nodeFiles, path, 999)
    expect(bytes?.length).toBe(1000)
    const { made } = intake()
    expect(
      await new DecisionIntake({
        ...(made as unknown as { options: ConstructorParameters<typeof DecisionIntake>[0] }).options,
        maxBytes: 999,
      }).handle(bytes!, drop),
    ).toMatchObject({
      outcome: 'refused',
      code: 'DECISION_MALFORMED',
      message: expect.stringContaining('more than 999 bytes'),
    })
  })

  test('null when it is gone', async () => {
    expect(await readDecisionFile(nodeFiles, join(await temporaryFolder(), 'x'))).toBeNull()
  })
})

describe('what a refusal is told as', () => {
  test.each([
    'VERSION_NOT_FOUND',
    'RECORD_ID_ILLEGAL',
    'COMMENT_INVALID',
    'ACTOR_INVALID',
    'STORE_INVALID',
    'DECISION_RECORD_UNKNOWN',
    'KEYRING_INVALID',
  ] satisfies ErrorCode[])('%s of the store ends this one decision, and nobody is alarmed', async (code) => {
    const { made } = intake({
      commit: async () => {
        throw new IntakeError(code, 'the store says no', { hint: 'do this' })
      },
    })
    expect(await made.handle(good(), drop)).toMatchObject({ outcome: 'refused', code, hint: 'do this', alarm: false })
  })

  test('a misused id, signature or principal alarms somebody', async () => {
    const { made } = intake({
      commit: async () => {
        throw new IntakeError('DECISION_REPLAYED', 'no')
      },
    })
    expect(await made.handle(good(), drop)).toMatchObject({ code: 'DECISION_REPLAYED', alarm: true })
    const forged = signed(people.ann, payloadOf())
    forged.signatures[0]!.signature = signed(people.ann, payloadOf({ comment: 'other' })).signatures[0]!.signature
    expect(await made.handle(bytesOf(forged), drop)).toMatchObject({ code: 'DECISION_SIGNATURE_INVALID', alarm: true })
    const posing = signed(people.lab, payloadOf())
    expect(await made.handle(bytesOf(posing), drop)).toMatchObject({ code: 'DECISION_PRINCIPAL_MISMATCH', alarm: true })
  })
})

describe('a decision taken up again', () => {
  const before = Date.parse('2024-05-02T09:59:59.000Z')

  test('is given to the store once more, which finishes what it began; one that is new here is not', async () => {
    const earlier = earlierDecision(people.ann)
    const { made, commits } = intake({ record: recordOf(earlier), commit: async () => ({ outcome: 'repeated' }) })
    await made.handle(bytesOf(earlier.jws), { dropId: DROP, receivedAtMs: before, resumed: false })
    expect(commits).toEqual([])
    await made.handle(bytesOf(earlier.jws), { dropId: DROP, receivedAtMs: before, resumed: true })
    expect(commits).toEqual([expect.objectContaining({ recordId: 'borelog-001', version: 2, reference: earlier.reference })])
  })

  test('says applied where the store had finished the attempt before, and only to the first of two files', async () => {
    const { made } = intake({ commit: async () => ({ outcome: 'repeated' }) })
    const other = DROP.replace('-000001-', '-000002-')
    expect(await made.handle(good(), { ...drop, resumed: true })).toMatchObject({ outcome: 'applied' })
    expect(await made.handle(good(), { ...drop, dropId: other, resumed: true })).toMatchObject({ outcome: 'repeated' })
    expect(await made.handle(good(), { ...drop, resumed: true })).toMatchObject({ outcome: 'applied' })
  })
})

test('a decision that is no regular file is not read', async () => {
  const folder = await temporaryFolder()
  await expect(readDecisionFile(nodeFiles, folder)).rejects.toMatchObject({
    code: 'NOT_A_FILE',
    message: `${folder} is not a regular file`,
  })
})
