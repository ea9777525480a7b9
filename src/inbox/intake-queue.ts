/** What stands in the queue. */
export interface Queueable {
  /** Map keys of the same file are the same text. */
  readonly key: string
  /** null: decisions, which have none. */
  readonly source: string | null
  readonly mtimeNs: bigint
}

interface Line<T> {
  readonly items: { readonly item: T; readonly batch: number }[]
  /** What is before it was taken. */
  head: number
  /** The turn at which it was served last. */
  servedAt: number
}

/**
 * Settled files that wait to be taken. What settled in one scan is one batch and goes by mtime and then by the bytes of the path; batches go in
 * the order they came, and so does everything of one source.
 *
 * A source with nothing in the oldest batch does not wait for the end of it: every second place is given to such sources, in turn. Or else one
 * source's 100,000 files would hold up all the others for as long as those take.
 */
export class IntakeQueue<T extends Queueable> {
  private readonly lines = new Map<string | null, Line<T>>()
  private batches = 0
  private turns = 0
  private count = 0

  get size(): number {
    return this.count
  }

  add(settled: readonly T[]): void {
    if (settled.length === 0) return
    const batch = this.batches++
    for (const item of [...settled].sort(compare)) {
      let line = this.lines.get(item.source)
      if (line === undefined) {
        line = { items: [], head: 0, servedAt: 0 }
        this.lines.set(item.source, line)
      }
      line.items.push({ item, batch })
      this.count++
    }
  }

  /** null when nothing waits. */
  take(): T | null {
    let oldest: Line<T> | null = null
    for (const line of this.lines.values()) if (oldest === null || isBefore(line, oldest)) oldest = line
    if (oldest === null) return null
    const { batch } = oldest.items[oldest.head]!
    let next = oldest
    if (this.turns++ % 2 === 1) {
      let late: Line<T> | null = null
      for (const line of this.lines.values()) {
        if (line.items[line.head]!.batch > batch && (late === null || line.servedAt < late.servedAt)) late = line
      }
      next = late ?? oldest
    }
    next.servedAt = this.turns
    const { item } = next.items[next.head++]!
    this.count--
    if (next.head === next.items.length) this.lines.delete(item.source)
    else if (next.head >= KEPT_TAKEN && next.head * 2 > next.items.length) {
      next.items.splice(0, next.head)
      next.head = 0
    }
    return item
  }
}

/** So many that were taken may stay in a line before they are cut off. */
const KEPT_TAKEN = 1024

function isBefore<T extends Queueable>(a: Line<T>, b: Line<T>): boolean {
  const [first, second] = [a.items[a.head]!, b.items[b.head]!]
  return first.batch !== second.batch ? first.batch < second.batch : compare(first.item, second.item) < 0
}

function compare(a: Queueable, b: Queueable): number {
  return a.mtimeNs < b.mtimeNs ? -1 : a.mtimeNs > b.mtimeNs ? 1 : a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}
