/**
 * The hash table under `TextDictionary`, as both forms of the kernels see it.
 *
 * The header has eight words; a slot has four: for keys of up to 8 bytes the key itself (two words, little-endian, zero beyond its end), for
 * longer ones the hash and the address of the key's bytes; then the length, and the code + 1 (0: the slot is free). An entry has four
 * words: address of the key's bytes, length, hash, unused. Open addressing, linear probing, never more than half full.
 *
 * The hash is fixed and has no seed: where a table is full must not depend on the run, or the file would. Keys made to collide end at
 * `PROBE_LIMIT`, and the column is converted without a dictionary.
 */
export const HEADER_BYTES = 32
export const SLOT_BYTES = 16
export const ENTRY_BYTES = 16

/** Words of the header. */
export const SLOTS = 0
/** Slots are 2 ** SLOT_BITS. */
export const SLOT_BITS = 1
export const ENTRIES = 2
export const SIZE = 3
/** Entries at which the table stops. */
export const LIMIT = 4
export const ARENA = 5
export const ARENA_END = 6
/** Why the last lookup stopped, one of the STOPPED values. */
export const STOPPED = 7

export const STOPPED_NOT = 0
export const STOPPED_SIZE = 1
export const STOPPED_ARENA = 2
export const STOPPED_PROBES = 3

export const PROBE_LIMIT = 128

const A = 0x9e3779b1 | 0
const B = 0x85ebca77 | 0
const C = 0xc2b2ae3d | 0
const D = 0x27d4eb2f | 0

/** Keeps the bytes of the low and the high word that a key of that length has. */
const LOW_MASK = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1, -1)
const HIGH_MASK = Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, -1)

/** `Kernels.lookup`. Loads up to eight bytes at the start of a field, however short it is: the memory has room behind its last byte. */
export function lookup(
  i32: Int32Array,
  view: DataView,
  u8: Uint8Array,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  table: number,
  codes: number,
): number {
  const header = table >>> 2
  const slots = i32[header + SLOTS]! >>> 2
  const bits = i32[header + SLOT_BITS]!
  const mask = (1 << bits) - 1
  const shift = 32 - bits
  const entries = i32[header + ENTRIES]! >>> 2
  const limit = i32[header + LIMIT]!
  const arenaEnd = i32[header + ARENA_END]!
  let size = i32[header + SIZE]!
  let arena = i32[header + ARENA]!
  let stopped = STOPPED_NOT
  let field = (fields >>> 2) + column
  const out = codes >>> 2
  let row = 0

  next: for (; row < rows; row++, field += stride) {
    const start = i32[field]!
    const length = i32[field + 1]! - 1 - start
    let low = 0
    let high = 0
    let hash = Math.imul(length, C)
    if (length <= 8) {
      low = view.getInt32(start, true) & LOW_MASK[length]!
      high = view.getInt32(start + 4, true) & HIGH_MASK[length]!
      hash = (hash + Math.imul(low, A) + Math.imul(high, B)) | 0
    } else {
      const last = start + length - 8
      for (let p = start; p < last; p += 8) {
        hash = (Math.imul(hash ^ view.getInt32(p, true), A) + Math.imul(view.getInt32(p + 4, true), B)) | 0
        hash ^= hash >>> 15
      }
      hash = (Math.imul(hash ^ view.getInt32(last, true), A) + Math.imul(view.getInt32(last + 4, true), B)) | 0
    }
    hash ^= hash >>> 16
    hash = Math.imul(hash, D)
    let index = hash >>> shift
    let slot = slots + (index << 2)
    let probes = 0
    for (;;) {
      const code = i32[slot + 3]!
      if (code === 0) break
      if (i32[slot + 2] === length) {
        if (length <= 8) {
          if (i32[slot] === low && i32[slot + 1] === high) {
            i32[out + row] = code - 1
            continue next
          }
        } else if (i32[slot] === hash && sameBytes(view, start, i32[slot + 1]!, length)) {
          i32[out + row] = code - 1
          continue next
        }
      }
      if (++probes === PROBE_LIMIT) {
        stopped = STOPPED_PROBES
        break next
      }
      index = (index + 1) & mask
      slot = slots + (index << 2)
    }
    if (size === limit) {
      stopped = STOPPED_SIZE
      break
    }
    if (length > arenaEnd - arena) {
      stopped = STOPPED_ARENA
      break
    }
    if (length <= 32) for (let i = 0; i < length; i++) u8[arena + i] = u8[start + i]!
    else u8.copyWithin(arena, start, start + length)
    const entry = entries + (size << 2)
    i32[entry] = arena
    i32[entry + 1] = length
    i32[entry + 2] = hash
    i32[slot] = length <= 8 ? low : hash
    i32[slot + 1] = length <= 8 ? high : arena
    i32[slot + 2] = length
    i32[slot + 3] = size + 1
    i32[out + row] = size
    arena += length
    size++
  }
  i32[header + SIZE] = size
  i32[header + ARENA] = arena
  i32[header + STOPPED] = stopped
  return row
}

/** For lengths beyond 8. */
function sameBytes(view: DataView, a: number, b: number, length: number): boolean {
  const last = length - 4
  for (let i = 0; i < last; i += 4) if (view.getInt32(a + i, true) !== view.getInt32(b + i, true)) return false
  return view.getInt32(a + last, true) === view.getInt32(b + last, true)
}

/** Puts entries 0 to `size` into 2 ** `bits` free slots at `slots`. */
export function fillSlots(i32: Int32Array, view: DataView, slotsAt: number, bits: number, entriesAt: number, size: number): void {
  const slots = slotsAt >>> 2
  const entries = entriesAt >>> 2
  const mask = (1 << bits) - 1
  for (let code = 0; code < size; code++) {
    const entry = entries + (code << 2)
    const address = i32[entry]!
    const length = i32[entry + 1]!
    const hash = i32[entry + 2]!
    let index = hash >>> (32 - bits)
    while (i32[slots + (index << 2) + 3] !== 0) index = (index + 1) & mask
    const slot = slots + (index << 2)
    i32[slot] = length <= 8 ? view.getInt32(address, true) & LOW_MASK[length]! : hash
    i32[slot + 1] = length <= 8 ? view.getInt32(address + 4, true) & HIGH_MASK[length]! : address
    i32[slot + 2] = length
    i32[slot + 3] = code + 1
  }
}
