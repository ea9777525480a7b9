/** Waiting comes in through constructors, as time does. */
export interface Timers {
  /** Runs once, after at least `ms` milliseconds. The result calls it off. */
  after(ms: number, run: () => void): () => void
}

export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
