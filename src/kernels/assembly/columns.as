// What rows of a column are put through between the dictionary and the page; see ../columns.ts.

/** No code, no value. */
const NONE: u32 = 0xffffffff

export function keepRows(fields: u32, rows: u32, width: u32, rowBytes: u32, quote: u32): i32 {
  const step = (width + 1) << 2
  // Longer rows have content, whatever it is.
  const blankBytes: u32 = 3 * width - 1
  let kept: u32 = 0
  let row = fields
  let target = fields
  for (let r: u32 = 0; r < rows; r++, row += step) {
    const start = load<u32>(row)
    const length = load<u32>(row + (width << 2)) - 1 - start
    if (length + 8 > rowBytes) return -1
    if (length <= blankBytes && isBlank(row, width, <u8>quote)) continue
    if (target != row) memory.copy(target, row, step)
    target += step
    kept++
  }
  return <i32>kept
}

function isBlank(row: u32, width: u32, quote: u8): bool {
  for (let c = row; c < row + (width << 2); c += 4) {
    const start = load<u32>(c)
    const length = load<u32>(c, 4) - 1 - start
    if (length != 0 && (length != 2 || load<u8>(start) != quote)) return false
  }
  return true
}

export function renumber(codes: u32, count: u32, codeOf: u32, keyOf: u32, known: u32): u32 {
  let next = known
  const end = codes + (count << 2)
  for (let p = codes; p < end; p += 4) {
    const key = load<u32>(p)
    if (key == NONE) continue
    const at = codeOf + (key << 2)
    let code = load<u32>(at)
    if (code == NONE) {
      code = next++
      store<u32>(at, code)
      store<u32>(keyOf + (code << 2), key)
    }
    store<u32>(p, code)
  }
  return next
}

export function mapCodes(codes: u32, count: u32, map: u32, validity: u32): u32 {
  let present: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const at = codes + (i << 2)
    const place = load<u32>(map + (load<u32>(at) << 2))
    const valid: u32 = place == NONE ? 0 : 1
    store<u32>(at, place & (0 - valid))
    store<u8>(validity + i, <u8>valid)
    present += valid
  }
  return present
}

// Missing rows have code 0 and become zero by a mask: a branch that depends on the data costs more than what it saves.

export function gather1(source: u32, codes: u32, validity: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const mask: u32 = validity == 0 ? 0xff : 0 - <u32>load<u8>(validity + i)
    store<u8>(out + i, <u8>(<u32>load<u8>(source + load<u32>(codes + (i << 2))) & mask))
  }
}

export function gather4(source: u32, codes: u32, validity: u32, count: u32, out: u32): void {
  if (validity == 0) {
    for (let i: u32 = 0; i < count; i++) store<u32>(out + (i << 2), load<u32>(source + (load<u32>(codes + (i << 2)) << 2)))
    return
  }
  for (let i: u32 = 0; i < count; i++) {
    const mask: u32 = 0 - <u32>load<u8>(validity + i)
    store<u32>(out + (i << 2), load<u32>(source + (load<u32>(codes + (i << 2)) << 2)) & mask)
  }
}

export function gather8(source: u32, codes: u32, validity: u32, count: u32, out: u32): void {
  if (validity == 0) {
    for (let i: u32 = 0; i < count; i++) store<u64>(out + (i << 3), load<u64>(source + (load<u32>(codes + (i << 2)) << 3)))
    return
  }
  for (let i: u32 = 0; i < count; i++) {
    const mask: u64 = 0 - <u64>load<u8>(validity + i)
    store<u64>(out + (i << 3), load<u64>(source + (load<u32>(codes + (i << 2)) << 3)) & mask)
  }
}

export function gather16(source: u32, codes: u32, validity: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const mask: u64 = validity == 0 ? u64.MAX_VALUE : 0 - <u64>load<u8>(validity + i)
    const from = source + (load<u32>(codes + (i << 2)) << 4)
    store<u64>(out + (i << 4), load<u64>(from) & mask)
    store<u64>(out + (i << 4), load<u64>(from, 8) & mask, 8)
  }
}

export function gatherLengths(offsets: u32, codes: u32, validity: u32, count: u32, out: u32): f64 {
  let total: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const mask: u32 = validity == 0 ? NONE : 0 - <u32>load<u8>(validity + i)
    const at = offsets + (load<u32>(codes + (i << 2)) << 2)
    const length = (load<u32>(at, 4) - load<u32>(at)) & mask
    store<u32>(out + (i << 2), length)
    total += length
  }
  return <f64>total
}

/** 16 bytes at once where nothing from `end` on is touched; what lies behind the text is written over by the next one. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function copyText(from: u32, length: u32, to: u32, end: u32): void {
  if (length <= 256 && length + 16 <= end - to) {
    v128.store(to, v128.load(from))
    for (let done: u32 = 16; done < length; done += 16) v128.store(to + done, v128.load(from + done))
  } else memory.copy(to, from, length)
}

/** Never writes behind `out` + the sum of the lengths. */
export function gatherTexts(data: u32, offsets: u32, codes: u32, lengths: u32, count: u32, out: u32, end: u32): void {
  let to = out
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(lengths + (i << 2))
    if (length == 0) continue
    copyText(data + load<u32>(offsets + (load<u32>(codes + (i << 2)) << 2)), length, to, end)
    to += length
  }
}

export function lengthsOf(offsets: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const at = offsets + (i << 2)
    store<u32>(out + (i << 2), load<u32>(at, 4) - load<u32>(at))
  }
}

export function offsetsOf(lengths: u32, count: u32, out: u32): void {
  let total: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    // Read first: both may be one array.
    const length = load<u32>(lengths + (i << 2))
    store<u32>(out + (i << 2), total)
    total += length
  }
  store<u32>(out + (count << 2), total)
}

export function compact1(values: u32, validity: u32, count: u32, out: u32): u32 {
  let n: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (load<u8>(validity + i) != 0) store<u8>(out + n++, load<u8>(values + i))
  }
  return n
}

export function compact4(values: u32, validity: u32, count: u32, out: u32): u32 {
  let n: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (load<u8>(validity + i) != 0) store<u32>(out + (n++ << 2), load<u32>(values + (i << 2)))
  }
  return n
}

export function compact8(values: u32, validity: u32, count: u32, out: u32): u32 {
  let n: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (load<u8>(validity + i) != 0) store<u64>(out + (n++ << 3), load<u64>(values + (i << 3)))
  }
  return n
}

export function compact16(values: u32, validity: u32, count: u32, out: u32): u32 {
  let n: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (load<u8>(validity + i) != 0) v128.store(out + (n++ << 4), v128.load(values + (i << 4)))
  }
  return n
}

/** PLAIN of texts: a length before each. Never writes behind `end`. */
export function interleaveTexts(data: u32, offsets: u32, validity: u32, count: u32, out: u32, end: u32): u32 {
  let to = out
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) continue
    const at = offsets + (i << 2)
    const from = load<u32>(at)
    const length = load<u32>(at, 4) - from
    store<u32>(to, length)
    to += 4
    copyText(data + from, length, to, end)
    to += length
  }
  return to - out
}

export function packBits8(values: u32, count: u32, out: u32): u32 {
  const whole = count & ~7
  let i: u32 = 0
  for (; i < whole; i += 8) {
    // One bit of each byte, gathered into the highest byte of a product.
    const bytes = load<u64>(values + i) & 0x0101010101010101
    store<u8>(out + (i >> 3), <u8>((bytes * 0x0102040810204080) >> 56))
  }
  if (i < count) {
    let last: u32 = 0
    for (let bit: u32 = 0; i + bit < count; bit++) last |= <u32>(load<u8>(values + i + bit) & 1) << bit
    store<u8>(out + (i >> 3), <u8>last)
  }
  return (count + 7) >> 3
}

export function extremesInt32(values: u32, validity: u32, count: u32, out: u32): u32 {
  let present: u32 = 0
  let least: i32 = i32.MAX_VALUE
  let greatest: i32 = i32.MIN_VALUE
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) continue
    const value = load<i32>(values + (i << 2))
    least = min<i32>(least, value)
    greatest = max<i32>(greatest, value)
    present++
  }
  store<i32>(out, least)
  store<i32>(out, greatest, 8)
  return present
}

export function extremesInt64(values: u32, validity: u32, count: u32, out: u32): u32 {
  let present: u32 = 0
  let least: i64 = i64.MAX_VALUE
  let greatest: i64 = i64.MIN_VALUE
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) continue
    const value = load<i64>(values + (i << 3))
    least = min<i64>(least, value)
    greatest = max<i64>(greatest, value)
    present++
  }
  store<i64>(out, least)
  store<i64>(out, greatest, 8)
  return present
}

/** -1: one of them is NaN. */
export function extremesDouble(values: u32, validity: u32, count: u32, out: u32): i32 {
  let present: i32 = 0
  let least: f64 = Infinity
  let greatest: f64 = -Infinity
  let nan: bool = false
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) continue
    const value = load<f64>(values + (i << 3))
    if (value != value) nan = true
    if (value < least) least = value
    if (value > greatest) greatest = value
    present++
  }
  store<f64>(out, least)
  store<f64>(out, greatest, 8)
  return nan ? -1 : present
}

export function extremesTexts(data: u32, offsets: u32, validity: u32, count: u32, out: u32): u32 {
  let present: u32 = 0
  let least: u32 = 0
  let greatest: u32 = 0
  let leastHead = u64.MAX_VALUE
  let greatestHead: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) continue
    const head = headOf(data, offsets, i)
    // Only texts that begin like the least or the greatest so far need a closer look, and the first one.
    if (head > leastHead && head < greatestHead && present != 0) {
      present++
      continue
    }
    if (present == 0 || (head <= leastHead && (head < leastHead || isBefore(data, offsets, i, least)))) {
      least = i
      leastHead = head
    }
    if (present == 0 || (head >= greatestHead && (head > greatestHead || isBefore(data, offsets, greatest, i)))) {
      greatest = i
      greatestHead = head
    }
    present++
  }
  store<u32>(out, least)
  store<u32>(out, greatest, 8)
  return present
}

/** The first eight bytes as a number that sorts as they do; zeros where there are fewer. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function headOf(data: u32, offsets: u32, i: u32): u64 {
  const at = offsets + (i << 2)
  const start = load<u32>(at)
  const length = load<u32>(at, 4) - start
  const head = bswap<u64>(load<u64>(data + start))
  // Shifts are modulo 64, so that of no bytes at all must be made of two.
  return length >= 8 ? head : head & ((<u64>-2) << (63 - (<u64>length << 3)))
}

function isBefore(data: u32, offsets: u32, a: u32, b: u32): bool {
  const atA = offsets + (a << 2)
  const atB = offsets + (b << 2)
  const startA = load<u32>(atA)
  const startB = load<u32>(atB)
  const lengthA = load<u32>(atA, 4) - startA
  const lengthB = load<u32>(atB, 4) - startB
  let p = data + startA
  let q = data + startB
  const end = p + min<u32>(lengthA, lengthB)
  for (; p + 8 <= end; p += 8, q += 8) {
    const x = load<u64>(p)
    const y = load<u64>(q)
    if (x != y) return bswap<u64>(x) < bswap<u64>(y)
  }
  for (; p < end; p++, q++) {
    const x = load<u8>(p)
    const y = load<u8>(q)
    if (x != y) return x < y
  }
  return lengthA < lengthB
}

/** The words of `count` fields of `width` bytes each, one after the other from `values` on: two a field, as `lookup` reads them with stride 2. */
export function fixedFields(values: u32, width: u32, count: u32, out: u32): void {
  let at = values
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(out + (i << 3), at)
    at += width
    store<u32>(out + (i << 3), at + 1, 4)
  }
}

/** The same for texts that lie one after the other; `ends` is where each ends, counted from `data`. */
export function textFields(data: u32, ends: u32, count: u32, out: u32): void {
  let at = data
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(out + (i << 3), at)
    at = data + load<u32>(ends + (i << 2))
    store<u32>(out + (i << 3), at + 1, 4)
  }
}

/** The same for texts of a dictionary's entries (address, length, hash, 0), by their codes, or in order (`codes` 0). */
export function entryFields(entries: u32, codes: u32, count: u32, out: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const entry = entries + ((codes == 0 ? i : load<u32>(codes + (i << 2))) << 4)
    const start = load<u32>(entry)
    store<u32>(out + (i << 3), start)
    store<u32>(out + (i << 3), start + load<u32>(entry, 4) + 1, 4)
  }
}
