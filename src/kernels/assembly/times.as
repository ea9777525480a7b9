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

function daysAt(p: u32): i32 {
  const century = twoDigits(p)
  const yearOfCentury = twoDigits(p + 2)
  const month = twoDigits(p + 5)
  const day = twoDigits(p + 8)
  if (century > 99 || yearOfCentury > 99 || month - 1 > 11 || day - 1 > 30) return NOT_A_DATE
  if (load<u8>(p, 4) != MINUS || load<u8>(p, 7) != MINUS) return NOT_A_DATE
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

function timestampIn(start: u32, end: u32, unitsPerSecond: u32, utc: bool): i64 {
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
