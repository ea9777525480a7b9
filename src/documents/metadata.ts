import { z } from 'zod'
import { fixedFormOf } from '../core/fixed-form.js'
import { actor, comment, count, dropId, isoTimestamp, recordId, sha256, tableName, uuid } from './text.js'

/** metadata.json and store.json (DESIGN §2, §3). Field names and their order are contract: the documents are written in one fixed form. */

export const recordStatus = z.enum(['draft', 'approved', 'rejected'])
export type RecordStatus = z.infer<typeof recordStatus>

const base64url = z.string().regex(/^[A-Za-z0-9_-]*$/)

/** A JWS in General JSON Serialization with exactly one signature, kept byte for byte as text members. */
export const jwsEnvelope = z.strictObject({
  payload: base64url,
  signatures: z.tuple([z.strictObject({ protected: base64url, signature: base64url })]),
})
export type JwsEnvelope = z.infer<typeof jwsEnvelope>

/** The public key as it stood in the keyring when the decision counted. */
export const approverKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: base64url,
  kid: z.string().min(1).max(256),
  principal: actor,
  tables: z.array(z.string()),
  nbf: z.number().int().nullable(),
  exp: z.number().int().nullable(),
  revoked_at: z.number().int().nullable(),
})
export type ApproverKey = z.infer<typeof approverKey>

/** The drop that a version came from; null for versions made by the library. */
export const dropReference = z.strictObject({
  drop_id: dropId,
  /** Percent-encoded path below the inbox, at most 340 bytes. */
  name: z.string().max(340),
  sha256,
  bytes: count,
  rule_sha256: sha256,
})
export type DropReference = z.infer<typeof dropReference>

export const decisionReference = z.strictObject({ decision_id: uuid, jws: jwsEnvelope, key: approverKey })
export type DecisionReference = z.infer<typeof decisionReference>

export const versionEntry = z.strictObject({
  version: z.number().int().min(1),
  status: z.literal('draft'),
  created_by: actor,
  created_at: isoTimestamp,
  comment,
  parquet_sha256: sha256,
  content_sha256: sha256,
  schema_sha256: sha256,
  rows: count,
  bytes: count,
  drop: dropReference.nullable(),
  prev: sha256,
})
export type VersionEntry = z.infer<typeof versionEntry>

export const decisionEntry = z.strictObject({
  version: z.number().int().min(1),
  status: z.enum(['approved', 'rejected']),
  created_by: actor,
  created_at: isoTimestamp,
  comment,
  decision: decisionReference.nullable(),
  prev: sha256,
})
export type DecisionEntry = z.infer<typeof decisionEntry>

export const historyEntry = z.discriminatedUnion('status', [versionEntry, decisionEntry])
export type HistoryEntry = z.infer<typeof historyEntry>

export const recordMetadata = z.strictObject({
  record_id: recordId,
  table_name: tableName,
  current_version: z.number().int().min(1),
  status: recordStatus,
  created_by: actor,
  created_at: isoTimestamp,
  approved_by: actor.nullable(),
  approved_at: isoTimestamp.nullable(),
  rejected_by: actor.nullable(),
  rejected_at: isoTimestamp.nullable(),
  approved_version: z.number().int().min(1).nullable(),
  source: z.string().nullable(),
  format: z.literal(1),
  history: z.array(historyEntry).min(1),
})
export type RecordMetadata = z.infer<typeof recordMetadata>

export const storeIdentity = z.strictObject({
  format: z.literal(1),
  store_id: uuid,
  created_at: isoTimestamp,
  approvals: z.enum(['signed', 'any']),
})
export type StoreIdentity = z.infer<typeof storeIdentity>

/** The fixed form of every document of the store: members in schema order, two spaces, one newline at the end. */
export function fixedForm(document: RecordMetadata | StoreIdentity): Buffer {
  return fixedFormOf(document)
}
