import type { Files } from './files.js'

/**
 * Group commit for folders that many drops write to at once (inbox/, state/claims/, staging/, archive/, receipts/, anchors/).
 *
 * A caller that arrives while an fsync of the same folder runs must not be answered by it: its own rename may have come after the
 * kernel took its snapshot. It waits for the next one, together with everybody else who came meanwhile.
 */
export class SharedSync {
  private readonly running = new Map<string, { current: Promise<void>; next: Promise<void> | null }>()

  constructor(private readonly files: Files) {}

  /** Resolves once an fsync of `folder` that began after this call has succeeded. Rejects with FSYNC_FAILED for all who shared it. */
  sync(folder: string): Promise<void> {
    const slot = this.running.get(folder)
    if (slot === undefined) return this.start(folder)
    slot.next ??= slot.current.then(
      () => this.start(folder),
      () => this.start(folder),
    )
    return slot.next
  }

  private start(folder: string): Promise<void> {
    const current = this.files.syncDirectory(folder)
    const slot = { current, next: null as Promise<void> | null }
    this.running.set(folder, slot)
    const done = (): void => {
      if (this.running.get(folder) === slot && slot.next === null) this.running.delete(folder)
    }
    current.then(done, done)
    return current
  }
}
