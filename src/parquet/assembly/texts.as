import { textHash } from './digest'
import { TEXT_LONG, VALUES_FEW, VALUES_MANY } from './faults'
import { headOf, placeOf } from './statistics'

/**
 * Hashes `count` texts where they lie, with their lengths before them, and says as `boundsTexts` does how they lie to the bounds. They must fill
 * `[from, end)`.
 */
export function hashPlainTexts(
  from: u32,
  end: u32,
  count: u32,
  hashes: u32,
  least: u32,
  leastLength: u32,
  most: u32,
  mostLength: u32,
): i32 {
  const leastHead = least == 0 ? 0 : headOf(least, leastLength)
  const mostHead = most == 0 ? u64.MAX_VALUE : headOf(most, mostLength)
  let found: u32 = 0
  let at = from
  for (let i: u32 = 0; i < count; i++) {
    if (end - at < 4) return VALUES_FEW
    const length = load<u32>(at)
    at += 4
    if (length > end - at) return TEXT_LONG
    store<u64>(hashes + (i << 3), textHash(at, length))
    const head = headOf(at, length)
    if (head <= leastHead || head >= mostHead) found |= placeOf(at, length, least, leastLength, most, mostLength)
    at += length
  }
  return at == end ? <i32>found : VALUES_MANY
}

/** Takes `count` texts with their lengths before them apart: the lengths as words, the texts in line. They must fill `[from, end)`. */
export function splitTexts(from: u32, end: u32, count: u32, texts: u32, lengths: u32): i32 {
  let at = from
  let to = texts
  for (let i: u32 = 0; i < count; i++) {
    if (end - at < 4) return VALUES_FEW
    const length = load<u32>(at)
    at += 4
    if (length > end - at) return TEXT_LONG
    store<u32>(lengths + (i << 2), length)
    copyText(at, length, to)
    at += length
    to += length
  }
  return at == end ? 0 : VALUES_MANY
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function copyText(from: u32, length: u32, to: u32): void {
  v128.store(to, v128.load(from))
  if (length > 16) {
    if (length <= 64) {
      v128.store(to, v128.load(from, 16), 16)
      if (length > 32) {
        v128.store(to, v128.load(from, 32), 32)
        v128.store(to, v128.load(from, 48), 48)
      }
    } else memory.copy(to, from, length)
  }
}

/** Where each text begins, by the lengths. */
export function offsetsOf(lengths: u32, count: u32, offsets: u32): void {
  let sum: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(offsets + (i << 2), sum)
    sum += load<u32>(lengths + (i << 2))
  }
}

/** How many values from the first on add up to no more than `limit`. */
export function fitting(lengths: u32, count: u32, limit: u32): u32 {
  let left = limit
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(lengths + (i << 2))
    if (length > left) return i
    left -= length
  }
  return count
}

/** Below 4 GiB, as all lengths of one page add up to less. */
export function sum(lengths: u32, count: u32): u32 {
  let total: u32 = 0
  for (let i: u32 = 0; i < count; i++) total += load<u32>(lengths + (i << 2))
  return total
}

/** Returns the bytes written. */
export function gatherTexts(texts: u32, offsets: u32, codes: u32, lengths: u32, count: u32, out: u32): u32 {
  let to = out
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(lengths + (i << 2))
    copyText(texts + load<u32>(offsets + (load<u32>(codes + (i << 2)) << 2)), length, to)
    to += length
  }
  return to - out
}
