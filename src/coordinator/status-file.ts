import type { Clock } from '../runtime/clock.js'
import { isoTime } from '../runtime/clock.js'
import { type Files, replaceFile } from '../runtime/files.js'

const INTERVAL_MS = 1000

/**
 * state/status.json: what the daemon is doing, replaced by rename when something changed, once a second at most. It is for reading only;
 * nothing recovers from it, so it is not synced, and a failed write is not worth stopping for.
 */
export class StatusFile {
  private timer: NodeJS.Timeout | null = null
  private last = ''
  private writing: Promise<void> | null = null

  constructor(private readonly options: { files: Files; path: string; clock: Clock; snapshot: () => object; intervalMs?: number }) {}

  start(): void {
    this.timer = setInterval(() => this.refresh(), this.options.intervalMs ?? INTERVAL_MS)
    this.timer.unref()
    this.refresh()
  }

  /** Writes the last state and stops. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    await this.writing
    this.refresh()
    await this.writing
  }

  private refresh(): void {
    // A disk slower than the interval: the next look sees what changed meanwhile, and nothing queues up.
    if (this.writing !== null) return
    const snapshot = this.options.snapshot()
    const text = JSON.stringify(snapshot)
    if (text === this.last) return
    this.last = text
    const document = JSON.stringify({ format: 1, written_at: isoTime(this.options.clock.nowMs()), ...snapshot }, null, 2)
    this.writing = replaceFile(this.options.files, this.options.path, Buffer.from(`${document}\n`), { sync: false })
      .catch(() => {
        // Try again with the next look, even with the same text.
        this.last = ''
      })
      .finally(() => {
        this.writing = null
      })
  }
}
