import type { ColumnMemory, TextMemory } from './columns.js'

/**
 * Hashes of values and of rows in order, in TypeScript: the writer's half of the digest of a column chunk, which `parquet/chunk-digest.ts` defines.
 * Addresses are those of `Kernels`.
 */

/** Bytes of the pairs that rows are folded into. */
export const LANES_BYTES = 64

const FOLD_LOW = 0x9e3779b1
const FOLD_HIGH = 0x85ebca77
const MISSING_LOW = 0x6d697373
const MISSING_HIGH = 0x27d4eb2f

function turn(word: number): number {
  return (word << 16) | (word >>> 16)
}

export function hashFixed(memory: TextMemory, values: number, width: 1 | 4 | 8 | 16, count: number, out: number): void {
  const { u8, i32 } = memory
  let to = out >>> 2
  if (width === 16) {
    for (let i = 0; i < count; i++, to += 2) hashText(memory, values + i * 16, 16, to)
    return
  }
  let from = values >>> 2
  if (width === 8) {
    for (let i = 0; i < count; i++, from += 2, to += 2) {
      const b = i32[from + 1]!
      const low = (i32[from]! + turn(Math.imul(b, 0x85ebca6b))) | 0
      i32[to] = low
      i32[to + 1] = b + turn(Math.imul(low, 0xc2b2ae35))
    }
    return
  }
  for (let i = 0; i < count; i++, to += 2) {
    const low = width === 1 ? u8[values + i]! : i32[from + i]!
    i32[to] = low
    i32[to + 1] = turn(Math.imul(low, 0xc2b2ae35))
  }
}

export function hashTexts(memory: TextMemory, data: number, offsets: number, count: number, out: number): void {
  const { i32 } = memory
  const words = offsets >>> 2
  let to = out >>> 2
  for (let i = 0; i < count; i++, to += 2) {
    const from = i32[words + i]!
    hashText(memory, data + from, i32[words + i + 1]! - from, to)
  }
}

/** Keeps the bytes of the low and the high word that so many bytes have. */
const LOW_MASK = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1)
const HIGH_MASK = Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff)

/** Loads eight bytes where fewer are left: the memory has room behind its last byte. */
function hashText({ i32, view }: TextMemory, from: number, length: number, to: number): void {
  let low = length ^ 0x2545f491
  let high = 0x165667b1
  let at = from
  for (const end = from + length - 7; at < end; at += 8) {
    low = (Math.imul(turn(low ^ view.getInt32(at, true)), FOLD_LOW) + high) | 0
    high = (Math.imul(turn(high ^ view.getInt32(at + 4, true)), FOLD_HIGH) + low) | 0
  }
  const left = from + length - at
  if (left > 0) {
    const a = view.getInt32(at, true) & LOW_MASK[left]!
    const b = view.getInt32(at + 4, true) & HIGH_MASK[left]!
    low = (Math.imul(turn(low ^ a), FOLD_LOW) + high) | 0
    high = (Math.imul(turn(high ^ b), FOLD_HIGH) + low) | 0
  }
  low = Math.imul(low ^ (low >>> 15), 0xc2b2ae3d)
  high = Math.imul(high ^ low ^ (high >>> 13), 0x27d4eb2f)
  i32[to] = low ^ (high >>> 16)
  i32[to + 1] = high
}

/** One pair after the other, each over the rows that it is made of: so it stays in registers. */
export function foldRows({ i32, u8 }: ColumnMemory, hashes: number, codes: number, validity: number, count: number, lanes: number): void {
  const from = hashes >>> 2
  const coded = codes >>> 2
  for (let first = 0; first < 8; first++) {
    const lane = (lanes >>> 2) + (first << 1)
    let low = i32[lane]!
    let high = i32[lane + 1]!
    if (validity === 0) {
      for (let i = first; i < count; i += 8) {
        const at = from + ((codes === 0 ? i : i32[coded + i]!) << 1)
        low = Math.imul(turn(low ^ i32[at]!), FOLD_LOW)
        high = Math.imul(turn(high ^ i32[at + 1]!), FOLD_HIGH)
      }
    } else {
      for (let i = first; i < count; i += 8) {
        const at = from + ((codes === 0 ? i : i32[coded + i]!) << 1)
        const present = u8[validity + i] === 1
        low = Math.imul(turn(low ^ (present ? i32[at]! : MISSING_LOW)), FOLD_LOW)
        high = Math.imul(turn(high ^ (present ? i32[at + 1]! : MISSING_HIGH)), FOLD_HIGH)
      }
    }
    i32[lane] = low
    i32[lane + 1] = high
  }
}
