import { assert } from '../errors.js'

/** From this size on a drop is large, in bytes of source: below, a conversion takes a fraction of a second. */
export const LARGE_DROP_BYTES = 4 * 1024 ** 2

interface Waiting {
  readonly large: boolean
  readonly go: () => void
}

/**
 * Who may convert now. First come, first served, on `slots` conversions at once; and when large drops fill all of them, small ones go past
 * on one slot more, one after another, so that nobody waits for minutes behind somebody else's bulk load (DESIGN §9). Large ones do not
 * wait longer for that: they never get the extra slot, and never lose their own.
 *
 * The pool behind it therefore needs `threads` workers.
 */
export class ConversionSlots {
  private readonly waiting: Waiting[] = []
  private running = 0
  private runningSmall = 0

  constructor(readonly slots: number) {
    assert(slots >= 1, 'something can be converted')
  }

  /** Workers that may be busy at once. */
  get threads(): number {
    return this.slots + 1
  }

  /** Runs `work` when it is its turn. There is no way out of the queue: who drains aborts the work itself, and the queue runs dry at once. */
  async run<T>(sourceBytes: number, work: () => Promise<T>): Promise<T> {
    const large = sourceBytes >= LARGE_DROP_BYTES
    const turn = new Promise<void>((go) => this.waiting.push({ large, go }))
    this.admit()
    await turn
    try {
      return await work()
    } finally {
      this.running--
      if (!large) this.runningSmall--
      this.admit()
    }
  }

  private admit(): void {
    for (;;) {
      const next = this.running < this.slots ? 0 : this.runningSmall === 0 ? this.waiting.findIndex((w) => !w.large) : -1
      const [admitted] = next < 0 ? [] : this.waiting.splice(next, 1)
      if (admitted === undefined) return
      this.running++
      if (!admitted.large) this.runningSmall++
      admitted.go()
    }
  }
}
