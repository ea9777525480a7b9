import type { Content, Key, Row } from './schedule.js'

/**
 * What must be there at the end, by a model that knows the promises of DESIGN.md and none of the product's code. It is given what was sent,
 * what the receipts say, and the records as they are, and says what does not fit.
 *
 * Receipts count in the order of their drop-ids; decisions wait for no conversion, so the histories alone say when they came between two
 * drops. What left no trace in a history must have been right at some moment between its arrival and its receipt.
 */

export type Lengths = ReadonlyMap<string, number>

export interface SentDrop {
  /** Below inbox/. */
  readonly path: string
  readonly sha256: string
  readonly content: Content
  readonly sidecars: 'none' | 'right' | 'wrong'
  /** How often it must have a receipt at least and at most: 1 and 1, 0 and 0 where another file took its name before it was taken. */
  least: number
  most: number
  /** Lengths of all histories when it came. */
  readonly lengths: Lengths
}

export interface SentDecision {
  /** Below decisions/. */
  readonly path: string
  readonly recordId: string
  readonly verb: 'approve' | 'reject'
  readonly version: number
  readonly parquetSha256: string
  readonly id: string
  /** Equal texts are equal payloads. */
  readonly payload: string
  readonly key: Key
  readonly isForged: boolean
  readonly lengths: Lengths
  /** The latest that the wall clock showed from then until its receipt. */
  latestMs: number
}

export interface SentRequest {
  readonly dropId: string
  readonly force: boolean
  readonly lengths: Lengths
}

export interface SeenRecordResult {
  readonly record_id: string
  readonly outcome: string
  readonly version: number | null
  readonly rows: number
  readonly invalid: number
  readonly code: string | null
}

/** A receipt as it lies on the disk, and the lengths of all histories when it was seen first. */
export interface SeenReceipt {
  readonly kind: 'drop' | 'decision'
  readonly drop_id: string
  readonly path: string
  readonly sha256: string | null
  readonly outcome: string
  readonly code: string | null
  readonly received_at: string
  readonly requeue_of: string | null
  readonly force?: boolean
  readonly rows?: Readonly<Record<string, number | null>>
  readonly records?: readonly SeenRecordResult[]
  readonly lengths: Lengths
}

export interface SeenEntry {
  readonly version: number
  readonly status: 'draft' | 'approved' | 'rejected'
  readonly created_by: string
  readonly parquet_sha256?: string
  readonly rows?: number
  readonly drop?: { readonly drop_id: string; readonly sha256: string } | null
  readonly decision?: { readonly decision_id: string } | null
}

export interface SeenRecord {
  readonly record_id: string
  readonly current_version: number
  readonly status: string
  readonly approved_version: number | null
  readonly source: string | null
  readonly history: readonly SeenEntry[]
}

export interface ModelInput {
  readonly drops: readonly SentDrop[]
  /** Of two such drops one has a receipt at least. */
  readonly either: readonly (readonly [SentDrop, SentDrop])[]
  readonly decisions: readonly SentDecision[]
  readonly requests: readonly SentRequest[]
  readonly receipts: readonly SeenReceipt[]
  readonly records: readonly SeenRecord[]
  /** How many receipts may speak of the machine and not of the drop: one for each fault that keeps a file from being read or written. */
  readonly mayBeHeldBack: number
  /** From and until when the keys count, in epoch milliseconds. */
  readonly keys: Readonly<
    Record<Exclude<Key, 'unknown'>, { readonly principal: string; readonly fromMs: number; readonly untilMs: number }>
  >
}

export interface ModelVerdict {
  readonly problems: readonly string[]
  readonly heldBack: number
}

interface Rule {
  readonly onInvalid: 'drop' | 'record' | 'row'
  readonly recordOf: (path: string, row: Row) => string
}

const stemOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1, -'.csv'.length)
const RULES: Readonly<Record<string, Rule>> = {
  one: { onInvalid: 'drop', recordOf: stemOf },
  rival: { onInvalid: 'drop', recordOf: stemOf },
  strict: { onInvalid: 'drop', recordOf: (path) => `strict/${stemOf(path)}` },
  skip: { onInvalid: 'row', recordOf: (path) => `skip/${stemOf(path)}` },
  split: { onInvalid: 'record', recordOf: (_path, row) => `soil/${row.hole}` },
}
export const sourceOf = (path: string): string => path.slice(0, path.indexOf('/'))
/** Drops of one lane are committed in the order of their ids. */
export const laneOf = (path: string): string => {
  const source = sourceOf(path)
  return source === 'split' ? 'source split' : RULES[source]!.recordOf(path, { id: 0, hole: '', note: '', fault: 'none' })
}

/** Codes that speak of the machine. */
const OPERATING = new Set([
  'IO_FAILED',
  'INTERNAL',
  'WORKER_FAILED',
  'RESOURCES_EXHAUSTED',
  'KEYRING_INVALID',
  'STORE_INVALID',
  'CLAIM_FAILED',
])

interface Part {
  readonly good: readonly Row[]
  readonly invalid: number
  readonly isHeld: boolean
}

/** The rows of each record, or null where the whole drop is refused before any record is known. */
function partsOf(path: string, content: Content, sidecars: SentDrop['sidecars']): Map<string, Part> | null {
  const rule = RULES[sourceOf(path)]!
  if (sidecars === 'wrong' || content.header !== 'whole') return null
  if (rule.onInvalid !== 'row' && content.rows.some((row) => row.fault === 'ragged')) return null
  const groups = new Map<string, Row[]>()
  for (const row of content.rows) {
    const id = rule.recordOf(path, row)
    groups.set(id, [...(groups.get(id) ?? []), row])
  }
  const parts = new Map<string, Part>()
  for (const [id, rows] of groups) {
    const good = rows.filter((row) => row.fault === 'none')
    const invalid = rows.length - good.length
    parts.set(id, { good, invalid, isHeld: rule.onInvalid === 'row' ? good.length === 0 : invalid > 0 })
  }
  return parts
}

const cellsOf = (rows: readonly Row[]): string => JSON.stringify(rows.map((row) => [row.id, row.hole, row.note]))

interface Version {
  readonly dropId: string
  readonly sha256: string
  readonly cells: string
  readonly parquetSha256: string
}

interface State {
  readonly source: string | null
  readonly versions: readonly Version[]
  readonly status: 'none' | 'draft' | 'approved' | 'rejected'
  readonly approvedVersion: number | null
  readonly decided: readonly { readonly id: string; readonly payload: string }[]
}

const NOTHING: State = { source: null, versions: [], status: 'none', approvedVersion: null, decided: [] }

function outcomeOver(state: State, drop: { source: string; sha256: string; cells: string; force: boolean }): string {
  const current = state.versions.at(-1)
  if (current === undefined) return 'created'
  if (state.source !== drop.source) return 'quarantined'
  if (drop.force) return 'updated'
  if (state.status !== 'rejected') {
    if (current.sha256 === drop.sha256) return 'duplicate'
    if (current.cells === drop.cells) return 'unchanged'
  }
  if (current.sha256 !== drop.sha256 && state.versions.some((v) => v.sha256 === drop.sha256)) return 'superseded'
  return 'updated'
}

/** `applied`, `repeated`, or the code of the refusal. */
function verdictOver(state: State, sent: SentDecision, keyProblem: string | null): string {
  if (sent.key === 'unknown') return 'KEY_UNKNOWN'
  if (sent.isForged) return 'DECISION_SIGNATURE_INVALID'
  const earlier = state.decided.find((d) => d.id === sent.id)
  if (earlier?.payload === sent.payload) return 'repeated'
  if (keyProblem !== null) return keyProblem
  if (state.status === 'none') return 'DECISION_RECORD_UNKNOWN'
  if (earlier !== undefined) return 'DECISION_REPLAYED'
  if (sent.version !== state.versions.length) return 'DECISION_VERSION_MISMATCH'
  if (sent.parquetSha256 !== state.versions.at(-1)!.parquetSha256) return 'DECISION_HASH_MISMATCH'
  if (sent.key === 'lab' && sent.verb === 'approve') return 'DECISION_SELF_APPROVAL'
  if (state.status === 'draft') return 'applied'
  if (sent.verb === 'approve') return state.status === 'approved' ? 'ALREADY_APPROVED' : 'CANNOT_APPROVE_REJECTED'
  return state.status === 'rejected' ? 'ALREADY_REJECTED' : 'CANNOT_REJECT_APPROVED'
}

export function judge(input: ModelInput): ModelVerdict {
  return new Judge(input).verdict()
}

class Judge {
  private readonly problems: string[] = []
  private heldBack = 0
  private readonly receipts: readonly SeenReceipt[]
  private readonly byId: ReadonlyMap<string, SeenReceipt>
  /** Record id → its states, before the first entry, after it, after the second … */
  private readonly states = new Map<string, State[]>()

  constructor(private readonly input: ModelInput) {
    this.receipts = input.receipts.toSorted((a, b) => (a.drop_id < b.drop_id ? -1 : 1))
    this.byId = new Map(this.receipts.map((receipt) => [receipt.drop_id, receipt]))
  }

  verdict(): ModelVerdict {
    this.counts()
    for (const record of this.input.records) this.history(record)
    for (const receipt of this.receipts) {
      if (OPERATING.has(receipt.code ?? '') && (receipt.outcome === 'quarantined' || receipt.outcome === 'refused')) this.heldBack++
      else if (receipt.kind === 'drop') this.drop(receipt)
      else this.decision(receipt)
    }
    if (this.heldBack > this.input.mayBeHeldBack)
      this.problems.push(
        `${this.heldBack} drops were held back for the machine's sake, with ${this.input.mayBeHeldBack} faults that may do so`,
      )
    return { problems: this.problems, heldBack: this.heldBack }
  }

  private sent(receipt: SeenReceipt): SentDrop | null {
    return this.input.drops.find((d) => d.path === receipt.path && d.sha256 === receipt.sha256) ?? null
  }

  /** Every drop and every decision has exactly one receipt, and so has what was asked for once more. */
  private counts(): void {
    const count = (all: readonly SeenReceipt[], of: (r: SeenReceipt) => string): Map<string, number> => {
      const counts = new Map<string, number>()
      for (const r of all) counts.set(of(r), (counts.get(of(r)) ?? 0) + 1)
      return counts
    }
    const first = this.receipts.filter((r) => r.requeue_of === null)
    const found = count(first, (r) => (r.kind === 'drop' ? `${r.path} ${r.sha256}` : r.path))
    for (const pair of this.input.either) {
      if (pair.every((d) => !found.has(`${d.path} ${d.sha256}`))) this.problems.push(`${pair[0].path} has no receipt at all`)
    }
    const wanted = new Map<string, { least: number; most: number }>()
    for (const d of this.input.drops) {
      const key = `${d.path} ${d.sha256}`
      const before = wanted.get(key) ?? { least: 0, most: 0 }
      wanted.set(key, { least: before.least + d.least, most: before.most + d.most })
    }
    for (const { path } of this.input.decisions) wanted.set(path, { least: 1, most: 1 })
    const again = count(
      this.receipts.filter((r) => r.requeue_of !== null),
      (r) => `${r.requeue_of} again`,
    )
    for (const { dropId } of this.input.requests) {
      const key = `${dropId} again`
      wanted.set(key, { least: 1, most: (wanted.get(key)?.most ?? 0) + 1 })
    }
    for (const [key, n] of again) found.set(key, n)
    for (const key of new Set([...wanted.keys(), ...found.keys()])) {
      const { least, most } = wanted.get(key) ?? { least: 0, most: 0 }
      const n = found.get(key) ?? 0
      if (n < least || n > most)
        this.problems.push(`${key}: has ${n} receipts, and must have ${least === most ? least : `${least} to ${most}`}`)
    }
  }

  /** The history by itself: numbers, order, who made which entry, and what follows from it. */
  private history(record: SeenRecord): void {
    const { record_id } = record
    const wrong = (what: string): void => void this.problems.push(`${record_id}: ${what}`)
    let state: State = NOTHING
    const states = [state]
    this.states.set(record_id, states)
    for (const [i, entry] of record.history.entries()) {
      if (entry.status === 'draft') {
        const receipt = this.byId.get(entry.drop?.drop_id ?? '')
        const sent = receipt === undefined ? null : this.sent(receipt)
        const result = receipt?.records?.find((r) => r.record_id === record_id)
        const part = sent === null ? undefined : partsOf(sent.path, sent.content, sent.sidecars)?.get(record_id)
        if (receipt === undefined || sent === null || part === undefined || part.isHeld) {
          wrong(`v${entry.version} comes from ${entry.drop?.drop_id}, which has no receipt or nothing for this record`)
          return
        }
        const source = sourceOf(sent.path)
        const cells = cellsOf(part.good)
        const outcome = outcomeOver(state, { source, sha256: sent.sha256, cells, force: receipt.force === true })
        if (outcome !== 'created' && outcome !== 'updated')
          wrong(`v${entry.version} was made of ${receipt.drop_id} (${sent.path}), which is ${outcome}`)
        if (result?.outcome !== outcome || result.version !== entry.version)
          wrong(`entry ${i + 1} is v${entry.version}, ${outcome}, and its receipt says ${result?.outcome} v${result?.version}`)
        if (entry.version !== state.versions.length + 1)
          wrong(`entry ${i + 1} is v${entry.version} after ${state.versions.length} versions`)
        if (entry.drop?.sha256 !== sent.sha256 || entry.rows !== part.good.length)
          wrong(`v${entry.version} has other bytes or rows than its drop`)
        const before = state.versions.at(-1)
        if (before !== undefined && before.dropId >= receipt.drop_id)
          wrong(`v${entry.version} comes from an earlier drop than v${entry.version - 1}`)
        const version: Version = { dropId: receipt.drop_id, sha256: sent.sha256, cells, parquetSha256: entry.parquet_sha256 ?? '' }
        state = { ...state, source: state.source ?? source, versions: [...state.versions, version], status: 'draft' }
      } else {
        const id = entry.decision?.decision_id
        // An id counts within one record.
        const isIt = (d: SentDecision | null): boolean => d?.id === id && d?.recordId === record_id
        const made = this.receipts.filter((r) => r.kind === 'decision' && r.outcome === 'applied' && isIt(this.decided(r)))
        const sent = made.map((r) => this.decided(r)!).find((d) => verdictOver(state, d, null) === 'applied')
        if (made.length !== 1) wrong(`decision ${id} stands in the history and has ${made.length} receipts that say so`)
        if (sent === undefined || (sent.verb === 'approve') !== (entry.status === 'approved') || entry.version !== state.versions.length) {
          wrong(`entry ${i + 1}, ${entry.status} of v${entry.version}, does not follow`)
          return
        }
        state = {
          ...state,
          status: entry.status,
          approvedVersion: entry.status === 'approved' ? entry.version : state.approvedVersion,
          decided: [...state.decided, { id: sent.id, payload: sent.payload }],
        }
      }
      states.push(state)
    }
    const is = `${record.current_version} ${record.status} ${record.approved_version} ${record.source}`
    const must = `${state.versions.length} ${state.status} ${state.approvedVersion} ${state.source}`
    if (is !== must) wrong(`is at ${is}, and must be at ${must}`)
  }

  private decided(receipt: SeenReceipt): SentDecision | null {
    return this.input.decisions.find((d) => d.path === receipt.path) ?? null
  }

  /** Lengths of all histories when this came. */
  private arrivedAt(receipt: SeenReceipt): readonly Lengths[] {
    if (receipt.requeue_of !== null) return this.input.requests.filter((r) => r.dropId === receipt.requeue_of).map((r) => r.lengths)
    if (receipt.kind === 'decision') return this.input.decisions.filter((d) => d.path === receipt.path).map((d) => d.lengths)
    return this.input.drops.filter((d) => d.path === receipt.path && d.sha256 === receipt.sha256).map((d) => d.lengths)
  }

  /** The states that a record was in from when this came until its receipt was there; for drops only those between its neighbours in the lane. */
  private during(receipt: SeenReceipt, recordId: string): readonly State[] {
    const states = this.states.get(recordId) ?? [NOTHING]
    const from = Math.min(...this.arrivedAt(receipt).map((lengths) => lengths.get(recordId) ?? 0))
    const to = receipt.lengths.get(recordId) ?? 0
    const all = states.at(-1)!.versions
    return states
      .slice(from, to + 1)
      .filter(
        ({ versions }) =>
          receipt.kind === 'decision' ||
          (versions.every((v) => v.dropId < receipt.drop_id) && all.slice(versions.length).every((v) => v.dropId > receipt.drop_id)),
      )
  }

  private drop(receipt: SeenReceipt): void {
    const sent = this.sent(receipt)
    // Told by `counts` already.
    if (sent === null) return
    const wrong = (what: string): void => void this.problems.push(`${receipt.drop_id} (${receipt.path}): ${what}`)
    const parts = partsOf(sent.path, sent.content, sent.sidecars)
    const results = receipt.records ?? []
    if (parts === null) {
      if (receipt.outcome !== 'quarantined') wrong(`is ${receipt.outcome}, and no row of it may be taken`)
      return
    }
    const isDropHeld = RULES[sourceOf(sent.path)]!.onInvalid === 'drop' && [...parts.values()].some((part) => part.isHeld)
    const outcomes: string[] = []
    const account = { in: sent.content.rows.length, committed: 0, unchanged: 0, withheld: 0, invalid: 0, blank: 0 }
    let isHeldBack = false
    for (const [recordId, part] of parts) {
      account.invalid += part.invalid
      const result = results.find((r) => r.record_id === recordId)
      const isHeld = part.isHeld || isDropHeld
      let outcome = 'quarantined'
      if (!isHeld && result !== undefined && OPERATING.has(result.code ?? '')) {
        this.heldBack++
        isHeldBack = true
      } else if (!isHeld) {
        outcome = result?.outcome ?? 'none'
        const madeVersion = outcome === 'created' || outcome === 'updated'
        if (madeVersion) {
          const owner = this.input.records.find((r) => r.record_id === recordId)?.history.filter((e) => e.drop?.drop_id === receipt.drop_id)
          if (owner?.length !== 1 || owner[0]!.version !== result?.version)
            wrong(`says ${outcome} of ${recordId} v${result?.version}, which is not there`)
        } else {
          const drop = { source: sourceOf(sent.path), sha256: sent.sha256, cells: cellsOf(part.good), force: receipt.force === true }
          const possible = this.during(receipt, recordId).map((state) => `${outcomeOver(state, drop)} v${state.versions.length}`)
          const told = `${outcome} v${result?.version ?? 0}`
          const fits = outcome === 'quarantined' ? possible.some((p) => p.startsWith('quarantined')) : possible.includes(told)
          if (!fits) wrong(`says ${told} of ${recordId}, which can be ${[...new Set(possible)].join(' or ') || 'nothing'}`)
        }
      }
      outcomes.push(outcome)
      if (outcome === 'created' || outcome === 'updated') account.committed += part.good.length
      else if (outcome === 'quarantined') account.withheld += part.good.length
      else account.unchanged += part.good.length
      if (result !== undefined && (result.rows !== part.good.length || result.invalid !== part.invalid))
        wrong(`counts ${result.rows} and ${result.invalid} rows of ${recordId}, which has ${part.good.length} and ${part.invalid}`)
      if (result === undefined && part.good.length > 0) wrong(`does not speak of ${recordId}`)
    }
    if (results.some((r) => !parts.has(r.record_id))) wrong('speaks of a record that it has no rows of')
    const expected = wholeOutcome(outcomes, account.invalid)
    if (receipt.outcome !== expected && !isHeldBack) wrong(`is ${receipt.outcome} (${receipt.code}), not ${expected}`)
    for (const [name, count] of Object.entries(account)) {
      if (receipt.rows?.[name] !== count) wrong(`counts ${receipt.rows?.[name]} rows ${name}, not ${count}`)
    }
  }

  private decision(receipt: SeenReceipt): void {
    const sent = this.decided(receipt)
    if (sent === null) return
    // One that was applied stands in a history, and was looked at there.
    const told = receipt.outcome === 'refused' ? receipt.code : receipt.outcome
    const possible = new Set<string>()
    for (const problem of this.keyProblems(sent, receipt)) {
      for (const state of this.during(receipt, sent.recordId)) possible.add(verdictOver(state, sent, problem))
    }
    if (!possible.has(told ?? '')) {
      this.problems.push(`${receipt.drop_id} (${receipt.path}): is ${told}, which can be ${[...possible].join(' or ') || 'nothing'}`)
    }
  }

  private keyProblems(sent: SentDecision, receipt: SeenReceipt): (string | null)[] {
    if (sent.key === 'unknown') return [null]
    const { fromMs, untilMs } = this.input.keys[sent.key]
    const at = (ms: number): string | null => (ms >= untilMs ? 'KEY_EXPIRED' : ms < fromMs ? 'KEY_NOT_YET_VALID' : null)
    const received = at(Date.parse(receipt.received_at))
    // The clock may pass the end of a key while its decision waits.
    return received !== null ? [received] : [null, at(Math.max(sent.latestMs, Date.parse(receipt.received_at)))]
  }
}

function wholeOutcome(outcomes: readonly string[], invalid: number): string {
  const went = outcomes.filter((o) => o !== 'quarantined')
  if (went.length === 0) return 'quarantined'
  if (went.length < outcomes.length || invalid > 0) return 'partial'
  if (went.some((o) => o === 'created' || o === 'updated')) return 'committed'
  return went.includes('superseded') ? 'superseded' : went.includes('unchanged') ? 'unchanged' : 'duplicate'
}
