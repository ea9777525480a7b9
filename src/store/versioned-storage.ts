import { isRecordId } from '../core/record-id.js'
import { versionsOf } from '../core/record-model.js'
import { stateOf, transition } from '../core/record-state.js'
import type { JwsEnvelope, RecordMetadata } from '../documents/metadata.js'
import { isActor, isComment } from '../documents/text.js'
import { assert, IntakeError, isIntakeError } from '../errors.js'
import { VersionReader } from '../parquet/version-reader.js'
import type { CheckDecision, LocalParquetEngine, RowData } from './engine.js'
import type { RecordStore } from './record-store.js'

export interface CreateRecordRequest {
  readonly recordId: string
  readonly tableName: string
  /** The whole record: row objects by column name, or a CSV file. */
  readonly data: RowData
  readonly createdBy: string
  /** At most 512 bytes; empty by default. */
  readonly comment?: string
}

export interface UpdateRecordRequest {
  readonly recordId: string
  /** The whole next version: an update is a full replacement. */
  readonly data: RowData
  readonly updatedBy: string
  readonly comment?: string
}

interface DecideRequest {
  readonly recordId: string
  readonly comment?: string
  /** The version meant; the current one by default. Any other than the current one is refused. */
  readonly version?: number
  /** A signed decision (JWS, General JSON Serialization), as value or text. Needed where the store takes signed decisions only. */
  readonly decision?: JwsEnvelope | string
}

/** With `decision` the name is the signer's; given as well it must be the same. */
export interface ApproveRecordRequest extends DecideRequest {
  readonly approvedBy?: string
}

export interface RejectRecordRequest extends DecideRequest {
  readonly rejectedBy?: string
}

/**
 * Records, their versions and decisions, as a library (DESIGN §4). The daemon commits through the same `RecordStore`: there is one
 * implementation of every rule. Each writing operation takes the store's lock and lets go of it: beside a running daemon it throws
 * STORE_LOCKED at once and has changed nothing.
 */
export class VersionedStorage {
  constructor(
    private readonly engine: LocalParquetEngine,
    private readonly checkDecision: CheckDecision,
  ) {}

  /** Version 1, a draft. Throws RECORD_EXISTS ("Record already exists"), TABLE_UNKNOWN, the code of the first bad row. */
  async createRecord(request: CreateRecordRequest): Promise<RecordMetadata> {
    const { recordId } = request
    checkActor(request.createdBy, 'createdBy')
    checkComment(request.comment)
    // Before the rows are read, for the answer is the same and the work is saved; the commit asks again.
    const moved = transition(stateOf(await this.look(recordId)), 'create')
    if (!moved.ok) throw new IntakeError(moved.refusal.code, moved.refusal.message, { data: { record_id: recordId } })
    return this.makeVersion({ ...request, intent: 'create', comment: request.comment ?? '' })
  }

  /** The next version, a draft, whatever was decided on the one before. Throws RECORD_NOT_FOUND ("Record does not exist"). */
  async updateRecord(request: UpdateRecordRequest): Promise<RecordMetadata> {
    checkActor(request.updatedBy, 'updatedBy')
    checkComment(request.comment)
    const { table_name: tableName } = await this.existing(request.recordId)
    const { recordId, data, updatedBy: createdBy, comment = '' } = request
    return this.makeVersion({ recordId, data, createdBy, comment, tableName, intent: 'update' })
  }

  /** Throws "Already approved", "Cannot approve rejected", "Record does not exist", DECISION_REQUIRED, the codes of decisions. */
  approveRecord(request: ApproveRecordRequest): Promise<RecordMetadata> {
    return this.decide('approve', request, request.approvedBy, 'approvedBy')
  }

  /** Throws "Already rejected", "Cannot reject approved", "Record does not exist", DECISION_REQUIRED, the codes of decisions. */
  rejectRecord(request: RejectRecordRequest): Promise<RecordMetadata> {
    return this.decide('reject', request, request.rejectedBy, 'rejectedBy')
  }

  /** The current version. The caller closes the reader. Throws RECORD_NOT_FOUND. */
  getLatestVersion(recordId: string): Promise<VersionReader> {
    return this.open(recordId, 'current')
  }

  /** Throws RECORD_NOT_FOUND, VERSION_NOT_FOUND. */
  getSpecificVersion(recordId: string, version: number): Promise<VersionReader> {
    return this.open(recordId, version)
  }

  /** The newest approved version, also while a newer draft waits. Throws RECORD_NOT_FOUND, VERSION_NOT_FOUND where none was approved. */
  getApprovedVersion(recordId: string): Promise<VersionReader> {
    return this.open(recordId, 'approved')
  }

  /** Numbers of all versions, ascending. Throws RECORD_NOT_FOUND. */
  async getAllVersions(recordId: string): Promise<number[]> {
    return versionsOf(await this.existing(recordId))
  }

  /** metadata.json. Throws RECORD_NOT_FOUND. */
  getMetadata(recordId: string): Promise<RecordMetadata> {
    return this.existing(recordId)
  }

  private async makeVersion(request: {
    recordId: string
    tableName: string
    data: RowData
    createdBy: string
    comment: string
    intent: 'create' | 'update'
  }): Promise<RecordMetadata> {
    const { parts } = this.engine
    return this.engine.withStore(async (store) => {
      // No drop and no second attempt: the transaction is this call.
      const tx = `library-${parts.randomUuid()}`
      const folder = await store.stagingFolder(tx)
      try {
        const staged = await parts.stageData({ schema: { table: request.tableName }, data: request.data, path: `${folder}/data.parquet` })
        const { recordId, tableName, createdBy, comment, intent } = request
        const outcome = await store.commitVersion({
          tx,
          intent,
          recordId,
          tableName,
          source: null,
          createdBy,
          comment,
          staged,
          drop: null,
          force: false,
        })
        return outcome.metadata
      } catch (error) {
        // After a failed fsync nothing is touched any more; the next opening clears up.
        if (!isIntakeError(error, 'FSYNC_FAILED')) await store.discardStaging(tx)
        throw error
      }
    })
  }

  private async decide(
    decision: 'approve' | 'reject',
    request: DecideRequest,
    by: string | undefined,
    byName: string,
  ): Promise<RecordMetadata> {
    const { recordId } = request
    await this.existing(recordId)
    if (request.decision === undefined || by !== undefined) checkActor(by, byName)
    checkComment(request.comment)
    return this.engine.withStore(async (store) => {
      const tx = `library-${this.engine.parts.randomUuid()}`
      if (request.decision === undefined) {
        assert(by !== undefined, 'an unsigned decision names who decides')
        const comment = request.comment ?? ''
        const version = request.version ?? null
        const outcome = await store.commitDecision({ tx, recordId, version, decision, decidedBy: by, comment, reference: null })
        return outcome.metadata
      }
      return this.decideSigned(store, tx, decision, request, request.decision, by)
    })
  }

  private async decideSigned(
    store: RecordStore,
    tx: string,
    decision: 'approve' | 'reject',
    request: DecideRequest,
    signed: JwsEnvelope | string,
    by: string | undefined,
  ): Promise<RecordMetadata> {
    const checked = await this.checkDecision({
      decision: signed,
      storeId: store.identity.store_id,
      receivedAtMs: this.engine.parts.clock.nowMs(),
      lookupRecord: (id) => store.metadata(id),
    })
    // The call and the signed text must say the same: what was signed is what counts, and nobody is to be surprised by it.
    const differs = (name: string): IntakeError =>
      new IntakeError('DECISION_MALFORMED', `The call and the signed decision name another ${name}`, {
        hint: 'Call with what was signed, or leave it out.',
      })
    if (checked.decision !== decision) throw differs('decision')
    if (checked.recordId !== request.recordId) throw differs('record')
    if (request.version !== undefined && checked.version !== request.version) throw differs('version')
    if (by !== undefined && checked.decidedBy !== by) throw differs('person')
    if (request.comment !== undefined && checked.comment !== request.comment) throw differs('comment')
    const outcome = await store.commitDecision({
      tx,
      recordId: checked.recordId,
      version: checked.version,
      decision,
      decidedBy: checked.decidedBy,
      comment: checked.comment,
      reference: checked.reference,
      expectedParquetSha256: checked.parquetSha256,
    })
    return outcome.metadata
  }

  private async open(recordId: string, version: number | 'current' | 'approved'): Promise<VersionReader> {
    const store = await this.store()
    if (store === null) throw notFound(recordId)
    const opened = await store.openVersion(recordId, version)
    return VersionReader.open({ source: opened.body, url: opened.url })
  }

  private async existing(recordId: string): Promise<RecordMetadata> {
    const metadata = await this.look(recordId)
    if (metadata === null) throw notFound(recordId)
    return metadata
  }

  private async look(recordId: string): Promise<RecordMetadata | null> {
    if (!isRecordId(recordId))
      throw new IntakeError('RECORD_ID_ILLEGAL', `${JSON.stringify(recordId).slice(0, 200)} is not a legal record id`)
    return (await this.store())?.metadata(recordId) ?? null
  }

  /** null: there is no store yet, and so no record. */
  private async store(): Promise<RecordStore | null> {
    try {
      return await this.engine.openForReading()
    } catch (error) {
      if (isIntakeError(error, 'NO_STORE')) return null
      throw error
    }
  }
}

function notFound(recordId: string): IntakeError {
  return new IntakeError('RECORD_NOT_FOUND', 'Record does not exist', { data: { record_id: recordId } })
}

function checkActor(actor: string | undefined, name: string): void {
  if (actor === undefined || !isActor(actor)) {
    throw new IntakeError('ACTOR_INVALID', `${name} is not 1 to 128 bytes of UTF-8 without control characters`)
  }
}

function checkComment(comment: string | undefined): void {
  if (comment !== undefined && !isComment(comment)) {
    throw new IntakeError('COMMENT_INVALID', 'The comment is longer than 512 bytes of UTF-8, or has control characters')
  }
}
