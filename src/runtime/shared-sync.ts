import { isIntakeError } from '../errors.js'
import type { FilePath, Files } from './files.js'

/**
 * Group commit for folders that many drops write to at once (inbox/, state/claims/, staging/, archive/, receipts/, anchors/).
 *
 * A caller that arrives while an fsync of the same folder runs must not be answered by it: its own rename may have come after the
 * kernel took its snapshot. It waits for the next one, together with everybody else who came meanwhile.
 *
 * After a failed fsync every later call fails the same way: a second fsync of the same folder could succeed without having written what
 * the first one lost.
 */
export class SharedSync {
  private failure: unknown = null
  private readonly running = new Map<string, { current: Promise<void>; next: Promise<void> | null }>()

  constructor(private readonly files: Files) {}

  /** Resolves once an fsync of `folder` that began after this call has succeeded. Rejects with FSYNC_FAILED for all who shared it. */
  sync(folder: FilePath): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure)
    const slot = this.running.get(keyOf(folder))
    if (slot === undefined) return this.start(folder)
    slot.next ??= slot.current.then(
      () => this.start(folder),
      () => this.sync(folder),
    )
    return slot.next
  }

  private start(folder: FilePath): Promise<void> {
    const key = keyOf(folder)
    const current = this.files.syncDirectory(folder)
    const slot = { current, next: null as Promise<void> | null }
    this.running.set(key, slot)
    const done = (): void => {
      if (this.running.get(key) === slot && slot.next === null) this.running.delete(key)
    }
    current.then(done, (error: unknown) => {
      if (isIntakeError(error, 'FSYNC_FAILED')) this.failure ??= error
      done()
    })
    return current
  }
}

/** Names are bytes: latin1 keeps two that differ apart. */
function keyOf(folder: FilePath): string {
  return typeof folder === 'string' ? folder : folder.toString('latin1')
}
