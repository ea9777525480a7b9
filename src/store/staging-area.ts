import { join } from 'node:path'
import { decodePlan, encodePlan, type StoredPlan } from '../documents/plan.js'
import { assert } from '../errors.js'
import { type Files, removeTree, replaceFile } from '../runtime/files.js'
import type { SharedSync } from '../runtime/shared-sync.js'
import { waitAll } from './wait-all.js'

const PLAN = 'plan.json'
const TRANSACTION = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/

/** store/staging/: one folder per transaction, with the staged Parquet file and, once it is decided on, the plan. Local mode only. */
export class StagingArea {
  constructor(
    private readonly files: Files,
    private readonly sync: SharedSync,
    readonly root: string,
  ) {}

  folderOf(tx: string): string {
    assert(TRANSACTION.test(tx), 'a transaction has a plain name')
    return join(this.root, tx)
  }

  dataPathOf(tx: string): string {
    return join(this.folderOf(tx), 'data.parquet')
  }

  /** The folder is made durable with its plan, not before: without a plan recovery has no use for it. */
  async make(tx: string): Promise<string> {
    const folder = this.folderOf(tx)
    await this.files.makeDirectory(folder)
    return folder
  }

  /**
   * After this the transaction can be finished by anybody: the Parquet file, the plan, the names of both, and the name of their folder are
   * durable. Only then may the first visible name be made; a version without a durable plan would be an orphan.
   *
   * The Parquet file first, and alone: where there is a plan its fsync had succeeded. After one that failed the page cache would still show
   * the right bytes, and whoever found the plan would believe them. In which order the rest becomes durable does not matter, so that goes to
   * the disk together.
   */
  async writePlan(plan: StoredPlan): Promise<void> {
    const folder = this.folderOf(plan.tx)
    await this.syncData(plan.tx)
    const file = await this.files.overwrite(join(folder, PLAN))
    try {
      await file.write(encodePlan(plan))
      await waitAll([file.sync(), this.files.syncDirectory(folder), this.sync.sync(this.root)])
    } finally {
      await file.close()
    }
  }

  /**
   * Of a plan that was found after an end: its writer may have died before it was durable. What is carried out by it is seen before it is
   * durable itself, and must come back after a power cut. Written anew beside the old one, for an fsync of a file whose fsync has failed says nothing.
   */
  async renewPlan(plan: StoredPlan): Promise<void> {
    const folder = this.folderOf(plan.tx)
    await replaceFile(this.files, join(folder, PLAN), encodePlan(plan))
    await waitAll([this.files.syncDirectory(folder), this.sync.sync(this.root)])
  }

  /** Whoever staged it leaves this to the commit, where many wait for the disk at once and no conversion does. A decision has no such file. */
  private async syncData(tx: string): Promise<void> {
    const file = await this.files.openRead(this.dataPathOf(tx))
    if (file === null) return
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** 'torn': there is a file, and it is not a whole plan. */
  async readPlan(tx: string): Promise<StoredPlan | 'torn' | null> {
    const bytes = await this.files.read(join(this.folderOf(tx), PLAN))
    if (bytes === null) return null
    const plan = decodePlan(bytes)
    return plan !== null && plan.tx === tx ? plan : 'torn'
  }

  async removePlan(tx: string): Promise<void> {
    await this.files.remove(join(this.folderOf(tx), PLAN))
  }

  /**
   * Without an fsync: when a power cut brings the folder back, recovery finds a plan that the history holds, and clears it again.
   * The plan goes after the Parquet file: what a crash half way leaves is a plan alone, which the history holds as well, or an empty folder.
   */
  async remove(tx: string): Promise<void> {
    const folder = this.folderOf(tx)
    // What is known to be there goes by its name: a folder that is read for every commit costs as much as all the rest of this.
    await this.files.remove(this.dataPathOf(tx))
    await this.files.remove(join(folder, PLAN))
    if ((await this.files.removeDirectory(folder)) === 'not-empty') await removeTree(this.files, folder)
  }

  /** Transactions that have a folder, sorted: drop-ids sort in the order of intake. */
  async transactions(): Promise<string[]> {
    const entries = (await this.files.list(this.root)) ?? []
    const names = entries.filter((entry) => entry.kind === 'directory').map((entry) => entry.name.toString('utf8'))
    return names.filter((name) => TRANSACTION.test(name)).sort()
  }

  /** The same when the store is opened for writing: loose temporary files are cleared on the way. */
  async leftovers(): Promise<string[]> {
    for (const entry of (await this.files.list(this.root)) ?? []) {
      const name = entry.name.toString('utf8')
      if (entry.kind === 'file' && name.endsWith('.tmp')) await this.files.remove(join(this.root, name))
    }
    return this.transactions()
  }
}
