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
  private writing: Promise<void> = Promise.resolve()

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
    this.refresh()
    await this.writing
  }

  private refresh(): void {
    const text = JSON.stringify(this.options.snapshot(), null, 2)
    if (text === this.last) return
    this.last = text
    const document = `{\n  "format": 1,\n  "written_at": "${isoTime(this.options.clock.nowMs())}",${text.slice(1)}\n`
    this.writing = this.writing
      .then(() => replaceFile(this.options.files, this.options.path, Buffer.from(document), { sync: false }))
      .catch(() => {
        // Try again with the next change, even to the same text.
        this.last = ''
      })
  }
}
