import { performance } from 'node:perf_hooks'

/** Time comes in through constructors, so that tests and simulations own it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. It may jump. */
  nowMs(): number
  /** A clock that never goes backwards, in milliseconds from an arbitrary start: for waiting and measuring. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

/** RFC 3339 in UTC with milliseconds, the one form of time in every document. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
