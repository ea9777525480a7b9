import { NONE } from './columns.js'

/** What rows of a bulk file are put through on their way to the file of their record, in TypeScript; see `Kernels`. */

export function takeCodes(
  u8: Uint8Array,
  u32: Uint32Array,
  codes: number,
  validity: number,
  rows: number,
  count: number,
  codeOf: number,
  keyOf: number,
  out: number,
): number {
  const first = codeOf >>> 2
  const keys = keyOf >>> 2
  let next = 0
  for (let i = 0; i < count; i++) {
    const row = u32[(rows >>> 2) + i]!
    let code = 0
    if (validity === 0 || u8[validity + row] === 1) {
      const key = u32[(codes >>> 2) + row]!
      code = u32[first + key]!
      if (code === NONE) {
        code = next++
        u32[first + key] = code
        u32[keys + code] = key
      }
    }
    u32[(out >>> 2) + i] = code
  }
  for (let code = 0; code < next; code++) u32[first + u32[keys + code]!] = NONE
  return next
}

export function codeFixed(
  u8: Uint8Array,
  u32: Uint32Array,
  values: number,
  width: 4 | 8 | 16,
  validity: number,
  count: number,
  slots: number,
  slotBits: number,
  out: number,
  firsts: number,
): number {
  const words = width >>> 2
  const at = values >>> 2
  return numbered(u8, u32, validity, count, slots, slotBits, out, firsts, {
    hash: (i) => {
      let hash = 0
      for (let w = 0; w < words; w++) hash = Math.imul(hash ^ u32[at + i * words + w]!, 0x9e3779b1) ^ (hash >>> 15)
      return hash
    },
    same: (i, j) => {
      for (let w = 0; w < words; w++) if (u32[at + i * words + w] !== u32[at + j * words + w]) return false
      return true
    },
  })
}

export function codeTexts(
  u8: Uint8Array,
  u32: Uint32Array,
  data: number,
  offsets: number,
  validity: number,
  count: number,
  slots: number,
  slotBits: number,
  out: number,
  firsts: number,
): number {
  const at = offsets >>> 2
  return numbered(u8, u32, validity, count, slots, slotBits, out, firsts, {
    hash: (i) => {
      let hash = 0x811c9dc5
      for (let p = data + u32[at + i]!, end = data + u32[at + i + 1]!; p < end; p++) hash = Math.imul(hash ^ u8[p]!, 0x01000193)
      return hash
    },
    same: (i, j) => {
      const length = u32[at + i + 1]! - u32[at + i]!
      if (u32[at + j + 1]! - u32[at + j]! !== length) return false
      const [p, q] = [data + u32[at + i]!, data + u32[at + j]!]
      for (let b = 0; b < length; b++) if (u8[p + b] !== u8[q + b]) return false
      return true
    },
  })
}

/** Numbers follow first appearance, so how values are hashed shows nowhere. */
function numbered(
  u8: Uint8Array,
  u32: Uint32Array,
  validity: number,
  count: number,
  slots: number,
  slotBits: number,
  out: number,
  firsts: number,
  values: { hash(row: number): number; same(row: number, other: number): boolean },
): number {
  const table = slots >>> 2
  const size = 2 ** slotBits
  u32.fill(NONE, table, table + size)
  let next = 0
  for (let i = 0; i < count; i++) {
    let code = 0
    if (validity === 0 || u8[validity + i] === 1) {
      let slot = (Math.imul(values.hash(i), 0x85ebca6b) >>> 7) & (size - 1)
      code = u32[table + slot]!
      while (code !== NONE && !values.same(i, u32[(firsts >>> 2) + code]!)) {
        slot = (slot + 1) & (size - 1)
        code = u32[table + slot]!
      }
      if (code === NONE) {
        code = next++
        u32[table + slot] = code
        u32[(firsts >>> 2) + code] = i
      }
    }
    u32[(out >>> 2) + i] = code
  }
  return next
}

export function rowSpans(u32: Uint32Array, fields: number, width: number, rows: number, out: number): void {
  let row = fields >>> 2
  let to = out >>> 2
  for (let i = 0; i < rows; i++, row += width + 1) {
    u32[to++] = u32[row]!
    u32[to++] = u32[row + width]! - 1 - u32[row]!
  }
}

export function tallySpans(u32: Uint32Array, spans: number, codes: number, rows: number, tally: number): void {
  for (let i = 0; i < rows; i++) {
    const at = (tally >>> 2) + u32[(codes >>> 2) + i]! * 2
    u32[at]!++
    u32[at + 1]! += u32[(spans >>> 2) + i * 2 + 1]! + 1
  }
}

export function scatterSpans(
  u8: Uint8Array,
  u32: Uint32Array,
  spans: number,
  codes: number,
  groupOf: number,
  rows: number,
  ends: number,
): void {
  for (let i = 0; i < rows; i++) {
    const group = u32[(groupOf >>> 2) + u32[(codes >>> 2) + i]!]!
    if (group === NONE) continue
    const to = u32[(ends >>> 2) + group]!
    const from = u32[(spans >>> 2) + i * 2]!
    const length = u32[(spans >>> 2) + i * 2 + 1]!
    copyText(u8, from, length, to)
    u8[to + length] = 0x0a
    u32[(ends >>> 2) + group] = to + length + 1
  }
}

function copyText(u8: Uint8Array, from: number, length: number, to: number): void {
  // A call that copies costs more than a short loop.
  if (length > 48) u8.copyWithin(to, from, from + length)
  else for (let b = 0; b < length; b++) u8[to + b] = u8[from + b]!
}
