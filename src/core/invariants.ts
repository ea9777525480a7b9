import { fixedFormOf } from './fixed-form.js'
import { brokenLinks, foldHistory } from './history.js'
import { versionKey } from './object-keys.js'
import { type DecisionEntry, isVersionEntry, type RecordMetadata, versionEntryOf } from './record-model.js'

/**
 * The promise of this product in seven sentences (DESIGN §8), as rules over facts. Whoever gathers the facts reads the folder of a workspace
 * and knows nothing of the code that wrote it.
 *
 *  I1 a version, once visible, never changes
 *  I2 every version in metadata exists with its hash
 *  I3 version numbers are contiguous and never used twice
 *  I4 one drop gives at most one version of a record
 *  I5 a history is append-only and chained
 *  I6 what was taken from the inbox is in a claim, or archived or quarantined with a receipt, and its row account adds up
 *  I7 where approvals are signed nothing is approved without a valid signature over exactly that version
 */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7'

export type InvariantCode =
  | 'VERSION_CHANGED'
  | 'VERSION_LOST'
  | 'VERSION_MISSING'
  | 'VERSION_BYTES_DIFFER'
  | 'VERSION_NUMBER_WRONG'
  | 'VERSION_UNOWNED'
  | 'DROP_TWICE'
  | 'METADATA_UNREADABLE'
  | 'HISTORY_IMPOSSIBLE'
  | 'HISTORY_UNCHAINED'
  | 'HISTORY_NOT_FOLLOWED'
  | 'HISTORY_REWRITTEN'
  | 'ANCHOR_AHEAD'
  | 'DROP_LOST'
  | 'CLAIM_MISSING'
  | 'RECEIPT_UNREADABLE'
  | 'RECEIPT_CHANGED'
  | 'ORIGINAL_MISSING'
  | 'ORIGINAL_DIFFERS'
  | 'ORIGINAL_UNRECEIPTED'
  | 'ROWS_DO_NOT_ADD_UP'
  | 'RECEIPT_NAMES_NO_VERSION'
  | 'VERSION_UNRECEIPTED'
  | 'STORE_UNREADABLE'
  | 'APPROVAL_UNSIGNED'
  | 'SIGNATURE_WRONG'
  | 'SIGNED_SOMETHING_ELSE'

export interface InvariantFinding {
  readonly invariant: Invariant
  readonly code: InvariantCode
  /** The record, version, drop or file it is about. */
  readonly subject: string
  readonly text: string
}

export interface VersionFact {
  readonly version: number
  readonly sha256: string
  readonly bytes: number
}

export interface RecordFacts {
  readonly recordId: string
  /** null: there is no metadata.json. A text: what is wrong with it. */
  readonly metadata: RecordMetadata | string | null
  /** SHA-256 of metadata.json; null when there is none. */
  readonly metadataSha256: string | null
  /** Files of versions/, in any order. */
  readonly files: readonly VersionFact[]
}

/** One entry of a history that names a decision, and what an examination of its own says of the signature. */
export interface SignatureFact {
  readonly recordId: string
  /** Position in the history, from 0. */
  readonly index: number
  /** The signature holds over the envelope's own payload, with the key that the entry names and that the keyring holds. */
  readonly holds: boolean
  /** Members of the signed payload; null when it is not JSON. */
  readonly payload: {
    readonly store_id: unknown
    readonly record_id: unknown
    readonly version: unknown
    readonly parquet_sha256: unknown
    readonly decision: unknown
  } | null
}

export interface ReceiptFact {
  readonly dropId: string
  /** A text: what is wrong with the document. */
  readonly document: ReceiptDocumentFact | string
  readonly sha256: string
}

/** The members of a receipt that the rules speak of. */
export interface ReceiptDocumentFact {
  readonly kind: 'drop' | 'decision'
  readonly outcome: string
  readonly sha256: string | null
  readonly stored_at: string | null
  readonly rows: Readonly<Record<'in' | 'committed' | 'unchanged' | 'withheld' | 'invalid' | 'blank', number | null>> | null
  readonly records: readonly {
    readonly record_id: string
    readonly outcome: string
    readonly version: number | null
    readonly rows: number
  }[]
}

export interface StoredFileFact {
  /** Below the workspace. */
  readonly path: string
  readonly dropId: string
  /** null: not a regular file. */
  readonly sha256: string | null
}

export interface WorkspaceFacts {
  /** null: there is no store yet. A text: what is wrong with store.json. */
  readonly store: { readonly storeId: string; readonly approvals: 'signed' | 'any' } | string | null
  readonly records: readonly RecordFacts[]
  readonly signatures: readonly SignatureFact[]
  /** Keys of versions that a staged plan names: they may be linked before the history names them. */
  readonly plannedKeys: readonly string[]
  /** Whole lines of anchors/. */
  readonly anchors: readonly { readonly recordId: string; readonly historyLength: number; readonly metadataSha256: string }[]
  /** Drop-ids of state/claims that hold a drop.json. */
  readonly claims: readonly string[]
  /** Drop-ids whose hidden files lie in inbox/ or decisions/. */
  readonly hidden: readonly string[]
  readonly receipts: readonly ReceiptFact[]
  /** Files of archive/ and quarantine/, without reports and orphans. */
  readonly stored: readonly StoredFileFact[]
}

/** What an earlier look has seen, for the rules that speak of time. */
export interface SeenFacts {
  /** `record_id/vN` → SHA-256 of the file. */
  readonly versions: ReadonlyMap<string, string>
  /** Record id → its history, each entry in its fixed form. */
  readonly histories: ReadonlyMap<string, readonly string[]>
  /** Drop-id → SHA-256 of its receipt. */
  readonly receipts: ReadonlyMap<string, string>
  /** Drop-ids that had been taken. */
  readonly taken: ReadonlySet<string>
}

export const NOTHING_SEEN: SeenFacts = { versions: new Map(), histories: new Map(), receipts: new Map(), taken: new Set() }

/** What to remember for the next look. Only what metadata names counts as visible. */
export function seenOf(facts: WorkspaceFacts, before: SeenFacts = NOTHING_SEEN): SeenFacts {
  const versions = new Map(before.versions)
  const histories = new Map(before.histories)
  for (const { recordId, metadata, files } of facts.records) {
    if (metadata === null || typeof metadata === 'string') continue
    histories.set(recordId, metadata.history.map(entryText))
    for (const file of files)
      if (versionEntryOf(metadata, file.version) !== undefined) versions.set(nameOf(recordId, file.version), file.sha256)
  }
  const receipts = new Map(before.receipts)
  for (const receipt of facts.receipts) receipts.set(receipt.dropId, receipt.sha256)
  // A claim alone is not enough: a crash may come before its file is taken, and then the claim is dropped.
  return { versions, histories, receipts, taken: new Set([...before.taken, ...facts.receipts.map((r) => r.dropId)]) }
}

/** Every breach of I1 to I7, in that order of rules. Empty: all of them hold. */
export function invariantFindings(facts: WorkspaceFacts, seen: SeenFacts = NOTHING_SEEN): InvariantFinding[] {
  const findings = [
    ...unchangedVersions(facts, seen),
    ...presentVersions(facts),
    ...contiguousNumbers(facts),
    ...oneVersionPerDrop(facts),
    ...appendOnlyHistories(facts, seen),
    ...accountedDrops(facts, seen),
    ...signedApprovals(facts),
  ]
  return findings.sort((a, b) => (a.invariant < b.invariant ? -1 : a.invariant > b.invariant ? 1 : 0))
}

function unchangedVersions({ records }: WorkspaceFacts, seen: SeenFacts): InvariantFinding[] {
  const now = new Map(records.flatMap(({ recordId, files }) => files.map((f) => [nameOf(recordId, f.version), f.sha256] as const)))
  return [...seen.versions].flatMap(([name, sha256]) => {
    const there = now.get(name)
    if (there === sha256) return []
    return there === undefined
      ? [finding('I1', 'VERSION_LOST', name, 'was visible and is gone')]
      : [finding('I1', 'VERSION_CHANGED', name, `had the hash ${sha256} and has ${there} now`)]
  })
}

function presentVersions({ records }: WorkspaceFacts): InvariantFinding[] {
  const findings: InvariantFinding[] = []
  for (const { recordId, metadata, files } of records) {
    if (typeof metadata === 'string') findings.push(finding('I2', 'METADATA_UNREADABLE', recordId, metadata))
    if (metadata === null || typeof metadata === 'string') continue
    for (const entry of metadata.history.filter(isVersionEntry)) {
      const name = nameOf(recordId, entry.version)
      const file = files.find((f) => f.version === entry.version)
      if (file === undefined) findings.push(finding('I2', 'VERSION_MISSING', name, 'the history names it, and there is no such file'))
      else if (file.sha256 !== entry.parquet_sha256 || file.bytes !== entry.bytes)
        findings.push(finding('I2', 'VERSION_BYTES_DIFFER', name, 'the file has other bytes than the history names'))
    }
  }
  return findings
}

function contiguousNumbers({ records, plannedKeys }: WorkspaceFacts): InvariantFinding[] {
  const planned = new Set(plannedKeys)
  const findings: InvariantFinding[] = []
  for (const { recordId, metadata, files } of records) {
    const named = metadata === null || typeof metadata === 'string' ? [] : metadata.history.filter(isVersionEntry).map((e) => e.version)
    named.forEach((version, i) => {
      if (version !== i + 1)
        findings.push(finding('I3', 'VERSION_NUMBER_WRONG', nameOf(recordId, version), `stands where version ${i + 1} must stand`))
    })
    // Of a record whose metadata cannot be read nobody knows which versions it has.
    if (typeof metadata === 'string') continue
    for (const { version } of files) {
      if (!named.includes(version) && !planned.has(versionKey(recordId, version)))
        findings.push(
          finding(
            'I3',
            'VERSION_UNOWNED',
            nameOf(recordId, version),
            'no history names it and no plan owns it: its number would be used twice',
          ),
        )
    }
  }
  return findings
}

function oneVersionPerDrop({ records }: WorkspaceFacts): InvariantFinding[] {
  const findings: InvariantFinding[] = []
  for (const { recordId, metadata } of records) {
    if (metadata === null || typeof metadata === 'string') continue
    const drops = new Set<string>()
    for (const entry of metadata.history.filter(isVersionEntry)) {
      if (entry.drop === null) continue
      if (drops.has(entry.drop.drop_id))
        findings.push(
          finding(
            'I4',
            'DROP_TWICE',
            nameOf(recordId, entry.version),
            `drop ${entry.drop.drop_id} had made a version of this record before`,
          ),
        )
      drops.add(entry.drop.drop_id)
    }
  }
  return findings
}

function appendOnlyHistories({ store, records, anchors }: WorkspaceFacts, seen: SeenFacts): InvariantFinding[] {
  const findings: InvariantFinding[] = []
  if (typeof store === 'string') findings.push(finding('I5', 'STORE_UNREADABLE', 'store.json', store))
  const known = new Map<string, RecordMetadata>()
  for (const { recordId, metadata } of records) {
    if (metadata === null || typeof metadata === 'string') continue
    known.set(recordId, metadata)
    if (metadata.record_id !== recordId)
      findings.push(finding('I5', 'HISTORY_NOT_FOLLOWED', recordId, `metadata.json is that of ${metadata.record_id}`))
    if (store !== null && typeof store !== 'string' && brokenLinks(store.storeId, metadata, metadata.history).length > 0)
      findings.push(finding('I5', 'HISTORY_UNCHAINED', recordId, 'an entry does not name the hash of the one before it'))
    const folded = foldHistory(metadata, metadata.history)
    if (!folded.ok) findings.push(finding('I5', 'HISTORY_IMPOSSIBLE', recordId, `entry ${folded.index + 1}: ${folded.problem}`))
    else if (!fixedFormOf(folded.metadata).equals(fixedFormOf(metadata)))
      findings.push(finding('I5', 'HISTORY_NOT_FOLLOWED', recordId, 'metadata.json does not follow from its own history'))
  }
  for (const [recordId, before] of seen.histories) {
    const now = known.get(recordId)?.history.map(entryText) ?? []
    if (before.some((entry, i) => entry !== now[i]))
      findings.push(finding('I5', 'HISTORY_REWRITTEN', recordId, 'an entry that was there is gone, or is another one now'))
  }
  for (const { recordId, historyLength, metadataSha256 } of anchors) {
    const record = records.find((r) => r.recordId === recordId)
    const length = known.get(recordId)?.history.length ?? 0
    if (length < historyLength || (length === historyLength && record?.metadataSha256 !== metadataSha256))
      findings.push(finding('I5', 'ANCHOR_AHEAD', recordId, `an anchor knows a history of ${historyLength} entries that is not there`))
  }
  return findings
}

function accountedDrops(facts: WorkspaceFacts, seen: SeenFacts): InvariantFinding[] {
  const findings: InvariantFinding[] = []
  const claims = new Set(facts.claims)
  const receipts = new Map(facts.receipts.map((r) => [r.dropId, r]))
  const stored = new Map(facts.stored.map((s) => [s.path, s]))
  const records = new Map(facts.records.map((r) => [r.recordId, r]))
  for (const dropId of facts.hidden) {
    if (!claims.has(dropId)) findings.push(finding('I6', 'CLAIM_MISSING', dropId, 'its file has its hidden name, and no claim holds it'))
  }
  for (const dropId of seen.taken) {
    if (!claims.has(dropId) && !receipts.has(dropId))
      findings.push(finding('I6', 'DROP_LOST', dropId, 'it was taken, and has neither claim nor receipt'))
  }
  for (const [dropId, sha256] of seen.receipts) {
    const now = receipts.get(dropId)
    if (now !== undefined && now.sha256 !== sha256)
      findings.push(finding('I6', 'RECEIPT_CHANGED', dropId, 'its receipt is another one now'))
  }
  for (const { dropId, path } of facts.stored) {
    if (!claims.has(dropId) && !receipts.has(dropId))
      findings.push(finding('I6', 'ORIGINAL_UNRECEIPTED', path, 'its drop has neither claim nor receipt'))
  }
  for (const { dropId, document } of facts.receipts) {
    if (typeof document === 'string') {
      findings.push(finding('I6', 'RECEIPT_UNREADABLE', dropId, document))
      continue
    }
    if (document.stored_at !== null) {
      const file = stored.get(document.stored_at)
      if (file === undefined) findings.push(finding('I6', 'ORIGINAL_MISSING', dropId, `${document.stored_at} is not there`))
      else if (document.sha256 !== null && file.sha256 !== document.sha256)
        findings.push(finding('I6', 'ORIGINAL_DIFFERS', dropId, `${document.stored_at} has other bytes than the receipt names`))
    } else if (document.sha256 !== null)
      findings.push(finding('I6', 'ORIGINAL_MISSING', dropId, 'its bytes were read, and the receipt names no file'))
    const account = rowsProblem(document)
    if (account !== null) findings.push(finding('I6', 'ROWS_DO_NOT_ADD_UP', dropId, account))
    for (const record of document.records) {
      if (record.outcome !== 'created' && record.outcome !== 'updated') continue
      const metadata = records.get(record.record_id)?.metadata ?? null
      const entry = metadata === null || typeof metadata === 'string' ? undefined : versionEntryOf(metadata, record.version ?? 0)
      if (entry?.drop?.drop_id !== dropId || entry.rows !== record.rows || entry.drop.sha256 !== document.sha256)
        findings.push(
          finding(
            'I6',
            'RECEIPT_NAMES_NO_VERSION',
            dropId,
            `no version ${record.version} of ${record.record_id} came from this drop with these rows and bytes`,
          ),
        )
    }
  }
  for (const { recordId, metadata } of facts.records) {
    if (metadata === null || typeof metadata === 'string') continue
    for (const entry of metadata.history.filter(isVersionEntry)) {
      if (entry.drop === null || claims.has(entry.drop.drop_id)) continue
      const document = receipts.get(entry.drop.drop_id)?.document
      if (typeof document === 'string') continue
      const told = document?.records.some((r) => r.record_id === recordId && r.version === entry.version) ?? false
      if (!told)
        findings.push(
          finding(
            'I6',
            'VERSION_UNRECEIPTED',
            nameOf(recordId, entry.version),
            `drop ${entry.drop.drop_id} has no claim, and no receipt that names this version`,
          ),
        )
    }
  }
  return findings
}

/** null: in = committed + unchanged + withheld + invalid + blank, or nothing is known of any of them. */
function rowsProblem({ kind, rows, records }: ReceiptDocumentFact): string | null {
  if (kind === 'decision') return null
  if (rows === null) return 'there is no row account'
  const parts = [rows.committed, rows.unchanged, rows.withheld, rows.invalid, rows.blank]
  if (rows.in === null) return parts.every((n) => n === null) ? null : 'the file was not read to its end, and yet some rows are counted'
  let sum = 0
  for (const n of parts) {
    if (n === null || n < 0) return 'a part of the account is missing or negative'
    sum += n
  }
  if (sum !== rows.in) return `${rows.in} rows came in, and ${sum} are accounted for`
  const rowsOf = (wanted: (outcome: string) => boolean): number => records.reduce((n, r) => (wanted(r.outcome) ? n + r.rows : n), 0)
  const made = rowsOf((outcome) => outcome === 'created' || outcome === 'updated')
  if (made !== rows.committed) return `${rows.committed} rows are said to be committed, and the records have ${made}`
  const same = rowsOf((outcome) => ['unchanged', 'duplicate', 'superseded'].includes(outcome))
  return same === rows.unchanged ? null : `${rows.unchanged} rows are said to be unchanged, and the records have ${same}`
}

function signedApprovals({ store, records, signatures }: WorkspaceFacts): InvariantFinding[] {
  if (store === null || typeof store === 'string' || store.approvals !== 'signed') return []
  const findings: InvariantFinding[] = []
  for (const { recordId, metadata } of records) {
    if (metadata === null || typeof metadata === 'string') continue
    for (const [index, entry] of metadata.history.entries()) {
      if (isVersionEntry(entry)) continue
      const name = `${nameOf(recordId, entry.version)} (entry ${index + 1})`
      const signature = signatures.find((s) => s.recordId === recordId && s.index === index)
      if (signature === undefined || entry.decision === null)
        findings.push(finding('I7', 'APPROVAL_UNSIGNED', name, `is ${entry.status} without a decision`))
      else if (!signature.holds) findings.push(finding('I7', 'SIGNATURE_WRONG', name, 'its signature does not hold'))
      else if (!isSigned(signature, entry, metadata, store.storeId))
        findings.push(finding('I7', 'SIGNED_SOMETHING_ELSE', name, 'what was signed is not this decision on this version'))
    }
  }
  return findings
}

function isSigned({ payload }: SignatureFact, entry: DecisionEntry, metadata: RecordMetadata, storeId: string): boolean {
  const version = versionEntryOf(metadata, entry.version)
  return (
    payload !== null &&
    version !== undefined &&
    payload.store_id === storeId &&
    payload.record_id === metadata.record_id &&
    payload.version === entry.version &&
    payload.parquet_sha256 === version.parquet_sha256 &&
    payload.decision === (entry.status === 'approved' ? 'approve' : 'reject')
  )
}

function finding(invariant: Invariant, code: InvariantCode, subject: string, text: string): InvariantFinding {
  return { invariant, code, subject, text }
}

function nameOf(recordId: string, version: number): string {
  return `${recordId}/v${version}`
}

function entryText(entry: RecordMetadata['history'][number]): string {
  return fixedFormOf(entry).toString('utf8')
}
