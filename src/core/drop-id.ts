import { assert } from '../errors.js'

/**
 * A drop-id: UTC millisecond time stamp, 6-digit counter, 16 hex digits, for instance `20240127T100000123Z-000001-9f86d081884c7d65`.
 * Ids sort as text in the order of intake. Dates in paths (archive/, receipts/) come from the id, not from a clock.
 */
export type DropId = string

const DROP_ID = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-(\d{6})-([0-9a-f]{16})$/

export function isDropId(text: string): boolean {
  return DROP_ID.test(text)
}

/** The folder of a day: `YYYY-MM-DD`. */
export function dateOfDropId(id: DropId): string {
  const m = DROP_ID.exec(id)
  assert(m !== null, `not a drop-id: ${id}`)
  return `${m[1]}-${m[2]}-${m[3]}`
}

export function formatDropId(timeMs: number, counter: number, tail: string): DropId {
  assert(counter >= 0 && counter <= 999_999, 'the counter of a drop-id has six digits')
  assert(/^[0-9a-f]{16}$/.test(tail), 'a drop-id ends in 16 hex digits')
  const stamp = new Date(timeMs).toISOString().replace(/[-:.]/g, '')
  return `${stamp}-${String(counter).padStart(6, '0')}-${tail}`
}

/** The time stamp and counter of an id, for going on after it. */
export function positionOfDropId(id: DropId): { timeMs: number; counter: number } {
  const m = DROP_ID.exec(id)
  assert(m !== null, `not a drop-id: ${id}`)
  const timeMs = Date.UTC(+m[1]!, +m[2]! - 1, +m[3]!, +m[4]!, +m[5]!, +m[6]!, +m[7]!)
  return { timeMs, counter: Number(m[8]) }
}

/** Makes ids that never go backwards, even when the clock does, and even across a restart when `after` is the last id handed out. */
export class DropIdSequence {
  private timeMs: number
  private counter: number

  constructor(
    private readonly options: { nowMs: () => number; randomTail: () => string },
    after: DropId | null,
  ) {
    const last = after === null ? { timeMs: 0, counter: -1 } : positionOfDropId(after)
    this.timeMs = last.timeMs
    this.counter = last.counter
  }

  /** `tail`: its last 16 hex digits, where something must be found again by them. */
  next(tail: string = this.options.randomTail()): DropId {
    const now = this.options.nowMs()
    if (now > this.timeMs) {
      this.timeMs = now
      this.counter = 0
    } else if (this.counter < 999_999) {
      this.counter += 1
    } else {
      this.timeMs += 1
      this.counter = 0
    }
    return formatDropId(this.timeMs, this.counter, tail)
  }
}

/** The staging transaction of one record of a drop: never random, so that a second attempt finds the first one's files. */
export function transactionId(dropId: DropId, recordIdSha256: string): string {
  return `${dropId}-${recordIdSha256.slice(0, 16)}`
}
