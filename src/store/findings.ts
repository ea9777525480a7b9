export type Severity = 'error' | 'warning'

const define = <T extends Record<string, { severity: Severity; hint: string }>>(table: T): T => table

/** The closed set of what `verify` can find. A code is API and never changes its meaning; an error means that a promise of the store does not hold. */
export const FINDINGS = define({
  IDENTITY_MISSING: {
    severity: 'error',
    hint: 'store.json is gone. Put it back from a backup: a new one would break every history chain.',
  },
  IDENTITY_INVALID: { severity: 'error', hint: 'store.json was changed. Put it back from a backup.' },
  METADATA_MISSING: { severity: 'error', hint: 'Put metadata.json of this record back from a backup.' },
  METADATA_INVALID: {
    severity: 'error',
    hint: 'Put metadata.json of this record back from a backup; the record takes no writes until then.',
  },
  METADATA_MISPLACED: { severity: 'error', hint: 'The document of another record was put here. Put the right one back from a backup.' },
  HISTORY_CHAIN_BROKEN: {
    severity: 'error',
    hint: 'An entry of the history was edited, removed, added or moved. Compare with a backup and with the anchors.',
  },
  VERSION_MISSING: { severity: 'error', hint: 'The history names this version, but its file is gone. Put it back from a backup.' },
  VERSION_SIZE_MISMATCH: { severity: 'error', hint: 'The file is not the one that was committed. Put it back from a backup.' },
  VERSION_HASH_MISMATCH: { severity: 'error', hint: 'The file is not the one that was committed. Put it back from a backup.' },
  VERSION_CONTENT_MISMATCH: {
    severity: 'error',
    hint: 'The bytes are those committed, but the cells do not have the recorded hash. Report this.',
  },
  VERSION_UNREADABLE: {
    severity: 'error',
    hint: 'The file cannot be read as Parquet, or not at all. Check the disk, and put it back from a backup.',
  },
  VERSION_NOT_A_FILE: {
    severity: 'error',
    hint: 'A version is a regular file. Find out who put something else there, and put the file back.',
  },
  VERSION_ORPHAN: { severity: 'error', hint: 'No history names this file. Find out where it comes from; the next commit moves it aside.' },
  VERSION_WRITABLE: { severity: 'warning', hint: 'A version has mode 0440. Take the write permission away: chmod 0440.' },
  DECISION_INVALID: { severity: 'error', hint: 'The approval or rejection cannot be proved. Ask the approver, and compare with a backup.' },
  DECISION_UNSIGNED: { severity: 'error', hint: 'This store takes signed decisions only, but this one has no signature.' },
  KEY_UNKNOWN: {
    severity: 'warning',
    hint: 'The signature holds, but the keyring at hand does not hold its key. Keys end; they are not removed.',
  },
  ANCHOR_INVALID: { severity: 'error', hint: 'A line of the anchor log is not one of ours. Compare with a backup.' },
  ANCHOR_TORN: {
    severity: 'warning',
    hint: 'The log ends in the middle of a line: a crash. It is mended when the store is next opened for writing.',
  },
  ANCHOR_CHAIN_BROKEN: { severity: 'error', hint: 'Lines of the anchor log were edited, removed, added or moved. Compare with a backup.' },
  ANCHOR_MISMATCH: {
    severity: 'error',
    hint: 'The record had another content when it was committed. Its history was rewritten: compare with a backup.',
  },
  ANCHOR_AHEAD: { severity: 'error', hint: 'The record had more entries than it has now: its history was cut. Put it back from a backup.' },
  ANCHOR_WITHOUT_RECORD: { severity: 'error', hint: 'The record was committed and is gone. Put it back from a backup.' },
  ANCHOR_MISSING: {
    severity: 'error',
    hint: 'No anchor speaks of this commit: the anchor log was cut, or the history was made without it.',
  },
  RECOVERY_PENDING: {
    severity: 'warning',
    hint: 'A commit was cut off. It is finished or undone when the store is next opened for writing.',
  },
  UNEXPECTED_ENTRY: { severity: 'warning', hint: 'Nothing of the store has this name. Find out where it comes from, and move it away.' },
})

export type FindingCode = keyof typeof FINDINGS

export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  readonly record_id: string | null
  readonly version: number | null
  /** Below the store's root; percent-encoded where a name is not plain. */
  readonly key: string | null
  readonly message: string
  readonly hint: string
}

export function finding(
  code: FindingCode,
  message: string,
  place: { readonly recordId?: string | null; readonly version?: number | null; readonly key?: string | null } = {},
): Finding {
  const { severity, hint } = FINDINGS[code]
  return { code, severity, record_id: place.recordId ?? null, version: place.version ?? null, key: place.key ?? null, message, hint }
}
