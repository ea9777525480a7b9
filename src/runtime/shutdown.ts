import { assert } from '../errors.js'

export type StopSignal = 'SIGINT' | 'SIGTERM'

/** Exit status of a process that a second signal stopped: 128 plus the number of the signal, as shells report it. */
export const FORCED_EXIT: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 }

/**
 * The same signal again within this time is the same wish, in milliseconds. A terminal sends Ctrl-C to every process of its group, and npm,
 * which is one of them, passes it on to its child once more: `npm start` would never drain.
 */
export const SAME_SIGNAL_MS = 400

/** So long, in milliseconds, a process that was told to stop waits for somebody to take the last of its output. */
export const DRAINED_MS = 1000

/**
 * What signals have asked for so far. It moves one way only: running → draining → forced.
 * The wiring to the process stands in main.ts; here is the rule, so that it can be tested without signals.
 */
export class SignalState {
  private readonly drain = new AbortController()
  private readonly force = new AbortController()
  private last: StopSignal | null = null
  private lastAtMs = Number.NEGATIVE_INFINITY

  /** Aborted by the first signal: finish what is begun, begin nothing new, exit 0. */
  get draining(): AbortSignal {
    return this.drain.signal
  }

  /** Aborted by the second signal: stop now; recovery takes care of the rest. */
  get forced(): AbortSignal {
    return this.force.signal
  }

  /** The latest signal that came, whatever it led to. */
  get received(): StopSignal | null {
    return this.last
  }

  /** 130 or 143 once a second signal came; null before. */
  get forcedExitStatus(): number | null {
    return this.force.signal.aborted && this.last !== null ? FORCED_EXIT[this.last] : null
  }

  /** Takes one signal and says what it led to. `atMs` is of a clock that never goes backwards. A third signal changes nothing. */
  receive(signal: StopSignal, atMs: number): 'draining' | 'forced' | 'ignored' {
    if (this.force.signal.aborted) return 'ignored'
    const echo = signal === this.last && atMs - this.lastAtMs < SAME_SIGNAL_MS
    if (echo) return 'ignored'
    this.last = signal
    this.lastAtMs = atMs
    if (!this.drain.signal.aborted) {
      this.drain.abort(signal)
      return 'draining'
    }
    this.force.abort(signal)
    return 'forced'
  }
}

export type Release = () => void | Promise<void>

/**
 * Acquire, push its release, go on. `close` releases in the opposite order of acquiring, goes on past a release that fails, and
 * rejects with the first error, for that is the one that explains the others.
 */
export class ReleaseStack {
  private readonly releases: { name: string; release: Release }[] = []
  private closing: Promise<void> | null = null

  push(name: string, release: Release): void {
    assert(this.closing === null, `"${name}" was acquired after tear-down began; nobody would release it`)
    this.releases.push({ name, release })
  }

  /** Idempotent: a second call waits for the first one and has its outcome. */
  close(): Promise<void> {
    this.closing ??= this.releaseAll()
    return this.closing
  }

  private async releaseAll(): Promise<void> {
    let first: { error: unknown } | null = null
    for (let top = this.releases.pop(); top !== undefined; top = this.releases.pop()) {
      try {
        await top.release()
      } catch (error) {
        first ??= { error }
      }
    }
    if (first !== null) throw first.error
  }
}
