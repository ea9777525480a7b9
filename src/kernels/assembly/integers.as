import { areDigits, beforePoint, charactersAt, numberOf16, numberOfDigits, otherThanDigits, POWERS_OF_TEN, textOf, withoutPoint } from './field'

const MINUS: u8 = 0x2d
const PLUS: u8 = 0x2b
const POINT: u8 = 0x2e

const NOT_SIMPLE: i64 = i64.MIN_VALUE

/** An optional sign and 1 to 18 digits, or NOT_SIMPLE. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function integerIn(start: u32, end: u32): i64 {
  let p = start
  const sign = load<u8>(p)
  if (sign == MINUS || sign == PLUS) p++
  const length = end - p
  if (length - 1 > 17) return NOT_SIMPLE
  const value = length <= 8 ? shortNumber(p, length) : longNumber(p, length)
  // Both signs in one way: a branch would depend on the data. NOT_SIMPLE is its own opposite.
  const negative: i64 = sign == MINUS ? -1 : 0
  return (value ^ negative) - negative
}

/** 1 to 8 digits. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function shortNumber(p: u32, length: u32): i64 {
  const characters = charactersAt(p, length)
  return otherThanDigits(characters) != 0 ? NOT_SIMPLE : numberOfDigits(characters)
}

/** 9 to 18 digits: the last eight, eight before them, and what is left. */
function longNumber(p: u32, length: u32): i64 {
  const low = charactersAt(p + length - 8, 8)
  const upper = length - 8
  let high = charactersAt(p + (upper > 8 ? upper - 8 : 0), min<u32>(upper, 8))
  if ((otherThanDigits(low) | otherThanDigits(high)) != 0) return NOT_SIMPLE
  let value = numberOfDigits(high) * 100_000_000 + numberOfDigits(low)
  if (upper > 8) {
    high = charactersAt(p, upper - 8)
    if (otherThanDigits(high) != 0) return NOT_SIMPLE
    value += numberOfDigits(high) * 10_000_000_000_000_000
  }
  return value
}

export function parseInt32(fields: u32, stride: u32, column: u32, rows: u32, quote: u32, values: u32, validity: u32): u32 {
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
    const value = integerIn(start, end)
    if (value < i32.MIN_VALUE || value > i32.MAX_VALUE) return row
    store<i32>(values + (row << 2), <i32>value)
    store<u8>(validity + row, 1)
  }
  return rows
}

export function parseInt64(fields: u32, stride: u32, column: u32, rows: u32, quote: u32, values: u32, validity: u32): u32 {
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
    const value = integerIn(start, end)
    if (value == NOT_SIMPLE) return row
    store<i64>(values + (row << 3), value)
    store<u8>(validity + row, 1)
  }
  return rows
}

/** A decimal of up to 16 characters with a point between its digits, as nearly all are written. The rest goes digit by digit. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function decimalIn(start: u32, end: u32, whole: u32, scale: u32): i64 {
  let p = start
  const sign = load<u8>(p)
  if (sign == MINUS || sign == PLUS) p++
  const length = end - p
  if (length > 16) return anyDecimalIn(start, end, whole, scale)
  const characters = v128.xor(v128.load(p), i8x16.splat(0x30))
  const before = beforePoint(characters, length)
  const after = length - before - 1
  if (after - 1 > 14 || after > scale) return anyDecimalIn(start, end, whole, scale)
  const digits = withoutPoint(characters, length, before)
  if (!areDigits(digits)) return NOT_SIMPLE
  const value = numberOf16(digits)
  // Digits before the point that the column has no room for.
  if (value >= load<i64>(POWERS_OF_TEN + ((whole + after) << 3))) return NOT_SIMPLE
  const negative: i64 = sign == MINUS ? -1 : 0
  return ((value * load<i64>(POWERS_OF_TEN + ((scale - after) << 3))) ^ negative) - negative
}

function anyDecimalIn(start: u32, end: u32, whole: u32, scale: u32): i64 {
  let p = start
  const sign = load<u8>(p)
  if (sign == MINUS || sign == PLUS) p++
  const first = p
  let value: i64 = 0
  // Digits from the first that is not zero.
  let significant: u32 = 0
  for (; p < end; p++) {
    const digit = <u32>load<u8>(p) - 0x30
    if (digit > 9) break
    value = value * 10 + digit
    // Not by the value: its 19th digit can make it negative.
    significant += <u32>((significant | digit) != 0)
    if (significant > whole) return NOT_SIMPLE
  }
  let digits = p - first
  let fraction: u32 = 0
  if (p < end) {
    if (load<u8>(p) != POINT) return NOT_SIMPLE
    p++
    digits += end - p
    for (; p < end; p++) {
      const digit = <u32>load<u8>(p) - 0x30
      if (digit > 9) return NOT_SIMPLE
      if (fraction == scale) {
        if (digit > 0) return NOT_SIMPLE
        continue
      }
      fraction++
      value = value * 10 + digit
    }
  }
  if (digits == 0) return NOT_SIMPLE
  for (; fraction < scale; fraction++) value *= 10
  return sign == MINUS ? -value : value
}

export function parseDecimal32(
  fields: u32,
  stride: u32,
  column: u32,
  rows: u32,
  quote: u32,
  values: u32,
  validity: u32,
  precision: u32,
  scale: u32,
): u32 {
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
    const value = decimalIn(start, end, precision - scale, scale)
    if (value == NOT_SIMPLE) return row
    store<i32>(values + (row << 2), <i32>value)
    store<u8>(validity + row, 1)
  }
  return rows
}

export function parseDecimal64(
  fields: u32,
  stride: u32,
  column: u32,
  rows: u32,
  quote: u32,
  values: u32,
  validity: u32,
  precision: u32,
  scale: u32,
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
    const value = decimalIn(start, end, precision - scale, scale)
    if (value == NOT_SIMPLE) return row
    store<i64>(values + (row << 3), value)
    store<u8>(validity + row, 1)
  }
  return rows
}
