/** Pure rules of signed decisions (DESIGN §7). Whether a status may change is not decided here but where all records change it. */

export type KeyProblem = 'KEY_NOT_YET_VALID' | 'KEY_EXPIRED' | 'KEY_REVOKED'

/** When a key counts, in epoch seconds; null: no such bound. */
export interface KeyLifetime {
  readonly nbf: number | null
  readonly exp: number | null
  readonly revoked_at: number | null
}

/**
 * What is wrong with a key at an instant, or null. Valid from `nbf` on, no longer at `exp` (RFC 7519 §4.1.4: "on or after"), nor at
 * `revoked_at`. A revocation is named before an expiry: it is the one that somebody must know of.
 */
export function keyProblemAt(key: KeyLifetime, atMs: number): KeyProblem | null {
  if (key.revoked_at !== null && atMs >= key.revoked_at * 1000) return 'KEY_REVOKED'
  if (key.exp !== null && atMs >= key.exp * 1000) return 'KEY_EXPIRED'
  if (key.nbf !== null && atMs < key.nbf * 1000) return 'KEY_NOT_YET_VALID'
  return null
}

/** `*` stands for every table only when it is the whole entry; an empty list covers none. */
export function keyCoversTable(tables: readonly string[], table: string): boolean {
  return tables.includes('*') || tables.includes(table)
}

export type HeadProblem = 'DECISION_VERSION_MISMATCH' | 'DECISION_HASH_MISMATCH' | 'DECISION_SELF_APPROVAL'

/**
 * Does a decision speak of exactly what is current? Version before hash: an approver who looked at an older version must be told so,
 * not that bytes differ. Self-approval is about the current version's maker, and never stands in the way of a rejection.
 */
export function headProblem(
  decision: { version: number; parquet_sha256: string; decision: 'approve' | 'reject'; decided_by: string },
  head: { version: number; parquet_sha256: string; created_by: string },
  options: { forbidSelfApproval: boolean },
): HeadProblem | null {
  if (decision.version !== head.version) return 'DECISION_VERSION_MISMATCH'
  if (decision.parquet_sha256 !== head.parquet_sha256) return 'DECISION_HASH_MISMATCH'
  if (options.forbidSelfApproval && decision.decision === 'approve' && decision.decided_by === head.created_by)
    return 'DECISION_SELF_APPROVAL'
  return null
}
