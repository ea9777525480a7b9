import { z } from 'zod'
import { actor, comment, recordId, sha256, tableName, uuid } from './text.js'

/** Signed decisions and the keyring (DESIGN §7): what approvers send, and whose signatures count. */

/** `typ` of the protected header, compared exactly. */
export const DECISION_TYPE = 'parquet-intake-decision+json'
export const DECISION_FILE_SUFFIX = '.decision.json'

const RFC_3339_UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/

/** RFC 3339 in UTC, any precision, a day that exists. */
function isUtcTime(text: string): boolean {
  if (!RFC_3339_UTC.test(text)) return false
  const ms = Date.parse(`${text.slice(0, 19)}Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === text.slice(0, 19)
}

export const decisionVerb = z.enum(['approve', 'reject'])
export type DecisionVerb = z.infer<typeof decisionVerb>

/** What an approver signs: exactly these members. `decided_at` is the signer's own word and is never used to judge a key. */
export const decisionPayload = z.strictObject({
  decision_id: uuid,
  store_id: uuid,
  record_id: recordId,
  version: z.number().int().min(1).safe(),
  parquet_sha256: sha256,
  decision: decisionVerb,
  comment,
  decided_by: actor,
  decided_at: z.string().refine(isUtcTime, 'must be an RFC 3339 time in UTC, for instance 2024-01-27T11:00:00Z'),
})
export type DecisionPayload = z.infer<typeof decisionPayload>

const keyId = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => text.isWellFormed() && !/[\u0000-\u001f\u007f-\u009f]/.test(text), 'must have no control characters')

/** The protected header: these three and nothing else, so that no `jwk`, `jku`, `crit` or `b64` can have a say. */
export const decisionHeader = z.strictObject({
  alg: z.enum(['Ed25519', 'EdDSA']),
  kid: keyId,
  typ: z.literal(DECISION_TYPE),
})
export type DecisionHeader = z.infer<typeof decisionHeader>

/** The last second of year 9999. Times in milliseconds, a common slip, are far beyond it and would make a key that never ends. */
const EPOCH_SECONDS_MAX = 253_402_300_799
const epochSeconds = z
  .number()
  .int()
  .nonnegative()
  .max(EPOCH_SECONDS_MAX, 'must be seconds since 1970, not milliseconds')
  .nullish()
  .transform((value) => value ?? null)

/** 32 bytes in base64url without padding. */
const point = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url')

/** One public key of the keyring. `tables` are table names, or `["*"]` for all; an empty list allows none. */
export const keyringKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: point,
  kid: keyId,
  principal: actor,
  tables: z.array(z.union([z.literal('*'), tableName])).max(1000),
  nbf: epochSeconds,
  exp: epochSeconds,
  revoked_at: epochSeconds,
  use: z.literal('sig').optional(),
  alg: z.enum(['Ed25519', 'EdDSA']).optional(),
})
export type KeyringKeyDocument = z.infer<typeof keyringKey>

/** A JWKS (RFC 7517 §5) with a `version` that every change raises. */
export const keyringDocument = z.strictObject({
  version: z.number().int().nonnegative().safe(),
  keys: z.array(keyringKey).max(10_000),
})
export type KeyringDocument = z.infer<typeof keyringDocument>

/** state/keyring.json: the newest version of the keyring that was ever used. */
export const keyringSeen = z.strictObject({
  format: z.literal(1),
  version: z.number().int().nonnegative().safe(),
  /** Of what that version said (`keyringContentSha256`); absent where it was not kept yet. */
  content_sha256: sha256.optional(),
})
export type KeyringSeen = z.infer<typeof keyringSeen>

/** keys/<principal>.jwk.json, mode 0600. `d` is the secret; it never leaves this file. */
export const privateKeyDocument = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: point,
  d: point,
  kid: keyId,
  principal: actor,
  use: z.literal('sig').optional(),
  alg: z.enum(['Ed25519', 'EdDSA']).optional(),
})
export type PrivateKeyDocument = z.infer<typeof privateKeyDocument>
