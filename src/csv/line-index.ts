/**
 * Where physical lines begin: after LF, after CR LF, and after a CR alone, inside quoted cells as well. Offsets are asked for in rising
 * order, and what lies behind them is forgotten.
 */
export class LineIndex {
  /** Offsets right after the terminators not passed yet. */
  private ends: number[] = []
  private head = 0
  private line = 1
  private offset = 0
  private lastWasCr = false

  /** The next bytes of the text, in order. */
  feed(bytes: Uint8Array): void {
    if (this.lastWasCr && bytes.length > 0) {
      if (bytes[0] !== 0x0a) this.ends.push(this.offset)
      this.lastWasCr = false
    }
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!
      if (byte === 0x0a) this.ends.push(this.offset + i + 1)
      else if (byte === 0x0d) {
        if (i + 1 === bytes.length) this.lastWasCr = true
        else if (bytes[i + 1] !== 0x0a) this.ends.push(this.offset + i + 1)
      }
    }
    this.offset += bytes.length
  }

  /** No more bytes come. */
  end(): void {
    if (this.lastWasCr) this.ends.push(this.offset)
    this.lastWasCr = false
  }

  /** The line, from 1, that the byte at `offset` is on. */
  lineAt(offset: number): number {
    while (this.head < this.ends.length && this.ends[this.head]! <= offset) {
      this.head++
      this.line++
    }
    if (this.head > 4096) {
      this.ends = this.ends.slice(this.head)
      this.head = 0
    }
    return this.line
  }
}

/** Line ends in a text, counted as LineIndex does. */
export function lineEndsIn(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x0a || (unit === 0x0d && text.charCodeAt(i + 1) !== 0x0a)) count++
  }
  return count
}
