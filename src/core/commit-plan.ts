import { assert } from '../errors.js'
import { canonicalJson } from './canonical-json.js'
import { fixedFormOf } from './fixed-form.js'
import { sha256Hex } from './hashes.js'
import { appendEntry, nextPrev } from './history.js'
import { metadataKey, versionKey } from './object-keys.js'
import {
  type DecisionReference,
  type DropReference,
  type HistoryEntry,
  isVersionEntry,
  type RecordIdentity,
  type RecordMetadata,
  type VersionEntry,
  versionEntryOf,
} from './record-model.js'
import { type Refusal, stateOf, transition } from './record-state.js'

/** A record as it stands: its metadata and the SHA-256 of metadata.json's bytes. */
export interface Head {
  readonly metadata: RecordMetadata
  readonly sha256: string
}

/** What a plan was made on. It may be carried out while the head is still this one, and only then. */
export interface PlanBase {
  /** Entries in the history; 0 for a record that does not exist yet. */
  readonly historyLength: number
  /** SHA-256 of metadata.json; null for a record that does not exist yet. */
  readonly metadataSha256: string | null
}

/** One commit, worked out to the last byte. Making it writes nothing. */
export interface CommitPlan {
  readonly identity: RecordIdentity
  readonly base: PlanBase
  readonly entry: HistoryEntry
  readonly metadata: RecordMetadata
  /** metadata.json in its fixed form. */
  readonly bytes: Buffer
  readonly metadataSha256: string
  readonly metadataKey: string
  /** Where the version goes; null for a decision, which makes none. */
  readonly versionKey: string | null
}

export interface StagedFacts {
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
  readonly schemaSha256: string
}

export function baseOf(head: Head | null): PlanBase {
  return head === null
    ? { historyLength: 0, metadataSha256: null }
    : { historyLength: head.metadata.history.length, metadataSha256: head.sha256 }
}

/** Puts one entry on a head. Also used by recovery, which has the entry from a plan on disk. */
export function planEntry(identity: RecordIdentity, head: Head | null, entry: HistoryEntry): CommitPlan {
  const metadata = appendEntry(identity, head?.metadata.history ?? [], entry)
  const bytes = fixedFormOf(metadata)
  return {
    identity,
    base: baseOf(head),
    entry,
    metadata,
    bytes,
    metadataSha256: sha256Hex(bytes),
    metadataKey: metadataKey(identity.record_id),
    versionKey: isVersionEntry(entry) ? versionKey(identity.record_id, entry.version) : null,
  }
}

/**
 * What a drop is, compared with what its record already holds (DESIGN §5). null: it makes a version.
 *
 * - duplicate: the same bytes, schema and rule (dialect, encoding, record, onInvalid) as the current version's drop.
 * - unchanged: the same typed content as the current version, whatever the bytes.
 * - superseded: the same bytes as an older version, and not as the current one: going back is for a person to say.
 *
 * Duplicate and unchanged do not hold over a rejected current version: sending it again makes a new draft.
 * Before a conversion `contentSha256` is not known (null): a duplicate can be told already, and nothing else.
 */
export function classifyDrop(options: {
  metadata: RecordMetadata
  drop: DropReference
  schemaSha256: string
  contentSha256: string | null
  force: boolean
}): { readonly kind: 'duplicate' | 'unchanged' | 'superseded'; readonly sameAsVersion: number } | null {
  const { metadata, drop } = options
  if (options.force) return null
  const current = versionEntryOf(metadata, metadata.current_version)
  if (current === undefined) return null
  if (metadata.status !== 'rejected') {
    const sameDrop = current.drop !== null && current.drop.sha256 === drop.sha256 && current.drop.rule_sha256 === drop.rule_sha256
    if (sameDrop && current.schema_sha256 === options.schemaSha256) return { kind: 'duplicate', sameAsVersion: current.version }
    if (current.content_sha256 === options.contentSha256) return { kind: 'unchanged', sameAsVersion: current.version }
  }
  if (options.contentSha256 === null) return null
  if (current.drop?.sha256 === drop.sha256) return null
  const older = metadata.history.findLast((entry): entry is VersionEntry => isVersionEntry(entry) && entry.drop?.sha256 === drop.sha256)
  return older === undefined ? null : { kind: 'superseded', sameAsVersion: older.version }
}

export type VersionIntent = 'create' | 'update' | 'upsert'

export type VersionPlan =
  | { readonly kind: 'commit'; readonly outcome: 'created' | 'updated'; readonly plan: CommitPlan }
  /** The history holds this drop already: an earlier attempt got that far. `version` is the one it made. */
  | { readonly kind: 'already'; readonly version: number }
  | {
      readonly kind: 'none'
      readonly outcome: 'duplicate' | 'unchanged' | 'superseded'
      readonly version: number
      readonly sameAsVersion: number
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export function planVersion(options: {
  storeId: string
  head: Head | null
  intent: VersionIntent
  recordId: string
  tableName: string
  /** null: the library writes; it is not source-checked. */
  source: string | null
  createdBy: string
  comment: string
  /** RFC 3339, UTC, milliseconds; the coordinator's clock. */
  at: string
  staged: StagedFacts
  drop: DropReference | null
  force: boolean
}): VersionPlan {
  const { head, drop, staged } = options
  if (head !== null && drop !== null) {
    // Before everything else: whatever has happened to the record since, this drop has had its version.
    const made = head.metadata.history.find((entry): entry is VersionEntry => isVersionEntry(entry) && entry.drop?.drop_id === drop.drop_id)
    if (made !== undefined) return { kind: 'already', version: made.version }
  }
  const action = options.intent === 'upsert' ? (head === null ? 'create' : 'update') : options.intent
  const moved = transition(stateOf(head?.metadata ?? null), action)
  if (!moved.ok) return { kind: 'refused', refusal: moved.refusal }
  if (head !== null) {
    const mismatch = belongsElsewhere(head.metadata, options.tableName, options.source)
    if (mismatch !== null) return { kind: 'refused', refusal: mismatch }
    if (drop !== null) {
      const { schemaSha256, contentSha256 } = staged
      const same = classifyDrop({ metadata: head.metadata, drop, schemaSha256, contentSha256, force: options.force })
      if (same !== null) {
        return { kind: 'none', outcome: same.kind, version: head.metadata.current_version, sameAsVersion: same.sameAsVersion }
      }
    }
  }
  const identity: RecordIdentity =
    head === null
      ? { record_id: options.recordId, table_name: options.tableName, source: options.source }
      : { record_id: head.metadata.record_id, table_name: head.metadata.table_name, source: head.metadata.source }
  const entry: VersionEntry = {
    version: (head?.metadata.current_version ?? 0) + 1,
    status: 'draft',
    created_by: options.createdBy,
    created_at: options.at,
    comment: options.comment,
    parquet_sha256: staged.parquetSha256,
    content_sha256: staged.contentSha256,
    schema_sha256: staged.schemaSha256,
    rows: staged.rows,
    bytes: staged.bytes,
    drop,
    prev: nextPrev(options.storeId, identity, head?.metadata.history ?? []),
  }
  return { kind: 'commit', outcome: head === null ? 'created' : 'updated', plan: planEntry(identity, head, entry) }
}

/** A record belongs to one table and one source (DESIGN §5). `source` null is the library, which may update any record of the table. */
export function belongsElsewhere(metadata: RecordMetadata, tableName: string, source: string | null): Refusal | null {
  if (metadata.table_name !== tableName) {
    return { code: 'TABLE_MISMATCH', message: `Record ${metadata.record_id} belongs to table ${metadata.table_name}, not to ${tableName}` }
  }
  if (source !== null && metadata.source !== source) {
    const owner = metadata.source === null ? 'was made by the library and belongs to no source' : `belongs to source ${metadata.source}`
    return { code: 'SOURCE_MISMATCH', message: `Record ${metadata.record_id} ${owner}, so source ${source} cannot update it` }
  }
  return null
}

export type Decision = 'approve' | 'reject'

export type DecisionPlan =
  | { readonly kind: 'commit'; readonly outcome: 'approved' | 'rejected'; readonly plan: CommitPlan }
  /** The history holds this very decision already. */
  | { readonly kind: 'repeated'; readonly version: number }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export function planDecision(options: {
  storeId: string
  approvals: 'signed' | 'any'
  head: Head | null
  /** null: whatever is current (library only; a signed decision always names its version). */
  version: number | null
  decision: Decision
  decidedBy: string
  comment: string
  at: string
  reference: DecisionReference | null
  /** SHA-256 of the version decided on, where the decider named it. */
  expectedParquetSha256: string | null
}): DecisionPlan {
  const { head, reference } = options
  const refused = (code: Refusal['code'], message: string): DecisionPlan => ({ kind: 'refused', refusal: { code, message } })
  if (head === null) {
    const missing = transition('absent', options.decision)
    assert(!missing.ok, 'a record that does not exist cannot be decided')
    return { kind: 'refused', refusal: missing.refusal }
  }
  const { metadata } = head
  if (reference !== null) {
    // The id before the state: the same decision again is no error, though the record is no draft any more (DESIGN §7).
    for (const entry of metadata.history) {
      if (isVersionEntry(entry) || entry.decision?.decision_id !== reference.decision_id) continue
      if (samePayload(entry.decision.jws.payload, reference.jws.payload)) return { kind: 'repeated', version: entry.version }
      return refused('DECISION_REPLAYED', `Decision ${reference.decision_id} was used before with another content`)
    }
  }
  if (options.approvals === 'signed' && reference === null) {
    return refused('DECISION_REQUIRED', 'This store takes signed decisions only')
  }
  const version = options.version ?? metadata.current_version
  if (version > metadata.current_version) return refused('VERSION_NOT_FOUND', `Record ${metadata.record_id} has no version ${version}`)
  if (version !== metadata.current_version) {
    return refused('DECISION_VERSION_MISMATCH', `Version ${version} is decided, but version ${metadata.current_version} is current`)
  }
  const current = versionEntryOf(metadata, version)
  if (options.expectedParquetSha256 !== null && current?.parquet_sha256 !== options.expectedParquetSha256) {
    return refused('DECISION_HASH_MISMATCH', `The decision names other bytes than version ${version} holds`)
  }
  const moved = transition(metadata.status, options.decision)
  if (!moved.ok) return { kind: 'refused', refusal: moved.refusal }
  const status = options.decision === 'approve' ? 'approved' : 'rejected'
  const plan = planEntry(metadataIdentity(metadata), head, {
    version,
    status,
    created_by: options.decidedBy,
    created_at: options.at,
    comment: options.comment,
    decision: reference,
    prev: nextPrev(options.storeId, metadata, metadata.history),
  })
  return { kind: 'commit', outcome: status, plan }
}

/** Equal as values: a decision may be signed again, or its JSON written with other white space. */
function samePayload(a: string, b: string): boolean {
  if (a === b) return true
  const contentOf = (text: string): string => canonicalJson(JSON.parse(Buffer.from(text, 'base64url').toString()))
  try {
    return contentOf(a) === contentOf(b)
  } catch {
    return false
  }
}

export function metadataIdentity(metadata: RecordIdentity): RecordIdentity {
  return { record_id: metadata.record_id, table_name: metadata.table_name, source: metadata.source }
}

/** What recovery does with a plan it finds, given the record's head (DESIGN §8). */
export type PlanVerdict =
  /** The history holds the entry: only the traces are left to clear. */
  | 'done'
  /** The head is what the plan was made on: carry it out. */
  | 'redo'
  /** The record went on without it: plan again. */
  | 'stale'

export function judgePlan(plan: { readonly base: PlanBase; readonly entry: HistoryEntry }, head: Head | null): PlanVerdict {
  const held = head?.metadata.history[plan.base.historyLength]
  if (held !== undefined && fixedFormOf(held).equals(fixedFormOf(plan.entry))) return 'done'
  const base = baseOf(head)
  return base.historyLength === plan.base.historyLength && base.metadataSha256 === plan.base.metadataSha256 ? 'redo' : 'stale'
}
