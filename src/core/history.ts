import { createHash } from 'node:crypto'
import { assert } from '../errors.js'
import { fixedFormOf } from './fixed-form.js'
import { sha256OfJson } from './hashes.js'
import { type HistoryEntry, isVersionEntry, type RecordIdentity, type RecordMetadata } from './record-model.js'
import { transition } from './record-state.js'

/** The format of metadata.json that this product writes. It is part of the first link of every chain. */
export const RECORD_FORMAT = 1

/** `prev` of the first entry: it ties the history to one store, one record, one table and one source (DESIGN §3). */
export function chainStart(storeId: string, identity: RecordIdentity): string {
  return sha256OfJson({
    store_id: storeId,
    record_id: identity.record_id,
    table_name: identity.table_name,
    source: identity.source,
    format: RECORD_FORMAT,
  })
}

/** `prev` of the entry after this one: SHA-256 of its RFC 8785 form. */
export function chainLink(entry: HistoryEntry): string {
  return sha256OfJson(entry)
}

/** `prev` of the entry that comes next. */
export function nextPrev(storeId: string, identity: RecordIdentity, history: readonly HistoryEntry[]): string {
  const last = history.at(-1)
  return last === undefined ? chainStart(storeId, identity) : chainLink(last)
}

/** Positions (from 0) of the entries whose `prev` is not the hash of what comes before them. */
export function brokenLinks(storeId: string, identity: RecordIdentity, history: readonly HistoryEntry[]): number[] {
  const broken: number[] = []
  let expected = chainStart(storeId, identity)
  history.forEach((entry, index) => {
    if (entry.prev !== expected) broken.push(index)
    expected = chainLink(entry)
  })
  return broken
}

type TopLevel = Omit<RecordMetadata, 'history' | 'format' | keyof RecordIdentity>

export type Fold =
  | { readonly ok: true; readonly metadata: RecordMetadata }
  /** The history cannot have come about by the rules; `index` counts from 0. */
  | { readonly ok: false; readonly index: number; readonly problem: string }

function step(top: TopLevel | null, entry: HistoryEntry): TopLevel | string {
  if (isVersionEntry(entry)) {
    const expected = (top?.current_version ?? 0) + 1
    if (entry.version !== expected) return `version ${entry.version} stands where version ${expected} must stand`
    return {
      current_version: entry.version,
      status: 'draft',
      created_by: top?.created_by ?? entry.created_by,
      created_at: top?.created_at ?? entry.created_at,
      approved_by: null,
      approved_at: null,
      rejected_by: null,
      rejected_at: null,
      approved_version: top?.approved_version ?? null,
    }
  }
  if (top === null) return `${entry.status} cannot follow: there is no version`
  const decided = transition(top.status, entry.status === 'approved' ? 'approve' : 'reject')
  if (!decided.ok) return `${entry.status} cannot follow: ${decided.refusal.message}`
  if (entry.version !== top.current_version) return `version ${entry.version} is decided while version ${top.current_version} is current`
  return entry.status === 'approved'
    ? { ...top, status: 'approved', approved_by: entry.created_by, approved_at: entry.created_at, approved_version: entry.version }
    : { ...top, status: 'rejected', rejected_by: entry.created_by, rejected_at: entry.created_at }
}

/** The document in the order of its schema, which is the order of its fixed form. */
function assemble(identity: RecordIdentity, top: TopLevel, history: readonly HistoryEntry[]): RecordMetadata {
  return {
    record_id: identity.record_id,
    table_name: identity.table_name,
    current_version: top.current_version,
    status: top.status,
    created_by: top.created_by,
    created_at: top.created_at,
    approved_by: top.approved_by,
    approved_at: top.approved_at,
    rejected_by: top.rejected_by,
    rejected_at: top.rejected_at,
    approved_version: top.approved_version,
    source: identity.source,
    format: RECORD_FORMAT,
    history: [...history],
  }
}

/** The only maker of top-level fields: they follow from the history, entry by entry. */
export function foldHistory(identity: RecordIdentity, history: readonly HistoryEntry[]): Fold {
  let top: TopLevel | null = null
  for (const [index, entry] of history.entries()) {
    const next: TopLevel | string = step(top, entry)
    if (typeof next === 'string') return { ok: false, index, problem: next }
    top = next
  }
  if (top === null) return { ok: false, index: 0, problem: 'the history is empty' }
  return { ok: true, metadata: assemble(identity, top, history) }
}

/**
 * SHA-256 of metadata.json as it stood after each entry, the first one first: anchors are compared with it.
 *
 * Every state repeats the entries before it, so the bytes to hash grow with the square of the length; nothing else does: the history is folded
 * and written once. 5,000 entries are 11 GB, some seconds; so it is given out one by one, and the caller may stop or let others work between.
 */
export function* metadataHashes(metadata: RecordMetadata): Generator<string, void, undefined> {
  const entries = fixedFormOf({ history: metadata.history }).subarray(ENTRIES_BEGIN.length)
  const end = Buffer.from(ENTRIES_END)
  let at = 0
  let top: TopLevel | null = null
  for (const entry of metadata.history) {
    const next: TopLevel | string = step(top, entry)
    assert(typeof next !== 'string', 'the history of a document that was checked can be folded')
    top = next
    // As in the whole: what comes after the last entry of a state is an end, and a comma before the next one.
    const length = fixedFormOf({ history: [entry] }).length - ENTRIES_BEGIN.length - end.length
    const head = fixedFormOf(assemble(metadata, top, []))
    const hash = createHash('sha256').update(head.subarray(0, head.length - EMPTY_END.length))
    yield hash
      .update('\n')
      .update(entries.subarray(0, at + length))
      .update(end)
      .digest('hex')
    at += length + ENTRY_SEPARATOR.length
  }
}

/** How the fixed form writes what stands around entries: `metadataHashes` puts the states together from pieces of the last one. */
const ENTRIES_BEGIN = '{\n  "history": [\n'
const ENTRY_SEPARATOR = ',\n'
const ENTRIES_END = '\n  ]\n}\n'
const EMPTY_END = ']\n}\n'

/** The record with one more entry. The entry must have been planned on this very head. */
export function appendEntry(identity: RecordIdentity, history: readonly HistoryEntry[], entry: HistoryEntry): RecordMetadata {
  const folded = foldHistory(identity, [...history, entry])
  assert(folded.ok, `a planned entry fits its history${folded.ok ? '' : `: ${folded.problem}`}`)
  return folded.metadata
}
