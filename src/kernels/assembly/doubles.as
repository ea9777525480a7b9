import { areDigits, beforePoint, numberOf16, textOf, withoutPoint } from './field'

/** The double nearest to the number that the bytes [start, end) hold; infinity where it is too large. Of JavaScript: `Number` of the text. */
// @ts-ignore: decorators of functions are AssemblyScript's
@external("env", "numberOf")
declare function numberOf(start: u32, end: u32): f64

const MINUS: u8 = 0x2d
const PLUS: u8 = 0x2b
const POINT: u8 = 0x2e

const POWERS: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
])

/** 128 bits of 5^q for q from -64 to 64, high word first; written by webassembly-kernels.ts. */
const FIVES: u32 = 34_816
const LARGEST_FIVE: i32 = 64

export function parseDouble(fields: u32, stride: u32, column: u32, rows: u32, quote: u32, values: u32, validity: u32): u32 {
  let field = fields + (column << 2)
  for (let row: u32 = 0; row < rows; row++, field += stride << 2) {
    const text = textOf(field, quote)
    const start = <u32>text
    const end = <u32>(text >> 32)
    if (start == end) {
      store<f64>(values + (row << 3), 0)
      store<u8>(validity + row, 0)
      continue
    }
    // Infinity: not a number in the grammar, or none that a double is near to.
    const value = plainDoubleIn(start, end)
    if (value == Infinity) return row
    store<f64>(values + (row << 3), value)
    store<u8>(validity + row, 1)
  }
  return rows
}

/** A double of up to 16 characters with a point between its digits, as most are written. The rest goes digit by digit. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function plainDoubleIn(start: u32, end: u32): f64 {
  let p = start
  const sign = load<u8>(p)
  if (sign == MINUS || sign == PLUS) p++
  const length = end - p
  if (length > 16) return doubleIn(start, end)
  const characters = v128.xor(v128.load(p), i8x16.splat(0x30))
  const before = beforePoint(characters, length)
  const after = length - before - 1
  const digits = withoutPoint(characters, length, before)
  if (after - 1 > 14 || !areDigits(digits)) return doubleIn(start, end)
  // At most 15 digits, so that mantissa and power are exact and one rounding gives the nearest double (Clinger 1990).
  const value = <f64>numberOf16(digits) / load<f64>(POWERS + (after << 3))
  return sign == MINUS ? -value : value
}

function doubleIn(start: u32, end: u32): f64 {
  let p = start
  const sign = load<u8>(p)
  if (sign == MINUS || sign == PLUS) p++
  const first = p
  let mantissa: u64 = 0
  let significant: u32 = 0
  let digit: u32 = 0
  for (; p < end; p++) {
    digit = <u32>load<u8>(p) - 0x30
    if (digit > 9) break
    mantissa = mantissa * 10 + digit
    significant += <u32>((significant | digit) != 0)
  }
  let digits = p - first
  let power: i32 = 0
  if (p < end && load<u8>(p) == POINT) {
    p++
    const point = p
    for (; p < end; p++) {
      digit = <u32>load<u8>(p) - 0x30
      if (digit > 9) break
      mantissa = mantissa * 10 + digit
      significant += <u32>((significant | digit) != 0)
    }
    power = <i32>(point - p)
    digits += p - point
  }
  if (digits == 0) return Infinity
  if (p < end) {
    if ((load<u8>(p) | 0x20) != 0x65) return Infinity
    p++
    const exponentSign: u8 = p < end ? load<u8>(p) : 0
    if (exponentSign == MINUS || exponentSign == PLUS) p++
    if (p == end) return Infinity
    let exponent: i32 = 0
    for (; p < end; p++) {
      digit = <u32>load<u8>(p) - 0x30
      if (digit > 9) return Infinity
      if (exponent < 100_000) exponent = exponent * 10 + <i32>digit
    }
    power += exponentSign == MINUS ? -exponent : exponent
  }
  let value: f64
  if (significant <= 19 && mantissa <= 9_007_199_254_740_992 && power >= -22 && power <= 22) {
    // Mantissa and power are exact, so one rounding gives the nearest double (Clinger 1990).
    value = power < 0 ? <f64>mantissa / load<f64>(POWERS + ((-power) << 3)) : <f64>mantissa * load<f64>(POWERS + (power << 3))
  } else {
    const bits = significant <= 19 && power >= -LARGEST_FIVE && power <= LARGEST_FIVE && mantissa != 0 ? nearest(mantissa, power) : 0
    if (bits == 0) {
      const number = numberOf(start, end)
      return abs<f64>(number) == Infinity ? Infinity : number
    }
    value = reinterpret<f64>(bits)
  }
  return sign == MINUS ? -value : value
}

/**
 * The bits of the double nearest to mantissa × 10^power, or 0 where this way cannot tell (which is rare, and always so half way between two
 * doubles). The mantissa is multiplied with the upper 128 bits of 5^power, as in D. Lemire, "Number parsing at a gigabyte per second" (2021);
 * what was cut off adds less than 1 to the lowest of those bits, and the cases in which that could change the answer are the rare ones.
 * Within the powers at hand nothing is subnormal or infinite.
 */
function nearest(mantissa: u64, power: i32): u64 {
  const zeros = clz<u64>(mantissa)
  const m = mantissa << zeros
  const five = FIVES + ((power + LARGEST_FIVE) << 4)
  const fiveHigh = load<u64>(five)
  let high = multiplyHigh(m, fiveHigh)
  let low = m * fiveHigh
  const upper = high >> 63
  const shift = 10 + upper
  const half = (<u64>1) << (shift - 1)
  const mask = (half << 1) - 1
  let rest = high & mask
  if (rest == half - 1 || (rest == half && low == 0)) {
    const more = multiplyHigh(m, load<u64>(five, 8))
    low += more
    if (low < more) high++
    rest = high & mask
    // The true product lies between this one and this one + 2.
    if (rest == half ? low == 0 : low == u64.MAX_VALUE) return 0
  }
  let fraction = high >> shift
  // 217706 / 65536 is log2(10), near enough for these powers.
  let exponent = 1086 + <i64>upper - <i64>zeros + <i64>((217_706 * power) >> 16)
  if (rest >= half) {
    fraction++
    if (fraction == (<u64>1) << 53) {
      fraction >>= 1
      exponent++
    }
  }
  return (fraction & (((<u64>1) << 52) - 1)) | (<u64>exponent << 52)
}

function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff
  const aHigh = a >> 32
  const bLow = b & 0xffffffff
  const bHigh = b >> 32
  const middle = aHigh * bLow + ((aLow * bLow) >> 32)
  const other = aLow * bHigh + (middle & 0xffffffff)
  return aHigh * bHigh + (middle >> 32) + (other >> 32)
}
