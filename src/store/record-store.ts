import { join } from 'node:path'
import { type Decision, planDecision, planVersion, type StagedFacts, type VersionIntent } from '../core/commit-plan.js'
import { RECORDS_PREFIX, recordOfMetadataKey, VERSIONS_FOLDER, versionKey } from '../core/object-keys.js'
import { checkRecordId } from '../core/record-id.js'
import { isVersionEntry, type VersionEntry, versionEntryOf } from '../core/record-model.js'
import type { Refusal } from '../core/record-state.js'
import type { DecisionReference, DropReference, RecordMetadata, StoreIdentity } from '../documents/metadata.js'
import { isActor, isComment } from '../documents/text.js'
import { assert, IntakeError, isIntakeError } from '../errors.js'
import { type Clock, isoTime } from '../runtime/clock.js'
import { type Files, makeDirectories } from '../runtime/files.js'
import { SharedSync } from '../runtime/shared-sync.js'
import type { CommitProtocol, RecoveryReport } from './commit-protocol.js'
import { LocalCommits } from './local-commits.js'
import { LocalObjectStore } from './local-object-store.js'
import { type LockStore, lockStore, type StoreLock } from './lock.js'
import type { ObjectBody, ObjectStore } from './object-store.js'
import type { Orphan } from './orphanage.js'
import { type ReadHead, readHead } from './record-head.js'
import { RecordQueues } from './record-queues.js'
import { type FinishedForOther, SharedCommits } from './shared-commits.js'
import { createSharedIdentity, readIdentity, readSharedIdentity, writeIdentity } from './store-identity.js'

export interface ReadStoreOptions {
  readonly files: Files
  /** Folder of the store. */
  readonly root: string
  /** Takes no lock, changes nothing, and works beside a writer. */
  readonly mode: 'read'
}

export interface WriteStoreOptions {
  readonly files: Files
  readonly root: string
  readonly mode: 'write'
  readonly clock: Clock
  readonly randomUuid: () => string
  /** Makes the store when there is none. Without it a missing store is NO_STORE. */
  readonly createAs?: 'any' | 'signed'
  /** Name of the anchor log that this process appends to: a letter or digit, then letters, digits, ".", "_", "-". */
  readonly writer: string
  /** 'held': the caller has the lock already and keeps it. */
  readonly lock?: 'held' | LockStore
  /** Where files go that no history names; default `<root>/orphans`. */
  readonly orphans?: string
  /** Leftovers that are settled side by side when the store is opened. */
  readonly recoverAtOnce?: number
  /** Told of every orphan that is met after the store was opened. */
  readonly onOrphan?: (orphan: Orphan) => void
}

/** On object storage: any number of writers, and the storage itself as the arbiter. */
export type SharedStoreOptions = {
  readonly files: Files
  readonly objects: ObjectStore
} & (
  | { readonly mode: 'read' }
  | {
      readonly mode: 'write'
      readonly clock: Clock
      readonly randomUuid: () => string
      readonly createAs?: 'any' | 'signed'
      /** Name of this writer's anchor log: no other process may have the same. */
      readonly writer: string
      /** A folder of this machine for files on their way, of this process alone: it is emptied. */
      readonly scratch: string
      /** Told when the commit of another writer, cut off half way, was finished. */
      readonly onFinishedForOther?: (finished: FinishedForOther) => void
    }
)

export type RecordStoreOptions = ReadStoreOptions | WriteStoreOptions | SharedStoreOptions

export interface StagedVersion extends StagedFacts {
  /** `data.parquet` in the folder that `stagingFolder(tx)` gave: whole, never written to again. The commit syncs it. */
  readonly path: string
}

export interface VersionRequest {
  readonly tx: string
  readonly intent: VersionIntent
  readonly recordId: string
  readonly tableName: string
  /** null: the library writes. */
  readonly source: string | null
  readonly createdBy: string
  readonly comment: string
  readonly staged: StagedVersion
  readonly drop: DropReference | null
  /** Makes a version even of a duplicate, unchanged or superseded drop (`requeue --force`). */
  readonly force: boolean
}

export interface VersionOutcome {
  /** already: an earlier attempt of this drop made the version (as 'created' when it is version 1, else as 'updated'). */
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'duplicate' | 'superseded' | 'already'
  /** The version made, or the current one where none was made. */
  readonly version: number
  /** Key of that version below the store's root. */
  readonly key: string
  readonly parquetSha256: string
  /** For unchanged, duplicate and superseded: the version that it is the same as. */
  readonly sameAsVersion: number | null
  readonly metadata: RecordMetadata
}

export interface DecisionRequest {
  readonly tx: string
  readonly recordId: string
  /** null: the current version, whichever it is (library, unsigned). */
  readonly version: number | null
  readonly decision: Decision
  readonly decidedBy: string
  readonly comment: string
  /** The signed envelope, verified by the caller; null where nothing was signed. */
  readonly reference: DecisionReference | null
  readonly expectedParquetSha256?: string
}

export interface DecisionOutcome {
  readonly outcome: 'approved' | 'rejected' | 'repeated'
  readonly version: number
  readonly metadata: RecordMetadata
}

export interface OpenedVersion {
  readonly entry: VersionEntry
  readonly key: string
  readonly url: string
  readonly body: ObjectBody
}

/** Leftovers settled side by side, unless the caller says: each has one file open and a folder being synced at most. */
const RECOVERED_AT_ONCE = 16
/** Of one commit, each lost to another writer's that went through. */
const ATTEMPTS = 1000
const NOTHING_RECOVERED: RecoveryReport = { transactions: [], orphans: [], tornAnchors: null }

interface WriteSide {
  readonly clock: Clock
  readonly lock: StoreLock | null
  readonly commits: CommitProtocol
  readonly queues: RecordQueues
}

/**
 * The records of one store (DESIGN §2, §3, §8), on a local file system or on object storage. Every rule is a pure function of `core/`; this
 * class reads the head, asks for the plan, and has it carried out by the protocol of the place (commit-protocol.ts).
 *
 * Operations on one record happen one after the other; those on others do not wait.
 *
 * Errors: the codes of the record rules; DISK_FULL and STORE_UNAVAILABLE (may be tried again, with the same `tx`); FSYNC_FAILED, after which
 * this instance takes no more writes, because what else the disk lost is not known.
 */
export class RecordStore {
  private poison: IntakeError | null = null
  private closed = false

  private constructor(
    readonly identity: StoreIdentity,
    readonly objects: ObjectStore,
    private readonly writeSide: WriteSide | null,
  ) {}

  /** Throws NO_STORE, STORE_IDENTITY_MISSING, STORE_INVALID; for writing also STORE_LOCKED, LOCK_UNAVAILABLE; on object storage STORE_UNAVAILABLE. */
  static open(options: RecordStoreOptions): Promise<RecordStore> {
    return 'objects' in options ? RecordStore.openShared(options) : RecordStore.openLocal(options)
  }

  private static async openLocal(options: ReadStoreOptions | WriteStoreOptions): Promise<RecordStore> {
    const { files, root } = options
    const sync = new SharedSync(files)
    const objects = new LocalObjectStore({ files, sync, root })
    if (options.mode === 'read') {
      const read = await readIdentity(files, root)
      if (read === null) throw noStore(root)
      return new RecordStore(read.identity, objects, null)
    }
    if (options.createAs === undefined) {
      // Before the lock: taking it would make a folder and a file where there is no store.
      if ((await readIdentity(files, root)) === null) throw noStore(root)
    } else {
      await makeDirectories(files, root)
    }
    const lock = options.lock === 'held' ? null : (options.lock ?? lockStore)(join(root, 'lock'))
    try {
      const found = await readIdentity(files, root)
      // The folders come before store.json, whose fsync of the root covers them: where it exists, they outlive a power cut.
      for (const folder of ['records', 'staging']) await makeDirectories(files, join(root, folder), { sync: found !== null })
      // Whoever wrote it may have died between the rename and the fsync of its name: what is chained to it must not outlive it.
      if (found !== null) await files.syncDirectory(root)
      const read = found ?? (await writeIdentity(files, root, newIdentity(options, root)))
      const queues = new RecordQueues()
      const commits = await LocalCommits.open({
        files,
        sync,
        root,
        objects,
        identitySha256: read.sha256,
        queues,
        writer: options.writer,
        orphansFolder: options.orphans ?? join(root, 'orphans'),
        recoverAtOnce: options.recoverAtOnce ?? RECOVERED_AT_ONCE,
        onOrphan: options.onOrphan,
      })
      return new RecordStore(read.identity, objects, { clock: options.clock, lock, commits, queues })
    } catch (error) {
      lock?.release()
      throw error
    }
  }

  private static async openShared(options: SharedStoreOptions): Promise<RecordStore> {
    const { objects } = options
    const place = objects.place
    const found = await readSharedIdentity(objects)
    if (options.mode === 'read') {
      if (found === null) throw noStore(place)
      return new RecordStore(found.identity, objects, null)
    }
    const read = found ?? (await createSharedIdentity(objects, newIdentity(options, place)))
    const commits = await SharedCommits.open({
      files: options.files,
      objects,
      scratch: options.scratch,
      storeId: read.identity.store_id,
      identitySha256: read.sha256,
      writer: options.writer,
      onFinishedForOther: options.onFinishedForOther,
    })
    return new RecordStore(read.identity, objects, { clock: options.clock, lock: null, commits, queues: new RecordQueues() })
  }

  /** What opening for writing found and did. */
  get recovery(): RecoveryReport {
    return this.writeSide?.commits.recovery ?? NOTHING_RECOVERED
  }

  /** Folder in which each transaction has its own. */
  get stagingRoot(): string {
    assert(this.writeSide !== null, 'only a writer stages')
    return this.writeSide.commits.stagingRoot
  }

  /** Waits for what is under way, then lets go of the lock. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    if (this.writeSide === null) return
    try {
      await this.writeSide.queues.idle()
      await this.writeSide.commits.close()
    } finally {
      this.writeSide.lock?.release()
    }
  }

  // Reading

  /** null: there is no such record. Throws RECORD_ID_ILLEGAL, STORE_INVALID. */
  async metadata(recordId: string): Promise<RecordMetadata | null> {
    return (await readHead(this.objects, checkRecordId(recordId)))?.metadata ?? null
  }

  /** Ids of all records, in no promised order; one folder or page is in memory at a time. */
  async *listRecords(): AsyncIterable<string> {
    for await (const key of this.objects.list(RECORDS_PREFIX, { skip: VERSIONS_FOLDER })) {
      const recordId = recordOfMetadataKey(key)
      if (recordId !== null) yield recordId
    }
  }

  /** The caller closes `body`. Throws RECORD_NOT_FOUND, VERSION_NOT_FOUND, STORE_INVALID (the file of a version is missing). */
  async openVersion(recordId: string, version: number | 'current' | 'approved'): Promise<OpenedVersion> {
    const metadata = await this.metadata(recordId)
    if (metadata === null) throw new IntakeError('RECORD_NOT_FOUND', 'Record does not exist', { data: { record_id: recordId } })
    const number = version === 'current' ? metadata.current_version : version === 'approved' ? metadata.approved_version : version
    if (number === null) {
      throw new IntakeError('VERSION_NOT_FOUND', `Record ${recordId} has no approved version`, { data: { record_id: recordId } })
    }
    const entry = versionEntryOf(metadata, number)
    if (entry === undefined) {
      throw new IntakeError('VERSION_NOT_FOUND', `Record ${recordId} has no version ${number}`, {
        data: { record_id: recordId, version: number },
      })
    }
    const key = versionKey(recordId, number)
    const body = await this.objects.open(key)
    if (body === null) throw new IntakeError('STORE_INVALID', `${key} is missing, though the history names it`, { data: { key } })
    return { entry, key, url: this.objects.urlOf(key), body }
  }

  /** Drops that made versions: of one record, or of all. Damaged records are passed over. All: reads every record, so not in the ordinary course of things. */
  async dropsOfVersions(recordId: string | 'all'): Promise<Set<string>> {
    const drops = new Set<string>()
    const note = async (id: string): Promise<void> => {
      try {
        for (const entry of (await readHead(this.objects, id))?.metadata.history ?? []) {
          if (isVersionEntry(entry) && entry.drop !== null) drops.add(entry.drop.drop_id)
        }
      } catch (error) {
        if (!isIntakeError(error, 'STORE_INVALID')) throw error
      }
    }
    if (recordId === 'all') for await (const id of this.listRecords()) await note(id)
    else await note(recordId)
    return drops
  }

  // Writing

  /**
   * An empty folder for one transaction. What an earlier attempt left there is settled first: finished if its plan was durable, else removed.
   * Write `data.parquet` there (mode 0440), then call `commitVersion` with the same `tx`.
   */
  stagingFolder(tx: string): Promise<string> {
    return this.guarded((side) => side.commits.stagingFolder(tx))
  }

  /** Gives up a transaction that was staged and will not be committed. */
  discardStaging(tx: string): Promise<void> {
    return this.guarded((side) => side.commits.discardStaging(tx))
  }

  async commitVersion(request: VersionRequest): Promise<VersionOutcome> {
    const { recordId, tx, staged } = request
    checkRecordId(recordId)
    checkActor(request.createdBy)
    checkComment(request.comment)
    return this.inTurn(recordId, tx, async (side, head, at) => {
      assert(staged.path === side.commits.dataPathOf(tx), 'a version is committed from its own staging folder')
      const planned = planVersion({
        storeId: this.identity.store_id,
        head,
        intent: request.intent,
        recordId,
        tableName: request.tableName,
        source: request.source,
        createdBy: request.createdBy,
        comment: request.comment,
        at,
        staged,
        drop: request.drop,
        force: request.force,
      })
      switch (planned.kind) {
        case 'refused':
          throw refusalError(planned.refusal, recordId)
        case 'already':
        case 'none': {
          assert(head !== null, 'only a record that exists can hold the drop')
          const isMade = planned.kind === 'already'
          await side.commits.conclude(tx, head, isMade ? indexOfVersion(head.metadata, planned.version) : null)
          return versionOutcome(isMade ? 'already' : planned.outcome, head.metadata, planned.version, isMade ? null : planned.sameAsVersion)
        }
        case 'commit': {
          const metadata = await side.commits.carryOut(tx, planned.plan, head)
          if (metadata === 'moved') return 'moved'
          return versionOutcome(planned.outcome, metadata, planned.plan.entry.version, null)
        }
      }
    })
  }

  /** Signatures are the caller's to check (decisions/); what is checked here is that the record allows it. */
  async commitDecision(request: DecisionRequest): Promise<DecisionOutcome> {
    const { recordId, tx } = request
    checkRecordId(recordId)
    checkActor(request.decidedBy)
    checkComment(request.comment)
    return this.inTurn(recordId, tx, async (side, head, at) => {
      const planned = planDecision({
        storeId: this.identity.store_id,
        approvals: this.identity.approvals,
        head,
        version: request.version,
        decision: request.decision,
        decidedBy: request.decidedBy,
        comment: request.comment,
        at,
        reference: request.reference,
        expectedParquetSha256: request.expectedParquetSha256 ?? null,
      })
      switch (planned.kind) {
        case 'refused':
          throw refusalError(planned.refusal, recordId)
        case 'repeated':
          assert(head !== null, 'only a record that exists can hold a decision')
          return { outcome: 'repeated' as const, version: planned.version, metadata: head.metadata }
        case 'commit': {
          const metadata = await side.commits.carryOut(tx, planned.plan, head)
          if (metadata === 'moved') return 'moved'
          return { outcome: planned.outcome, version: planned.plan.entry.version, metadata }
        }
      }
    })
  }

  // Inside

  /**
   * One operation on one record, when it is its turn: planned on the head as it stands, and planned again on the new one whenever another
   * writer was quicker. Each time somebody's commit went through, so the writers of a record together always get on.
   */
  private inTurn<T extends object>(
    recordId: string,
    tx: string,
    plan: (side: WriteSide, head: ReadHead | null, at: string) => Promise<T | 'moved'>,
  ): Promise<T> {
    return this.guarded((side) =>
      side.queues.run(recordId, async () => {
        await side.commits.prepare(recordId, tx)
        // One time for all attempts: a version that is put already says when it was made.
        const at = isoTime(side.clock.nowMs())
        for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
          const done = await plan(side, await readHead(this.objects, recordId), at)
          if (done !== 'moved') return done
        }
        throw new IntakeError('STORE_CONFLICT', `Record ${recordId} was changed by others ${ATTEMPTS} times meanwhile`, {
          data: { record_id: recordId, tx },
        })
      }),
    )
  }

  /** All writing goes through here: after a failed fsync nothing is written and nothing acknowledged any more. */
  private async guarded<T>(work: (side: WriteSide) => Promise<T>): Promise<T> {
    assert(this.writeSide !== null && !this.closed, 'the store is open for writing')
    this.throwIfPoisoned()
    try {
      const result = await work(this.writeSide)
      // Another commit's fsync may have failed meanwhile, and taken the error that was meant for ours.
      this.throwIfPoisoned()
      return result
    } catch (error) {
      if (isIntakeError(error, 'FSYNC_FAILED')) this.poison ??= error
      throw error
    }
  }

  private throwIfPoisoned(): void {
    if (this.poison === null) return
    throw new IntakeError('FSYNC_FAILED', `The store takes no writes since an fsync failed: ${this.poison.message}`, {
      cause: this.poison,
      data: { ...this.poison.data },
    })
  }
}

function newIdentity(
  options: { readonly createAs?: 'any' | 'signed'; readonly randomUuid: () => string; readonly clock: Clock },
  place: string,
): StoreIdentity {
  if (options.createAs === undefined) throw noStore(place)
  return { format: 1, store_id: options.randomUuid(), created_at: isoTime(options.clock.nowMs()), approvals: options.createAs }
}

function noStore(root: string): IntakeError {
  return new IntakeError('NO_STORE', `There is no store at ${root}`, { data: { path: root } })
}

function indexOfVersion(metadata: RecordMetadata, version: number): number {
  return metadata.history.findIndex((entry) => isVersionEntry(entry) && entry.version === version)
}

function versionOutcome(
  outcome: VersionOutcome['outcome'],
  metadata: RecordMetadata,
  version: number,
  sameAsVersion: number | null,
): VersionOutcome {
  const entry = versionEntryOf(metadata, version)
  assert(entry !== undefined, 'an outcome names a version of the record')
  return { outcome, version, key: versionKey(metadata.record_id, version), parquetSha256: entry.parquet_sha256, sameAsVersion, metadata }
}

function refusalError(refusal: Refusal, recordId: string): IntakeError {
  return new IntakeError(refusal.code, refusal.message, { data: { record_id: recordId } })
}

function checkActor(actor: string): void {
  if (!isActor(actor)) throw new IntakeError('ACTOR_INVALID', 'Who acts is not named in 1 to 128 bytes of UTF-8 without control characters')
}

function checkComment(comment: string): void {
  if (!isComment(comment))
    throw new IntakeError('COMMENT_INVALID', 'The comment is longer than 512 bytes of UTF-8, or has control characters')
}
