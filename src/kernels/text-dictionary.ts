import { assert } from '../errors.js'
import type { Kernels } from './kernels.js'
import {
  ARENA,
  ARENA_END,
  ENTRIES,
  ENTRY_BYTES,
  HEADER_BYTES,
  LIMIT,
  SIZE,
  SLOT_BITS,
  SLOT_BYTES,
  SLOTS,
  STOPPED,
  STOPPED_ARENA,
} from './text-table.js'

const MINIMUM_BITS = 8
const ENTRY_WORDS = ENTRY_BYTES / 4
const FIRST_SEGMENT_BYTES = 4096
const LARGEST_SEGMENT_BYTES = 1 << 20

export interface TextDictionaryOptions {
  /** Distinct texts at most. Default 65,536. */
  readonly maxEntries?: number
  /** Bytes that the texts themselves may take, whole segments counted. Default 16 MiB. */
  readonly maxArenaBytes?: number
  /** How many distinct texts are likely, where the caller knows: saves growing. */
  readonly expectedEntries?: number
}

interface Segment {
  readonly address: number
  readonly bytes: number
}

/**
 * The distinct raw texts of one column, quotes included, numbered by first appearance. Lives in the memory of its kernels from where it was
 * made: releasing a mark from before, or one from between its growing, is the end of it.
 */
export class TextDictionary {
  private readonly table: number
  private readonly maxEntries: number
  private readonly maxArenaBytes: number
  private slotBits: number
  /** Where the texts lie, in the order in which they are filled. */
  private readonly segments: Segment[] = []
  /** The first of them that hold texts. */
  private filled = 0
  private arenaBytes = 0

  constructor(
    private readonly kernels: Kernels,
    options: TextDictionaryOptions = {},
  ) {
    this.maxEntries = options.maxEntries ?? 65_536
    this.maxArenaBytes = options.maxArenaBytes ?? 1 << 24
    assert(this.maxEntries >= 1 && this.maxEntries <= 1 << 24, `maxEntries ${this.maxEntries}`)
    assert(this.maxArenaBytes >= 1 && this.maxArenaBytes <= 1 << 30, `maxArenaBytes ${this.maxArenaBytes}`)
    const expected = Math.min(options.expectedEntries ?? 0, this.maxEntries)
    this.slotBits = MINIMUM_BITS
    while (1 << (this.slotBits - 1) < expected) this.slotBits++
    this.table = kernels.allocate(HEADER_BYTES)
    kernels.u32.fill(0, this.table >>> 2, (this.table + HEADER_BYTES) >>> 2)
    this.placeSlots()
  }

  /** Distinct texts so far. */
  get size(): number {
    return this.kernels.u32[(this.table >>> 2) + SIZE]!
  }

  /** One word a row at `codes`. Returns the rows done: fewer only when the dictionary is full, and then those codes stand. May grow the memory. */
  lookup(fields: number, stride: number, column: number, rows: number, codes: number): number {
    let done = 0
    for (;;) {
      done += this.kernels.lookup(fields + done * stride * 4, stride, column, rows - done, this.table, codes + done * 4)
      if (done === rows) return done
      const field = (fields >>> 2) + done * stride + column
      const words = this.kernels.u32
      if (!this.makeRoom(words[field + 1]! - 1 - words[field]!)) return done
    }
  }

  /** Address of the bytes of a text; with `keyLength` for loops that make no views. */
  keyAddress(code: number): number {
    return this.kernels.u32[this.entryAt(code)]!
  }

  keyLength(code: number): number {
    return this.kernels.u32[this.entryAt(code) + 1]!
  }

  /** Where the entries from `code` on stand, for `Kernels.entryFields`. Right until the next `lookup`. */
  entriesAddress(code: number): number {
    return this.kernels.u32[(this.table >>> 2) + ENTRIES]! + code * ENTRY_BYTES
  }

  /** What the keys from `first` to before `end` come to. */
  bytesOfKeys(first: number, end: number): number {
    const { u32 } = this.kernels
    const lengths = this.lengthsAt()
    let bytes = 0
    for (let key = first; key < end; key++) bytes += u32[lengths + key * ENTRY_WORDS]!
    return bytes
  }

  /** What those keys come to that stand as words at `keys`, from the word `first` to before `end`. */
  bytesOfCodes(keys: number, first: number, end: number): number {
    const { u32 } = this.kernels
    const lengths = this.lengthsAt()
    let bytes = 0
    for (let word = (keys >>> 2) + first, last = (keys >>> 2) + end; word < last; word++) bytes += u32[lengths + u32[word]! * ENTRY_WORDS]!
    return bytes
  }

  /** A view, right until the memory grows. */
  keyBytes(code: number): Uint8Array {
    const entry = this.entryAt(code)
    const address = this.kernels.u32[entry]!
    return this.kernels.u8.subarray(address, address + this.kernels.u32[entry + 1]!)
  }

  /** Forgets all texts and keeps the room they had. */
  clear(): void {
    const { u32 } = this.kernels
    const header = this.table >>> 2
    const slots = u32[header + SLOTS]! >>> 2
    u32.fill(0, slots, slots + ((SLOT_BYTES / 4) << this.slotBits))
    u32[header + SIZE] = 0
    // No room: the first text asks for a segment.
    u32[header + ARENA] = 0
    u32[header + ARENA_END] = 0
    this.filled = 0
  }

  /** Word of the first key's length. */
  private lengthsAt(): number {
    return (this.kernels.u32[(this.table >>> 2) + ENTRIES]! >>> 2) + 1
  }

  private entryAt(code: number): number {
    const header = this.table >>> 2
    // This runs for every new text: its message is made only where it is needed.
    if (!(code >= 0 && code < this.kernels.u32[header + SIZE]!)) assert(false, `code ${code}`)
    return (this.kernels.u32[header + ENTRIES]! >>> 2) + code * ENTRY_WORDS
  }

  private makeRoom(length: number): boolean {
    if (this.kernels.u32[(this.table >>> 2) + STOPPED] === STOPPED_ARENA) return this.addSegment(length)
    // Also when too many keys met in one place: in a table of twice the size they may part.
    if (1 << (this.slotBits - 1) >= this.maxEntries) return false
    this.slotBits++
    this.placeSlots()
    return true
  }

  /** Slots and entries for `slotBits`, filled with what there is. The room they had before stays unused until the mark is released. */
  private placeSlots(): void {
    const { kernels } = this
    const slotBytes = SLOT_BYTES << this.slotBits
    const limit = Math.min(this.maxEntries, 1 << (this.slotBits - 1))
    const slots = kernels.allocate(slotBytes)
    const entries = kernels.allocate(limit * ENTRY_BYTES)
    const header = this.table >>> 2
    const { u32 } = kernels
    const size = u32[header + SIZE]!
    const former = u32[header + ENTRIES]! >>> 2
    u32.copyWithin(entries >>> 2, former, former + size * ENTRY_WORDS)
    u32.fill(0, slots >>> 2, (slots + slotBytes) >>> 2)
    u32[header + SLOTS] = slots
    u32[header + SLOT_BITS] = this.slotBits
    u32[header + ENTRIES] = entries
    u32[header + LIMIT] = limit
    kernels.fillSlots(slots, this.slotBits, entries, size)
  }

  /** Texts stay where they are: an address in a slot is right for ever, so the arena grows by segments and nothing moves. */
  private addSegment(length: number): boolean {
    const segment = this.emptySegment(length) ?? this.newSegment(length)
    if (segment === null) return false
    this.segments.splice(this.filled++, 0, segment)
    const header = this.table >>> 2
    this.kernels.u32[header + ARENA] = segment.address
    this.kernels.u32[header + ARENA_END] = segment.address + segment.bytes
    return true
  }

  /** One of those that held texts which were forgotten, taken out of its place. */
  private emptySegment(length: number): Segment | null {
    for (let i = this.filled; i < this.segments.length; i++) {
      if (this.segments[i]!.bytes >= length) return this.segments.splice(i, 1)[0]!
    }
    return null
  }

  private newSegment(length: number): Segment | null {
    const left = this.maxArenaBytes - this.arenaBytes
    const last = this.segments[this.filled - 1]?.bytes ?? 0
    const doubled = Math.min(Math.max(last * 2, FIRST_SEGMENT_BYTES), LARGEST_SEGMENT_BYTES)
    const bytes = Math.min(Math.max(doubled, length), left)
    if (bytes < length) return null
    const address = this.kernels.allocate(bytes)
    this.arenaBytes += bytes
    return { address, bytes }
  }
}
