import { join } from 'node:path'
import { type CommitPlan, planEntry } from '../core/commit-plan.js'
import { fixedFormOf } from '../core/fixed-form.js'
import { metadataHashes, nextPrev } from '../core/history.js'
import { isAnchorWriter, metadataKey, versionKey } from '../core/object-keys.js'
import { isVersionEntry, type RecordIdentity, type VersionEntry, versionEntryOf } from '../core/record-model.js'
import type { RecordMetadata } from '../documents/metadata.js'
import { readVersionAttributes, versionAttributes } from '../documents/version-attributes.js'
import { assert, IntakeError } from '../errors.js'
import { type Files, makeDirectories, removeTree } from '../runtime/files.js'
import type { CommitProtocol, RecoveryReport } from './commit-protocol.js'
import type { ObjectStore } from './object-store.js'
import { type ReadHead, readHead } from './record-head.js'
import { SharedAnchors } from './shared-anchors.js'

/** A commit of another writer that had put its version and not named it yet. */
export interface FinishedForOther {
  readonly recordId: string
  readonly version: number
  readonly dropId: string | null
}

export interface SharedCommitsOptions {
  readonly files: Files
  readonly objects: ObjectStore
  readonly scratch: string
  readonly storeId: string
  readonly identitySha256: string
  readonly writer: string
  readonly onFinishedForOther: ((finished: FinishedForOther) => void) | undefined
}

/**
 * Commits on object storage, by any number of writers, with the storage as the arbiter (DESIGN §8, "S3"):
 *
 *     version put if absent → metadata replaced if still as read → anchor put → staged file removed
 *                             ^ the commit point
 *
 * There is no lock, and no plan but the version object: it carries its history entry. What keeps this right:
 *
 * - A number belongs to whoever put its object first, for good. Nobody names another object of that number in a history.
 * - Who finds the next number taken finishes that commit first, as its owner would have, and only then plans anew. So a writer that dies
 *   between the two writes holds up nobody, numbers have no gaps, and its drop, when it is taken up again, is found in the history.
 * - metadata.json only ever moves from the state that its writer read to that state and one entry more. Of two that read the same state
 *   one is told 'conflict', and reads again.
 * - A request that arrives late, or twice, does nothing: the version it would put is there, the state it would replace is gone.
 * - Whether a write whose answer was lost did happen is settled by reading back, here as in the object store below: by the entry that the
 *   history holds, whoever wrote it there.
 */
export class SharedCommits implements CommitProtocol {
  readonly recovery: RecoveryReport = { transactions: [], orphans: [], tornAnchors: null }

  private constructor(
    private readonly options: SharedCommitsOptions,
    private readonly anchors: SharedAnchors,
  ) {}

  /** Empties the scratch folder: what was staged there is staged again from its drop, which is still claimed. */
  static async open(options: SharedCommitsOptions): Promise<SharedCommits> {
    const { files, objects, scratch, writer, identitySha256 } = options
    assert(isAnchorWriter(writer), 'the writer of anchors has a plain name')
    assert(objects.keepsAttributes, 'what finishes the commits of others must find their facts')
    await removeTree(files, scratch)
    await makeDirectories(files, scratch, { sync: false })
    return new SharedCommits(options, await SharedAnchors.open({ objects, writer, identitySha256 }))
  }

  get stagingRoot(): string {
    return this.options.scratch
  }

  dataPathOf(tx: string): string {
    return join(this.folderOf(tx), 'data.parquet')
  }

  async stagingFolder(tx: string): Promise<string> {
    await this.discardStaging(tx)
    await this.options.files.makeDirectory(this.folderOf(tx))
    return this.folderOf(tx)
  }

  discardStaging(tx: string): Promise<void> {
    return removeTree(this.options.files, this.folderOf(tx))
  }

  async prepare(): Promise<void> {
    // What was cut off half way shows in the store itself, to us as to every other writer.
  }

  async carryOut(tx: string, plan: CommitPlan, head: ReadHead | null): Promise<RecordMetadata | 'moved'> {
    const { objects } = this.options
    const { record_id: recordId } = plan.identity
    if (plan.versionKey !== null) {
      assert(isVersionEntry(plan.entry), 'a version is put for its entry')
      const attributes = versionAttributes(plan.identity, plan.entry)
      const put = await objects.putIfAbsent(plan.versionKey, { file: this.dataPathOf(tx) }, { tx, attributes })
      if (put === 'exists') {
        await this.finishForOther(recordId, plan.entry.version)
        return 'moved'
      }
    }
    const metadata = await this.name(tx, plan, head)
    if (metadata === 'moved') return 'moved'
    await this.discardStaging(tx)
    return metadata
  }

  /**
   * Moves metadata.json on by the plan's entry. Where others moved it meanwhile a decision is planned again, for it may not hold any more;
   * a version that is put has its number whatever happens, and is put on the new head.
   */
  private async name(tx: string, plan: CommitPlan, readBefore: ReadHead | null): Promise<RecordMetadata | 'moved'> {
    const { objects, storeId } = this.options
    const { identity, entry } = plan
    let next = plan
    let head = readBefore
    for (;;) {
      const replaced = await objects.replace(next.metadataKey, next.bytes, head?.etag ?? null, { tx })
      if (replaced !== 'conflict') {
        await this.anchor(next.metadata, next.metadata.history.length - 1)
        return next.metadata
      }
      head = await readHead(objects, identity.record_id)
      const held = head === null ? -1 : indexOf(head.metadata, plan)
      if (head !== null && held >= 0) {
        // Our own, by an earlier attempt, or somebody has finished it in our place.
        await this.anchor(head.metadata, held)
        return head.metadata
      }
      if (!isVersionEntry(entry) || (head?.metadata.current_version ?? 0) !== entry.version - 1) return 'moved'
      next = planEntry(identity, head, { ...entry, prev: nextPrev(storeId, identity, head?.metadata.history ?? []) })
    }
  }

  async conclude(tx: string, head: ReadHead, entry: number | null): Promise<void> {
    // An earlier attempt, or somebody in our place, has made the commit, and may have died before it wrote the anchor.
    if (entry !== null) await this.anchor(head.metadata, entry)
    await this.discardStaging(tx)
  }

  async close(): Promise<void> {
    await this.anchors.close()
    await removeTree(this.options.files, this.options.scratch)
  }

  /**
   * The version that has the next number is there, and metadata.json does not name it, or did not when we read it. Names it as its owner would.
   * Throws STORE_CONFLICT where the object is none of a writer of ours: it is in the way of every version to come, and not ours to remove.
   */
  private async finishForOther(recordId: string, version: number): Promise<void> {
    const { objects, storeId } = this.options
    const key = versionKey(recordId, version)
    const facts = await objects.stat(key)
    const head = await readHead(objects, recordId)
    // Somebody has done it meanwhile.
    if (head !== null && head.metadata.current_version >= version) return
    const found = facts === null ? null : readVersionAttributes(facts.attributes, version)
    const foreign = (problem: string): IntakeError =>
      new IntakeError('STORE_CONFLICT', `${objects.urlOf(key)} ${problem}: no history names it, and it is in the way of the next version`, {
        data: { record_id: recordId, key },
        hint: 'No writer of parquet-intake leaves such an object. Look who put it there, and move it away; the drop is taken up again by itself.',
      })
    if (facts === null || found === null) throw foreign('has none of the facts that a version carries')
    if (facts.sizeBytes !== found.entry.bytes) throw foreign(`has ${facts.sizeBytes} bytes and says ${found.entry.bytes}`)
    const identity: RecordIdentity = head?.metadata ?? { record_id: recordId, table_name: found.tableName, source: found.source }
    if (identity.table_name !== found.tableName || (head?.metadata.current_version ?? 0) !== version - 1)
      throw foreign('does not go with its record')
    const entry: VersionEntry = { ...found.entry, prev: nextPrev(storeId, identity, head?.metadata.history ?? []) }
    const plan = planEntry({ record_id: identity.record_id, table_name: identity.table_name, source: identity.source }, head, entry)
    const replaced = await objects.replace(metadataKey(recordId), plan.bytes, head?.etag ?? null, { tx: facts.tx ?? 'finish' })
    // Who was quicker has either named it too, or decided on the version before it; the caller looks again.
    if (replaced === 'conflict') return
    await this.anchor(plan.metadata, plan.metadata.history.length - 1)
    this.options.onFinishedForOther?.({ recordId, version, dropId: entry.drop?.drop_id ?? null })
  }

  /** The anchor of the state right after one entry, which need not be the last one any more. */
  private async anchor(metadata: RecordMetadata, index: number): Promise<void> {
    let at = 0
    for (const metadataSha256 of metadataHashes(metadata)) {
      if (at++ < index) continue
      return this.anchors.append({ recordId: metadata.record_id, historyLength: index + 1, metadataSha256 })
    }
  }

  private folderOf(tx: string): string {
    assert(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(tx), 'a transaction has a plain name')
    return join(this.options.scratch, tx)
  }
}

/**
 * Where the history holds what the plan was to put there, or -1. A version is known by its number and bytes, for the number is ours since our
 * put of it was answered 'created'; its place and `prev` may be others, where a decision came between. A decision is known whole.
 */
function indexOf(metadata: RecordMetadata, plan: CommitPlan): number {
  const { entry } = plan
  if (isVersionEntry(entry)) {
    const held = versionEntryOf(metadata, entry.version)
    return held?.parquet_sha256 === entry.parquet_sha256 ? metadata.history.indexOf(held) : -1
  }
  const held = metadata.history[plan.base.historyLength]
  return held !== undefined && fixedFormOf(held).equals(fixedFormOf(entry)) ? plan.base.historyLength : -1
}
