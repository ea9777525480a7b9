import type { CommandContext } from './context.js'
import { ProgressLine } from './progress.js'
import { bytesText } from './text-table.js'

const INTERVAL_MS = 200

/** Shows how far a conversion has read; silent unless stderr is a terminal. `cells` goes to the conversion, which counts in it. */
export class ConversionProgress {
  /** Bytes read, bytes to read; shared with the worker. null where nothing is shown. */
  readonly cells: BigInt64Array | null
  private timer: NodeJS.Timeout | null = null
  private readonly line: ProgressLine

  constructor(context: CommandContext, label: string) {
    this.line = new ProgressLine(context)
    this.cells = this.line.active ? new BigInt64Array(new SharedArrayBuffer(16)) : null
    const { cells } = this
    if (cells === null) return
    this.timer = setInterval(() => {
      const read = Number(Atomics.load(cells, 0))
      const total = Number(Atomics.load(cells, 1))
      this.line.update(
        () => `${label}  ${bytesText(read)}${total > 0 ? ` of ${bytesText(total)}, ${Math.floor((100 * read) / total)} %` : ''}`,
      )
    }, INTERVAL_MS)
    this.timer.unref()
  }

  end(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.line.clear()
  }
}
