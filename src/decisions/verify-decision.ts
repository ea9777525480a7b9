import { generalVerify, errors as joseErrors } from 'jose'
import { canonicalJson } from '../core/canonical-json.js'
import { headProblem, keyCoversTable, keyProblemAt } from '../core/decision-rules.js'
import type { DecisionPayload } from '../documents/decision.js'
import type { ApproverKey, DecisionEntry, DecisionReference, RecordMetadata } from '../documents/metadata.js'
import type { ErrorCode } from '../errors.js'
import { ed25519SignatureProblem } from './ed25519-point.js'
import { type Keyring, publicKeyProblem, type TrustedKey, verifierOf } from './keyring.js'
import { type DecisionRefusal, type ParsedDecision, parseDecision, parseEnvelope, refusal } from './parse-decision.js'

export interface VerifyDecisionOptions {
  /** The file as it came, or its envelope where the library was given one. */
  readonly decision: Uint8Array | { readonly envelope: unknown }
  readonly keyring: Keyring
  /** When the decision was received, milliseconds since 1970: the instant at which the key must be valid. */
  readonly receivedAtMs: number
  /**
   * Now, when that is later. The key must not have ended meanwhile either: a revocation that arrives while a decision waits takes
   * effect, and no entry of a history is younger than the end of its key.
   */
  readonly nowMs?: number
  readonly storeId: string
  readonly forbidSelfApproval: boolean
  readonly lookupRecord: (recordId: string) => Promise<RecordMetadata | null>
  readonly maxBytes?: number
}

export interface AcceptedDecision {
  readonly ok: true
  readonly payload: DecisionPayload
  /** What the history entry keeps. */
  readonly reference: DecisionReference
}

/** The same decision stands in the record's history: nothing is left to do. */
export interface RepeatedDecision {
  readonly ok: 'repeated'
  readonly payload: DecisionPayload
  readonly entry: DecisionEntry
}

/**
 * Does this decision count (DESIGN §7)? Reads the record, changes nothing, and leaves to the store whether the record's status allows
 * the step. The order of the checks is the order of trust: nothing that the file says is acted on before its signature holds.
 *
 * form → header → key known → signature → repeated? → key valid → principal → store → record → table → decision_id → version → hash →
 * self-approval. A repetition is found before the key is judged, for a decision that was applied stays applied when its key ends: so
 * a restart between commit and receipt says what happened.
 */
export async function verifyDecision(options: VerifyDecisionOptions): Promise<AcceptedDecision | RepeatedDecision | DecisionRefusal> {
  const parsed =
    options.decision instanceof Uint8Array
      ? parseDecision(options.decision, options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes })
      : parseEnvelope(options.decision.envelope)
  if (!parsed.ok) return parsed
  const { payload, header } = parsed

  const trusted = options.keyring.keys.get(header.kid)
  if (trusted === undefined)
    return refusal('KEY_UNKNOWN', `The keyring (version ${options.keyring.version}) has no key ${quoted(header.kid)}.`, payload)
  if (!(await signatureHolds(parsed, trusted))) {
    return refusal(
      'DECISION_SIGNATURE_INVALID',
      `The signature does not hold for key ${quoted(header.kid)} of ${quoted(trusted.key.principal)}.`,
      payload,
    )
  }

  const ours = payload.store_id === options.storeId
  const record = ours ? await options.lookupRecord(payload.record_id) : null
  const earlier = record === null ? null : decisionEntryOf(record, payload.decision_id)
  const isPrincipal = payload.decided_by === trusted.key.principal
  const same = earlier !== null && samePayload(earlier, payload)
  if (earlier !== null && same && isPrincipal) return { ok: 'repeated', payload, entry: earlier }

  const instants =
    options.nowMs === undefined ? [options.receivedAtMs] : [options.receivedAtMs, Math.max(options.receivedAtMs, options.nowMs)]
  for (const atMs of instants) {
    const problem = keyProblemAt(trusted.key, atMs)
    if (problem !== null) return refusal(problem, keyMessage(problem, trusted.key), payload)
  }
  if (!isPrincipal) {
    return refusal(
      'DECISION_PRINCIPAL_MISMATCH',
      `The decision says ${quoted(payload.decided_by)}, but the key is that of ${quoted(trusted.key.principal)}.`,
      payload,
    )
  }
  if (!ours)
    return refusal('DECISION_STORE_MISMATCH', `The decision is for store ${payload.store_id}; this is ${options.storeId}.`, payload)
  if (record === null) return refusal('DECISION_RECORD_UNKNOWN', `There is no record ${payload.record_id}.`, payload)
  if (!keyCoversTable(trusted.key.tables, record.table_name)) {
    return refusal('KEY_TABLE_FORBIDDEN', `${quoted(trusted.key.principal)} may not decide on records of ${record.table_name}.`, payload)
  }
  if (earlier !== null) {
    return refusal(
      'DECISION_REPLAYED',
      `decision_id ${payload.decision_id} stands in the history of ${payload.record_id} with another content.`,
      payload,
    )
  }
  const head = record.history.find((entry) => entry.status === 'draft' && entry.version === record.current_version)
  if (head === undefined || head.status !== 'draft') {
    return refusal('STORE_INVALID', `The history of ${payload.record_id} has no entry for its current version.`, payload)
  }
  switch (headProblem(payload, head, options)) {
    case 'DECISION_VERSION_MISMATCH':
      return refusal(
        'DECISION_VERSION_MISMATCH',
        `The decision is about version ${payload.version} of ${payload.record_id}; the current one is ${head.version}.`,
        payload,
      )
    case 'DECISION_HASH_MISMATCH':
      return refusal(
        'DECISION_HASH_MISMATCH',
        `The decision names other bytes than version ${head.version} of ${payload.record_id} holds.`,
        payload,
      )
    case 'DECISION_SELF_APPROVAL':
      return refusal(
        'DECISION_SELF_APPROVAL',
        `${quoted(payload.decided_by)} made version ${head.version} of ${payload.record_id} and may not approve it.`,
        payload,
      )
    case null:
      return { ok: true, payload, reference: { decision_id: payload.decision_id, jws: parsed.envelope, key: trusted.key } }
  }
}

/**
 * One signature, one key, one algorithm. `generalVerify` alone would be content with any good one among several; the parser let exactly
 * one through. The key is a KeyObject of type Ed25519 and the algorithms are pinned, so that the header cannot choose another kind of check.
 */
async function signatureHolds(parsed: ParsedDecision, trusted: TrustedKey): Promise<boolean> {
  if (ed25519SignatureProblem(Buffer.from(parsed.envelope.signatures[0]!.signature, 'base64url')) !== null) return false
  try {
    await generalVerify(parsed.envelope, trusted.verifier, { algorithms: ['Ed25519', 'EdDSA'] })
    return true
  } catch (error) {
    if (error instanceof joseErrors.JOSEError) return false
    throw error
  }
}

function decisionEntryOf(record: RecordMetadata, decisionId: string): DecisionEntry | null {
  for (const entry of record.history) {
    if (entry.status !== 'draft' && entry.decision?.decision_id === decisionId) return entry
  }
  return null
}

/** Equal as values: one decision may be signed again, or its JSON written with other white space. */
function samePayload(entry: DecisionEntry, payload: DecisionPayload): boolean {
  const stored = entry.decision === null ? null : parseEnvelope(entry.decision.jws)
  return stored?.ok === true && canonicalJson(stored.payload) === canonicalJson(payload)
}

function keyMessage(problem: 'KEY_NOT_YET_VALID' | 'KEY_EXPIRED' | 'KEY_REVOKED', key: ApproverKey): string {
  const name = `Key ${quoted(key.kid)} of ${quoted(key.principal)}`
  const time = (seconds: number | null): string => (seconds === null ? '' : new Date(seconds * 1000).toISOString())
  switch (problem) {
    case 'KEY_REVOKED':
      return `${name} was revoked at ${time(key.revoked_at)}.`
    case 'KEY_EXPIRED':
      return `${name} ended at ${time(key.exp)}.`
    case 'KEY_NOT_YET_VALID':
      return `${name} is valid from ${time(key.nbf)} on.`
  }
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

/** A stable finding of the audit. */
export interface StoredDecisionFinding {
  readonly code: ErrorCode
  readonly message: string
}

/** From the last check of a key at commit to the time stamp of the entry: clocks may step by as much. */
const STORED_KEY_GRACE_MS = 60_000

/**
 * The proof that a history entry carries, checked from the store alone (DESIGN §3): the signature against the key kept in the entry, the
 * payload against the entry, the key's lifetime against the entry's time. With a `keyring` at hand, also whether it knows that key.
 * null: nothing found. An entry without a decision has nothing to prove here; whether it may be so is the store's `approvals`.
 */
export async function verifyStoredDecision(options: {
  entry: DecisionEntry
  storeId: string
  recordId: string
  /** Of the version that the entry speaks of. */
  parquetSha256: string
  tableName?: string
  keyring?: Keyring
}): Promise<StoredDecisionFinding | null> {
  const { entry, keyring } = options
  if (entry.decision === null) return null
  const { jws, key, decision_id: decisionId } = entry.decision
  const found = (code: ErrorCode, message: string): StoredDecisionFinding => ({ code, message })

  const parsed = parseEnvelope(jws)
  if (!parsed.ok) return found(parsed.code, parsed.message)
  const { payload, header } = parsed
  const problem = publicKeyProblem(key.x)
  if (problem !== null) return found('KEY_INVALID', `The key kept in the entry ${problem}.`)
  if (header.kid !== key.kid) return found('DECISION_ENTRY_MISMATCH', 'The decision was signed with another key than the entry keeps.')
  if (!(await signatureHolds(parsed, { key, verifier: verifierOf(key) }))) {
    return found('DECISION_SIGNATURE_INVALID', 'The signature does not hold for the key kept in the entry.')
  }

  if (payload.decided_by !== key.principal)
    return found('DECISION_PRINCIPAL_MISMATCH', `decided_by is not ${quoted(key.principal)}, the principal of the key.`)
  if (payload.store_id !== options.storeId) return found('DECISION_STORE_MISMATCH', `The decision is for store ${payload.store_id}.`)
  if (payload.parquet_sha256 !== options.parquetSha256)
    return found('DECISION_HASH_MISMATCH', `The decision names other bytes than version ${entry.version} holds.`)
  if (payload.version !== entry.version) return found('DECISION_VERSION_MISMATCH', `The decision is about version ${payload.version}.`)
  const expected: [string, unknown, unknown][] = [
    ['decision_id', payload.decision_id, decisionId],
    ['record_id', payload.record_id, options.recordId],
    ['decision', payload.decision, entry.status === 'approved' ? 'approve' : 'reject'],
    ['comment', payload.comment, entry.comment],
    ['decided_by', payload.decided_by, entry.created_by],
  ]
  for (const [name, signed, kept] of expected) {
    if (signed !== kept) return found('DECISION_ENTRY_MISMATCH', `${name} of the signed decision differs from the entry.`)
  }
  if (options.tableName !== undefined && !keyCoversTable(key.tables, options.tableName)) {
    return found('KEY_TABLE_FORBIDDEN', `The key may not decide on records of ${options.tableName}.`)
  }

  // Between the check of the key and the entry's time stamp lies the commit, and the clock may have been set: hence the grace.
  const atMs = Date.parse(entry.created_at)
  const lifetime = keyProblemAt(key, atMs)
  if (lifetime === 'KEY_NOT_YET_VALID') {
    if (keyProblemAt(key, atMs + STORED_KEY_GRACE_MS) === 'KEY_NOT_YET_VALID') return found(lifetime, keyMessage(lifetime, key))
  } else if (lifetime !== null && keyProblemAt(key, atMs - STORED_KEY_GRACE_MS) === lifetime) {
    return found(lifetime, keyMessage(lifetime, key))
  }

  if (keyring !== undefined && keyring.keys.get(key.kid)?.key.x !== key.x) {
    return found(
      'KEY_UNKNOWN',
      `The keyring at hand (version ${keyring.version}) does not hold key ${quoted(key.kid)} of ${quoted(key.principal)}.`,
    )
  }
  return null
}
