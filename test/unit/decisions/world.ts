import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { type Keyring, parseKeyring } from '../../../src/decisions/keyring.js'
import { generateApproverKey } from '../../../src/decisions/sign.js'
import { DECISION_TYPE, type DecisionPayload, type PrivateKeyDocument } from '../../../src/documents/decision.js'
import type { ApproverKey, DecisionReference, RecordMetadata, VersionEntry } from '../../../src/documents/metadata.js'

/** A small world to attack: one store, one record at version 3, a keyring of several people. Signing is done without the code under test. */

export const STORE = '11111111-2222-4333-8444-555555555555'
export const OTHER_STORE = '99999999-2222-4333-8444-555555555555'
export const RECORD = 'borelog-001'
export const TABLE = 'borelog_versions'
export const HASH = 'a'.repeat(64)
export const NOW_MS = Date.parse('2024-06-01T12:00:00.000Z')
const NOW_S = NOW_MS / 1000

export interface Person {
  readonly privateKey: PrivateKeyDocument
  readonly publicKey: ApproverKey
  readonly signer: KeyObject
}

export async function person(
  principal: string,
  options: { tables?: string[]; nbf?: number | null; exp?: number | null; revoked_at?: number | null } = {},
): Promise<Person> {
  const { privateKey, publicKey } = await generateApproverKey({
    principal,
    tables: options.tables ?? ['*'],
    nbf: options.nbf ?? null,
    exp: options.exp ?? null,
  })
  return {
    privateKey,
    publicKey: { ...publicKey, revoked_at: options.revoked_at ?? null },
    signer: createPrivateKey({ key: { ...privateKey }, format: 'jwk' }),
  }
}

export interface People {
  readonly ann: Person
  readonly lab: Person
  readonly narrow: Person
  readonly noTables: Person
  readonly ended: Person
  readonly early: Person
  readonly revoked: Person
  readonly stranger: Person
}

export async function makePeople(): Promise<People> {
  return {
    ann: await person('approver-456'),
    // The maker of version 3.
    lab: await person('lab-export'),
    narrow: await person('narrow', { tables: ['soil_test_samples'] }),
    noTables: await person('no-tables', { tables: [] }),
    ended: await person('ended', { exp: NOW_S }),
    early: await person('early', { nbf: NOW_S + 1 }),
    revoked: await person('revoked', { revoked_at: NOW_S }),
    // Not in the keyring.
    stranger: await person('approver-456'),
  }
}

export function keyringBytes(people: People, version = 7): Buffer {
  const { stranger: _, ...known } = people
  return Buffer.from(JSON.stringify({ version, keys: Object.values(known).map((p: Person) => p.publicKey) }))
}

export function keyringOf(people: People): Keyring {
  return parseKeyring(keyringBytes(people), 'test')
}

export function payloadOf(changes: Partial<Record<keyof DecisionPayload, unknown>> = {}): DecisionPayload {
  return {
    decision_id: '0f0e0d0c-0b0a-4908-8706-050403020100',
    store_id: STORE,
    record_id: RECORD,
    version: 3,
    parquet_sha256: HASH,
    decision: 'approve',
    comment: 'All checks passed',
    decided_by: 'approver-456',
    decided_at: '2024-06-01T11:59:00Z',
    ...changes,
  } as DecisionPayload
}

export const b64 = (data: string | Uint8Array): string => Buffer.from(data as string).toString('base64url')

export interface Jws {
  payload: string
  signatures: { protected: string; signature: string; header?: unknown }[]
}

/** Signs any texts as payload and protected header: what an attacker with a key of his own can do. */
export function signRaw(payload: string | Uint8Array, header: string | Uint8Array, signer: KeyObject): Jws {
  const input = `${b64(header)}.${b64(payload)}`
  const signature = sign(null, Buffer.from(input, 'ascii'), signer)
  return { payload: b64(payload), signatures: [{ protected: b64(header), signature: b64(signature) }] }
}

export function headerFor(who: Person, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { alg: 'Ed25519', kid: who.publicKey.kid, typ: DECISION_TYPE, ...changes }
}

export function signed(who: Person, payload: object, header: Record<string, unknown> = headerFor(who)): Jws {
  return signRaw(JSON.stringify(payload), JSON.stringify(header), who.signer)
}

export const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

const zero = '0'.repeat(64)
const time = '2024-05-01T10:00:00.000Z'

function versionEntry(version: number, createdBy: string, parquetSha256: string): VersionEntry {
  return {
    version,
    status: 'draft',
    created_by: createdBy,
    created_at: time,
    comment: '',
    parquet_sha256: parquetSha256,
    content_sha256: zero,
    schema_sha256: zero,
    rows: 24,
    bytes: 5120,
    drop: null,
    prev: zero,
  }
}

/** borelog-001: version 2 approved by `earlier` when given, version 3 a draft made by lab-export. */
export function recordOf(earlier: { reference: DecisionReference; payload: DecisionPayload } | null = null): RecordMetadata {
  const history: RecordMetadata['history'] = [versionEntry(1, 'user-123', 'c'.repeat(64)), versionEntry(2, 'user-123', 'b'.repeat(64))]
  if (earlier !== null) {
    history.push({
      version: earlier.payload.version,
      status: earlier.payload.decision === 'approve' ? 'approved' : 'rejected',
      created_by: earlier.payload.decided_by,
      created_at: '2024-05-02T10:00:00.000Z',
      comment: earlier.payload.comment,
      decision: earlier.reference,
      prev: zero,
    })
  }
  history.push(versionEntry(3, 'lab-export', HASH))
  return {
    record_id: RECORD,
    table_name: TABLE,
    current_version: 3,
    status: 'draft',
    created_by: 'user-123',
    created_at: time,
    approved_by: null,
    approved_at: null,
    rejected_by: null,
    rejected_at: null,
    approved_version: null,
    source: 'borelogs',
    format: 1,
    history,
  }
}

/** A decision on version 2 that stands in the history. */
export function earlierDecision(
  who: Person,
  changes: Partial<DecisionPayload> = {},
): { reference: DecisionReference; payload: DecisionPayload; jws: Jws } {
  const payload = payloadOf({ version: 2, parquet_sha256: 'b'.repeat(64), decided_by: who.publicKey.principal, ...changes })
  const jws = signed(who, payload)
  return {
    payload,
    jws,
    reference: { decision_id: payload.decision_id, jws: jws as unknown as DecisionReference['jws'], key: who.publicKey },
  }
}
