/** How often is looked, in milliseconds; more often for shorter limits. */
const LOOK_MS = 1000
/** A look that comes later than this many times its due counts as one that came then. */
const LATE_LOOKS = 2

/**
 * Calls `over` once this process has run for `limitMs`. Time in which it was stopped (SIGSTOP, a terminal, a debugger, a machine that was
 * put to sleep) is not time in which a conversion hung, though the clock went on: of each pause between two looks only so much counts as a
 * loop that turns would make of it. Returns what cancels it.
 */
export function afterRunning(limitMs: number, over: () => void, monotonicMs: () => number): () => void {
  const lookMs = Math.max(1, Math.min(LOOK_MS, limitMs / 16))
  let ranMs = 0
  let lastMs = monotonicMs()
  const timer = setInterval(() => {
    const nowMs = monotonicMs()
    ranMs += Math.min(nowMs - lastMs, LATE_LOOKS * lookMs)
    lastMs = nowMs
    if (ranMs < limitMs) return
    clearInterval(timer)
    over()
  }, lookMs)
  return () => clearInterval(timer)
}
