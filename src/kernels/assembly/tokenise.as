const LF: u8 = 0x0a
const CR: u8 = 0x0d

export function countByte(start: u32, end: u32, byte: u32): u32 {
  const wanted = i8x16.splat(<i8>byte)
  let count: u32 = 0
  let at = start
  while (at + 64 <= end) {
    count += <u32>popcnt<u64>(matches(v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48), wanted))
    at += 64
  }
  for (; at < end; at++) if (load<u8>(at) == <u8>byte) count++
  return count
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function matches(a: v128, b: v128, c: v128, d: v128, wanted: v128): u64 {
  const low = <u32>i8x16.bitmask(i8x16.eq(a, wanted)) | (<u32>i8x16.bitmask(i8x16.eq(b, wanted)) << 16)
  const high = <u32>i8x16.bitmask(i8x16.eq(c, wanted)) | (<u32>i8x16.bitmask(i8x16.eq(d, wanted)) << 16)
  return <u64>low | (<u64>high << 32)
}

/**
 * The place reached goes to address 0 and to 4: the place behind the last line end outside quotes (0: none), and whether the end lies inside.
 */
export function skipRecords(start: u32, end: u32, quote: u32, inside: u32, most: u32): u32 {
  const quotes = i8x16.splat(<i8>quote)
  const lineFeeds = i8x16.splat(<i8>LF)
  let state: u64 = inside == 0 ? 0 : u64.MAX_VALUE
  let count: u32 = 0
  let last: u32 = 0
  for (let block = start; block < end; block += 64) {
    const a = v128.load(block)
    const b = v128.load(block, 16)
    const c = v128.load(block, 32)
    const d = v128.load(block, 48)
    const length = end - block
    const valid: u64 = length >= 64 ? u64.MAX_VALUE : ((<u64>1) << (<u64>length)) - 1
    const quoteBits = quote == 0 ? 0 : matches(a, b, c, d, quotes) & valid
    let quoted = state
    if (quoteBits != 0) {
      let prefix = quoteBits
      prefix ^= prefix << 1
      prefix ^= prefix << 2
      prefix ^= prefix << 4
      prefix ^= prefix << 8
      prefix ^= prefix << 16
      prefix ^= prefix << 32
      quoted ^= prefix
      // The state behind the block, also where it ends within these 64 bytes: bits beyond the end only repeat the last one.
      state = <u64>(<i64>quoted >> 63)
    }
    let feeds = matches(a, b, c, d, lineFeeds) & valid & ~quoted
    const here = <u32>popcnt<u64>(feeds)
    if (count + here >= most) {
      for (; count < most; count++) {
        last = block + <u32>ctz<u64>(feeds) + 1
        feeds &= feeds - 1
      }
      store<u32>(0, last)
      store<u32>(4, 0)
      return count
    }
    if (here > 0) last = block + 64 - <u32>clz<u64>(feeds)
    count += here
  }
  store<u32>(0, last)
  store<u32>(4, state == 0 ? 0 : 1)
  return count
}

/** The starts behind the first `count` bits of `separators`, four at a time: up to three words more are written where another row follows. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function writeStarts(words: u32, count: u32, separators: u64, before: u32, isTight: bool): void {
  const end = words + (count << 2)
  let bits = separators
  if (isTight) {
    for (let at = words; at < end; at += 4) {
      store<u32>(at, before + <u32>ctz<u64>(bits))
      bits &= bits - 1
    }
    return
  }
  for (let at = words; at < end; at += 16) {
    store<u32>(at, before + <u32>ctz<u64>(bits))
    bits &= bits - 1
    store<u32>(at, before + <u32>ctz<u64>(bits), 4)
    bits &= bits - 1
    store<u32>(at, before + <u32>ctz<u64>(bits), 8)
    bits &= bits - 1
    store<u32>(at, before + <u32>ctz<u64>(bits), 12)
    bits &= bits - 1
  }
}

/**
 * Only records that end in a line end and have `width` fields. It stops before anything else, without a reason: the TypeScript form looks at
 * that record again and says what it is. The place goes to address 0.
 *
 * 64 bytes at a time, as masks with one bit a byte. A quote toggles; bits from an opening quote up to before the closing one are `quoted`. An
 * opening quote must follow a separator or a closing quote (which it doubles); what follows a closing one must be a separator, a CR or another
 * quote; a CR outside quotes must be followed by LF. The first byte that breaks a rule ends the work: all before it is certain.
 */
export function tokenise(start: u32, end: u32, width: u32, delimiter: u32, quote: u32, out: u32, maxRows: u32): u32 {
  const delimiters = i8x16.splat(<i8>delimiter)
  const quotes = i8x16.splat(<i8>quote)
  const lineFeeds = i8x16.splat(<i8>LF)
  const returns = i8x16.splat(<i8>CR)
  // The words too many stay within one row that follows, where it has as many.
  const tight = width < 2
  let rows: u32 = 0
  let words = out
  let left = width
  let record = start
  // What the byte before the block leaves behind, in bit 0; `inside` is all ones or nothing.
  let inside: u64 = 0
  let mayOpen: u64 = 1
  let closed: u64 = 0
  let returned: u64 = 0

  store<u32>(words, start)
  words += 4
  for (let block = start; block < end; block += 64) {
    const a = v128.load(block)
    const b = v128.load(block, 16)
    const c = v128.load(block, 32)
    const d = v128.load(block, 48)
    const length = end - block
    const valid: u64 = length >= 64 ? u64.MAX_VALUE : ((<u64>1) << (<u64>length)) - 1
    const quoteBits = matches(a, b, c, d, quotes) & valid
    const delimiterBits = matches(a, b, c, d, delimiters) & valid
    const feedBits = matches(a, b, c, d, lineFeeds) & valid
    // Most blocks have none.
    const anyReturn = v128.or(v128.or(i8x16.eq(a, returns), i8x16.eq(b, returns)), v128.or(i8x16.eq(c, returns), i8x16.eq(d, returns)))
    const returnBits: u64 = v128.any_true(anyReturn) ? matches(a, b, c, d, returns) & valid : 0

    let quoted = inside
    if (quoteBits != 0) {
      let prefix = quoteBits
      prefix ^= prefix << 1
      prefix ^= prefix << 2
      prefix ^= prefix << 4
      prefix ^= prefix << 8
      prefix ^= prefix << 16
      prefix ^= prefix << 32
      quoted ^= prefix
    }
    const feeds = feedBits & ~quoted
    let separators = (delimiterBits & ~quoted) | feeds

    let wrong: u64 = 0
    if ((quoteBits | closed) != 0) {
      const opening = quoteBits & quoted
      const closing = quoteBits & ~quoted
      wrong = opening & ~(((separators | closing) << 1) | mayOpen)
      wrong |= ((closing << 1) | closed) & ~(separators | (returnBits & ~quoted) | opening) & valid
      closed = closing >> 63
      mayOpen = (separators | closing) >> 63
    } else {
      mayOpen = separators >> 63
    }
    const returnedBefore = returned
    if ((returnBits | returned) != 0) {
      const outside = returnBits & ~quoted
      wrong |= ((outside << 1) | returned) & ~feeds & valid
      returned = outside >> 63
    }
    if (!i8x16.all_true(i8x16.min_u(i8x16.min_u(a, b), i8x16.min_u(c, d)))) wrong |= matches(a, b, c, d, i8x16.splat(0)) & valid
    if (wrong != 0) separators &= (wrong & (0 - wrong)) - 1

    const before = block + 1
    let ends = feeds & separators
    // One record after the other: how many fields end in it is known before one of them is looked at.
    while (ends != 0) {
      const upTo = ends ^ (ends - 1)
      if (<u32>popcnt<u64>(separators & upTo) != left) {
        store<u32>(0, record)
        return rows
      }
      writeStarts(words, left, separators, before, tight || rows + 1 == maxRows)
      words += left << 2
      const after = before + <u32>ctz<u64>(ends)
      // Outside quotes a CR before a LF belongs to the line end. Before the record lies what is none of ours.
      if (returnBits != 0 || returnedBefore != 0) {
        if (after - 2 >= record && load<u8>(after - 2) == CR) store<u32>(words - 4, after - 1)
      }
      rows++
      record = after
      if (rows == maxRows) {
        store<u32>(0, record)
        return rows
      }
      store<u32>(words, after)
      words += 4
      left = width
      separators &= ~upTo
      ends &= ends - 1
    }
    if (separators != 0) {
      const more = <u32>popcnt<u64>(separators)
      if (more >= left) {
        store<u32>(0, record)
        return rows
      }
      writeStarts(words, more, separators, before, tight || rows + 1 == maxRows)
      words += more << 2
      left -= more
    }
    if (wrong != 0) break
    inside = <u64>(<i64>quoted >> 63)
  }
  store<u32>(0, record)
  return rows
}
