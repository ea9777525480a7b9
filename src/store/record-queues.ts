/** One line of waiting per record: its operations happen one after the other, those of other records do not wait for them. */
export class RecordQueues {
  private readonly tails = new Map<string, Promise<unknown>>()

  run<T>(recordId: string, task: () => Promise<T>): Promise<T> {
    const before = this.tails.get(recordId) ?? Promise.resolve()
    // The outcome of the one before is its caller's business.
    const mine = before.then(task, task)
    const leave = (): void => {
      if (this.tails.get(recordId) === tail) this.tails.delete(recordId)
    }
    const tail: Promise<void> = mine.then(leave, leave)
    this.tails.set(recordId, tail)
    return mine
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.tails.size > 0) await Promise.all(this.tails.values())
  }
}
