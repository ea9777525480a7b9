/**
 * What rows of a column are put through between the dictionary and the page, in TypeScript. Addresses are those of `Kernels`; `validity` 0
 * means that no row is missing.
 */

/** No code, no value: in codes and in maps of codes. */
export const NONE = 0xffffffff

/** The memory of kernels as these loops see it. */
export interface ColumnMemory {
  readonly u8: Uint8Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  readonly buffer: ArrayBuffer
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

export function renumber(u32: Uint32Array, codes: number, count: number, codeOf: number, keyOf: number, known: number): number {
  const first = codeOf >>> 2
  const keys = keyOf >>> 2
  let next = known
  for (let i = codes >>> 2, end = i + count; i < end; i++) {
    const key = u32[i]!
    if (key === NONE) continue
    let code = u32[first + key]!
    if (code === NONE) {
      code = next++
      u32[first + key] = code
      u32[keys + code] = key
    }
    u32[i] = code
  }
  return next
}

export function mapCodes(u8: Uint8Array, u32: Uint32Array, codes: number, count: number, map: number, validity: number): number {
  const places = map >>> 2
  const at = codes >>> 2
  let present = 0
  for (let i = 0; i < count; i++) {
    const place = u32[places + u32[at + i]!]!
    if (place === NONE) {
      u32[at + i] = 0
      u8[validity + i] = 0
    } else {
      u32[at + i] = place
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
  const { u8, i32, u32 } = memory
  const at = codes >>> 2
  if (width === 1) {
    for (let i = 0; i < count; i++) u8[out + i] = validity === 0 || u8[validity + i] === 1 ? u8[source + u32[at + i]!]! : 0
    return
  }
  const from = source >>> 2
  let to = out >>> 2
  if (width === 4) {
    for (let i = 0; i < count; i++) i32[to++] = validity === 0 || u8[validity + i] === 1 ? i32[from + u32[at + i]!]! : 0
    return
  }
  const words = width >>> 2
  for (let i = 0; i < count; i++) {
    const present = validity === 0 || u8[validity + i] === 1
    const entry = from + u32[at + i]! * words
    for (let w = 0; w < words; w++) i32[to++] = present ? i32[entry + w]! : 0
  }
}

export function gatherLengths(
  u8: Uint8Array,
  u32: Uint32Array,
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
    const entry = from + u32[at + i]!
    const length = validity === 0 || u8[validity + i] === 1 ? u32[entry + 1]! - u32[entry]! : 0
    u32[to + i] = length
    total += length
  }
  return total
}

export function gatherTexts(
  u8: Uint8Array,
  u32: Uint32Array,
  data: number,
  offsets: number,
  codes: number,
  lengths: number,
  count: number,
  out: number,
): void {
  let to = out
  for (let i = 0; i < count; i++) {
    const length = u32[(lengths >>> 2) + i]!
    if (length === 0) continue
    copyText(u8, data + u32[(offsets >>> 2) + u32[(codes >>> 2) + i]!]!, length, to)
    to += length
  }
}

function copyText(u8: Uint8Array, from: number, length: number, to: number): void {
  // A call that copies costs more than a short loop.
  if (length > 48) u8.copyWithin(to, from, from + length)
  else for (let b = 0; b < length; b++) u8[to + b] = u8[from + b]!
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
  u8: Uint8Array,
  u32: Uint32Array,
  data: number,
  offsets: number,
  validity: number,
  count: number,
  out: number,
): number {
  let to = out
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const from = u32[(offsets >>> 2) + i]!
    const length = u32[(offsets >>> 2) + i + 1]! - from
    u8[to] = length & 0xff
    u8[to + 1] = (length >>> 8) & 0xff
    u8[to + 2] = (length >>> 16) & 0xff
    u8[to + 3] = length >>> 24
    to += 4
    copyText(u8, data + from, length, to)
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

/** The two halves of a value as numbers: the high one with its sign, the low one without. */
export function extremesInt64(memory: ColumnMemory, values: number, validity: number, count: number, out: number): number {
  const { u8, i32, u32 } = memory
  let present = 0
  let leastHigh = 0x7fffffff
  let leastLow = 0xffffffff
  let greatestHigh = -0x80000000
  let greatestLow = 0
  let at = values >>> 2
  for (let i = 0; i < count; i++, at += 2) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    const low = u32[at]!
    const high = i32[at + 1]!
    if (high < leastHigh || (high === leastHigh && low < leastLow)) {
      leastHigh = high
      leastLow = low
    }
    if (high > greatestHigh || (high === greatestHigh && low > greatestLow)) {
      greatestHigh = high
      greatestLow = low
    }
    present++
  }
  u32[out >>> 2] = leastLow
  i32[(out >>> 2) + 1] = leastHigh
  u32[(out >>> 2) + 2] = greatestLow
  i32[(out >>> 2) + 3] = greatestHigh
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

export function extremesTexts(
  u8: Uint8Array,
  u32: Uint32Array,
  data: number,
  offsets: number,
  validity: number,
  count: number,
  out: number,
): number {
  let present = 0
  let least = 0
  let greatest = 0
  for (let i = 0; i < count; i++) {
    if (validity !== 0 && u8[validity + i] === 0) continue
    if (present === 0) {
      least = i
      greatest = i
    } else if (isBefore(u8, u32, data, offsets >>> 2, i, least)) least = i
    else if (isBefore(u8, u32, data, offsets >>> 2, greatest, i)) greatest = i
    present++
  }
  u32[out >>> 2] = least
  u32[(out >>> 2) + 2] = greatest
  return present
}

function isBefore(u8: Uint8Array, u32: Uint32Array, data: number, offsets: number, a: number, b: number): boolean {
  const startA = u32[offsets + a]!
  const startB = u32[offsets + b]!
  const lengthA = u32[offsets + a + 1]! - startA
  const lengthB = u32[offsets + b + 1]! - startB
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
