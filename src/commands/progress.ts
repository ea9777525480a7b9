import { printable } from '../runtime/printable.js'
import type { CommandContext } from './context.js'
import { fitText } from './text-table.js'

/** A line that rewrites itself on a terminal and is silent everywhere else (pipes, files, --quiet, the journal). */
export class ProgressLine {
  private shownAtMs = Number.NEGATIVE_INFINITY
  private shown = false

  constructor(
    private readonly context: CommandContext,
    private readonly intervalMs = 100,
  ) {}

  get active(): boolean {
    return this.context.stderr.isTerminal && !this.context.quiet
  }

  /** `text` is only made when the line is really drawn. */
  update(text: () => string): void {
    if (!this.active) return
    const now = this.context.clock.monotonicMs()
    if (now - this.shownAtMs < this.intervalMs) return
    this.shownAtMs = now
    this.shown = true
    this.context.stderr.write(`\r\u001b[2K${fitText(printable(text()), (this.context.stderr.columns ?? 80) - 1)}`)
  }

  /** Takes the line away, so that what comes next starts on a clean one. */
  clear(): void {
    if (!this.shown) return
    this.context.stderr.write('\r\u001b[2K')
    this.shown = false
  }
}
