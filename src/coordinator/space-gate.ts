import { IntakeError, isExhausted, isIntakeError, systemCodeOf } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { isoTime } from '../runtime/clock.js'

/**
 * A full disk is not a failure of the drop, and neither are descriptors or memory that are used up: whoever meets them waits here and tries
 * again, until there is room or the daemon drains.
 * While anybody waits, intake is paused.
 */
export class SpaceGate {
  private waiters = 0
  private pausedSince: string | null = null

  constructor(
    private readonly options: {
      clock: Clock
      /** Resolves after so many milliseconds, or at once when the signal aborts. */
      sleep: (ms: number, signal: AbortSignal) => Promise<void>
      draining: AbortSignal
      retryMs?: number
      onPaused: (reason: IntakeError) => void
      onResumed: () => void
    },
  ) {}

  /** Since when intake is paused, RFC 3339; null while it is not. */
  get paused(): string | null {
    return this.pausedSince
  }

  /** Runs `work`, again and again while there is no room. Throws ABORTED when the daemon drains meanwhile. */
  async whenRoom<T>(work: () => Promise<T>): Promise<T> {
    let waiting = false
    try {
      for (;;) {
        try {
          return await work()
        } catch (error) {
          const reason = shortageIn(error)
          if (reason === null) throw error
          if (!waiting) {
            waiting = true
            this.enter(reason)
          }
          if (this.options.draining.aborted)
            throw new IntakeError('ABORTED', `The daemon stopped while it waited for room: ${reason.message}`, { cause: error })
          await this.options.sleep(this.options.retryMs ?? 2000, this.options.draining)
        }
      }
    } finally {
      if (waiting) this.leave()
    }
  }

  private enter(reason: IntakeError): void {
    if (this.waiters++ > 0) return
    this.pausedSince = isoTime(this.options.clock.nowMs())
    this.options.onPaused(reason)
  }

  private leave(): void {
    if (--this.waiters > 0) return
    this.pausedSince = null
    this.options.onResumed()
  }
}

function shortageIn(error: unknown): IntakeError | null {
  if (isIntakeError(error, 'DISK_FULL', 'RESOURCES_EXHAUSTED')) return error
  if (!isExhausted(error)) return null
  return new IntakeError('RESOURCES_EXHAUSTED', `The operating system has none left to give (${systemCodeOf(error)})`, { cause: error })
}
