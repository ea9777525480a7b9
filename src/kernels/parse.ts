/**
 * The typed kernels in TypeScript. For each type there is a loop over the fields of a column, which takes what most fields look like itself:
 * a call per field costs as much as the field. Others it gives to a function that takes the bytes [start, end) of one text without quotes,
 * which is not empty, puts its value at `at` and returns true; false: not in the simple form, and nothing counts that was written.
 *
 * 64-bit values are made from two numbers, without bigints: those are objects, and a column would make millions of them.
 */
const ZERO = 0x30
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e
const COLON = 0x3a

const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

/** Words of the memory, and the bytes as text where a number has to be read by `Number`. */
export interface ParseMemory {
  readonly u8: Uint8Array
  readonly i32: Int32Array
  readonly f64: Float64Array
  readonly view: DataView
  readonly bytes: Buffer
}

/** Digits in any of which an int32 holds every number. */
const SHORT = 9

/** ±(a × factor + b) as int64, for a < 2³⁸, factor ≤ 10⁹, b < 2⁵², and a sum below 2⁶³. `at` is an index of words. */
function setInt64(i32: Int32Array, at: number, negative: boolean, a: number, factor: number, b: number): void {
  const aHigh = Math.floor(a / 65_536)
  const low = (a - aHigh * 65_536) * factor + b
  const high = aHigh * factor
  // The sum is high × 2¹⁶ + low; both are exact.
  const highRest = high % 65_536
  let lowWord = highRest * 65_536 + (low % 4_294_967_296)
  let highWord = Math.floor(high / 65_536) + Math.floor(low / 4_294_967_296)
  if (lowWord >= 4_294_967_296) {
    lowWord -= 4_294_967_296
    highWord++
  }
  if (negative) {
    i32[at] = -lowWord | 0
    i32[at + 1] = lowWord === 0 ? -highWord | 0 : ~highWord
  } else {
    i32[at] = lowWord | 0
    i32[at + 1] = highWord | 0
  }
}

/** A number that doubles hold exactly, as int64. */
function setSafeInt64(i32: Int32Array, at: number, value: number): void {
  // ToInt32 is modulo 2³², also for negative numbers.
  i32[at] = value | 0
  i32[at + 1] = Math.floor(value / 4_294_967_296)
}

function int32In(memory: ParseMemory, start: number, end: number, at: number): boolean {
  const { u8 } = memory
  let p = start
  const sign = u8[p]!
  if (sign === MINUS || sign === PLUS) p++
  if (p === end || end - p > 18) return false
  let value = 0
  for (; p < end; p++) {
    const digit = u8[p]! - ZERO
    if (digit < 0 || digit > 9) return false
    value = value * 10 + digit
  }
  if (sign === MINUS) value = -value
  if (value < -2_147_483_648 || value > 2_147_483_647) return false
  memory.i32[at >>> 2] = value
  return true
}

function int64In(memory: ParseMemory, start: number, end: number, at: number): boolean {
  const { u8 } = memory
  let p = start
  const sign = u8[p]!
  if (sign === MINUS || sign === PLUS) p++
  const digits = end - p
  if (digits === 0 || digits > 18) return false
  const split = digits > 15 ? end - 9 : end
  let value = 0
  for (; p < split; p++) {
    const digit = u8[p]! - ZERO
    if (digit < 0 || digit > 9) return false
    value = value * 10 + digit
  }
  if (split === end) {
    setSafeInt64(memory.i32, at >>> 2, sign === MINUS ? -value : value)
    return true
  }
  let low = 0
  for (; p < end; p++) {
    const digit = u8[p]! - ZERO
    if (digit < 0 || digit > 9) return false
    low = low * 10 + digit
  }
  setInt64(memory.i32, at >>> 2, sign === MINUS, value, 1_000_000_000, low)
  return true
}

/** Where the mantissa has more digits than a double, or the power is large, `Number` reads the text: it rounds correctly (ECMA-262, StringToNumber). */
function doubleIn(memory: ParseMemory, start: number, end: number, at: number): boolean {
  const { u8 } = memory
  let p = start
  const sign = u8[p]!
  if (sign === MINUS || sign === PLUS) p++
  const first = p
  let mantissa = 0
  let significant = 0
  let digit = 0
  for (; p < end; p++) {
    digit = u8[p]! - ZERO
    if (digit < 0 || digit > 9) break
    mantissa = mantissa * 10 + digit
    if (significant > 0 || digit > 0) significant++
  }
  let digits = p - first
  let power = 0
  if (p < end && u8[p] === POINT) {
    p++
    const point = p
    for (; p < end; p++) {
      digit = u8[p]! - ZERO
      if (digit < 0 || digit > 9) break
      mantissa = mantissa * 10 + digit
      if (significant > 0 || digit > 0) significant++
    }
    power = point - p
    digits += p - point
  }
  if (digits === 0) return false
  if (p < end) {
    if ((u8[p]! | 0x20) !== 0x65) return false
    p++
    const exponentSign = p < end ? u8[p]! : 0
    if (exponentSign === MINUS || exponentSign === PLUS) p++
    if (p === end) return false
    let exponent = 0
    for (; p < end; p++) {
      digit = u8[p]! - ZERO
      if (digit < 0 || digit > 9) return false
      if (exponent < 100_000) exponent = exponent * 10 + digit
    }
    power += exponentSign === MINUS ? -exponent : exponent
  }
  // Both the mantissa (below 2⁵³) and the power are exact, so one rounding gives the nearest double (Clinger 1990).
  if (significant <= 15 && power >= -22 && power <= 22) {
    const value = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!
    memory.f64[at >>> 3] = sign === MINUS ? -value : value
    return true
  }
  const value = Number(memory.bytes.toString('latin1', start, end))
  memory.f64[at >>> 3] = value
  return Number.isFinite(value)
}

/** `bits`: of the value, 32 for precision ≤ 9, otherwise 64. */
function decimalIn(memory: ParseMemory, start: number, end: number, at: number, bits: 32 | 64, precision: number, scale: number): boolean {
  const { u8 } = memory
  let p = start
  const sign = u8[p]!
  if (sign === MINUS || sign === PLUS) p++
  const first = p
  // The first nine digits from the first that is not zero, then up to nine more.
  let a = 0
  let aDigits = 0
  let b = 0
  let bDigits = 0
  let digit = 0
  const whole = precision - scale
  for (; p < end; p++) {
    digit = u8[p]! - ZERO
    if (digit < 0 || digit > 9) break
    if (aDigits < 9) {
      a = a * 10 + digit
      if (a > 0) aDigits++
    } else {
      b = b * 10 + digit
      bDigits++
    }
    if (aDigits + bDigits > whole) return false
  }
  let digits = p - first
  let fraction = 0
  if (p < end) {
    if (u8[p] !== POINT) return false
    p++
    digits += end - p
    for (; p < end; p++) {
      digit = u8[p]! - ZERO
      if (digit < 0 || digit > 9) return false
      if (fraction === scale) {
        // Zeros that the scale has no room for say nothing.
        if (digit > 0) return false
        continue
      }
      fraction++
      if (aDigits < 9) {
        a = a * 10 + digit
        if (a > 0) aDigits++
      } else {
        b = b * 10 + digit
        bDigits++
      }
    }
  }
  if (digits === 0) return false
  for (; fraction < scale && a > 0; fraction++) {
    if (aDigits < 9) {
      a *= 10
      aDigits++
    } else {
      b *= 10
      bDigits++
    }
  }
  if (bits === 32) memory.i32[at >>> 2] = sign === MINUS ? -a : a
  else if (bDigits === 0) setSafeInt64(memory.i32, at >>> 2, sign === MINUS ? -a : a)
  else setInt64(memory.i32, at >>> 2, sign === MINUS, a, POWERS[bDigits]!, b)
  return true
}

const NOT_A_DATE = 0x7fffffff

const DAYS_BEFORE_MONTH = Int32Array.of(0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
const DAYS_IN_MONTH = Int32Array.of(0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

/** Two digits at `p`, or -1. */
function twoDigits(u8: Uint8Array, p: number): number {
  const tens = u8[p]! - ZERO
  const ones = u8[p + 1]! - ZERO
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones
}

/** Days since 1970-01-01 of the ten bytes at `p`, or NOT_A_DATE. */
function daysAt(u8: Uint8Array, p: number): number {
  const century = twoDigits(u8, p)
  const yearOfCentury = twoDigits(u8, p + 2)
  const month = twoDigits(u8, p + 5)
  const day = twoDigits(u8, p + 8)
  if (century < 0 || yearOfCentury < 0 || month < 1 || month > 12 || day < 1) return NOT_A_DATE
  if (u8[p + 4] !== MINUS || u8[p + 7] !== MINUS) return NOT_A_DATE
  const year = century * 100 + yearOfCentury
  if (year === 0) return NOT_A_DATE
  const leap = (year & 3) === 0 && (yearOfCentury !== 0 || (century & 3) === 0) ? 1 : 0
  if (day > DAYS_IN_MONTH[month]! + (month === 2 ? leap : 0)) return NOT_A_DATE
  const before = year - 1
  const leapDays = (before >> 2) - ((before / 100) | 0) + ((before / 400) | 0)
  // 719162 days lie between 0001-01-01 and 1970-01-01.
  return before * 365 + leapDays + DAYS_BEFORE_MONTH[month]! + (month > 2 ? leap : 0) + day - 1 - 719_162
}

/** Second of the day of the eight bytes `hh:mm:ss` at `p`, or -1. */
function secondAt(u8: Uint8Array, p: number): number {
  const hour = twoDigits(u8, p)
  const minute = twoDigits(u8, p + 3)
  const second = twoDigits(u8, p + 6)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return -1
  if (u8[p + 2] !== COLON || u8[p + 5] !== COLON) return -1
  return hour * 3600 + minute * 60 + second
}

/** Where the digits after a point at `p` end; `p` itself where there is no point; -1: a point without digits, or finer than a microsecond. */
function fractionEnd(u8: Uint8Array, p: number, end: number): number {
  if (p === end || u8[p] !== POINT) return p
  let q = p + 1
  for (; q < end; q++) {
    const digit = u8[q]! - ZERO
    if (digit < 0 || digit > 9) break
    if (q - p > 6 && digit > 0) return -1
  }
  return q === p + 1 ? -1 : q
}

/** Microseconds of the digits (known to be some) in (p, end), where `p` is the point. */
function microsIn(u8: Uint8Array, p: number, end: number): number {
  let micros = 0
  for (let i = 1; i <= 6; i++) micros = micros * 10 + (p + i < end ? u8[p + i]! - ZERO : 0)
  return micros
}

const FIRST_SECOND = -719_162 * 86_400
const LAST_SECOND = 2_932_896 * 86_400 + 86_399

function timestampIn(memory: ParseMemory, start: number, end: number, at: number, unitsPerSecond: number, utc: boolean): boolean {
  const { u8 } = memory
  if (end - start < 19 || u8[start + 10] !== 0x54) return false
  const days = daysAt(u8, start)
  const secondOfDay = secondAt(u8, start + 11)
  if (days === NOT_A_DATE || secondOfDay < 0) return false
  const point = start + 19
  const zone = fractionEnd(u8, point, end)
  if (zone < 0) return false
  const micros = zone === point ? 0 : microsIn(u8, point, zone)
  let second = days * 86_400 + secondOfDay
  if (utc) {
    const mark = zone < end ? u8[zone]! : 0
    if (mark === 0x5a) {
      if (zone + 1 !== end) return false
    } else {
      if ((mark !== PLUS && mark !== MINUS) || zone + 6 !== end || u8[zone + 3] !== COLON) return false
      const hours = twoDigits(u8, zone + 1)
      const minutes = twoDigits(u8, zone + 4)
      if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > 840) return false
      const offset = (hours * 60 + minutes) * 60
      second += mark === PLUS ? -offset : offset
      // The zone can carry an instant over the edge of what can be written back.
      if (second < FIRST_SECOND || second > LAST_SECOND) return false
    }
  } else if (zone !== end) return false
  if (unitsPerSecond === 1000) {
    if (micros % 1000 !== 0) return false
    setSafeInt64(memory.i32, at >>> 2, second * 1000 + micros / 1000)
  } else if (second >= 0) setInt64(memory.i32, at >>> 2, false, second, 1_000_000, micros)
  // -(n × 10⁶ - micros), with one second borrowed so that what is added stays positive.
  else if (micros === 0) setInt64(memory.i32, at >>> 2, true, -second, 1_000_000, 0)
  else setInt64(memory.i32, at >>> 2, true, -second - 1, 1_000_000, 1_000_000 - micros)
  return true
}

/** `hh:mm:ss` with a fraction as far as the unit holds it: int32 for milliseconds, int64 for microseconds. */
function timeIn(memory: ParseMemory, start: number, end: number, at: number, unitsPerSecond: number): boolean {
  const { u8 } = memory
  if (end - start < 8) return false
  const second = secondAt(u8, start)
  const point = start + 8
  if (second < 0 || fractionEnd(u8, point, end) !== end) return false
  const micros = point === end ? 0 : microsIn(u8, point, end)
  if (unitsPerSecond === 1000) {
    if (micros % 1000 !== 0) return false
    memory.i32[at >>> 2] = second * 1000 + micros / 1000
  } else setSafeInt64(memory.i32, at >>> 2, second * 1_000_000 + micros)
  return true
}

/*
 * The loops over columns. `fields`, `stride`, `column`, `rows`, `quote`, `values` and `validity` are those of `Kernels`; they return the rows
 * done. A field that begins with a quote ends with one: the tokeniser saw to it.
 */

export function parseInt32(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
): number {
  const { u8, i32 } = memory
  let field = (fields >>> 2) + column
  let at = values >>> 2
  for (let row = 0; row < rows; row++, field += stride, at++) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      i32[at] = 0
      u8[validity + row] = 0
      continue
    }
    let p = start
    let value = 0
    if (end - start <= SHORT) {
      for (; p < end; p++) {
        const digit = u8[p]! - ZERO
        if (digit < 0 || digit > 9) break
        value = (value * 10 + digit) | 0
      }
    }
    if (p === end) i32[at] = value
    else if (!int32In(memory, start, end, at << 2)) return row
    u8[validity + row] = 1
  }
  return rows
}

export function parseInt64(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
): number {
  const { u8, i32 } = memory
  let field = (fields >>> 2) + column
  let at = values >>> 2
  for (let row = 0; row < rows; row++, field += stride, at += 2) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      i32[at] = 0
      i32[at + 1] = 0
      u8[validity + row] = 0
      continue
    }
    let p = start
    let value = 0
    if (end - start <= SHORT) {
      for (; p < end; p++) {
        const digit = u8[p]! - ZERO
        if (digit < 0 || digit > 9) break
        value = (value * 10 + digit) | 0
      }
    }
    if (p === end) {
      i32[at] = value
      i32[at + 1] = 0
    } else if (!int64In(memory, start, end, at << 2)) return row
    u8[validity + row] = 1
  }
  return rows
}

export function parseDouble(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
): number {
  const { u8, i32, f64 } = memory
  const powers = POWERS
  let field = (fields >>> 2) + column
  let at = values >>> 3
  for (let row = 0; row < rows; row++, field += stride, at++) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      f64[at] = 0
      u8[validity + row] = 0
      continue
    }
    const negative = u8[start] === MINUS
    const first = negative ? start + 1 : start
    let p = first
    let mantissa = 0
    // Behind the point; 0: none was met.
    let fraction = 0
    if (end - first <= SHORT + 1) {
      for (; p < end; p++) {
        const digit = u8[p]! - ZERO
        if (digit >= 0 && digit <= 9) mantissa = (Math.imul(mantissa, 10) + digit) | 0
        else if (digit === POINT - ZERO && fraction === 0) fraction = p + 1
        else break
      }
    }
    const digits = end - first - (fraction === 0 ? 0 : 1)
    if (p === end && digits > 0 && digits <= SHORT) {
      const value = fraction === 0 ? mantissa : mantissa / powers[end - fraction]!
      f64[at] = negative ? -value : value
    } else if (!doubleIn(memory, start, end, at << 3)) return row
    u8[validity + row] = 1
  }
  return rows
}

/** `bits`: of the value, 32 for precision ≤ 9, otherwise 64. */
export function parseDecimal(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
  bits: 32 | 64,
  precision: number,
  scale: number,
): number {
  const { u8, i32 } = memory
  const powers = POWERS
  const words = bits >>> 5
  const whole = precision - scale
  // Nine digits and six zeros are a number that doubles hold.
  const longest = scale <= 6 ? SHORT + 1 : 0
  let field = (fields >>> 2) + column
  let at = values >>> 2
  for (let row = 0; row < rows; row++, field += stride, at += words) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      i32[at] = 0
      if (bits === 64) i32[at + 1] = 0
      u8[validity + row] = 0
      continue
    }
    const negative = u8[start] === MINUS
    const first = negative ? start + 1 : start
    let p = first
    let mantissa = 0
    let fraction = 0
    if (end - first <= longest) {
      for (; p < end; p++) {
        const digit = u8[p]! - ZERO
        if (digit >= 0 && digit <= 9) mantissa = (Math.imul(mantissa, 10) + digit) | 0
        else if (digit === POINT - ZERO && fraction === 0) fraction = p + 1
        else break
      }
    }
    const places = fraction === 0 ? 0 : end - fraction
    const digits = end - first - (fraction === 0 ? 0 : 1)
    if (p === end && digits > 0 && digits <= SHORT && digits - places <= whole && places <= scale) {
      const value = mantissa * powers[scale - places]!
      if (bits === 32) i32[at] = negative ? -value : value
      else setSafeInt64(i32, at, negative ? -value : value)
    } else if (!decimalIn(memory, start, end, at << 2, bits, precision, scale)) return row
    u8[validity + row] = 1
  }
  return rows
}

export function parseDate(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
): number {
  const { u8, i32 } = memory
  let field = (fields >>> 2) + column
  let at = values >>> 2
  for (let row = 0; row < rows; row++, field += stride, at++) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      i32[at] = 0
      u8[validity + row] = 0
      continue
    }
    const days = end - start === 10 ? daysAt(u8, start) : NOT_A_DATE
    if (days === NOT_A_DATE) return row
    i32[at] = days
    u8[validity + row] = 1
  }
  return rows
}

export function parseTimestamp(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
  unitsPerSecond: number,
  utc: boolean,
): number {
  const { u8, i32, view } = memory
  const millis = unitsPerSecond === 1000 && utc
  let field = (fields >>> 2) + column
  let at = values >>> 2
  for (let row = 0; row < rows; row++, field += stride, at += 2) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      i32[at] = 0
      i32[at + 1] = 0
      u8[validity + row] = 0
      continue
    }
    u8[validity + row] = 1
    // yyyy-mm-ddThh:mm:ss.mmmZ, four bytes at a time: a colon less ten is a zero, so that one test sees all four.
    if (millis && end - start === 24) {
      const a = view.getInt32(start + 11, true) - 0x000a0000
      const b = view.getInt32(start + 15, true) - 0x00000a00
      const c = view.getInt32(start + 19, true)
      const milli = (c >>> 8) | 0x30000000
      if (u8[start + 10] === 0x54 && u8[start + 23] === 0x5a && (c & 0xff) === POINT && areDigits(a) && areDigits(b) && areDigits(milli)) {
        const days = daysAt(u8, start)
        const hour = (a & 15) * 10 + ((a >>> 8) & 15)
        const minute = ((a >>> 24) & 15) * 10 + (b & 15)
        const second = ((b >>> 16) & 15) * 10 + ((b >>> 24) & 15)
        const separated = (a & 0xff0000) === 0x300000 && (b & 0xff00) === 0x3000
        if (days !== NOT_A_DATE && separated && hour < 24 && minute < 60 && second < 60) {
          const fraction = (milli & 15) * 100 + ((milli >>> 8) & 15) * 10 + ((milli >>> 16) & 15)
          setSafeInt64(i32, at, (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + fraction)
          continue
        }
      }
    }
    if (!timestampIn(memory, start, end, at << 2, unitsPerSecond, utc)) return row
  }
  return rows
}

/** Whether four bytes are all digits. */
function areDigits(four: number): boolean {
  return (four & 0xf0f0f0f0) === (0x30303030 | 0) && ((four + 0x06060606) & 0xf0f0f0f0) === (0x30303030 | 0)
}

export function parseTime(
  memory: ParseMemory,
  fields: number,
  stride: number,
  column: number,
  rows: number,
  quote: number,
  values: number,
  validity: number,
  unitsPerSecond: number,
): number {
  const { u8, i32 } = memory
  const words = unitsPerSecond === 1000 ? 1 : 2
  let field = (fields >>> 2) + column
  let at = values >>> 2
  for (let row = 0; row < rows; row++, field += stride, at += words) {
    let start = i32[field]!
    let end = i32[field + 1]! - 1
    if (start < end && u8[start] === quote && quote !== 0) {
      start++
      end--
    }
    if (start === end) {
      i32[at] = 0
      if (words === 2) i32[at + 1] = 0
      u8[validity + row] = 0
      continue
    }
    if (!timeIn(memory, start, end, at << 2, unitsPerSecond)) return row
    u8[validity + row] = 1
  }
  return rows
}
