/**
 * What rows of a column are put through between the dictionary and the page, in TypeScript. Addresses are those of `Kernels`; `validity` 0
 * means that no row is missing.
 */

/** No code, no value: in codes and in maps of codes. */
export const NONE = 0xffffffff
/** The same in an `Int32Array`. Loops that work out addresses from words read them so: an unsigned word may be none of the small integers. */
const NO_WORD = -1
/** The highest bit of an int32. */
const SIGN = 0x80000000 | 0

/** The memory of kernels as these loops see it. */
export interface ColumnMemory {
  readonly u8: Uint8Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  readonly buffer: ArrayBuffer
}

/** What copies bytes from and to any place need. */
export interface TextMemory extends ColumnMemory {
  readonly view: DataView
}

/** Four bytes at a time: up to three behind the text are written as well, where they lie before `end`, for what comes next to write over. */
export function copyText({ u8, view }: TextMemory, from: number, length: number, to: number, end: number): void {
  // A call that copies costs more than a short loop.
  if (length > 64) u8.copyWithin(to, from, from + length)
  else if (to + length + 3 <= end) for (let b = 0; b < length; b += 4) view.setInt32(to + b, view.getInt32(from + b, true), true)
  else for (let b = 0; b < length; b++) u8[to + b] = u8[from + b]!
}

export function keepRows(memory: ColumnMemory, fields: number, rows: number, width: number, rowBytes: number, quote: number): number {
  const { u8, u32 } = memory
  const stride = width + 1
  const blankBytes = 3 * width - 1
  let row = fields >>> 2
  let target = row
  let kept = 0
  for (let r = 0; r < rows; r++, row += stride) {
    const start = u32[row]!
    const length = u32[row + width]! - 1 - start
    // csv-parse counts the line end of a row as well, and looks ahead: near the limit it decides.
    if (length + 8 > rowBytes) return -1
    if (length <= blankBytes && isBlank(u8, u32, row, width, quote)) continue
    if (target !== row) u32.copyWithin(target, row, row + stride)
    target += stride
    kept++
  }
  return kept
}

function isBlank(u8: Uint8Array, u32: Uint32Array, row: number, width: number, quote: number): boolean {
  for (let c = row; c < row + width; c++) {
    const start = u32[c]!
    const length = u32[c + 1]! - 1 - start
    if (length !== 0 && (length !== 2 || u8[start] !== quote)) return false
  }
  return true
}

export function renumber(i32: Int32Array, codes: number, count: number, codeOf: number, keyOf: number, known: number): number {
  const first = codeOf >>> 2
  const keys = keyOf >>> 2
  let next = known
  for (let i = codes >>> 2, end = i + count; i < end; i++) {
    const key = i32[i]!
    if (key === NO_WORD) continue
    let code = i32[first + key]!
    if (code === NO_WORD) {
      code = next++
      i32[first + key] = code
      i32[keys + code] = key
    }
    i32[i] = code
  }
  return next
}

export function mapCodes(u8: Uint8Array, i32: Int32Array, codes: number, count: number, map: number, validity: number): number {
  const places = map >>> 2
  const at = codes >>> 2
  let present = 0
  for (let i = 0; i < count; i++) {
    const place = i32[places + i32[at + i]!]!
    if (place === NO_WORD) {
      i32[at + i] = 0
      u8[validity + i] = 0
    } else {
      i32[at + i] = place
      u8[validity + i] = 1
      present++
    }
  }
  return present
}

/** In words, whatever the values are: a bigint made and dropped for each row costs more than all the rest. */
export function gather(
  memory: ColumnMemory,
  source: number,
  width: 1 | 4 | 8 | 16,
  codes: number,
  validity: number,
  count: number,
  out: number,
): void {
  const { u8, i32 } = memory
  const at = codes >>> 2
  if (width === 1) {
    for (let i = 0; i < count; i++) u8[out + i] = validity === 0 || u8[validity + i] === 1 ? u8[source + i32[at + i]!]! : 0
    return
  }
  const from = source >>> 2
  let to = out >>> 2
  if (width === 4) {
    for (let i = 0; i < count; i++) i32[to++] = validity === 0 || u8[validity + i] === 1 ? i32[from + i32[at + i]!]! : 0
    return
  }
  if (width === 8) {
    for (let i = 0; i < count; i++, to += 2) {
      if (validity === 0 || u8[validity + i] === 1) {
        const entry = from + (i32[at + i]! << 1)
        i32[to] = i32[entry]!
        i32[to + 1] = i32[entry + 1]!
      } else {
        i32[to] = 0
        i32[to + 1] = 0
      }
    }
    return
  }
  for (let i = 0; i < count; i++) {
    const present = validity === 0 || u8[validity + i] === 1
    const entry = from + (i32[at + i]! << 2)
    for (let w = 0; w < 4; w++) i32[to++] = present ? i32[entry + w]! : 0
  }
}

export function gatherLengths(
  u8: Uint8Array,
  i32: Int32Array,
  offsets: number,
  codes: number,
  validity: number,
  count: number,
  out: number,
): number {
  const from = offsets >>> 2
  const at = codes >>> 2
  const to = out >>> 2
  let total = 0
  for (let i = 0; i < count; i++) {
    let length = 0
    if (validity === 0 || u8[validity + i] === 1) {
      const entry = from + i32[at + i]!
      length = i32[entry + 1]! - i32[entry]!
    }
    i32[to + i] = length
    total += length
  }
  return total
}

export function gatherTexts(
  memory: TextMemory,
  data: number,
  offsets: number,
  codes: number,
  lengths: number,
  count: number,
  out: number,
  end: number,
): void {
  const { i32 } = memory
  const from = offsets >>> 2
  const sizes = lengths >>> 2
  const at = codes >>> 2
  let to = out
  for (let i = 0; i < count; i++) {
    const length = i32[sizes + i]!
    if (length === 0) continue
    copyText(memory, data + i32[from + i32[at + i]!]!, length, to, end)
    to += length
  }
}

export function lengthsOf(u32: Uint32Array, offsets: number, count: number, out: number): void {
  const from = offsets >>> 2
  const to = out >>> 2
  for (let i = 0; i < count; i++) u32[to + i] = u32[from + i + 1]! - u32[from + i]!
}

export function offsetsOf(u32: Uint32Array, lengths: number, count: number, out: number): void {
  const from = lengths >>> 2
  const to = out >>> 2
  let total = 0
  for (let i = 0; i < count; i++) {
    // Read first: both may be one array.
    const length = u32[from + i]!
    u32[to + i] = total
    total += length
  }
  u32[to + count] = total
}

export function compact(memory: ColumnMemory, values: number, width: 1 | 4 | 8 | 16, validity: number, count: number, out: number): number {
  const { u8, i32 } = memory
  let n = 0
  if (width === 1) {
    for (let i = 0; i < count; i++) if (u8[validity + i] === 1) u8[out + n++] = u8[values + i]!
    return n
  }
  const words = width >>> 2
  const from = values >>> 2
  let to = out >>> 2
  for (let i = 0; i < count; i++) {
    if (u8[validity + i] !== 1) continue
    for (let w = 0; w < words; w++) i32[to++] = i32[from + i * words + w]!
    n++
  }
  return n
}

export function interleaveTexts(
  memory: TextMemory,
  data: number,
  offsets: number,
  validity: number,
  count: number,
  out: number,
  end: number,
): number {
  const { u8, i32, view } = memory
  const at = offsets >>> 2
  let to = out
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const from = i32[at + i]!
    const length = i32[at + i + 1]! - from
    view.setInt32(to, length, true)
    to += 4
    copyText(memory, data + from, length, to, end)
    to += length
  }
  return to - out
}

export function packBits8(u8: Uint8Array, values: number, count: number, out: number): number {
  const bytes = (count + 7) >>> 3
  u8.fill(0, out, out + bytes)
  for (let i = 0; i < count; i++) u8[out + (i >>> 3)]! |= (u8[values + i]! & 1) << (i & 7)
  return bytes
}

export function extremesInt32(u8: Uint8Array, i32: Int32Array, values: number, validity: number, count: number, out: number): number {
  let present = 0
  let least = 0x7fffffff
  let greatest = -0x80000000
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const value = i32[(values >>> 2) + i]!
    if (value < least) least = value
    if (value > greatest) greatest = value
    present++
  }
  i32[out >>> 2] = least
  i32[(out >>> 2) + 2] = greatest
  return present
}

/** The two halves of a value as int32; the low one has its highest bit turned, so that it is in order as one too. */
export function extremesInt64(memory: ColumnMemory, values: number, validity: number, count: number, out: number): number {
  const { u8, i32 } = memory
  let present = 0
  let leastHigh = 0x7fffffff
  let leastLow = 0x7fffffff
  let greatestHigh = SIGN
  let greatestLow = SIGN
  let at = values >>> 2
  for (let i = 0; i < count; i++, at += 2) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const low = i32[at]! ^ SIGN
    const high = i32[at + 1]!
    if (high <= leastHigh && (high < leastHigh || low < leastLow)) {
      leastHigh = high
      leastLow = low
    }
    if (high >= greatestHigh && (high > greatestHigh || low > greatestLow)) {
      greatestHigh = high
      greatestLow = low
    }
    present++
  }
  const to = out >>> 2
  i32[to] = leastLow ^ SIGN
  i32[to + 1] = leastHigh
  i32[to + 2] = greatestLow ^ SIGN
  i32[to + 3] = greatestHigh
  return present
}

export function extremesDouble(u8: Uint8Array, f64: Float64Array, values: number, validity: number, count: number, out: number): number {
  let present = 0
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  let nan = false
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const value = f64[(values >>> 3) + i]!
    if (Number.isNaN(value)) nan = true
    if (value < least) least = value
    if (value > greatest) greatest = value
    present++
  }
  f64[out >>> 3] = least
  f64[(out >>> 3) + 1] = greatest
  return nan ? -1 : present
}

export function extremesTexts(memory: TextMemory, data: number, offsets: number, validity: number, count: number, out: number): number {
  const { u8, i32 } = memory
  const words = offsets >>> 2
  let present = 0
  let least = 0
  let greatest = 0
  // What most texts are told by.
  let leastHead = 0
  let greatestHead = 0
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const head = headOf(memory, data, words, i)
    if (present === 0) {
      least = i
      greatest = i
      leastHead = head
      greatestHead = head
    } else if (head < leastHead || (head === leastHead && isBefore(u8, i32, data, words, i, least))) {
      least = i
      leastHead = head
    } else if (head > greatestHead || (head === greatestHead && isBefore(u8, i32, data, words, greatest, i))) {
      greatest = i
      greatestHead = head
    }
    present++
  }
  i32[out >>> 2] = least
  i32[(out >>> 2) + 2] = greatest
  return present
}

/** The first three bytes of a text, zeros behind its end, as a number: a text of which it is less comes before. */
function headOf({ i32, view }: TextMemory, data: number, words: number, i: number): number {
  const start = i32[words + i]!
  const length = i32[words + i + 1]! - start
  const three = view.getInt32(data + start) >>> 8
  return length >= 3 ? three : three & (0xffffff << (24 - 8 * length))
}

function isBefore(u8: Uint8Array, i32: Int32Array, data: number, offsets: number, a: number, b: number): boolean {
  const startA = i32[offsets + a]!
  const startB = i32[offsets + b]!
  const lengthA = i32[offsets + a + 1]! - startA
  const lengthB = i32[offsets + b + 1]! - startB
  const shared = Math.min(lengthA, lengthB)
  for (let i = 0; i < shared; i++) {
    const difference = u8[data + startA + i]! - u8[data + startB + i]!
    if (difference !== 0) return difference < 0
  }
  return lengthA < lengthB
}

export function fixedFields(u32: Uint32Array, values: number, width: number, count: number, out: number): void {
  let to = out >>> 2
  for (let i = 0; i < count; i++) {
    u32[to++] = values + i * width
    u32[to++] = values + (i + 1) * width + 1
  }
}

export function textFields(u32: Uint32Array, data: number, ends: number, count: number, out: number): void {
  let to = out >>> 2
  let at = data
  for (let i = 0; i < count; i++) {
    u32[to++] = at
    at = data + u32[(ends >>> 2) + i]!
    u32[to++] = at + 1
  }
}

export function entryFields(u32: Uint32Array, entries: number, codes: number, count: number, out: number): void {
  let to = out >>> 2
  for (let i = 0; i < count; i++) {
    const entry = (entries >>> 2) + (codes === 0 ? i : u32[(codes >>> 2) + i]!) * 4
    const start = u32[entry]!
    u32[to++] = start
    u32[to++] = start + u32[entry + 1]! + 1
  }
}
