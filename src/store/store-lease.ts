import type { RecordStore } from './record-store.js'

/**
 * The store, held open while at least one operation of this process needs it. Two operations at the same time must not meet as two
 * writers: the second would be told STORE_LOCKED by the first.
 */
export class StoreLease {
  private users = 0
  private current: Promise<RecordStore> | null = null
  private closing: Promise<void> = Promise.resolve()

  constructor(private readonly open: () => Promise<RecordStore>) {}

  async use<T>(work: (store: RecordStore) => Promise<T>): Promise<T> {
    this.users += 1
    try {
      // The lock of the one before is let go of first, whatever came of it.
      this.current ??= this.closing.then(this.open, this.open)
      return await work(await this.current)
    } finally {
      this.users -= 1
      if (this.users === 0) await this.release()
    }
  }

  private async release(): Promise<void> {
    const { current } = this
    this.current = null
    if (current === null) return
    this.closing = current.then(
      (store) => store.close(),
      // It was never opened; its users were told why.
      () => {},
    )
    await this.closing
  }
}
