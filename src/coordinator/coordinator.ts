import { join } from 'node:path'
import type { ConvertDone, Converter, ConvertRequest, ConvertResult, StagedRecord } from '../convert/protocol.js'
import { dropOutcome, rowAccount } from '../core/drop-outcome.js'
import { OrderedLanes } from '../core/ordering.js'
import { isRecordId } from '../core/record-id.js'
import type { DecisionIntake } from '../decisions/decision-intake.js'
import { readDecisionFile } from '../decisions/decision-intake.js'
import { type ConversionOrder, decodePath } from '../documents/drop.js'
import type { DropReference } from '../documents/metadata.js'
import type { DecisionReceipt, DropReceipt, Receipt, RecordResult } from '../documents/receipt.js'
import { encodeDropName, isComment } from '../documents/text.js'
import { assert, ERRORS, type ErrorCode, IntakeError, isIntakeError } from '../errors.js'
import type { Claim } from '../inbox/claim.js'
import type { ClaimStore } from '../inbox/claims.js'
import type { Filing } from '../inbox/filing.js'
import { type Clock, isoTime } from '../runtime/clock.js'
import type { Files } from '../runtime/files.js'
import { forEachLimited } from '../runtime/limit.js'
import type { Logger } from '../runtime/logger.js'
import type { RecordStore } from '../store/record-store.js'
import type { ConversionSlots } from './conversion-slots.js'
import type { SpaceGate } from './space-gate.js'
import type { Suspects } from './suspects.js'

export type JobStage = 'converting' | 'waiting' | 'committing' | 'filing'

interface DropJob {
  readonly claim: Claim
  stage: JobStage
  /** Resolves when the job is at the head of its lane. */
  readonly turn: { promise: Promise<void>; resolve: () => void }
}

/** What one drop in flight is at, for status.json. */
export interface InFlight {
  readonly drop_id: string
  readonly path: string
  readonly source: string | null
  readonly stage: JobStage | 'deciding'
  readonly since: string
}

export interface CoordinatorOptions {
  readonly files: Files
  readonly clock: Clock
  readonly logger: Logger
  readonly store: RecordStore
  readonly stagingRoot: string
  readonly converter: Converter
  /** For drops that are suspected of stopping whoever converts them: it must bear being stopped. */
  readonly aloneConverter: Converter
  readonly suspects: Suspects
  readonly slots: ConversionSlots
  readonly claims: ClaimStore
  readonly filing: Filing
  readonly decisions: DecisionIntake
  readonly decisionBytes: number
  readonly space: SpaceGate
  /** Aborted when the daemon drains: conversions stop, commits that have begun are finished. */
  readonly draining: AbortSignal
  /** Called once the receipt is durable and the claim is gone. */
  readonly onReceipt: (receipt: Receipt) => void
  /** Called once, when nothing may be acknowledged any more: the process must end and recover. */
  readonly onFatal: (error: unknown) => void
  /** Records of one drop that are committed at once. */
  readonly commitsAtOnce?: number
}

/** Records of one drop, unless something is short. */
export const COMMITS_AT_ONCE = 64
/** A process may end for reasons that have nothing to do with the drop it converts; not so often (DESIGN §8). */
const ATTEMPTS_ALONE = 3

/** Conversion failures that only a restart mends. Every other one sends its own drop to quarantine and stops nobody else. */
const STOPS_EVERYTHING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['FSYNC_FAILED'])

/** Refusals of the store that hold back one record and leave the others of the drop alone. */
const FAULTS_OF_RECORD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TABLE_MISMATCH',
  'SOURCE_MISMATCH',
  'RECORD_ID_ILLEGAL',
  'STORE_INVALID',
])

/**
 * The single writer. Every claim goes through here once: converted on the pool in any order, committed in the order of its lane, filed,
 * receipted, released. Each step may be repeated after a crash and finds what it did before (DESIGN §8).
 */
export class Coordinator {
  private readonly lanes = new OrderedLanes<DropJob>()
  private readonly jobs = new Map<string, { view: () => InFlight }>()
  private readonly work = new Set<Promise<void>>()
  private failed = false
  /** Drops with versions, read once where a recovered claim needs it. */
  private committedBefore: Promise<ReadonlySet<string>> | null = null

  constructor(private readonly options: CoordinatorOptions) {}

  inFlight(): InFlight[] {
    return [...this.jobs.values()].map((job) => job.view())
  }

  /** Resolves when everything accepted so far is done, aborted or failed. */
  async idle(): Promise<void> {
    while (this.work.size > 0) await Promise.allSettled([...this.work])
  }

  /**
   * Takes a claim through to its receipt. Never rejects: what is wrong with the drop is on its receipt, what is wrong with the machine
   * goes to `onFatal` or leaves the claim for the next start.
   */
  accept(claim: Claim): Promise<void> {
    const work = (claim.document.kind === 'drop' ? this.drop(claim) : this.decision(claim)).catch((error: unknown) =>
      this.stopped(claim, error),
    )
    this.work.add(work)
    return work.finally(() => {
      this.work.delete(work)
      this.jobs.delete(claim.dropId)
    })
  }

  private stopped(claim: Claim, error: unknown): void {
    const fields = { drop_id: claim.dropId, path: claim.document.file.path }
    if (isIntakeError(error, 'ABORTED')) {
      this.options.logger.info({ event: 'drop.aborted', ...fields }, 'Stopped before it was done; taken up again at the next start')
      return
    }
    // A defect or a broken machine: what is on disk is consistent at every instant, so stopping and recovering is always right.
    const code = error instanceof IntakeError ? error.code : 'INTERNAL'
    this.options.logger.error({ event: 'daemon.failed', ...fields, code, error: describe(error) }, `Cannot go on: ${describe(error)}`)
    if (!this.failed) {
      this.failed = true
      this.options.onFatal(error)
    }
  }

  // ---- drops ----

  private async drop(claim: Claim): Promise<void> {
    const { lanes } = this
    const job: DropJob = { claim, stage: 'converting', turn: deferred() }
    const since = isoTime(this.options.clock.nowMs())
    this.jobs.set(claim.dropId, {
      view: () => ({
        drop_id: claim.dropId,
        path: claim.document.file.path,
        source: claim.document.order?.source ?? null,
        stage: job.stage,
        since,
      }),
    })
    lanes.enter(claim.orderingKey, claim.dropId, job)
    try {
      const converted = claim.problem === null ? await this.convert(claim) : null
      if (converted === null || 'refusal' in converted || converted.done.staged.length === 0) {
        job.stage = 'filing'
        await this.finishQuarantined(claim, converted)
        return
      }
      job.stage = 'waiting'
      const first = lanes.ready(claim.dropId)
      first?.turn.resolve()
      // Most drops are alone in their lane and wait for nobody.
      if (first !== job || this.options.draining.aborted) await abortable(job.turn.promise, this.options.draining)
      job.stage = 'committing'
      const records = await this.commit(claim, converted.done)
      job.stage = 'filing'
      await this.finishDone(claim, converted.done, records)
    } finally {
      // Only now may the next of the lane commit: its classification depends on what this one made of the record.
      lanes.leave(claim.dropId)?.turn.resolve()
    }
  }

  private async convert(claim: Claim): Promise<{ done: ConvertDone } | { refusal: Refusal }> {
    const order = claim.document.order
    assert(order !== null, 'a drop has its order')
    if (order.table_document === null) {
      return {
        refusal: {
          code: 'TABLE_UNKNOWN',
          message: `Source ${order.source} names the table ${order.table}, which config/tables does not hold`,
        },
      }
    }
    const result = await this.convertSafely(claim, this.requestOf(claim, order))
    if (result.status === 'failed') {
      if (STOPS_EVERYTHING.has(result.code)) throw new IntakeError(result.code, result.message, { hint: result.hint })
      return { refusal: { code: result.code, message: result.message } }
    }
    this.options.logger.debug(
      { event: 'drop.converted', drop_id: claim.dropId, records: result.staged.length, rows: result.rows.in ?? 0, seconds: result.seconds },
      `Read ${result.rows.in ?? '?'} rows in ${result.seconds.toFixed(2)} s`,
    )
    return { done: result }
  }

  /** Beside others at first; alone when the drop is suspected of having stopped a thread or the process. */
  private async convertSafely(claim: Claim, request: ConvertRequest): Promise<ConvertResult> {
    const { suspects, space, slots, converter } = this.options
    const { dropId } = claim
    if (!suspects.has(dropId) && claim.document.attempts === 0) {
      const result = await space.whenRoom(() =>
        // The slot is taken again for each try: who waits for room on the disk converts nothing meanwhile.
        slots.run(claim.bytes ?? 0, () => suspects.converting(dropId, () => this.convertOnce(converter, request))),
      )
      if (result.status === 'done' || result.code !== 'WORKER_FAILED') return result
      this.suspected(claim, result.message, 0)
      await suspects.suspect(dropId)
    }
    const result = await suspects.alone(() => this.convertAlone(claim, request))
    suspects.clear(dropId)
    return result
  }

  /** Takes no slot, so that it holds up nobody but those that come after it in its lane. Throws ABORTED when the daemon drains: that is no attempt. */
  private async convertAlone(claim: Claim, request: ConvertRequest): Promise<ConvertResult> {
    const { aloneConverter, claims, space } = this.options
    let { attempts } = claim.document
    let last = 'it was the last time'
    while (attempts < ATTEMPTS_ALONE) {
      const result = await space.whenRoom(() => this.convertOnce(aloneConverter, request))
      if (result.status === 'done' || result.code !== 'WORKER_FAILED') return result
      attempts++
      last = result.message
      await space.whenRoom(() => claims.recordAttempts(claim, attempts))
      this.suspected(claim, result.message, attempts)
    }
    return {
      status: 'failed',
      code: 'POISON',
      message: `Converted alone, this drop stopped the process ${ATTEMPTS_ALONE} times: ${last}`,
      hint: ERRORS.POISON.hint,
    }
  }

  private suspected(claim: Claim, message: string, attempts: number): void {
    this.options.logger.warn(
      { event: 'drop.suspected', drop_id: claim.dropId, path: claim.document.file.path, attempts },
      `${message}; ${attempts < ATTEMPTS_ALONE ? 'it is converted again, alone' : 'it is given up'}`,
    )
  }

  private async convertOnce(converter: Converter, request: ConvertRequest): Promise<ConvertResult> {
    const result = await converter.convert(request, { signal: this.options.draining })
    if (result.status === 'failed' && (result.code === 'DISK_FULL' || result.code === 'RESOURCES_EXHAUSTED' || result.code === 'ABORTED'))
      throw new IntakeError(result.code, result.message)
    return result
  }

  private requestOf(claim: Claim, order: ConversionOrder): ConvertRequest {
    const rule = claim.recordRule
    assert(rule !== null, 'a claim without a problem knows its record')
    return {
      sourcePath: claim.sourcePath,
      place: claim.document.file.path,
      tableName: order.table,
      tableDocument: order.table_document,
      dialect: order.dialect,
      grouping:
        rule.kind === 'column'
          ? { kind: 'column', prefix: rule.prefix, column: rule.column, suffix: rule.suffix }
          : { kind: 'single', recordId: rule.recordId },
      onInvalid: order.on_invalid,
      output: { kind: 'staging', stagingRoot: this.options.stagingRoot, dropId: claim.dropId },
      reportFolder: claim.folder,
      limits: order.limits,
      compression: order.compression,
      verify: order.verify,
      expectedRows: claim.manifest?.rows ?? null,
      progress: null,
    }
  }

  private async commit(claim: Claim, done: ConvertDone): Promise<RecordResult[]> {
    const results = new Array<RecordResult>(done.staged.length)
    await forEachLimited(done.staged, this.options.commitsAtOnce ?? COMMITS_AT_ONCE, async (staged, i) => {
      results[i] = await this.options.space.whenRoom(() => this.commitRecord(claim, done, staged))
    })
    return results
  }

  private async commitRecord(claim: Claim, done: ConvertDone, staged: StagedRecord): Promise<RecordResult> {
    const order = claim.document.order
    assert(order !== null && staged.tx !== null, 'a staged record has its order and its transaction')
    const drop: DropReference = {
      drop_id: claim.dropId,
      name: encodeDropName(decodePath(claim.document.file.path)),
      sha256: claim.sha256!,
      bytes: claim.bytes!,
      rule_sha256: order.rule_sha256,
    }
    try {
      const outcome = await this.options.store.commitVersion({
        tx: staged.tx,
        intent: 'upsert',
        recordId: staged.recordId,
        tableName: order.table,
        source: order.source,
        createdBy: claim.createdBy ?? order.created_by,
        comment: commentOf(claim),
        staged: { ...staged, schemaSha256: done.schemaSha256 },
        drop,
        force: claim.document.force,
      })
      return {
        record_id: staged.recordId,
        // 'already': an attempt before a crash made this version.
        outcome: outcome.outcome === 'already' ? (outcome.version === 1 ? 'created' : 'updated') : outcome.outcome,
        version: outcome.version,
        rows: staged.rows,
        invalid: staged.invalid,
        key: outcome.key,
        parquet_sha256: outcome.parquetSha256,
        code: null,
        message: null,
      }
    } catch (error) {
      if (!(error instanceof IntakeError) || !FAULTS_OF_RECORD.has(error.code)) throw error
      await this.discard(staged.tx)
      return withheldRecord(staged, error.code, error.message)
    }
  }

  /** The store refused it, so nobody else would ever take it away: recovery looks at staging/ only when a store is opened. */
  private async discard(tx: string): Promise<void> {
    try {
      await this.options.store.discardStaging(tx)
    } catch (error) {
      // A plan of an earlier attempt at a record that is damaged: kept for whoever mends it.
      if (!isIntakeError(error, 'STORE_INVALID')) throw error
    }
  }

  private async finishDone(claim: Claim, done: ConvertDone, committed: readonly RecordResult[]): Promise<void> {
    const records = [...committed, ...this.withheldRecords(done)]
    const outcome = dropOutcome(records, done.rows.invalid ?? 0)
    const fault = done.problem ?? firstFault(records)
    const mending = !done.valid || outcome === 'quarantined' || outcome === 'partial'
    // Where the whole drop is held back, its original is in quarantine and says all that mended.csv could.
    if (outcome === 'partial' && committed.some((r) => r.outcome === 'quarantined')) await this.writeMended(claim, records)
    const receipt = this.dropReceipt(claim, done, records, outcome, fault)
    await this.file(claim, receipt, {
      original: outcome === 'quarantined' ? 'quarantine' : 'archive',
      report: mending ? done : null,
      fault,
    })
  }

  /** The conversion could not know which records the store would refuse: their rows are written for mending in a second run over the source. */
  private async writeMended(claim: Claim, records: readonly RecordResult[]): Promise<void> {
    const order = claim.document.order
    assert(order !== null, 'a drop has its order')
    const affected = records.filter((r) => r.outcome === 'quarantined' || r.invalid > 0).map((r) => r.record_id)
    const result = await this.convertSafely(claim, {
      ...this.requestOf(claim, order),
      output: { kind: 'none' },
      mendedRecords: affected,
    })
    // The archive has the original with every row, so the receipt is not worth holding back for this.
    if (result.status === 'failed') {
      this.options.logger.warn(
        { event: 'record.quarantined', drop_id: claim.dropId, code: result.code },
        'The rows of the records held back could not be written to mended.csv; the archived original has them',
      )
    }
  }

  private async finishQuarantined(claim: Claim, converted: { done: ConvertDone } | { refusal: Refusal } | null): Promise<void> {
    const done = converted !== null && 'done' in converted ? converted.done : null
    const fault: Refusal =
      claim.problem ??
      (converted !== null && 'refusal' in converted
        ? converted.refusal
        : (done?.problem ?? { code: 'INTERNAL', message: 'Nothing was staged' }))
    // What was read to its end is judged as it was judged before.
    if (claim.recovered && done === null && (await this.hasVersions(claim))) {
      // An attempt before has committed, and its original cannot be read any more: no receipt that could be written would be true.
      this.options.claims.leave(claim, `Versions of this drop are in the store, and now it fails: ${fault.code}: ${fault.message}`)
      return
    }
    const receipt = this.dropReceipt(claim, done, done === null ? [] : this.withheldRecords(done), 'quarantined', fault)
    await this.file(claim, receipt, { original: 'quarantine', report: done, fault })
  }

  private async hasVersions({ dropId, recordRule }: Claim): Promise<boolean> {
    const { store } = this.options
    if (recordRule?.kind === 'fixed')
      return isRecordId(recordRule.recordId) && (await store.dropsOfVersions(recordRule.recordId)).has(dropId)
    // One look for all: whatever has been committed since the start is not of a claim that is still to be filed.
    this.committedBefore ??= store.dropsOfVersions('all')
    return (await this.committedBefore).has(dropId)
  }

  private withheldRecords(done: ConvertDone): RecordResult[] {
    return done.withheld.map((record) => withheldRecord(record, record.invalid > 0 ? (done.problem?.code ?? null) : null, null))
  }

  private dropReceipt(
    claim: Claim,
    done: ConvertDone | null,
    records: RecordResult[],
    outcome: DropReceipt['outcome'],
    fault: Refusal | null,
  ): DropReceipt {
    const order = claim.document.order
    return {
      ...receiptHead(claim, fault === null ? NO_FAULT : { ...fault, hint: ERRORS[fault.code].hint }),
      kind: 'drop',
      outcome,
      source: order?.source ?? null,
      table: order?.table ?? null,
      rows: rowAccount(done?.rows ?? { in: null, good: null, invalid: null, blank: null }, records),
      records,
      errors: done === null ? null : { ...done.totals },
      absent_columns: [...(done?.absentColumns ?? [])],
      report_at: null,
      force: claim.document.force,
    }
  }

  /** Archive or quarantine first, then the receipt, then the claim: whoever finds a receipt finds the file it names. */
  private async file(
    claim: Claim,
    receipt: DropReceipt,
    how: { original: 'archive' | 'quarantine'; report: ConvertDone | null; fault: Refusal | null },
  ): Promise<void> {
    const { filing, space } = this.options
    const fault = how.fault ?? { code: 'INTERNAL' as const, message: 'no reason was given' }
    const reports = { ...fault, report: how.report?.report ?? null }
    const filed = await space.whenRoom(async () => {
      if (claim.recovered) await filing.forgetAttempt(claim)
      if (how.original === 'quarantine') {
        const { original, folder } = await filing.quarantine(claim, reports)
        return { stored_at: original, report_at: folder }
      }
      const reportAt = how.report === null ? null : await filing.fileReports(claim, reports)
      return { stored_at: await filing.archive(claim), report_at: reportAt }
    })
    await this.conclude(claim, { ...receipt, ...filed, finished_at: isoTime(this.options.clock.nowMs()) })
  }

  private async conclude(claim: Claim, receipt: Receipt): Promise<void> {
    const { filing, claims, space } = this.options
    await space.whenRoom(() => filing.writeReceipt(receipt))
    await claims.release(claim)
    this.options.onReceipt(receipt)
  }

  // ---- decisions ----

  private async decision(claim: Claim): Promise<void> {
    const since = isoTime(this.options.clock.nowMs())
    this.jobs.set(claim.dropId, {
      view: () => ({ drop_id: claim.dropId, path: claim.document.file.path, source: null, stage: 'deciding', since }),
    })
    const { filing, space } = this.options
    let resumed = claim.recovered
    const decide = (): ReturnType<DecisionIntake['handle']> => {
      const again = resumed
      // An attempt that met a full disk may have got as far as the history: what the next one finds there is its own work.
      resumed = true
      return this.decide(claim, again)
    }
    const result = claim.problem === null ? await space.whenRoom(decide) : refusedByClaim(claim.problem)
    const base: DecisionReceipt = {
      ...receiptHead(claim, result),
      kind: 'decision',
      outcome: result.outcome,
      decision_id: result.decision_id,
      decision: result.decision,
      record_id: result.record_id !== null && isRecordId(result.record_id) ? result.record_id : null,
      version: result.version,
      decided_by: result.decided_by,
    }
    if (result.alarm) {
      this.options.logger.error(
        { event: 'decision.refused', drop_id: claim.dropId, code: result.code ?? undefined, alarm: true },
        `Someone should look at this decision: ${result.message ?? ''}`,
      )
    }
    const stored_at = await space.whenRoom(async () => {
      if (claim.recovered) await filing.forgetAttempt(claim)
      if (result.outcome !== 'refused') return filing.archive(claim)
      const reports = { code: result.code ?? ('DECISION_MALFORMED' as const), message: result.message ?? '', report: null }
      return (await filing.quarantine(claim, result.hint === null ? reports : { ...reports, hint: result.hint })).original
    })
    await this.conclude(claim, { ...base, stored_at, finished_at: isoTime(this.options.clock.nowMs()) })
  }

  private async decide(claim: Claim, resumed: boolean): ReturnType<DecisionIntake['handle']> {
    const bytes = await readDecisionFile(this.options.files, claim.sourcePath, this.options.decisionBytes)
    if (bytes === null) throw new IntakeError('IO_FAILED', `${claim.sourcePath} is gone`)
    return this.options.decisions.handle(bytes, {
      dropId: claim.dropId,
      receivedAtMs: Date.parse(claim.document.received_at),
      resumed,
    })
  }
}

interface Refusal {
  readonly code: ErrorCode
  readonly message: string
}

const NO_FAULT = { code: null, message: null, hint: null }

/** What every receipt says of its claim, in the order of the document; where the original went and when it was finished are known later. */
function receiptHead(claim: Claim, fault: { code: string | null; message: string | null; hint: string | null }) {
  const { document } = claim
  return {
    format: 1 as const,
    drop_id: claim.dropId,
    path: document.file.path,
    sha256: claim.sha256,
    bytes: claim.bytes,
    received_at: document.received_at,
    finished_at: '',
    code: fault.code,
    message: fault.message,
    hint: fault.hint,
    stored_at: null,
    requeue_of: document.requeue_of,
  }
}

function withheldRecord(
  { recordId, rows, invalid }: { readonly recordId: string; readonly rows: number; readonly invalid: number },
  code: string | null,
  message: string | null,
): RecordResult {
  return {
    record_id: recordId,
    outcome: 'quarantined',
    version: null,
    rows,
    invalid,
    key: null,
    parquet_sha256: null,
    code,
    message,
  }
}

function refusedByClaim(problem: Refusal): Awaited<ReturnType<DecisionIntake['handle']>> {
  return {
    outcome: 'refused',
    code: problem.code,
    message: problem.message,
    hint: ERRORS[problem.code].hint,
    alarm: false,
    decision_id: null,
    decision: null,
    record_id: null,
    version: null,
    decided_by: null,
  }
}

function firstFault(records: readonly RecordResult[]): Refusal | null {
  const found = records.find((r) => r.code !== null)
  return found === undefined ? null : { code: found.code as ErrorCode, message: found.message ?? '' }
}

/** The comment of a version: the manifest's, or where it came from. */
function commentOf(claim: Claim): string {
  const own = claim.manifest?.comment
  if (own !== undefined) return own
  const text = `From ${encodeDropName(decodePath(claim.document.file.path))}`
  return isComment(text) ? text : ''
}

function describe(error: unknown): string {
  return error instanceof Error ? (error instanceof IntakeError ? error.message : (error.stack ?? error.message)) : String(error)
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((r) => {
    resolve = r
  })
  return { promise, resolve }
}

/** Rejects with ABORTED when the signal comes first. */
async function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new IntakeError('ABORTED', 'The daemon is stopping')
  if (signal.aborted) throw aborted
  let onAbort!: () => void
  const stop = new Promise<never>((_, reject) => {
    onAbort = () => reject(aborted)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    await Promise.race([promise, stop])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Where the converter of a drop leaves its Parquet files. */
export function stagingRootOf(storeRoot: string): string {
  return join(storeRoot, 'staging')
}
