import { isIntakeError } from '../errors.js'
import type { FilePath, Files } from './files.js'

interface Slot {
  /** The fsync of everybody who came before it began. */
  readonly current: Promise<void>
  begun: boolean
  /** The one after it, for who came while it ran. */
  next: Promise<void> | null
}

/**
 * Group commit for folders that many drops write to at once (inbox/, state/claims/, staging/, archive/, receipts/, anchors/).
 *
 * An fsync begins one turn of the event loop after it was asked for, and serves all who asked by then. A caller that arrives while it runs
 * must not be answered by it: its own rename may have come after the kernel took its snapshot. It waits for the next one, together with
 * everybody else who came meanwhile.
 *
 * After a failed fsync every later call fails the same way: a second fsync of the same folder could succeed without having written what
 * the first one lost.
 */
export class SharedSync {
  private failure: unknown = null
  private readonly slots = new Map<string, Slot>()

  constructor(private readonly files: Files) {}

  /** Resolves once an fsync of `folder` that began after this call has succeeded. Rejects with FSYNC_FAILED for all who shared it. */
  sync(folder: FilePath): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure)
    const slot = this.slots.get(keyOf(folder))
    if (slot === undefined) return this.start(folder)
    if (!slot.begun) return slot.current
    slot.next ??= slot.current.then(
      () => this.start(folder),
      () => this.sync(folder),
    )
    return slot.next
  }

  private start(folder: FilePath): Promise<void> {
    const key = keyOf(folder)
    const slot: Slot = { current: nextTurn().then(() => this.begin(folder, slot)), begun: false, next: null }
    this.slots.set(key, slot)
    const done = (): void => {
      if (this.slots.get(key) === slot && slot.next === null) this.slots.delete(key)
    }
    slot.current.then(done, (error: unknown) => {
      if (isIntakeError(error, 'FSYNC_FAILED')) this.failure ??= error
      done()
    })
    return slot.current
  }

  private begin(folder: FilePath, slot: Slot): Promise<void> {
    slot.begun = true
    // One that failed meanwhile counts for those who were only waiting for their turn as well.
    if (this.failure !== null) return Promise.reject(this.failure)
    return this.files.syncDirectory(folder)
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Names are bytes: latin1 keeps two that differ apart. */
function keyOf(folder: FilePath): string {
  return typeof folder === 'string' ? folder : folder.toString('latin1')
}
