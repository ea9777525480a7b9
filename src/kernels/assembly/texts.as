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
  for (let row: u32 = 0; row < rows; row++, field += stride << 2) {
    let start = load<u32>(field)
    let end = load<u32>(field, 4) - 1
    if (quote != 0 && start < end && load<u8>(start) == <u8>quote) {
      start++
      end--
      if (end - start > limit - at && end - start - doubledQuotes(start, end, <u8>quote) > limit - at) return row
      for (let p = start; p < end; p++) {
        const byte = load<u8>(p)
        store<u8>(at++, byte)
        if (byte == <u8>quote) p++
      }
    } else {
      const length = end - start
      if (length > limit - at) return row
      // 16 bytes at once where nothing behind the output is touched; what lies behind the text is written over by the next one.
      if (length <= 16 && limit - at >= 16) v128.store(at, v128.load(start))
      else memory.copy(at, start, length)
      at += length
    }
    store<u8>(validity + row, start == end ? 0 : 1)
    store<u32>(ends + (row << 2), at - data)
  }
  return rows
}

function doubledQuotes(start: u32, end: u32, quote: u8): u32 {
  let quotes: u32 = 0
  for (let p = start; p < end; p++) if (load<u8>(p) == quote) quotes++
  return quotes >> 1
}
