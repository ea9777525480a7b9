/**
 * Texts of one shape have a place each, by their digits alone: what is looked up there needs no hash, no comparison, and a quarter of the room.
 *
 * A number is `prefix`, up to 8 characters of digits and, where `decimals` is not 0, a point before the last so many. Its place is what its
 * digits say plus 1, 11, 111 and so on for one, two, three of them, so that 5, 05 and 005 have three places. A date is `YYYY-MM-DD`; its place counts 512 for a year from `base` on, 32 for a
 * month, and 1. The empty text has place 0. Every other text has none.
 */
export interface TextShape {
  readonly kind: 'number' | 'date'
  readonly prefix: string
  readonly decimals: number
  readonly base: number
}

/** Words of a shape as the kernels read it. The prefix and its mask have two each, the first byte lowest. */
export const SHAPE_WORDS = 12
export const KIND = 0
export const PREFIX_BYTES = 1
export const PREFIX = 2
export const PREFIX_MASK = 4
export const DECIMALS = 6
export const BASE = 7
/** Address of a word for each place: the code + 1, or 0. */
export const TABLE = 8
/** Places that there are. */
export const CAPACITY = 9
/** Written by a call: the greatest place beyond the capacity that a text asked for, and the rows without a place. */
export const WANTED = 10
export const UNPLACED = 11

export const KIND_NUMBER = 1
export const KIND_DATE = 2

/** No place reaches it: room for all numbers of five digits. */
export const PLACES_MAX = 1 << 17
/** Words of a row that was not found: where its field starts and ends (+ 1), the row, and its place, NO_PLACE where it has none. */
export const MISS_WORDS = 4
/** All ones as an unsigned word. */
const NO_PLACE = -1

const PREFIX_MAX = 7
const NUMBER_MAX = 8
const NUMBER = /^([^0-9.]{0,7})(\d+|(?=\.))(?:\.(\d+))?$/
const DATE = /^\d{4}-\d\d-\d\d$/
/** Years before the first one seen that have places too. */
const EARLIER_YEARS = 8

/** The shape that at least half of some texts have, or null. Texts are given as Latin-1. */
export function shapeOf(texts: readonly string[]): TextShape | null {
  const counts = new Map<string, { readonly shape: TextShape; count: number }>()
  let year = 9999
  for (const text of texts) {
    const shape = shapeOfText(text)
    if (shape === null) continue
    if (shape.kind === 'date') year = Math.min(year, shape.base)
    const name = `${shape.kind} ${shape.decimals} ${shape.prefix}`
    const known = counts.get(name)
    if (known === undefined) counts.set(name, { shape, count: 1 })
    else known.count++
  }
  for (const { shape, count } of counts.values()) {
    if (count * 2 >= texts.length) return shape.kind === 'date' ? { ...shape, base: Math.max(0, year - EARLIER_YEARS) } : shape
  }
  return null
}

function shapeOfText(text: string): TextShape | null {
  if (DATE.test(text)) return { kind: 'date', prefix: '', decimals: 0, base: Number(text.slice(0, 4)) }
  const found = NUMBER.exec(text)
  if (found === null) return null
  const [, prefix = '', , fraction = ''] = found
  if (prefix.length > PREFIX_MAX || text.length - prefix.length > NUMBER_MAX) return null
  return { kind: 'number', prefix, decimals: fraction.length, base: 0 }
}

export function writeShape(u32: Uint32Array, address: number, shape: TextShape): void {
  const header = address >>> 2
  u32.fill(0, header, header + SHAPE_WORDS)
  u32[header + KIND] = shape.kind === 'number' ? KIND_NUMBER : KIND_DATE
  u32[header + PREFIX_BYTES] = shape.prefix.length
  for (let i = 0; i < shape.prefix.length; i++) {
    u32[header + PREFIX + (i >>> 2)]! |= shape.prefix.charCodeAt(i) << ((i & 3) * 8)
    u32[header + PREFIX_MASK + (i >>> 2)]! |= 0xff << ((i & 3) * 8)
  }
  u32[header + DECIMALS] = shape.decimals
  u32[header + BASE] = shape.base
}

/** `Kernels.shapedCodes`. */
export function shapedCodes(
  u8: Uint8Array,
  i32: Int32Array,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  shape: number,
  codes: number,
  misses: number,
): number {
  const header = shape >>> 2
  const isNumber = i32[header + KIND]! === KIND_NUMBER
  const prefixBytes = i32[header + PREFIX_BYTES]!
  const prefix = (header + PREFIX) << 2
  const decimals = i32[header + DECIMALS]!
  const base = i32[header + BASE]!
  const table = i32[header + TABLE]! >>> 2
  const capacity = i32[header + CAPACITY]!
  const out = codes >>> 2
  let field = (fields >>> 2) + column
  let miss = misses >>> 2
  let wanted = 0
  let unplaced = 0
  for (let row = 0; row < rows; row++, field += stride) {
    const start = i32[field]!
    const end = i32[field + 1]! - 1
    const place =
      start === end
        ? 0
        : isNumber
          ? placeOfNumber(u8, start, end, prefix, prefixBytes, decimals)
          : end - start === 10
            ? placeOfDate(u8, start, base)
            : NO_PLACE
    if (place >= 0 && place < capacity) {
      const code = i32[table + place]!
      if (code !== 0) {
        i32[out + row] = code - 1
        continue
      }
    } else if (place >= 0 && place < PLACES_MAX) wanted = Math.max(wanted, place)
    else unplaced++
    i32[miss] = start
    i32[miss + 1] = end + 1
    i32[miss + 2] = row
    i32[miss + 3] = place
    miss += MISS_WORDS
  }
  i32[header + WANTED] = wanted
  i32[header + UNPLACED] = unplaced
  return (miss - (misses >>> 2)) / MISS_WORDS
}

function placeOfNumber(u8: Uint8Array, start: number, end: number, prefix: number, prefixBytes: number, decimals: number): number {
  const first = start + prefixBytes
  if (first >= end || end - first > NUMBER_MAX) return NO_PLACE
  for (let i = 0; i < prefixBytes; i++) if (u8[start + i] !== u8[prefix + i]) return NO_PLACE
  const point = decimals === 0 ? end : end - decimals - 1
  if (point < first) return NO_PLACE
  let place = 0
  for (let p = first; p < end; p++) {
    const digit = u8[p]! - 0x30
    if (p === point) {
      if (digit !== 0x2e - 0x30) return NO_PLACE
    } else {
      if (digit < 0 || digit > 9) return NO_PLACE
      place = place * 10 + digit + 1
    }
  }
  return place
}

function placeOfDate(u8: Uint8Array, p: number, base: number): number {
  if (u8[p + 4] !== 0x2d || u8[p + 7] !== 0x2d) return NO_PLACE
  let number = 0
  for (let i = 0; i < 10; i++) {
    if (i === 4 || i === 7) continue
    const digit = u8[p + i]! - 0x30
    if (digit < 0 || digit > 9) return NO_PLACE
    number = number * 10 + digit
  }
  const day = number % 100
  const month = ((number - day) / 100) % 100
  const year = Math.floor(number / 10_000)
  return day > 31 || month > 15 || year < base ? NO_PLACE : (year - base) * 512 + month * 32 + day + 1
}

/** `Kernels.placeCodes`. */
export function placeCodes(i32: Int32Array, misses: number, count: number, missCodes: number, shape: number, codes: number): void {
  const table = i32[(shape >>> 2) + TABLE]! >>> 2
  const capacity = i32[(shape >>> 2) + CAPACITY]!
  const out = codes >>> 2
  let miss = misses >>> 2
  for (let i = 0; i < count; i++, miss += MISS_WORDS) {
    const code = i32[(missCodes >>> 2) + i]!
    i32[out + i32[miss + 2]!] = code
    const place = i32[miss + 3]!
    if (place >= 0 && place < capacity) i32[table + place] = code + 1
  }
}
