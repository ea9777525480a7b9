import { textOf } from './field'

const MINUS: u8 = 0x2d
const PLUS: u8 = 0x2b
const POINT: u8 = 0x2e
const COLON: u8 = 0x3a

const NOT_A_DATE: i32 = 0x7fffffff
const FIRST_SECOND: i64 = -719_162 * 86_400
const LAST_SECOND: i64 = 2_932_896 * 86_400 + 86_399

const DAYS_BEFORE_MONTH: usize = memory.data<i32>([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
const DAYS_IN_MONTH: usize = memory.data<i32>([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

/** Two digits at `p`, or 100 and more. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function twoDigits(p: u32): u32 {
  const tens = <u32>load<u8>(p) - 0x30
  const ones = <u32>load<u8>(p, 1) - 0x30
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones
}

/** Days since 1970-01-01 of `YYYY-MM-DD` at `p`. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function daysAt(p: u32): i32 {
  const date = load<u64>(p) ^ 0x2d30302d30303030
  const last = load<u16>(p, 8) ^ 0x3030
  const other = (date | (date + 0x7f76767f76767676)) & 0x8080808080808080
  const otherLast = (<u32>last | (<u32>last + 0x7676)) & 0x8080
  const pairs = date * 10 + (date >> 8)
  const day = (<u32>last & 0xff) * 10 + (<u32>last >> 8)
  if (other != 0 || otherLast != 0) return NOT_A_DATE
  return daysOf(<u32>pairs & 0xff, <u32>(pairs >> 16) & 0xff, <u32>(pairs >> 40) & 0xff, day)
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function daysOf(century: u32, yearOfCentury: u32, month: u32, day: u32): i32 {
  if (month - 1 > 11 || day - 1 > 30) return NOT_A_DATE
  const year = century * 100 + yearOfCentury
  if (year == 0) return NOT_A_DATE
  const leap: u32 = (year & 3) == 0 && (yearOfCentury != 0 || (century & 3) == 0) ? 1 : 0
  if (day > load<u32>(DAYS_IN_MONTH + (month << 2)) + (month == 2 ? leap : 0)) return NOT_A_DATE
  const before = year - 1
  const leapDays = (before >> 2) - before / 100 + before / 400
  const days = before * 365 + leapDays + load<u32>(DAYS_BEFORE_MONTH + (month << 2)) + (month > 2 ? leap : 0) + day
  return <i32>days - 719_163
}

export function parseDate(fields: u32, stride: u32, column: u32, rows: u32, quote: u32, values: u32, validity: u32): u32 {
  let field = fields + (column << 2)
  for (let row: u32 = 0; row < rows; row++, field += stride << 2) {
    const text = textOf(field, quote)
    const start = <u32>text
    const end = <u32>(text >> 32)
    if (start == end) {
      store<i32>(values + (row << 2), 0)
      store<u8>(validity + row, 0)
      continue
    }
    if (end - start != 10) return row
    const days = daysAt(start)
    if (days == NOT_A_DATE) return row
    store<i32>(values + (row << 2), days)
    store<u8>(validity + row, 1)
  }
  return rows
}

function secondAt(p: u32): i32 {
  const hour = twoDigits(p)
  const minute = twoDigits(p + 3)
  const second = twoDigits(p + 6)
  if (hour > 23 || minute > 59 || second > 59) return -1
  if (load<u8>(p, 2) != COLON || load<u8>(p, 5) != COLON) return -1
  return hour * 3600 + minute * 60 + second
}

/** Where the digits after a point at `p` end; `p` itself where there is no point; 0: a point without digits, or finer than a microsecond. */
function fractionEnd(p: u32, end: u32): u32 {
  if (p == end || load<u8>(p) != POINT) return p
  let q = p + 1
  for (; q < end; q++) {
    const digit = <u32>load<u8>(q) - 0x30
    if (digit > 9) break
    if (q - p > 6 && digit > 0) return 0
  }
  return q == p + 1 ? 0 : q
}

function microsIn(p: u32, end: u32): u32 {
  let micros: u32 = 0
  for (let i: u32 = 1; i <= 6; i++) micros = micros * 10 + (p + i < end ? <u32>load<u8>(p + i) - 0x30 : 0)
  return micros
}

const NOT_A_TIME: i64 = i64.MIN_VALUE

/**
 * A timestamp with three digits of a second's fraction, in UTC or without a zone: three words, compared with what stands between the digits
 * and tested for digits at once. Any other, and any that is none: as `anyTimestampIn` says.
 */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function timestampIn(start: u32, end: u32, unitsPerSecond: u32, utc: bool): i64 {
  if (end - start != (utc ? 24 : 23)) return anyTimestampIn(start, end, unitsPerSecond, utc)
  // 'YYYY-MM-', 'DDThh:mm', ':ss.mmmZ'; the lowest byte is the first.
  const date = load<u64>(start) ^ 0x2d30302d30303030
  const minutes = load<u64>(start, 8) ^ 0x30303a3030543030
  const seconds = (load<u64>(start, 16) ^ 0x5a3030302e30303a) & (utc ? u64.MAX_VALUE : 0x00ffffffffffffff)
  // Added to a byte it sets the top bit from 10 on, or where there is no digit from 1 on.
  const other =
    (date | (date + 0x7f76767f76767676)) | (minutes | (minutes + 0x76767f76767f7676)) | (seconds | (seconds + 0x7f7676767f76767f))
  // Each byte ten times itself and the one behind it: the pairs of digits.
  const ofDate = date * 10 + (date >> 8)
  const ofMinutes = minutes * 10 + (minutes >> 8)
  const ofSeconds = seconds * 10 + (seconds >> 8)
  const century = <u32>ofDate & 0xff
  const yearOfCentury = <u32>(ofDate >> 16) & 0xff
  const month = <u32>(ofDate >> 40) & 0xff
  const day = <u32>ofMinutes & 0xff
  const hour = <u32>(ofMinutes >> 24) & 0xff
  const minute = <u32>(ofMinutes >> 48) & 0xff
  const second = <u32>(ofSeconds >> 8) & 0xff
  const millis = (<u32>(ofSeconds >> 32) & 0xff) * 10 + (<u32>(seconds >> 48) & 0xff)
  if ((other & 0x8080808080808080) != 0 || hour > 23 || minute > 59 || second > 59) return NOT_A_TIME
  const days = daysOf(century, yearOfCentury, month, day)
  if (days == NOT_A_DATE) return NOT_A_TIME
  const value = (<i64>days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + millis
  return unitsPerSecond == 1000 ? value : value * 1000
}

function anyTimestampIn(start: u32, end: u32, unitsPerSecond: u32, utc: bool): i64 {
  if (end - start < 19 || load<u8>(start, 10) != 0x54) return NOT_A_TIME
  const days = daysAt(start)
  const secondOfDay = secondAt(start + 11)
  if (days == NOT_A_DATE || secondOfDay < 0) return NOT_A_TIME
  const point = start + 19
  const zone = fractionEnd(point, end)
  if (zone == 0) return NOT_A_TIME
  const micros = zone == point ? 0 : microsIn(point, zone)
  let second = <i64>days * 86_400 + secondOfDay
  if (utc) {
    const mark: u8 = zone < end ? load<u8>(zone) : 0
    if (mark == 0x5a) {
      if (zone + 1 != end) return NOT_A_TIME
    } else {
      if ((mark != PLUS && mark != MINUS) || zone + 6 != end || load<u8>(zone, 3) != COLON) return NOT_A_TIME
      const hours = twoDigits(zone + 1)
      const minutes = twoDigits(zone + 4)
      if (hours > 99 || minutes > 59 || hours * 60 + minutes > 840) return NOT_A_TIME
      const offset = <i64>((hours * 60 + minutes) * 60)
      second += mark == PLUS ? -offset : offset
      if (second < FIRST_SECOND || second > LAST_SECOND) return NOT_A_TIME
    }
  } else if (zone != end) return NOT_A_TIME
  if (unitsPerSecond == 1000) return micros % 1000 == 0 ? second * 1000 + micros / 1000 : NOT_A_TIME
  return second * 1_000_000 + micros
}

export function parseTimestamp(
  fields: u32,
  stride: u32,
  column: u32,
  rows: u32,
  quote: u32,
  values: u32,
  validity: u32,
  unitsPerSecond: u32,
  utc: bool,
): u32 {
  let field = fields + (column << 2)
  for (let row: u32 = 0; row < rows; row++, field += stride << 2) {
    const text = textOf(field, quote)
    const start = <u32>text
    const end = <u32>(text >> 32)
    if (start == end) {
      store<i64>(values + (row << 3), 0)
      store<u8>(validity + row, 0)
      continue
    }
    const value = timestampIn(start, end, unitsPerSecond, utc)
    if (value == NOT_A_TIME) return row
    store<i64>(values + (row << 3), value)
    store<u8>(validity + row, 1)
  }
  return rows
}

export function parseTime(
  fields: u32,
  stride: u32,
  column: u32,
  rows: u32,
  quote: u32,
  values: u32,
  validity: u32,
  unitsPerSecond: u32,
): u32 {
  let field = fields + (column << 2)
  const widthBits: u32 = unitsPerSecond == 1000 ? 2 : 3
  for (let row: u32 = 0; row < rows; row++, field += stride << 2) {
    const text = textOf(field, quote)
    const start = <u32>text
    const end = <u32>(text >> 32)
    let value: i64 = 0
    if (start != end) {
      if (end - start < 8) return row
      const second = secondAt(start)
      const point = start + 8
      if (second < 0 || fractionEnd(point, end) != end) return row
      const micros = point == end ? 0 : microsIn(point, end)
      if (widthBits == 2) {
        if (micros % 1000 != 0) return row
        value = <i64>second * 1000 + micros / 1000
      } else value = <i64>second * 1_000_000 + micros
    }
    if (widthBits == 2) store<i32>(values + (row << 2), <i32>value)
    else store<i64>(values + (row << 3), value)
    store<u8>(validity + row, start == end ? 0 : 1)
  }
  return rows
}
