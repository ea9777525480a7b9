import { type DropId, isDropId } from '../core/drop-id.js'
import type { Files, OpenFile } from '../runtime/files.js'

/** A line of the file: a drop-id, blanks up to its end. */
const LINE_BYTES = 64

/**
 * Which drops are being converted now, in state/converting: after an end that nobody asked for, one of those named there may have caused it.
 * Such a drop is a suspect: it is converted alone, in a process of its own, so that it can stop nobody else (DESIGN §8, "Failure").
 *
 * The file is never synced. It must outlive this process and not the machine: a drop does not cut the power, and what a cut leaves in the
 * file costs a conversion in a process of its own at most.
 */
export class Suspects {
  private readonly lines: (DropId | null)[] = []
  private readonly suspects: Set<DropId>
  private aloneNow: Promise<void> = Promise.resolve()
  private writing: Promise<void> | null = null
  private stale = false

  private constructor(
    private readonly file: OpenFile,
    left: readonly DropId[],
  ) {
    this.suspects = new Set(left)
    this.lines.push(...left)
  }

  /** Takes what an earlier run left in the file for suspects, as far as they are still `claimed`. */
  static async open(files: Files, path: string, claimed: ReadonlySet<DropId>): Promise<Suspects> {
    const text = (await files.read(path))?.toString('latin1') ?? ''
    const left = [...new Set(text.split('\n').map((line) => line.trim()))].filter((id) => isDropId(id) && claimed.has(id))
    const suspects = new Suspects(await files.overwrite(path), left)
    await suspects.write()
    return suspects
  }

  has(dropId: DropId): boolean {
    return this.suspects.has(dropId)
  }

  /** Keeps the drop's name in the file while `work` runs. */
  async converting<T>(dropId: DropId, work: () => Promise<T>): Promise<T> {
    await this.enter(dropId)
    try {
      return await work()
    } finally {
      // A thread that died under it has made a suspect of it meanwhile.
      if (!this.suspects.has(dropId)) this.leave(dropId)
    }
  }

  /** From now on the drop is converted alone only, also after a restart, until `clear`. */
  async suspect(dropId: DropId): Promise<void> {
    this.suspects.add(dropId)
    await this.enter(dropId)
  }

  /** It was converted, or is given up. */
  clear(dropId: DropId): void {
    this.suspects.delete(dropId)
    this.leave(dropId)
  }

  /** Runs `work` when no other suspect is being converted. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.aloneNow
    let done = (): void => {}
    this.aloneNow = new Promise((resolve) => {
      done = resolve
    })
    await before
    try {
      return await work()
    } finally {
      done()
    }
  }

  async close(): Promise<void> {
    await this.writing
    await this.file.close()
  }

  private enter(dropId: DropId): Promise<void> {
    if (!this.lines.includes(dropId)) {
      const free = this.lines.indexOf(null)
      if (free < 0) this.lines.push(dropId)
      else this.lines[free] = dropId
    }
    return this.write()
  }

  private leave(dropId: DropId): void {
    const at = this.lines.indexOf(dropId)
    if (at < 0) return
    this.lines[at] = null
    // Nobody waits for it: a name that stays too long makes a suspect of a drop that has its receipt, and that is no claim any more.
    void this.write()
  }

  /** Resolves when the file says what `lines` say now. Writes that are asked for while one is on its way become one. */
  private write(): Promise<void> {
    this.stale = true
    this.writing ??= this.writeWhileStale().finally(() => {
      this.writing = null
    })
    return this.writing
  }

  private async writeWhileStale(): Promise<void> {
    while (this.stale) {
      this.stale = false
      const text = this.lines.map((id) => `${(id ?? '').padEnd(LINE_BYTES - 1)}\n`).join('')
      // Marks are worth nothing beside the work: a full disk, say, keeps nobody from converting.
      await this.file.writeAt(Buffer.from(text, 'latin1'), 0).catch(() => {})
    }
  }
}
