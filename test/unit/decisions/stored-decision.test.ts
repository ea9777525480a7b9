import { createPrivateKey } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Keyring } from '../../../src/decisions/keyring.js'
import { verifyStoredDecision } from '../../../src/decisions/verify-decision.js'
import type { DecisionPayload } from '../../../src/documents/decision.js'
import type { DecisionEntry, DecisionReference } from '../../../src/documents/metadata.js'
import type { ErrorCode } from '../../../src/errors.js'
import {
  b64,
  HASH,
  headerFor,
  type Jws,
  keyringOf,
  makePeople,
  OTHER_STORE,
  type People,
  type Person,
  payloadOf,
  RECORD,
  STORE,
  signed,
  TABLE,
} from './world.js'

let people: People
let keyring: Keyring
beforeAll(async () => {
  people = await makePeople()
  keyring = keyringOf(people)
})

const AT = '2024-06-01T12:00:00.000Z'
const AT_S = Date.parse(AT) / 1000

function entryOf(
  who: Person,
  changes: { payload?: Partial<Record<keyof DecisionPayload, unknown>>; entry?: Partial<DecisionEntry>; key?: object; jws?: Jws } = {},
): DecisionEntry {
  const payload = payloadOf({ decided_by: who.publicKey.principal, ...changes.payload })
  const jws = changes.jws ?? signed(who, payload)
  return {
    version: 3,
    status: 'approved',
    created_by: who.publicKey.principal,
    created_at: AT,
    comment: 'All checks passed',
    decision: {
      decision_id: payloadOf().decision_id,
      jws: jws as unknown as DecisionReference['jws'],
      key: { ...who.publicKey, ...changes.key },
    },
    prev: '0'.repeat(64),
    ...changes.entry,
  }
}

const audit = (entry: DecisionEntry, options: { keyring?: Keyring } = { keyring }) =>
  verifyStoredDecision({ entry, storeId: STORE, recordId: RECORD, parquetSha256: HASH, tableName: TABLE, ...options })

describe('an approval is proved from the store alone', () => {
  test('with and without a keyring at hand', async () => {
    expect(await audit(entryOf(people.ann))).toBeNull()
    expect(await audit(entryOf(people.ann), {})).toBeNull()
  })

  test('a rejection too, and one signed with alg EdDSA', async () => {
    expect(await audit(entryOf(people.ann, { payload: { decision: 'reject' }, entry: { status: 'rejected' } }))).toBeNull()
    expect(await audit(entryOf(people.ann, { jws: signed(people.ann, payloadOf(), headerFor(people.ann, { alg: 'EdDSA' })) }))).toBeNull()
  })

  test('by a key that ended or was revoked later', async () => {
    expect(await audit(entryOf(people.ann, { key: { exp: AT_S + 1, revoked_at: AT_S + 1 } }))).toBeNull()
  })

  test('by a key that ended between the check and the commit', async () => {
    expect(await audit(entryOf(people.ann, { key: { exp: AT_S } }))).toBeNull()
  })

  test('by a key that began when the clock had just been set back', async () => {
    expect(await audit(entryOf(people.ann, { key: { nbf: AT_S + 30 } }))).toBeNull()
  })

  test('an entry without a decision has nothing to prove here', async () => {
    expect(await audit(entryOf(people.ann, { entry: { decision: null } }))).toBeNull()
  })
})

describe('whatever was changed afterwards is found', () => {
  const withKey = (entry: DecisionEntry, key: object): DecisionEntry => ({
    ...entry,
    decision: { ...entry.decision!, key: { ...entry.decision!.key, ...key } },
  })
  const cases: [string, ErrorCode, () => DecisionEntry, { keyring?: Keyring }?][] = [
    ['the entry’s comment', 'DECISION_ENTRY_MISMATCH', () => entryOf(people.ann, { entry: { comment: 'Some checks passed' } })],
    ['the entry’s actor', 'DECISION_ENTRY_MISMATCH', () => entryOf(people.ann, { entry: { created_by: 'somebody' } })],
    ['approved made of a rejection', 'DECISION_ENTRY_MISMATCH', () => entryOf(people.ann, { payload: { decision: 'reject' } })],
    ['rejected made of an approval', 'DECISION_ENTRY_MISMATCH', () => entryOf(people.ann, { entry: { status: 'rejected' } })],
    ['the entry’s version', 'DECISION_VERSION_MISMATCH', () => entryOf(people.ann, { entry: { version: 2 } })],
    [
      'the decision_id',
      'DECISION_ENTRY_MISMATCH',
      () => entryOf(people.ann, { payload: { decision_id: '00000000-0000-4000-8000-000000000000' } }),
    ],
    ['a decision for another store', 'DECISION_STORE_MISMATCH', () => entryOf(people.ann, { payload: { store_id: OTHER_STORE } })],
    ['a decision for another record', 'DECISION_ENTRY_MISMATCH', () => entryOf(people.ann, { payload: { record_id: 'borelog-002' } })],
    ['a decision for other bytes', 'DECISION_HASH_MISMATCH', () => entryOf(people.ann, { payload: { parquet_sha256: 'b'.repeat(64) } })],
    [
      'a payload changed under its signature',
      'DECISION_SIGNATURE_INVALID',
      () => entryOf(people.ann, { jws: { ...signed(people.lab, payloadOf(), headerFor(people.ann)) } }),
    ],
    ['a principal changed in the kept key', 'DECISION_PRINCIPAL_MISMATCH', () => withKey(entryOf(people.ann), { principal: 'somebody' })],
    ['a kept key exchanged', 'DECISION_SIGNATURE_INVALID', () => withKey(entryOf(people.ann), { x: people.lab.publicKey.x })],
    ['a kept key of another kid', 'DECISION_ENTRY_MISMATCH', () => withKey(entryOf(people.ann), { kid: 'other' })],
    ['a kept key of another table', 'KEY_TABLE_FORBIDDEN', () => withKey(entryOf(people.ann), { tables: ['soil_test_samples'] })],
    ['a kept key that had expired', 'KEY_EXPIRED', () => withKey(entryOf(people.ann), { exp: AT_S - 61 })],
    ['a kept key that had been revoked', 'KEY_REVOKED', () => withKey(entryOf(people.ann), { revoked_at: AT_S - 61 })],
    ['a kept key that was not valid yet', 'KEY_NOT_YET_VALID', () => withKey(entryOf(people.ann), { nbf: AT_S + 61 })],
    [
      'a kept key of small order, with the signature that fits everything',
      'KEY_INVALID',
      () => {
        const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])
        const jws = { ...signed(people.ann, payloadOf()) }
        const forged = { ...jws, signatures: [{ ...jws.signatures[0]!, signature: b64(Buffer.concat([identity, Buffer.alloc(32)])) }] }
        return withKey(entryOf(people.ann, { jws: forged }), { x: b64(identity) })
      },
    ],
    [
      'two signatures',
      'DECISION_SIGNATURES',
      () => {
        const jws = signed(people.ann, payloadOf())
        return entryOf(people.ann, { jws: { ...jws, signatures: [...jws.signatures, ...jws.signatures] } })
      },
    ],
    ['no signature', 'DECISION_UNSIGNED', () => entryOf(people.ann, { jws: { ...signed(people.ann, payloadOf()), signatures: [] } })],
    [
      'a header with an embedded key',
      'DECISION_HEADER',
      () => entryOf(people.ann, { jws: signed(people.ann, payloadOf(), headerFor(people.ann, { jwk: people.ann.publicKey })) }),
    ],
    ['a key that the keyring does not hold', 'KEY_UNKNOWN', () => entryOf(people.stranger)],
    [
      'a key whose kid the keyring gives to another',
      'KEY_UNKNOWN',
      () => {
        const forged = {
          ...people.stranger,
          publicKey: { ...people.stranger.publicKey, kid: people.ann.publicKey.kid },
          signer: createPrivateKey({ key: { ...people.stranger.privateKey }, format: 'jwk' }),
        }
        return entryOf(forged)
      },
    ],
  ]
  test.each(cases)('%s: %s', async (_name, code, make) => {
    expect(await audit(make())).toMatchObject({ code })
  })
})
