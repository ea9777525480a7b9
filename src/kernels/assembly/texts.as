export function copyTexts(
  fields: u32,
  stride: u32,
  column: u32,
  rows: u32,
  quote: u32,
  data: u32,
  base: u32,
  capacity: u32,
  ends: u32,
  validity: u32,
): u32 {
  let field = fields + (column << 2)
  const limit = data + capacity
  let at = data + base
  const marks = i8x16.splat(<i8>quote)
  for (let row: u32 = 0; row < rows; row++, field += stride << 2) {
    let start = load<u32>(field)
    let end = load<u32>(field, 4) - 1
    if (quote != 0 && start < end && load<u8>(start) == <u8>quote) {
      start++
      end--
      if (end - start + 16 <= limit - at) at = copyQuoted(start, end, marks, at)
      else {
        if (end - start > limit - at && end - start - doubledQuotes(start, end, <u8>quote) > limit - at) return row
        for (let p = start; p < end; p++) {
          const byte = load<u8>(p)
          store<u8>(at++, byte)
          if (byte == <u8>quote) p++
        }
      }
    } else {
      const length = end - start
      // 16 bytes at once where nothing behind the output is touched; what lies behind the text is written over by the next one.
      if (length <= 256 && length + 16 <= limit - at) {
        v128.store(at, v128.load(start))
        for (let done: u32 = 16; done < length; done += 16) v128.store(at + done, v128.load(start + done))
      } else {
        if (length > limit - at) return row
        memory.copy(at, start, length)
      }
      at += length
    }
    store<u8>(validity + row, start == end ? 0 : 1)
    store<u32>(ends + (row << 2), at - data)
  }
  return rows
}

/** Of two quotes the second is left out. Up to 16 bytes behind the text are written. */
function copyQuoted(start: u32, end: u32, marks: v128, out: u32): u32 {
  let at = out
  let p = start
  while (p < end) {
    const sixteen = v128.load(p)
    v128.store(at, sixteen)
    const quotes = <u32>i8x16.bitmask(i8x16.eq(sixteen, marks))
    const first = quotes == 0 ? 16 : <u32>ctz<u32>(quotes) + 1
    if (p + first >= end) return at + (end - p)
    at += first
    // Without a quote all sixteen are taken, with one it is the last that is, and the one behind it is not.
    p += first + (quotes == 0 ? 0 : 1)
  }
  return at
}

function doubledQuotes(start: u32, end: u32, quote: u8): u32 {
  let quotes: u32 = 0
  for (let p = start; p < end; p++) if (load<u8>(p) == quote) quotes++
  return quotes >> 1
}
