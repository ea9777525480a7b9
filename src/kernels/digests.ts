import type { ColumnMemory } from './columns.js'

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

/** What loads at any address need. */
export interface DigestMemory extends ColumnMemory {
  readonly view: DataView
}

function turn(word: number): number {
  return (word << 16) | (word >>> 16)
}

export function hashFixed(memory: DigestMemory, values: number, width: 1 | 4 | 8 | 16, count: number, out: number): void {
  const { u8, i32 } = memory
  let to = out >>> 2
  if (width === 16) {
    for (let i = 0; i < count; i++, to += 2) hashText(memory, values + i * 16, 16, to)
    return
  }
  const from = values >>> 2
  for (let i = 0; i < count; i++, to += 2) {
    const a = width === 1 ? u8[values + i]! : width === 4 ? i32[from + i]! : i32[from + i * 2]!
    const b = width === 8 ? i32[from + i * 2 + 1]! : 0
    const low = (a + turn(Math.imul(b, 0x85ebca6b))) | 0
    i32[to] = low
    i32[to + 1] = b + turn(Math.imul(low, 0xc2b2ae35))
  }
}

export function hashTexts(memory: DigestMemory, data: number, offsets: number, count: number, out: number): void {
  const { u32 } = memory
  const words = offsets >>> 2
  for (let i = 0; i < count; i++) {
    const from = u32[words + i]!
    hashText(memory, data + from, u32[words + i + 1]! - from, (out >>> 2) + i * 2)
  }
}

function hashText({ i32, u8, view }: DigestMemory, from: number, length: number, to: number): void {
  let low = length ^ 0x2545f491
  let high = 0x165667b1
  const end = from + length
  let at = from
  for (; at + 8 <= end; at += 8) {
    low = (Math.imul(turn(low ^ view.getInt32(at, true)), FOLD_LOW) + high) | 0
    high = (Math.imul(turn(high ^ view.getInt32(at + 4, true)), FOLD_HIGH) + low) | 0
  }
  if (at < end) {
    let a = 0
    let b = 0
    for (let shift = 0; shift < 32 && at < end; shift += 8) a |= u8[at++]! << shift
    for (let shift = 0; shift < 32 && at < end; shift += 8) b |= u8[at++]! << shift
    low = (Math.imul(turn(low ^ a), FOLD_LOW) + high) | 0
    high = (Math.imul(turn(high ^ b), FOLD_HIGH) + low) | 0
  }
  low = Math.imul(low ^ (low >>> 15), 0xc2b2ae3d)
  high = Math.imul(high ^ low ^ (high >>> 13), 0x27d4eb2f)
  i32[to] = low ^ (high >>> 16)
  i32[to + 1] = high
}

export function foldRows(
  { i32, u8, u32 }: ColumnMemory,
  hashes: number,
  codes: number,
  validity: number,
  count: number,
  lanes: number,
): void {
  const from = hashes >>> 2
  const coded = codes >>> 2
  for (let i = 0; i < count; i++) {
    const lane = (lanes >>> 2) + ((i & 7) << 1)
    const at = from + (codes === 0 ? i : u32[coded + i]!) * 2
    const present = validity === 0 || u8[validity + i] === 1
    i32[lane] = Math.imul(turn(i32[lane]! ^ (present ? i32[at]! : MISSING_LOW)), FOLD_LOW)
    i32[lane + 1] = Math.imul(turn(i32[lane + 1]! ^ (present ? i32[at + 1]! : MISSING_HIGH)), FOLD_HIGH)
  }
}
