// The words of a shape, and what a place is, stand in ../text-shape.ts.
import { charactersAt, numberOfDigits, otherThanDigits } from './field'

const NO_PLACE: u32 = 0xffffffff
const KIND_NUMBER: u32 = 1
const PLACES_MAX: u32 = 1 << 17

/** Places of shorter numbers, and that of the empty text. */
const BEFORE: usize = memory.data<u32>([0, 1, 11, 111, 1_111, 11_111, 111_111, 1_111_111, 11_111_111])

export function shapedCodes(fields: u32, stride: u32, column: u32, rows: u32, shape: u32, codes: u32, misses: u32): u32 {
  return load<u32>(shape) == KIND_NUMBER
    ? shaped<bool>(fields, stride, column, rows, shape, codes, misses)
    : shaped<u32>(fields, stride, column, rows, shape, codes, misses)
}

/** T: bool for numbers, u32 for dates. */
// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function shaped<T>(fields: u32, stride: u32, column: u32, rows: u32, shape: u32, codes: u32, misses: u32): u32 {
  const prefixBytes = load<u32>(shape, 4)
  const prefix = load<u64>(shape, 8)
  const prefixMask = load<u64>(shape, 16)
  const decimals = load<u32>(shape, 24)
  const base = load<u32>(shape, 28)
  const table = load<u32>(shape, 32)
  const capacity = load<u32>(shape, 36)
  const points: u32 = decimals == 0 ? 0 : 1
  const pointBit: u64 = 56 - (decimals << 3)
  // Bytes before the point, the point, and those behind it.
  const before: u64 = points == 0 ? 0 : ((<u64>1) << pointBit) - 1
  const point: u64 = points == 0 ? 0 : (<u64>0xff) << pointBit
  const behind = ~(before | point)
  const pointThere = point & 0x1e1e1e1e1e1e1e1e
  const step = stride << 2
  let field = fields + (column << 2)
  let miss = misses
  let wanted: u32 = 0
  let unplaced: u32 = 0
  for (let row: u32 = 0; row < rows; row++, field += step) {
    const start = load<u32>(field)
    const next = load<u32>(field, 4)
    const length = next - 1 - start
    let place = NO_PLACE
    if (length == 0) place = 0
    else if (sizeof<T>() == 1) {
      const size = length - prefixBytes
      if (size - 1 < 8 && (load<u64>(start) & prefixMask) == prefix) {
        const characters = charactersAt(start + prefixBytes, size)
        const digits = ((characters & before) << 8) | (characters & behind)
        if (((characters & point) ^ pointThere | otherThanDigits(digits)) == 0)
          place = <u32>numberOfDigits(digits) + load<u32>(BEFORE + ((size - points) << 2))
      }
    } else if (length == 10) {
      const date = load<u64>(start) ^ 0x2d30302d30303030
      const last = <u32>load<u16>(start, 8) ^ 0x3030
      const other = (date | (date + 0x7f76767f76767676)) & 0x8080808080808080
      const pairs = date * 10 + (date >> 8)
      const day = (last & 0xff) * 10 + (last >> 8)
      const month = <u32>(pairs >> 40) & 0xff
      const year = (<u32>pairs & 0xff) * 100 + (<u32>(pairs >> 16) & 0xff)
      if (other == 0 && ((last | (last + 0x7676)) & 0x8080) == 0 && day <= 31 && month <= 15 && year >= base)
        place = (((year - base) << 9) | (month << 5) | day) + 1
    }
    if (place < capacity) {
      const code = load<u32>(table + (place << 2))
      if (code != 0) {
        store<u32>(codes + (row << 2), code - 1)
        continue
      }
    } else if (place < PLACES_MAX) wanted = max<u32>(wanted, place)
    else unplaced++
    store<u32>(miss, start)
    store<u32>(miss, next, 4)
    store<u32>(miss, row, 8)
    store<u32>(miss, place, 12)
    miss += 16
  }
  store<u32>(shape, wanted, 40)
  store<u32>(shape, unplaced, 44)
  return (miss - misses) >> 4
}

export function placeCodes(misses: u32, count: u32, missCodes: u32, shape: u32, codes: u32): void {
  const table = load<u32>(shape, 32)
  const capacity = load<u32>(shape, 36)
  let miss = misses
  for (let i: u32 = 0; i < count; i++, miss += 16) {
    const code = load<u32>(missCodes + (i << 2))
    store<u32>(codes + (load<u32>(miss, 8) << 2), code)
    const place = load<u32>(miss, 12)
    if (place < capacity) store<u32>(table + (place << 2), code + 1)
  }
}
