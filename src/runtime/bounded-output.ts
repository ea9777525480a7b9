/** What of a stream it needs. */
export interface Takes {
  write(text: string): void
  /** Bytes that were written and that nobody has taken yet. */
  readonly pendingBytes: number
}

/** More than this waits for nobody: a reader that is only slow has it soon. */
export const PENDING_BYTES = 1024 ** 2

/**
 * Lines for a reader that may be slow, stopped or gone, while the work must go on: what does not fit any more is left out and counted, and the
 * first line that fits again is told how many are missing before it.
 */
export class BoundedOutput {
  private lost = 0

  constructor(
    private readonly stream: Takes,
    private readonly onLost: (lines: number) => void,
    private readonly limitBytes: number = PENDING_BYTES,
  ) {}

  write(line: string): void {
    if (this.stream.pendingBytes > this.limitBytes) {
      this.lost++
      return
    }
    const { lost } = this
    this.lost = 0
    if (lost > 0) this.onLost(lost)
    this.stream.write(line)
  }
}
