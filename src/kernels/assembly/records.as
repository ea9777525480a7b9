// Rows of a bulk file by their record; see ../records.ts.

/** No code, no group. */
const NONE: u32 = 0xffffffff

/** See `Kernels.takeCodes`. */
export function takeCodes(codes: u32, validity: u32, rows: u32, count: u32, codeOf: u32, keyOf: u32, out: u32): u32 {
  let next: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const row = load<u32>(rows + (i << 2))
    if (validity != 0 && load<u8>(validity + row) == 0) {
      store<u32>(out + (i << 2), 0)
      continue
    }
    const key = load<u32>(codes + (row << 2))
    const at = codeOf + (key << 2)
    let code = load<u32>(at)
    if (code == NONE) {
      code = next++
      store<u32>(at, code)
      store<u32>(keyOf + (code << 2), key)
    }
    store<u32>(out + (i << 2), code)
  }
  for (let code: u32 = 0; code < next; code++) store<u32>(codeOf + (load<u32>(keyOf + (code << 2)) << 2), NONE)
  return next
}

/** See `Kernels.codeFixed`. */
export function codeFixed(values: u32, width: u32, validity: u32, count: u32, slots: u32, slotBits: u32, out: u32, firsts: u32): u32 {
  memory.fill(slots, 0xff, 4 << slotBits)
  const mask: u32 = (1 << slotBits) - 1
  const shift: u64 = 64 - slotBits
  let next: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) {
      store<u32>(out + (i << 2), 0)
      continue
    }
    const at = values + i * width
    let low: u64
    let high: u64 = 0
    if (width == 8) low = load<u64>(at)
    else if (width == 4) low = load<u32>(at)
    else {
      low = load<u64>(at)
      high = load<u64>(at, 8)
    }
    let slot = <u32>(((low ^ (high * 0xff51afd7ed558ccd)) * 0x9e3779b97f4a7c15) >> shift)
    let code = load<u32>(slots + (slot << 2))
    while (code != NONE && !isFixed(values + load<u32>(firsts + (code << 2)) * width, width, low, high)) {
      slot = (slot + 1) & mask
      code = load<u32>(slots + (slot << 2))
    }
    if (code == NONE) {
      code = next++
      store<u32>(slots + (slot << 2), code)
      store<u32>(firsts + (code << 2), i)
    }
    store<u32>(out + (i << 2), code)
  }
  return next
}

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function isFixed(at: u32, width: u32, low: u64, high: u64): bool {
  if (width == 8) return load<u64>(at) == low
  if (width == 4) return load<u32>(at) == <u32>low
  return load<u64>(at) == low && load<u64>(at, 8) == high
}

/** See `Kernels.codeTexts`. */
export function codeTexts(data: u32, offsets: u32, validity: u32, count: u32, slots: u32, slotBits: u32, out: u32, firsts: u32): u32 {
  memory.fill(slots, 0xff, 4 << slotBits)
  const mask: u32 = (1 << slotBits) - 1
  const shift: u64 = 64 - slotBits
  let next: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (validity != 0 && load<u8>(validity + i) == 0) {
      store<u32>(out + (i << 2), 0)
      continue
    }
    const at = offsets + (i << 2)
    const start = data + load<u32>(at)
    const length = data + load<u32>(at, 4) - start
    let slot = <u32>(hashOfText(start, length) >> shift)
    let code = load<u32>(slots + (slot << 2))
    while (code != NONE) {
      const other = offsets + (load<u32>(firsts + (code << 2)) << 2)
      const from = data + load<u32>(other)
      if (data + load<u32>(other, 4) - from == length && memory.compare(from, start, length) == 0) break
      slot = (slot + 1) & mask
      code = load<u32>(slots + (slot << 2))
    }
    if (code == NONE) {
      code = next++
      store<u32>(slots + (slot << 2), code)
      store<u32>(firsts + (code << 2), i)
    }
    store<u32>(out + (i << 2), code)
  }
  return next
}

function hashOfText(start: u32, length: u32): u64 {
  let hash: u64 = length
  let p = start
  const end = start + length
  for (; p + 8 <= end; p += 8) hash = rotl<u64>((hash ^ load<u64>(p)) * 0x9e3779b97f4a7c15, 29)
  for (; p < end; p++) hash = (hash ^ load<u8>(p)) * 0xff51afd7ed558ccd
  return (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15
}

/** Where the content of each row stands: two words a row, its first byte and its length. */
export function rowSpans(fields: u32, width: u32, rows: u32, out: u32): void {
  const step = (width + 1) << 2
  let row = fields
  for (let i: u32 = 0; i < rows; i++, row += step) {
    const start = load<u32>(row)
    store<u32>(out + (i << 3), start)
    store<u32>(out + (i << 3), load<u32>(row + (width << 2)) - 1 - start, 4)
  }
}

/** Adds rows, and their bytes with a line end each, to the two words of each code. */
export function tallySpans(spans: u32, codes: u32, rows: u32, tally: u32): void {
  for (let i: u32 = 0; i < rows; i++) {
    const at = tally + (load<u32>(codes + (i << 2)) << 3)
    store<u32>(at, load<u32>(at) + 1)
    store<u32>(at, load<u32>(at, 4) + load<u32>(spans + (i << 3), 4) + 1, 4)
  }
}

/** See `Kernels.scatterSpans`. */
export function scatterSpans(spans: u32, codes: u32, groupOf: u32, rows: u32, ends: u32): void {
  for (let i: u32 = 0; i < rows; i++) {
    const group = load<u32>(groupOf + (load<u32>(codes + (i << 2)) << 2))
    if (group == NONE) continue
    const end = ends + (group << 2)
    const to = load<u32>(end)
    const length = load<u32>(spans + (i << 3), 4)
    memory.copy(to, load<u32>(spans + (i << 3)), length)
    store<u8>(to + length, 0x0a)
    store<u32>(end, to + length + 1)
  }
}
