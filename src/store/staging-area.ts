import { join } from 'node:path'
import { decodePlan, encodePlan, type StoredPlan } from '../documents/plan.js'
import { assert } from '../errors.js'
import { type Files, removeTree } from '../runtime/files.js'
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
   * After this the transaction can be finished by anybody: the Parquet file was synced by its writer, and now the plan, the names of both,
   * and the name of their folder are. Only then may the first visible name be made; a version without a durable plan would be an orphan.
   * In which order these become durable does not matter, so they go to the disk together.
   */
  async writePlan(plan: StoredPlan): Promise<void> {
    const folder = this.folderOf(plan.tx)
    const file = await this.files.overwrite(join(folder, PLAN))
    try {
      await file.write(encodePlan(plan))
      await waitAll([file.sync(), this.files.syncDirectory(folder), this.sync.sync(this.root)])
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
   * The plan goes last, so that a crash half way never leaves a file that nobody accounts for.
   */
  async remove(tx: string): Promise<void> {
    const folder = this.folderOf(tx)
    for (const entry of (await this.files.list(folder)) ?? []) {
      const name = entry.name.toString('utf8')
      if (name === PLAN) continue
      if (entry.kind === 'directory') await removeTree(this.files, join(folder, name))
      else await this.files.remove(join(folder, name))
    }
    await this.files.remove(join(folder, PLAN))
    await this.files.removeDirectory(folder)
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
