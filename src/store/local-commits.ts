import { join } from 'node:path'
import { type CommitPlan, judgePlan, planEntry } from '../core/commit-plan.js'
import { isAnchorWriter, metadataKey, versionKey, versionOfName } from '../core/object-keys.js'
import { isVersionEntry, type RecordIdentity, type VersionEntry, versionEntryOf } from '../core/record-model.js'
import { fixedForm, type RecordMetadata } from '../documents/metadata.js'
import type { StoredPlan } from '../documents/plan.js'
import { assert, IntakeError, isIntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import { forEachLimited } from '../runtime/limit.js'
import type { SharedSync } from '../runtime/shared-sync.js'
import { type AnchorFacts, AnchorLog } from './anchor-log.js'
import type { CommitProtocol, RecoveredTransaction, RecoveryReport } from './commit-protocol.js'
import { hashFile } from './hash-file.js'
import type { LocalObjectStore } from './local-object-store.js'
import { moveOrphan, type Orphan, orphanName } from './orphanage.js'
import { type ReadHead, readHead } from './record-head.js'
import type { RecordQueues } from './record-queues.js'
import { StagingArea } from './staging-area.js'

export interface LocalCommitsOptions {
  readonly files: Files
  readonly sync: SharedSync
  readonly root: string
  readonly objects: LocalObjectStore
  readonly identitySha256: string
  /** Shared with whoever else works on records, so that recovery of one does not meet its commit. */
  readonly queues: RecordQueues
  /** Name of the anchor log. */
  readonly writer: string
  /** Where files go that no history names. */
  readonly orphansFolder: string
  readonly recoverAtOnce: number
  readonly onOrphan: ((orphan: Orphan) => void) | undefined
}

/**
 * Commits on a local file system, under the store's lock, in an order of which any beginning can be recovered:
 *
 *     staged file synced → plan synced → version linked, folder synced → metadata renamed, folder synced → anchor synced → staging removed
 *                                                                        ^ the commit point
 */
export class LocalCommits implements CommitProtocol {
  /** Transactions whose commit failed half way in this process; they are settled before the record's next write. */
  private readonly unfinished = new Map<string, string>()

  private constructor(
    private readonly options: LocalCommitsOptions,
    private readonly staging: StagingArea,
    private readonly anchors: AnchorLog,
    readonly recovery: RecoveryReport,
  ) {}

  /** Settles what an earlier run left. `lock` is proof: nobody else has the store open for writing. */
  static async open(options: LocalCommitsOptions): Promise<LocalCommits> {
    const { files, sync, root, writer } = options
    assert(isAnchorWriter(writer), 'the writer of anchors has a plain name')
    const { log, torn } = await AnchorLog.open({
      files,
      sync,
      root,
      writer,
      identitySha256: options.identitySha256,
      orphans: options.orphansFolder,
    })
    const report = { transactions: [] as RecoveredTransaction[], orphans: [] as Orphan[], tornAnchors: torn }
    const commits = new LocalCommits(options, new StagingArea(files, sync, join(root, 'staging')), log, report)
    try {
      // Planned work is finished before new work is admitted.
      report.transactions.push(...(await commits.recoverAll(options.recoverAtOnce, (orphan) => report.orphans.push(orphan))))
    } catch (error) {
      await log.close()
      throw error
    }
    return commits
  }

  get stagingRoot(): string {
    return this.staging.root
  }

  dataPathOf(tx: string): string {
    return this.staging.dataPathOf(tx)
  }

  async stagingFolder(tx: string): Promise<string> {
    await this.discardStaging(tx)
    return this.staging.make(tx)
  }

  async discardStaging(tx: string): Promise<void> {
    if ((await this.options.files.stat(this.staging.folderOf(tx))) !== null) await this.settleInQueue(tx, false)
  }

  /** A commit of this record that failed half way in this process (a full disk, say) is settled before anything else is decided. */
  async prepare(recordId: string, mine: string): Promise<void> {
    const tx = this.unfinished.get(recordId)
    if (tx === undefined) return
    await this.settle(tx, await this.staging.readPlan(tx), { keepStaged: tx === mine, onOrphan: this.options.onOrphan })
    this.unfinished.delete(recordId)
  }

  async carryOut(tx: string, plan: CommitPlan): Promise<RecordMetadata> {
    // A decision has staged nothing.
    if (plan.versionKey === null) await this.staging.make(tx)
    await this.commit(tx, plan, true)
    return plan.metadata
  }

  async conclude(tx: string, _head: ReadHead, _entry: number | null): Promise<void> {
    await this.staging.remove(tx)
  }

  close(): Promise<void> {
    return this.anchors.close()
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
  private async commit(tx: string, plan: CommitPlan, writePlan: boolean): Promise<void> {
    const recordId = plan.identity.record_id
    this.unfinished.set(recordId, tx)
    if (writePlan) await this.staging.writePlan(storedPlan(tx, plan))
    if (plan.versionKey !== null) await this.putVersion(tx, plan.identity, plan.versionKey)
    // Only now: metadata must never name a version whose name is not durable.
    const replaced = await this.options.objects.replace(plan.metadataKey, plan.bytes, plan.base.metadataSha256, { tx })
    if (replaced === 'conflict') {
      throw new IntakeError('STORE_CONFLICT', `${plan.metadataKey} changed under the store's lock`, { data: { record_id: recordId, tx } })
    }
    // After the commit point, for an anchor of something that never happened would be a false alarm for ever.
    await this.anchors.append(anchorOf(plan))
    // Last: the folder is what recovery knows the missing anchor by.
    await this.staging.remove(tx)
    this.unfinished.delete(recordId)
  }

  private async putVersion(tx: string, identity: RecordIdentity, key: string): Promise<void> {
    const source = { file: this.staging.dataPathOf(tx) }
    if ((await this.options.objects.putIfAbsent(key, source, { tx })) === 'created') return
    // Whatever it is, no history names it (the head says so) and no plan owns it (they were all settled): it is not a version.
    await this.removeOrphan(identity.record_id, key, this.options.onOrphan)
    if ((await this.options.objects.putIfAbsent(key, source, { tx })) === 'created') return
    throw new IntakeError('STORE_CONFLICT', `${key} is put again and again by somebody else`, { data: { key, tx } })
  }

  // Recovery

  /** Those of one record one after the other, in the order of intake; side by side with those of others, which share their fsyncs. */
  private async recoverAll(atOnce: number, onOrphan: (orphan: Orphan) => void): Promise<RecoveredTransaction[]> {
    const transactions = await this.staging.leftovers()
    const plans = new Array<StoredPlan | 'torn' | null>(transactions.length)
    await forEachLimited(transactions, atOnce, async (tx, index) => {
      plans[index] = await this.staging.readPlan(tx)
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

  private async settleInQueue(tx: string, keepStaged: boolean): Promise<void> {
    const plan = await this.staging.readPlan(tx)
    const settle = async (): Promise<void> => {
      await this.settle(tx, await this.staging.readPlan(tx), { keepStaged, onOrphan: this.options.onOrphan })
    }
    if (plan === null || plan === 'torn') return settle()
    await this.options.queues.run(plan.record_id, async () => {
      await settle()
      if (this.unfinished.get(plan.record_id) === tx) this.unfinished.delete(plan.record_id)
    })
  }

  /** Finishes or undoes what one staging folder stands for. It may be called again after any failure. */
  private async settle(
    tx: string,
    plan: StoredPlan | 'torn' | null,
    options: { keepStaged: boolean; onOrphan: ((orphan: Orphan) => void) | undefined },
  ): Promise<RecoveredTransaction> {
    const undo = async (reason: string): Promise<RecoveredTransaction> => {
      if (options.keepStaged) await this.staging.removePlan(tx)
      else await this.staging.remove(tx)
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
    const head = await this.headOf(plan.record_id)
    const verdict = judgePlan(
      { base: { historyLength: plan.base.history_length, metadataSha256: plan.base.metadata_sha256 }, entry: plan.entry },
      head,
    )
    if (verdict === 'done') {
      assert(head !== null, 'a history that holds the entry exists')
      // The version's name was durable before metadata.json was renamed; the rename itself may not have been, so it is made once more.
      const replaced = await this.options.objects.replace(metadataKey(plan.record_id), fixedForm(head.metadata), head.sha256, { tx })
      if (replaced === 'conflict') throw new IntakeError('STORE_CONFLICT', `${metadataKey(plan.record_id)} changed under the store's lock`)
      await this.anchors.ensure({
        recordId: plan.record_id,
        historyLength: plan.base.history_length + 1,
        metadataSha256: plan.metadata_sha256,
      })
      await this.staging.remove(tx)
      return done('confirmed', 'the history holds it')
    }
    if (verdict === 'stale') {
      await this.removeAbandoned(plan, head, options.onOrphan)
      return undo('the record went on without it')
    }
    const again = planEntry(identity, head, plan.entry)
    if (again.metadataSha256 !== plan.metadata_sha256) return undo('the plan does not give the metadata that it names')
    if (isVersionEntry(plan.entry) && !(await this.stagedIsWhole(tx, plan.entry))) {
      await this.removeAbandoned(plan, head, options.onOrphan)
      return undo('its Parquet file does not have the hash that the plan names')
    }
    await this.staging.renewPlan(plan)
    await this.commit(tx, again, false)
    return done('finished', 'its plan was durable')
  }

  /** Trust a file only with the hash that a later, synced record names: the page cache may have held what the disk never got. */
  private async stagedIsWhole(tx: string, entry: VersionEntry): Promise<boolean> {
    const { files } = this.options
    const file = await files.openRead(this.staging.dataPathOf(tx))
    if (file === null) return false
    try {
      if ((await file.stat()).sizeBytes !== entry.bytes) return false
    } finally {
      await file.close()
    }
    return (await hashFile(files, this.staging.dataPathOf(tx))) === entry.parquet_sha256
  }

  /** The version that an abandoned plan had linked is no version: it makes way, unless the history has come to name it. */
  private async removeAbandoned(plan: StoredPlan, head: ReadHead | null, onOrphan: ((orphan: Orphan) => void) | undefined): Promise<void> {
    if (!isVersionEntry(plan.entry)) return
    if (head !== null && versionEntryOf(head.metadata, plan.entry.version) !== undefined) return
    const key = versionKey(plan.record_id, plan.entry.version)
    const { files } = this.options
    const [linked, staged] = [await files.stat(this.options.objects.pathOf(key)), await files.stat(this.staging.dataPathOf(plan.tx))]
    if (linked === null || (staged !== null && staged.inode !== linked.inode)) return
    await this.removeOrphan(plan.record_id, key, onOrphan)
  }

  private async removeOrphan(recordId: string, key: string, onOrphan: ((orphan: Orphan) => void) | undefined): Promise<void> {
    const path = this.options.objects.pathOf(key)
    const movedTo = await moveOrphan({
      files: this.options.files,
      path,
      name: orphanName(recordId, path),
      folder: this.options.orphansFolder,
      fallback: join(this.options.root, 'orphans'),
    })
    onOrphan?.({ recordId, version: versionOfName(key.slice(key.lastIndexOf('/') + 1)) ?? 0, key, movedTo })
  }

  private headOf(recordId: string): Promise<ReadHead | null> {
    return readHead(this.options.objects, recordId)
  }
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

function anchorOf(plan: CommitPlan): AnchorFacts {
  return { recordId: plan.identity.record_id, historyLength: plan.metadata.history.length, metadataSha256: plan.metadataSha256 }
}
