/** Waiting comes in through constructors, as time does. */
export interface Timers {
  /** Runs once, after at least `ms` milliseconds. The result calls it off. */
  after(ms: number, run: () => void): () => void
}

export const systemTimers: Timers = {
  after(ms, run) {
    // Node's timers may fire up to a millisecond early by the monotonic clock.
    const timer = setTimeout(run, Math.ceil(ms) + 1)
    return () => clearTimeout(timer)
  },
}
