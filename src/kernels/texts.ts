/** `Kernels.copyTexts`. */
export function copyTexts(
  u8: Uint8Array,
  u32: Uint32Array,
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
  let field = (fields >>> 2) + column
  const limit = data + capacity
  let at = data + base
  for (let row = 0; row < rows; row++, field += stride) {
    let start = u32[field]!
    let end = u32[field + 1]! - 1
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
      if (length <= 48) for (let p = start; p < end; p++) u8[at++] = u8[p]!
      else {
        u8.copyWithin(at, start, end)
        at += length
      }
    }
    u8[validity + row] = start === end ? 0 : 1
    u32[(ends >>> 2) + row] = at - data
  }
  return rows
}

function doubledQuotes(u8: Uint8Array, start: number, end: number, quote: number): number {
  let quotes = 0
  for (let p = start; p < end; p++) if (u8[p] === quote) quotes++
  return quotes / 2
}
