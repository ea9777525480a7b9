import { assert } from '../errors.js'

/** What the file system says about a file; all four must stand still for it to be whole. */
export interface Observation {
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** `new`: seen for the first time; `changed`: other than last time; `still`: equal, but not for long enough yet; `settled`: take it. */
export type SettleState = 'new' | 'changed' | 'still' | 'settled'

/** Seen to be new or changed in the scan at hand; counting; no look is due on its account. */
const FRESH = 2
const DUE = 1
const DONE = 0

/**
 * Decides when a file is whole: size, mtime, ctime and inode unchanged for `settleMs`. Files that were there at start get no discount,
 * for a producer may be in the middle of one of them, and a final size proves nothing (Samba preallocates).
 *
 * Pure: it is told the time and never reads it. Observations come in scans. A state counts from the END of the scan that saw it first,
 * and is compared with the BEGINNING of a later scan, so however long a scan takes, what it calls settled stood still for `settleMs`;
 * and what was first seen in one scan settles in one scan, which makes the order of intake a matter of mtime and name alone.
 *
 * A file costs a map entry and 45 bytes: 100,000 of them may wait.
 */
export class SettleGate {
  private readonly settleMs: number
  private readonly slots = new Map<string, number>()
  private readonly free: number[] = []
  private capacity = 64
  private sizes = new Float64Array(this.capacity)
  private sinces = new Float64Array(this.capacity)
  private mtimes = new BigInt64Array(this.capacity)
  private ctimes = new BigInt64Array(this.capacity)
  private inodes = new BigUint64Array(this.capacity)
  private scans = new Uint32Array(this.capacity)
  private waits = new Uint8Array(this.capacity)
  private fresh: number[] = []
  private scan = 0
  private beganMs: number | null = null

  constructor(options: { settleMs: number }) {
    assert(options.settleMs >= 0, 'settleMs is not negative')
    this.settleMs = options.settleMs
  }

  get size(): number {
    return this.slots.size
  }

  beginScan(nowMs: number): void {
    // What a scan that broke off saw for the first time counts from now.
    this.stampFresh(nowMs)
    this.scan = (this.scan + 1) >>> 0
    this.beganMs = nowMs
  }

  observe(key: string, seen: Observation): SettleState {
    const beganMs = this.beganMs
    assert(beganMs !== null, 'observe() belongs between beginScan() and endScan()')
    const slot = this.slots.get(key)
    if (slot === undefined) {
      const taken = this.take()
      this.slots.set(key, taken)
      return this.note(taken, seen, 'new')
    }
    this.scans[slot] = this.scan
    if (!this.equals(slot, seen)) return this.note(slot, seen, 'changed')
    if (this.waits[slot] === FRESH || beganMs - this.sinces[slot]! < this.settleMs) return 'still'
    this.waits[slot] = DONE
    return 'settled'
  }

  /** Forgets what this scan did not see. `nextDueMs`: when the next look can find something settled; null when nothing waits for that. */
  endScan(nowMs: number): { forgotten: number; nextDueMs: number | null } {
    assert(this.beganMs !== null, 'endScan() follows beginScan()')
    this.beganMs = null
    this.stampFresh(nowMs)
    let forgotten = 0
    let nextDueMs: number | null = null
    for (const [key, slot] of this.slots) {
      if (this.scans[slot] !== this.scan) {
        this.slots.delete(key)
        this.free.push(slot)
        forgotten++
      } else if (this.waits[slot] === DUE) {
        const dueMs = this.sinces[slot]! + this.settleMs
        if (nextDueMs === null || dueMs < nextDueMs) nextDueMs = dueMs
      }
    }
    return { forgotten, nextDueMs }
  }

  /** The file is there, and is not compared: whoever works on it does that. */
  keep(key: string): void {
    const slot = this.slots.get(key)
    if (slot !== undefined) this.scans[slot] = this.scan
  }

  /** What was last seen of a file; null when it is not known. */
  observation(key: string): Observation | null {
    const slot = this.slots.get(key)
    if (slot === undefined) return null
    return { sizeBytes: this.sizes[slot]!, mtimeNs: this.mtimes[slot]!, ctimeNs: this.ctimes[slot]!, inode: this.inodes[slot]! }
  }

  /** The file must settle anew: somebody saw it change between two scans, or took it away. */
  forget(key: string): void {
    const slot = this.slots.get(key)
    if (slot === undefined) return
    this.slots.delete(key)
    this.free.push(slot)
  }

  private equals(slot: number, seen: Observation): boolean {
    return (
      this.sizes[slot] === seen.sizeBytes &&
      this.mtimes[slot] === seen.mtimeNs &&
      this.ctimes[slot] === seen.ctimeNs &&
      this.inodes[slot] === BigInt.asUintN(64, seen.inode)
    )
  }

  private note(slot: number, seen: Observation, state: 'new' | 'changed'): SettleState {
    this.sizes[slot] = seen.sizeBytes
    this.mtimes[slot] = seen.mtimeNs
    this.ctimes[slot] = seen.ctimeNs
    this.inodes[slot] = BigInt.asUintN(64, seen.inode)
    this.scans[slot] = this.scan
    if (this.settleMs === 0) return 'settled'
    // A slot may stand there twice, or be free again when it is stamped: whoever takes it next is noted before it counts.
    this.fresh.push(slot)
    this.waits[slot] = FRESH
    return state
  }

  private stampFresh(nowMs: number): void {
    for (const slot of this.fresh) {
      this.sinces[slot] = nowMs
      this.waits[slot] = DUE
    }
    this.fresh = []
  }

  private take(): number {
    const reused = this.free.pop()
    if (reused !== undefined) return reused
    const next = this.slots.size
    if (next === this.capacity) this.grow()
    return next
  }

  private grow(): void {
    this.capacity *= 2
    const widen = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from)
      return to
    }
    this.sizes = widen(new Float64Array(this.capacity), this.sizes)
    this.sinces = widen(new Float64Array(this.capacity), this.sinces)
    this.mtimes = widen(new BigInt64Array(this.capacity), this.mtimes)
    this.ctimes = widen(new BigInt64Array(this.capacity), this.ctimes)
    this.inodes = widen(new BigUint64Array(this.capacity), this.inodes)
    this.scans = widen(new Uint32Array(this.capacity), this.scans)
    this.waits = widen(new Uint8Array(this.capacity), this.waits)
  }
}
