import { join } from 'node:path'
import {
  type CommitPlan,
  type Decision,
  type Head,
  judgePlan,
  planDecision,
  planEntry,
  planVersion,
  type StagedFacts,
  type VersionIntent,
} from '../core/commit-plan.js'
import { sha256Hex } from '../core/hashes.js'
import { foldHistory } from '../core/history.js'
import { isAnchorWriter, metadataKey, versionKey, versionOfName } from '../core/object-keys.js'
import { checkRecordId, isRecordId } from '../core/record-id.js'
import { isVersionEntry, type RecordIdentity, type VersionEntry, versionEntryOf } from '../core/record-model.js'
import type { Refusal } from '../core/record-state.js'
import {
  type DecisionReference,
  type DropReference,
  fixedForm,
  type RecordMetadata,
  recordMetadata,
  type StoreIdentity,
} from '../documents/metadata.js'
import type { StoredPlan } from '../documents/plan.js'
import { isActor, isComment } from '../documents/text.js'
import { assert, IntakeError, isIntakeError } from '../errors.js'
import { type Clock, isoTime } from '../runtime/clock.js'
import { type Files, makeDirectories } from '../runtime/files.js'
import { forEachLimited } from '../runtime/limit.js'
import { SharedSync } from '../runtime/shared-sync.js'
import { AnchorLog, type TornTail } from './anchor-log.js'
import { hashFile } from './hash-file.js'
import { LocalObjectStore } from './local-object-store.js'
import { type LockStore, lockStore, type StoreLock } from './lock.js'
import type { ObjectBody, ObjectStore } from './object-store.js'
import { moveOrphan, type Orphan, orphanName } from './orphanage.js'
import { RecordQueues } from './record-queues.js'
import { StagingArea } from './staging-area.js'
import { readIdentity, writeIdentity } from './store-identity.js'

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

export type RecordStoreOptions = ReadStoreOptions | WriteStoreOptions

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

export interface RecoveredTransaction {
  readonly tx: string
  /** null where no plan says. */
  readonly recordId: string | null
  readonly version: number | null
  /**
   * finished: a written plan was carried out; confirmed: it had been, and only its traces were left;
   * undone: there was no whole plan, or the record had gone on: the staged files are removed, and their drop is converted again;
   * blocked: the record's metadata is damaged: nothing was touched, and the record takes no writes until it is mended.
   */
  readonly result: 'finished' | 'confirmed' | 'undone' | 'blocked'
  readonly reason: string
}

export interface RecoveryReport {
  readonly transactions: readonly RecoveredTransaction[]
  readonly orphans: readonly Orphan[]
  readonly tornAnchors: TornTail | null
}

export interface OpenedVersion {
  readonly entry: VersionEntry
  readonly key: string
  readonly url: string
  readonly body: ObjectBody
}

/** Leftovers settled side by side, unless the caller says: each has one file open and a folder being synced at most. */
const RECOVERED_AT_ONCE = 16

interface WriteSide {
  readonly clock: Clock
  readonly onOrphan: ((orphan: Orphan) => void) | undefined
  readonly orphansFolder: string
  readonly lock: StoreLock | null
  readonly staging: StagingArea
  readonly anchors: AnchorLog
  readonly queues: RecordQueues
  /** Transactions whose commit failed half way in this process; they are settled before the record's next write. */
  readonly unfinished: Map<string, string>
}

/**
 * The records of one local store (DESIGN §2, §3, §8). Every rule is a pure function of `core/`; this class reads the head, asks for the
 * plan, and carries it out in an order of which any beginning can be recovered:
 *
 *     staged file synced → plan synced → version linked, folder synced → metadata renamed, folder synced → anchor synced → staging removed
 *                                                                        ^ the commit point
 *
 * Operations on one record happen one after the other; those on others do not wait.
 *
 * Errors: the codes of the record rules; DISK_FULL (may be tried again, with the same `tx`); FSYNC_FAILED, after which this instance
 * takes no more writes, because what else the disk lost is not known.
 */
export class RecordStore {
  private poison: IntakeError | null = null
  private closed = false

  private constructor(
    private readonly options: { readonly files: Files; readonly root: string },
    readonly identity: StoreIdentity,
    private readonly objects: ObjectStore & { pathOf(key: string): string },
    private readonly writeSide: WriteSide | null,
    /** What opening for writing found and did. */
    readonly recovery: RecoveryReport,
  ) {}

  /** Throws NO_STORE, STORE_IDENTITY_MISSING, STORE_INVALID; for writing also STORE_LOCKED, LOCK_UNAVAILABLE. */
  static async open(options: RecordStoreOptions): Promise<RecordStore> {
    const { files, root } = options
    const sync = new SharedSync(files)
    const scratch = join(root, 'staging')
    const objects = new LocalObjectStore({ files, sync, root, scratch })
    const nothing: RecoveryReport = { transactions: [], orphans: [], tornAnchors: null }
    if (options.mode === 'read') {
      const read = await readIdentity(files, root)
      if (read === null) throw noStore(root)
      return new RecordStore(options, read.identity, objects, null, nothing)
    }
    assert(isAnchorWriter(options.writer), 'the writer of anchors has a plain name')
    const orphansFolder = options.orphans ?? join(root, 'orphans')
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
      const read = found ?? (await createIdentity(options))
      const { log, torn } = await AnchorLog.open({
        files,
        sync,
        root,
        writer: options.writer,
        identitySha256: read.sha256,
        orphans: orphansFolder,
      })
      const side: WriteSide = {
        clock: options.clock,
        onOrphan: options.onOrphan,
        orphansFolder,
        lock,
        staging: new StagingArea(files, sync, scratch),
        anchors: log,
        queues: new RecordQueues(),
        unfinished: new Map(),
      }
      const report = { transactions: [] as RecoveredTransaction[], orphans: [] as Orphan[], tornAnchors: torn }
      const store = new RecordStore(options, read.identity, objects, side, report)
      try {
        // Planned work is finished before new work is admitted.
        report.transactions.push(
          ...(await store.recoverAll(side, options.recoverAtOnce ?? RECOVERED_AT_ONCE, (orphan) => report.orphans.push(orphan))),
        )
      } catch (error) {
        await log.close()
        throw error
      }
      return store
    } catch (error) {
      lock?.release()
      throw error
    }
  }

  /** Waits for what is under way, then lets go of the lock. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    if (this.writeSide === null) return
    try {
      await this.writeSide.queues.idle()
      await this.writeSide.anchors.close()
    } finally {
      this.writeSide.lock?.release()
    }
  }

  // Reading

  /** null: there is no such record. Throws RECORD_ID_ILLEGAL, STORE_INVALID. */
  async metadata(recordId: string): Promise<RecordMetadata | null> {
    return (await this.head(checkRecordId(recordId)))?.metadata ?? null
  }

  /** Ids of all records, in the order of their folders; one folder is in memory at a time. */
  async *listRecords(): AsyncIterable<string> {
    yield* this.walkRecords([])
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
        for (const entry of (await this.head(id))?.metadata.history ?? []) {
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
  async stagingFolder(tx: string): Promise<string> {
    return this.guarded(async (side) => {
      if ((await this.options.files.stat(side.staging.folderOf(tx))) !== null) await this.settleInQueue(side, tx, false)
      return side.staging.make(tx)
    })
  }

  /** Gives up a transaction that was staged and will not be committed. */
  async discardStaging(tx: string): Promise<void> {
    await this.guarded(async (side) => {
      if ((await this.options.files.stat(side.staging.folderOf(tx))) !== null) await this.settleInQueue(side, tx, false)
    })
  }

  async commitVersion(request: VersionRequest): Promise<VersionOutcome> {
    const { recordId, tx, staged } = request
    checkRecordId(recordId)
    checkActor(request.createdBy)
    checkComment(request.comment)
    return this.guarded((side) =>
      side.queues.run(recordId, async () => {
        assert(staged.path === side.staging.dataPathOf(tx), 'a version is committed from its own staging folder')
        await this.settleUnfinished(side, recordId, tx)
        const head = await this.head(recordId)
        const planned = planVersion({
          storeId: this.identity.store_id,
          head,
          intent: request.intent,
          recordId,
          tableName: request.tableName,
          source: request.source,
          createdBy: request.createdBy,
          comment: request.comment,
          at: isoTime(side.clock.nowMs()),
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
            await side.staging.remove(tx)
            const outcome = planned.kind === 'already' ? 'already' : planned.outcome
            return versionOutcome(outcome, head.metadata, planned.version, planned.kind === 'none' ? planned.sameAsVersion : null)
          }
          case 'commit': {
            await this.carryOut(side, tx, planned.plan, true)
            return versionOutcome(planned.outcome, planned.plan.metadata, planned.plan.entry.version, null)
          }
        }
      }),
    )
  }

  /** Signatures are the caller's to check (decisions/); what is checked here is that the record allows it. */
  async commitDecision(request: DecisionRequest): Promise<DecisionOutcome> {
    const { recordId, tx } = request
    checkRecordId(recordId)
    checkActor(request.decidedBy)
    checkComment(request.comment)
    return this.guarded((side) =>
      side.queues.run(recordId, async () => {
        await this.settleUnfinished(side, recordId, tx)
        const head = await this.head(recordId)
        const planned = planDecision({
          storeId: this.identity.store_id,
          approvals: this.identity.approvals,
          head,
          version: request.version,
          decision: request.decision,
          decidedBy: request.decidedBy,
          comment: request.comment,
          at: isoTime(side.clock.nowMs()),
          reference: request.reference,
          expectedParquetSha256: request.expectedParquetSha256 ?? null,
        })
        switch (planned.kind) {
          case 'refused':
            throw refusalError(planned.refusal, recordId)
          case 'repeated':
            assert(head !== null, 'only a record that exists can hold a decision')
            return { outcome: 'repeated' as const, version: planned.version, metadata: head.metadata }
          case 'commit':
            await side.staging.make(tx)
            await this.carryOut(side, tx, planned.plan, true)
            return { outcome: planned.outcome, version: planned.plan.entry.version, metadata: planned.plan.metadata }
        }
      }),
    )
  }

  /**
   * The commit. Every await is a point where the process may die:
   *
   * - before the plan is durable: nothing is visible; recovery removes the staged files and the drop is converted again;
   * - after it, before metadata.json is renamed: readers see the old head. The head is the plan's base, so recovery does the same steps again;
   *   a version that is linked already is found to be the staged file itself;
   * - after the rename, before its fsync: readers may see the new head and a power cut may take it back. Recovery finds the one or the other,
   *   and makes it durable; nobody has been answered yet;
   * - after that the commit stands. Recovery writes the anchor if it is missing, and clears up.
   */
  private async carryOut(side: WriteSide, tx: string, plan: CommitPlan, writePlan: boolean): Promise<void> {
    const recordId = plan.identity.record_id
    side.unfinished.set(recordId, tx)
    if (writePlan) await side.staging.writePlan(storedPlan(tx, plan))
    if (plan.versionKey !== null) await this.putVersion(side, tx, plan.identity, plan.versionKey)
    // Only now: metadata must never name a version whose name is not durable.
    const replaced = await this.objects.replace(plan.metadataKey, plan.bytes, plan.base.metadataSha256, { tx })
    if (replaced === 'conflict') {
      throw new IntakeError('STORE_CONFLICT', `${plan.metadataKey} changed under the store's lock`, { data: { record_id: recordId, tx } })
    }
    // After the commit point, for an anchor of something that never happened would be a false alarm for ever.
    await side.anchors.append(anchorOf(plan))
    // Last: the folder is what recovery knows the missing anchor by.
    await side.staging.remove(tx)
    side.unfinished.delete(recordId)
  }

  private async putVersion(side: WriteSide, tx: string, identity: RecordIdentity, key: string): Promise<void> {
    const source = { file: side.staging.dataPathOf(tx) }
    if ((await this.objects.putIfAbsent(key, source, { tx })) === 'created') return
    // Whatever it is, no history names it (the head says so) and no plan owns it (they were all settled): it is not a version.
    await this.removeOrphan(side, identity.record_id, key, side.onOrphan)
    if ((await this.objects.putIfAbsent(key, source, { tx })) === 'created') return
    throw new IntakeError('STORE_CONFLICT', `${key} is put again and again by somebody else`, { data: { key, tx } })
  }

  // Recovery

  /** Those of one record one after the other, in the order of intake; side by side with those of others, which share their fsyncs. */
  private async recoverAll(side: WriteSide, atOnce: number, onOrphan: (orphan: Orphan) => void): Promise<RecoveredTransaction[]> {
    const transactions = await side.staging.leftovers()
    const plans = new Array<StoredPlan | 'torn' | null>(transactions.length)
    await forEachLimited(transactions, atOnce, async (tx, index) => {
      plans[index] = await side.staging.readPlan(tx)
    })
    const lines = new Map<string, number[]>()
    plans.forEach((plan, index) => {
      // Without a plan nothing of a record is touched.
      const key = plan === null || plan === 'torn' ? `tx ${transactions[index]}` : `record ${plan.record_id}`
      const line = lines.get(key)
      if (line === undefined) lines.set(key, [index])
      else line.push(index)
    })
    const settled = new Array<RecoveredTransaction>(transactions.length)
    await forEachLimited([...lines.values()], atOnce, async (line) => {
      for (const index of line) settled[index] = await this.recover(transactions[index]!, plans[index]!, onOrphan)
    })
    return settled
  }

  private async recover(tx: string, plan: StoredPlan | 'torn' | null, onOrphan: (orphan: Orphan) => void): Promise<RecoveredTransaction> {
    try {
      return await this.settle(tx, plan, { keepStaged: false, onOrphan })
    } catch (error) {
      // One damaged record must not keep all the others from being written.
      if (!isIntakeError(error, 'STORE_INVALID')) throw error
      return { tx, recordId: String(error.data.record_id), version: null, result: 'blocked', reason: error.message }
    }
  }

  /** A commit of this record that failed half way in this process (a full disk, say) is settled before anything else is decided. */
  private async settleUnfinished(side: WriteSide, recordId: string, mine: string): Promise<void> {
    const tx = side.unfinished.get(recordId)
    if (tx === undefined) return
    await this.settle(tx, await side.staging.readPlan(tx), { keepStaged: tx === mine, onOrphan: side.onOrphan })
    side.unfinished.delete(recordId)
  }

  private async settleInQueue(side: WriteSide, tx: string, keepStaged: boolean): Promise<void> {
    const plan = await side.staging.readPlan(tx)
    const settle = async (): Promise<void> => {
      await this.settle(tx, await side.staging.readPlan(tx), { keepStaged, onOrphan: side.onOrphan })
    }
    if (plan === null || plan === 'torn') return settle()
    await side.queues.run(plan.record_id, async () => {
      await settle()
      if (side.unfinished.get(plan.record_id) === tx) side.unfinished.delete(plan.record_id)
    })
  }

  /** Finishes or undoes what one staging folder stands for. It may be called again after any failure. */
  private async settle(
    tx: string,
    plan: StoredPlan | 'torn' | null,
    options: { keepStaged: boolean; onOrphan: ((orphan: Orphan) => void) | undefined },
  ): Promise<RecoveredTransaction> {
    const side = this.writeSide
    assert(side !== null, 'only a writer settles transactions')
    const undo = async (reason: string): Promise<RecoveredTransaction> => {
      if (options.keepStaged) await side.staging.removePlan(tx)
      else await side.staging.remove(tx)
      const known = plan !== null && plan !== 'torn'
      return { tx, recordId: known ? plan.record_id : null, version: known ? plan.entry.version : null, result: 'undone', reason }
    }
    if (plan === null) return undo('it was staged, and nothing had been decided')
    if (plan === 'torn') return undo('its plan was cut off while being written, so nothing had been made visible')
    const done = (result: 'finished' | 'confirmed', reason: string): RecoveredTransaction => ({
      tx,
      recordId: plan.record_id,
      version: plan.entry.version,
      result,
      reason,
    })
    const identity: RecordIdentity = { record_id: plan.record_id, table_name: plan.table_name, source: plan.source }
    const head = await this.head(plan.record_id)
    const verdict = judgePlan(
      { base: { historyLength: plan.base.history_length, metadataSha256: plan.base.metadata_sha256 }, entry: plan.entry },
      head,
    )
    if (verdict === 'done') {
      assert(head !== null, 'a history that holds the entry exists')
      // The version's name was durable before metadata.json was renamed; the rename itself may not have been, so it is made once more.
      const replaced = await this.objects.replace(metadataKey(plan.record_id), fixedForm(head.metadata), head.sha256, { tx })
      if (replaced === 'conflict') throw new IntakeError('STORE_CONFLICT', `${metadataKey(plan.record_id)} changed under the store's lock`)
      await side.anchors.ensure({
        recordId: plan.record_id,
        historyLength: plan.base.history_length + 1,
        metadataSha256: plan.metadata_sha256,
      })
      await side.staging.remove(tx)
      return done('confirmed', 'the history holds it')
    }
    if (verdict === 'stale') {
      await this.removeAbandoned(side, plan, head, options.onOrphan)
      return undo('the record went on without it')
    }
    const again = planEntry(identity, head, plan.entry)
    if (again.metadataSha256 !== plan.metadata_sha256) return undo('the plan does not give the metadata that it names')
    if (isVersionEntry(plan.entry) && !(await this.stagedIsWhole(side, tx, plan.entry))) {
      await this.removeAbandoned(side, plan, head, options.onOrphan)
      return undo('its Parquet file does not have the hash that the plan names')
    }
    await side.staging.renewPlan(plan)
    await this.carryOut(side, tx, again, false)
    return done('finished', 'its plan was durable')
  }

  /** Trust a file only with the hash that a later, synced record names: the page cache may have held what the disk never got. */
  private async stagedIsWhole(side: WriteSide, tx: string, entry: VersionEntry): Promise<boolean> {
    const { files } = this.options
    const file = await files.openRead(side.staging.dataPathOf(tx))
    if (file === null) return false
    try {
      if ((await file.stat()).sizeBytes !== entry.bytes) return false
    } finally {
      await file.close()
    }
    return (await hashFile(files, side.staging.dataPathOf(tx))) === entry.parquet_sha256
  }

  /** The version that an abandoned plan had linked is no version: it makes way, unless the history has come to name it. */
  private async removeAbandoned(
    side: WriteSide,
    plan: StoredPlan,
    head: Head | null,
    onOrphan: ((orphan: Orphan) => void) | undefined,
  ): Promise<void> {
    if (!isVersionEntry(plan.entry)) return
    if (head !== null && versionEntryOf(head.metadata, plan.entry.version) !== undefined) return
    const key = versionKey(plan.record_id, plan.entry.version)
    const { files } = this.options
    const [linked, staged] = [await files.stat(this.objects.pathOf(key)), await files.stat(side.staging.dataPathOf(plan.tx))]
    if (linked === null || (staged !== null && staged.inode !== linked.inode)) return
    await this.removeOrphan(side, plan.record_id, key, onOrphan)
  }

  private async removeOrphan(
    side: WriteSide,
    recordId: string,
    key: string,
    onOrphan: ((orphan: Orphan) => void) | undefined,
  ): Promise<void> {
    const path = this.objects.pathOf(key)
    const movedTo = await moveOrphan({
      files: this.options.files,
      path,
      name: orphanName(recordId, path),
      folder: side.orphansFolder,
      fallback: join(this.options.root, 'orphans'),
    })
    onOrphan?.({ recordId, version: versionOfName(key.slice(key.lastIndexOf('/') + 1)) ?? 0, key, movedTo })
  }

  // Inside

  /** The record as it stands, checked before anything is built on it. Throws STORE_INVALID. */
  private async head(recordId: string): Promise<Head | null> {
    const key = metadataKey(recordId)
    const object = await this.objects.read(key)
    if (object === null) return null
    const metadata = parseMetadata(object.bytes)
    const problem =
      typeof metadata === 'string' ? metadata : metadata.record_id === recordId ? null : `is that of record ${metadata.record_id}`
    if (problem !== null) throw new IntakeError('STORE_INVALID', `${key} ${problem}`, { data: { record_id: recordId, key } })
    return { metadata: metadata as RecordMetadata, sha256: sha256Hex(object.bytes) }
  }

  private async *walkRecords(segments: readonly string[]): AsyncIterable<string> {
    const folder = join(this.options.root, 'records', ...segments)
    const entries = (await this.options.files.list(folder)) ?? []
    entries.sort((a, b) => Buffer.compare(a.name, b.name))
    const id = segments.join('/')
    if (segments.length > 0 && isRecordId(id) && entries.some((e) => e.kind === 'file' && e.name.toString('utf8') === 'metadata.json'))
      yield id
    if (segments.length === 4) return
    for (const entry of entries) {
      const name = entry.name.toString('utf8')
      if (entry.kind === 'directory' && isRecordId([...segments, name].join('/'))) yield* this.walkRecords([...segments, name])
    }
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

/** The document, or what is wrong with it. Everything but the chain and the signatures, which the audit checks. */
export function parseMetadata(bytes: Buffer): RecordMetadata | string {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`
  }
  const parsed = recordMetadata.safeParse(json)
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    return `is not the metadata of a record: ${issues.join('; ')}`
  }
  const folded = foldHistory(parsed.data, parsed.data.history)
  if (!folded.ok) return `has an impossible history: entry ${folded.index + 1}: ${folded.problem}`
  const form = fixedForm(folded.metadata)
  if (form.equals(bytes)) return parsed.data
  return fixedForm(parsed.data).equals(bytes) ? 'does not follow from its own history' : 'is not in its fixed form: somebody edited it'
}

async function createIdentity(options: WriteStoreOptions): Promise<Awaited<ReturnType<typeof writeIdentity>>> {
  if (options.createAs === undefined) throw noStore(options.root)
  return writeIdentity(options.files, options.root, {
    format: 1,
    store_id: options.randomUuid(),
    created_at: isoTime(options.clock.nowMs()),
    approvals: options.createAs,
  })
}

function noStore(root: string): IntakeError {
  return new IntakeError('NO_STORE', `There is no store at ${root}`, { data: { path: root } })
}

function storedPlan(tx: string, plan: CommitPlan): StoredPlan {
  return {
    format: 1,
    tx,
    record_id: plan.identity.record_id,
    table_name: plan.identity.table_name,
    source: plan.identity.source,
    base: { history_length: plan.base.historyLength, metadata_sha256: plan.base.metadataSha256 },
    entry: plan.entry,
    metadata_sha256: plan.metadataSha256,
  }
}

function anchorOf(plan: CommitPlan): { recordId: string; historyLength: number; metadataSha256: string } {
  return { recordId: plan.identity.record_id, historyLength: plan.metadata.history.length, metadataSha256: plan.metadataSha256 }
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
