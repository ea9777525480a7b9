import { copyText, type TextMemory } from './columns.js'

/** `Kernels.copyTexts`. */
export function copyTexts(
  memory: TextMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  data: number,
  base: number,
  capacity: number,
  ends: number,
  validity: number,
): number {
  const { u8, i32 } = memory
  let field = (fields >>> 2) + column
  let endAt = ends >>> 2
  const limit = data + capacity
  let at = data + base
  for (let row = 0; row < rows; row++, field += stride, endAt++) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
      // What quotes are doubled is not known beforehand, so where room is short it is counted.
      if (end - start > limit - at && end - start - doubledQuotes(u8, start, end, quote) > limit - at) return row
      for (let p = start; p < end; p++) {
        const byte = u8[p]!
        u8[at++] = byte
        if (byte === quote) p++
      }
    } else {
      const length = end - start
      if (length > limit - at) return row
      copyText(memory, start, length, at, limit)
      at += length
    }
    u8[validity + row] = start === end ? 0 : 1
    i32[endAt] = at - data
  }
  return rows
}

function doubledQuotes(u8: Uint8Array, start: number, end: number, quote: number): number {
  let quotes = 0
  for (let p = start; p < end; p++) if (u8[p] === quote) quotes++
  return quotes / 2
}
