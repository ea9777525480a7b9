/**
 * What metadata.json says, as plain types for the rules in this folder. `documents/metadata.ts` checks the same shapes at run time;
 * a test holds the two together. Names and order of the fields are contract (DESIGN §3).
 */
export type RecordStatus = 'draft' | 'approved' | 'rejected'

export interface JwsEnvelope {
  payload: string
  signatures: [{ protected: string; signature: string }]
}

export interface ApproverKey {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
  principal: string
  tables: string[]
  nbf: number | null
  exp: number | null
  revoked_at: number | null
}

export interface DropReference {
  drop_id: string
  name: string
  sha256: string
  bytes: number
  rule_sha256: string
}

export interface DecisionReference {
  decision_id: string
  jws: JwsEnvelope
  key: ApproverKey
}

export interface VersionEntry {
  version: number
  status: 'draft'
  created_by: string
  created_at: string
  comment: string
  parquet_sha256: string
  content_sha256: string
  schema_sha256: string
  rows: number
  bytes: number
  drop: DropReference | null
  prev: string
}

export interface DecisionEntry {
  version: number
  status: 'approved' | 'rejected'
  created_by: string
  created_at: string
  comment: string
  decision: DecisionReference | null
  prev: string
}

export type HistoryEntry = VersionEntry | DecisionEntry

/** What a record is for good: it is hashed into the first link of its history. */
export interface RecordIdentity {
  record_id: string
  table_name: string
  /** null: the record was made by the library. */
  source: string | null
}

export interface RecordMetadata extends RecordIdentity {
  current_version: number
  status: RecordStatus
  created_by: string
  created_at: string
  approved_by: string | null
  approved_at: string | null
  rejected_by: string | null
  rejected_at: string | null
  approved_version: number | null
  format: 1
  history: HistoryEntry[]
}

export function isVersionEntry(entry: HistoryEntry): entry is VersionEntry {
  return entry.status === 'draft'
}

/** The entry that made a version; undefined when the history has no such version. */
export function versionEntryOf(metadata: { history: readonly HistoryEntry[] }, version: number): VersionEntry | undefined {
  return metadata.history.find((entry): entry is VersionEntry => isVersionEntry(entry) && entry.version === version)
}

/** Numbers of all versions, ascending. */
export function versionsOf(metadata: { history: readonly HistoryEntry[] }): number[] {
  return metadata.history.filter(isVersionEntry).map((entry) => entry.version)
}
