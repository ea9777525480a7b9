const COMMA = 44
const LINE_FEED = 10
const ZERO = 48

/** Rows of CSV as bytes: ten times as fast as making strings. No row may be longer than 16 KB. */
export class RowBuffer {
  private bytes = Buffer.allocUnsafe(1 << 20)
  private at = 0

  /** True once `bytes` are enough to be written. */
  get isFull(): boolean {
    return this.at > this.bytes.length - SLACK_BYTES
  }

  /** What was written since the last call. The bytes are the caller's. */
  take(): Buffer {
    const taken = this.bytes.subarray(0, this.at)
    this.bytes = Buffer.allocUnsafe(1 << 20)
    this.at = 0
    return taken
  }

  byte(code: number): this {
    this.bytes[this.at++] = code
    return this
  }

  comma(): this {
    return this.byte(COMMA)
  }

  endRow(): this {
    return this.byte(LINE_FEED)
  }

  ascii(text: string): this {
    for (let i = 0; i < text.length; i++) this.bytes[this.at++] = text.charCodeAt(i)
    return this
  }

  raw(piece: Uint8Array): this {
    for (let i = 0; i < piece.length; i++) this.bytes[this.at++] = piece[i]!
    return this
  }

  /** A whole number from 0 to 2^53 - 1, with zeros in front up to `width`. */
  digits(n: number, width = 1): this {
    let count = width
    let limit = 10 ** width
    while (n >= limit) {
      limit *= 10
      count++
    }
    for (let i = this.at + count - 1; i >= this.at; i--) {
      const rest = Math.floor(n / 10)
      this.bytes[i] = ZERO + (n - rest * 10)
      n = rest
    }
    this.at += count
    return this
  }

  /** n / 10^decimals, exactly, with all its decimals. */
  fixed(n: number, decimals: number): this {
    const scale = 10 ** decimals
    const whole = Math.floor(n / scale)
    return this.digits(whole)
      .byte(46)
      .digits(n - whole * scale, decimals)
  }

  /** YYYY-MM-DD of a day since 1970-01-01. */
  date(day: number): this {
    // The usual arithmetic of days and eras, for days from 1970 on.
    const z = day + 719_468
    const era = Math.floor(z / 146_097)
    const dayOfEra = z - era * 146_097
    const yearOfEra = Math.floor(
      (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
    )
    const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
    const mp = Math.floor((5 * dayOfYear + 2) / 153)
    const month = mp < 10 ? mp + 3 : mp - 9
    const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return this.digits(year, 4)
      .byte(45)
      .digits(month, 2)
      .byte(45)
      .digits(dayOfYear - Math.floor((153 * mp + 2) / 5) + 1, 2)
  }

  /** YYYY-MM-DDTHH:MM:SS.sssZ of milliseconds since 1970-01-01. */
  instant(ms: number): this {
    const day = Math.floor(ms / 86_400_000)
    const inDay = ms - day * 86_400_000
    return this.date(day)
      .byte(84)
      .digits(Math.floor(inDay / 3_600_000), 2)
      .byte(58)
      .digits(Math.floor(inDay / 60_000) % 60, 2)
      .byte(58)
      .digits(Math.floor(inDay / 1000) % 60, 2)
      .byte(46)
      .digits(inDay % 1000, 3)
      .byte(90)
  }
}

/** The longest row that may be written while `isFull` is false. */
const SLACK_BYTES = 16_384
