import type { CommitPlan } from '../core/commit-plan.js'
import type { RecordMetadata } from '../documents/metadata.js'
import type { TornTail } from './anchor-log.js'
import type { Orphan } from './orphanage.js'
import type { ReadHead } from './record-head.js'

/**
 * How a plan becomes visible, and what is done about one that was cut off. There are two ways: `LocalCommits` under the store's lock, where
 * a plan on disk says what was meant, and `SharedCommits` on object storage, where the version object itself does, and whoever meets it
 * half done finishes it.
 *
 * `RecordStore` asks for what follows in this order, for one record at a time: `prepare`, then the record's head is read and a plan made,
 * then `carryOut`, or `conclude` where there is nothing to carry out.
 */
export interface CommitProtocol {
  /** What opening for writing found and did. */
  readonly recovery: RecoveryReport
  /** Folder under which every transaction has its own. */
  readonly stagingRoot: string
  /** An empty folder for one transaction; what an earlier attempt left there is settled first. */
  stagingFolder(tx: string): Promise<string>
  discardStaging(tx: string): Promise<void>
  /** Where the Parquet file of a transaction lies. */
  dataPathOf(tx: string): string
  /** A commit of this record that failed half way in this process is settled before anything else is decided. */
  prepare(recordId: string, tx: string): Promise<void>
  /**
   * The commit: what the metadata is now that holds the plan's entry (its own, or what another writer made of it when it finished this commit).
   * 'moved': the record has gone on without this plan, which must be made again on the new head. Nobody has been answered yet.
   */
  carryOut(tx: string, plan: CommitPlan, head: ReadHead | null): Promise<RecordMetadata | 'moved'>
  /** Nothing is to be committed. `entry`: index of the history entry that holds this very transaction already, or null. */
  conclude(tx: string, head: ReadHead, entry: number | null): Promise<void>
  close(): Promise<void>
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
