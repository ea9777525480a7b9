import { transactionId } from '../core/drop-id.js'
import { sha256Hex } from '../core/hashes.js'
import type { DecisionPayload, DecisionVerb } from '../documents/decision.js'
import type { DecisionReference, RecordMetadata } from '../documents/metadata.js'
import { type ErrorCode, IntakeError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { type Files, printablePath } from '../runtime/files.js'
import type { Keyring } from './keyring.js'
import { DECISION_MAX_BYTES, type DecisionRefusal, refusal } from './parse-decision.js'
import { type AcceptedDecision, verifyDecision } from './verify-decision.js'

/** What the store is asked to do with a decision that counts. It checks version, hash, decision_id and status again, under the record's lock. */
export interface DecisionCommit {
  /** Staging transaction: the same for every attempt at one drop. */
  readonly tx: string
  readonly recordId: string
  readonly version: number
  readonly decision: DecisionVerb
  readonly decidedBy: string
  readonly comment: string
  readonly expectedParquetSha256: string
  readonly reference: DecisionReference
}

export interface DecisionIntakeOptions {
  readonly clock: Clock
  /** `KeyringState`, read before each decision. */
  readonly keyring: { read(): Promise<Keyring> }
  readonly storeId: string
  readonly forbidSelfApproval: boolean
  readonly lookupRecord: (recordId: string) => Promise<RecordMetadata | null>
  /**
   * `RecordStore.commitDecision`. 'repeated': the same decision was committed meanwhile. A record that does not allow the step is an
   * IntakeError of REFUSALS.
   */
  readonly commit: (request: DecisionCommit) => Promise<{ readonly outcome: 'approved' | 'rejected' | 'repeated' }>
  /**
   * Whether the receipt of another drop says that it applied this decision. Asked only after an end that left decisions without a receipt.
   * Without it none does.
   */
  readonly isAppliedByAnother?: (decision: {
    readonly recordId: string
    readonly decisionId: string
    readonly dropId: string
    readonly sinceMs: number
  }) => Promise<boolean>
  /** Bytes of one decision file; `limits.decisionBytes`. */
  readonly maxBytes?: number
}

/** What became of one decision: the members that its receipt shares. */
export interface DecisionResult {
  /** applied; repeated: the same decision was applied before; refused: see `code`. */
  readonly outcome: 'applied' | 'repeated' | 'refused'
  readonly code: ErrorCode | null
  readonly message: string | null
  readonly hint: string | null
  /** Somebody should look: a signature or a decision_id was misused, or the keyring went backwards. */
  readonly alarm: boolean
  readonly decision_id: string | null
  readonly decision: DecisionVerb | null
  readonly record_id: string | null
  readonly version: number | null
  readonly decided_by: string | null
}

/** Errors of the store and the keyring that end this one decision. Any other error is about the machine, and stops the work instead. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ALREADY_APPROVED',
  'ALREADY_REJECTED',
  'CANNOT_APPROVE_REJECTED',
  'CANNOT_REJECT_APPROVED',
  'RECORD_NOT_FOUND',
  'VERSION_NOT_FOUND',
  'RECORD_ID_ILLEGAL',
  'COMMENT_INVALID',
  'ACTOR_INVALID',
  'STORE_INVALID',
  'DECISION_RECORD_UNKNOWN',
  'DECISION_VERSION_MISMATCH',
  'DECISION_HASH_MISMATCH',
  'DECISION_REPLAYED',
  'KEYRING_INVALID',
  'KEYRING_ROLLED_BACK',
])

const ALARMS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DECISION_REPLAYED',
  'DECISION_SIGNATURE_INVALID',
  'DECISION_PRINCIPAL_MISMATCH',
  'KEY_REVOKED',
  'KEYRING_ROLLED_BACK',
])

/** More than can be in flight: whoever said 'applied' has its receipt by the time it is forgotten. */
const TOLD_LIMIT = 20_000
const DAY_MS = 86_400_000

/** From the bytes of one decision file to what became of it. Filing and receipts are the coordinator's. */
export class DecisionIntake {
  /** Record and decision_id → the drop that says 'applied': one entry of a history was made by one file, however often the same one was sent. */
  private readonly told = new Map<string, string>()

  constructor(private readonly options: DecisionIntakeOptions) {}

  /**
   * Checks and applies one decision. Never throws for what the file holds; IO_FAILED, FSYNC_FAILED, DISK_FULL and the like pass through,
   * and then the decision is still to be handled. May be called again for the same drop: the second time finds the first in the history.
   */
  async handle(
    bytes: Uint8Array,
    drop: {
      dropId: string
      receivedAtMs: number
      /** Taken up again, after a restart or a full disk: an entry made since it was received is this drop's own work, and it says 'applied'. */
      resumed?: boolean
    },
  ): Promise<DecisionResult> {
    const { clock, storeId, forbidSelfApproval, lookupRecord } = this.options
    const keyring = await this.refusable(() => this.options.keyring.read())
    if ('code' in keyring) return refused(keyring)
    const verdict = await this.refusable(() =>
      verifyDecision({
        decision: bytes,
        keyring,
        receivedAtMs: drop.receivedAtMs,
        nowMs: clock.nowMs(),
        storeId,
        forbidSelfApproval,
        lookupRecord,
        maxBytes: this.options.maxBytes ?? DECISION_MAX_BYTES,
      }),
    )
    if (verdict.ok === false) return refused(verdict)
    if (verdict.ok === 'repeated') {
      // Its own attempt before may have met a full disk right behind the history: asked once more, the store finishes what it began.
      if (drop.resumed === true && verdict.entry.decision !== null)
        await this.refusable(() => this.commit(verdict.payload, verdict.entry.decision!, drop.dropId))
      const isOwn = await this.isOwn(verdict.payload, drop, Date.parse(verdict.entry.created_at))
      return { ...NOTHING_WRONG, ...claimsOf(verdict.payload), outcome: isOwn ? 'applied' : 'repeated' }
    }
    return this.apply(verdict, drop)
  }

  private commit(payload: DecisionPayload, reference: DecisionReference, dropId: string): ReturnType<DecisionIntakeOptions['commit']> {
    return this.options.commit({
      tx: transactionId(dropId, sha256Hex(payload.record_id)),
      recordId: payload.record_id,
      version: payload.version,
      decision: payload.decision,
      decidedBy: payload.decided_by,
      comment: payload.comment,
      expectedParquetSha256: payload.parquet_sha256,
      reference,
    })
  }

  /** Is the entry in the history the work of this very drop, before the end that it was resumed after? */
  private async isOwn(
    payload: DecisionPayload,
    drop: { dropId: string; receivedAtMs: number; resumed?: boolean },
    madeAtMs: number = drop.receivedAtMs,
  ): Promise<boolean> {
    // The clock may have gone back between the receipt of the file and the entry, but not by a day.
    if (drop.resumed !== true || madeAtMs < drop.receivedAtMs - DAY_MS) return false
    const { record_id: recordId, decision_id: decisionId } = payload
    const asked = { recordId, decisionId, dropId: drop.dropId, sinceMs: Math.min(madeAtMs, drop.receivedAtMs) - DAY_MS }
    if (!this.told.has(toldKey(payload)) && (await this.options.isAppliedByAnother?.(asked)) === true) return false
    return this.tell(payload, drop.dropId)
  }

  private tell(payload: DecisionPayload, dropId: string): boolean {
    const key = toldKey(payload)
    const first = this.told.get(key)
    if (first !== undefined) return first === dropId
    this.told.set(key, dropId)
    if (this.told.size > TOLD_LIMIT) this.told.delete(this.told.keys().next().value!)
    return true
  }

  private async apply(
    accepted: AcceptedDecision,
    drop: { dropId: string; receivedAtMs: number; resumed?: boolean },
  ): Promise<DecisionResult> {
    const { payload, reference } = accepted
    const done = await this.refusable(() => this.commit(payload, reference, drop.dropId), payload)
    if ('code' in done) return refused(done)
    // Not in the history when it was looked up, and there when it was committed: the store finished the plan of the attempt before.
    const isOwn = done.outcome === 'repeated' ? await this.isOwn(payload, drop) : this.tell(payload, drop.dropId)
    return { ...NOTHING_WRONG, ...claimsOf(payload), outcome: isOwn ? 'applied' : 'repeated' }
  }

  private async refusable<T extends object>(work: () => Promise<T>, payload: DecisionPayload | null = null): Promise<T | DecisionRefusal> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof IntakeError && REFUSALS.has(error.code)) return refusal(error.code, error.message, payload, error.hint)
      throw error
    }
  }
}

/** An id counts within one record. */
function toldKey(payload: DecisionPayload): string {
  return `${payload.record_id} ${payload.decision_id}`
}

const NOTHING_WRONG = { code: null, message: null, hint: null, alarm: false } as const

function claimsOf(
  payload: DecisionPayload | null,
): Pick<DecisionResult, 'decision_id' | 'decision' | 'record_id' | 'version' | 'decided_by'> {
  return {
    decision_id: payload?.decision_id ?? null,
    decision: payload?.decision ?? null,
    record_id: payload?.record_id ?? null,
    version: payload?.version ?? null,
    decided_by: payload?.decided_by ?? null,
  }
}

function refused(why: DecisionRefusal): DecisionResult {
  return { outcome: 'refused', code: why.code, message: why.message, hint: why.hint, alarm: ALARMS.has(why.code), ...claimsOf(why.payload) }
}

/**
 * The bytes of a claimed decision, without ever holding a large file: beyond `maxBytes` one byte more is returned, which is enough for
 * `handle` to refuse it by its size. null: there is no such file.
 */
export async function readDecisionFile(files: Files, path: string, maxBytes: number = DECISION_MAX_BYTES): Promise<Buffer | null> {
  const file = await files.openRead(path)
  if (file === null) return null
  try {
    const stat = await file.stat()
    if (stat.kind !== 'file')
      throw new IntakeError('NOT_A_FILE', `${printablePath(path)} is not a regular file`, { data: { path: printablePath(path) } })
    const buffer = Buffer.alloc(Math.min(stat.sizeBytes, maxBytes + 1))
    return buffer.subarray(0, await file.read(buffer, 0))
  } finally {
    await file.close()
  }
}
