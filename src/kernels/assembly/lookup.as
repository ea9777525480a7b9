// The layout of a table stands in ../text-table.ts.
const PROBE_LIMIT: u32 = 128
const A: u32 = 0x9e3779b1
const B: u32 = 0x85ebca77
const C: u32 = 0xc2b2ae3d
const D: u32 = 0x27d4eb2f

const STOPPED_SIZE: u32 = 1
const STOPPED_ARENA: u32 = 2
const STOPPED_PROBES: u32 = 3

// @ts-ignore: decorators of functions are AssemblyScript's
@inline
function sameBytes(a: u32, b: u32, length: u32): bool {
  const last = length - 8
  for (let i: u32 = 0; i < last; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false
  return load<u64>(a + last) == load<u64>(b + last)
}

export function lookup(fields: u32, stride: u32, column: u32, rows: u32, table: u32, codes: u32): u32 {
  const slots = load<u32>(table)
  const bits = load<u32>(table, 4)
  const mask: u32 = (1 << bits) - 1
  const shift = 32 - bits
  const entries = load<u32>(table, 8)
  const limit = load<u32>(table, 16)
  const arenaEnd = load<u32>(table, 24)
  let size = load<u32>(table, 12)
  let arena = load<u32>(table, 20)
  let stopped: u32 = 0
  const step = stride << 2
  let field = fields + (column << 2)
  let row: u32 = 0
  for (; row < rows; row++, field += step) {
    const start = load<u32>(field)
    const length = load<u32>(field, 4) - 1 - start
    let hash = length * C
    let key: u64 = 0
    if (length <= 8) {
      key = length == 0 ? 0 : load<u64>(start) & (u64.MAX_VALUE >> (64 - ((<u64>length) << 3)))
      hash += <u32>key * A + <u32>(key >> 32) * B
    } else {
      const last = start + length - 8
      for (let p = start; p < last; p += 8) {
        const word = load<u64>(p)
        hash = (hash ^ <u32>word) * A + <u32>(word >> 32) * B
        hash ^= hash >> 15
      }
      const word = load<u64>(last)
      hash = (hash ^ <u32>word) * A + <u32>(word >> 32) * B
    }
    hash ^= hash >> 16
    hash *= D
    let index = hash >> shift
    let slot = slots + (index << 4)
    let probes: u32 = 0
    let code: u32 = 0
    for (;;) {
      const meta = load<u64>(slot, 8)
      code = <u32>(meta >> 32)
      if (code == 0) break
      if (<u32>meta == length) {
        if (length <= 8) {
          if (load<u64>(slot) == key) break
        } else if (load<u32>(slot) == hash && sameBytes(start, load<u32>(slot, 4), length)) break
      }
      if (++probes == PROBE_LIMIT) break
      index = (index + 1) & mask
      slot = slots + (index << 4)
    }
    if (probes == PROBE_LIMIT) {
      stopped = STOPPED_PROBES
      break
    }
    if (code == 0) {
      if (size == limit) {
        stopped = STOPPED_SIZE
        break
      }
      if (length > arenaEnd - arena) {
        stopped = STOPPED_ARENA
        break
      }
      // 16 bytes at once where they stay in the segment; what lies behind the key is written over by the next one.
      if (length <= 16 && arenaEnd - arena >= 16) v128.store(arena, v128.load(start))
      else memory.copy(arena, start, length)
      const entry = entries + (size << 4)
      store<u32>(entry, arena)
      store<u32>(entry, length, 4)
      store<u32>(entry, hash, 8)
      if (length <= 8) store<u64>(slot, key)
      else {
        store<u32>(slot, hash)
        store<u32>(slot, arena, 4)
      }
      size++
      code = size
      store<u32>(slot, length, 8)
      store<u32>(slot, code, 12)
      arena += length
    }
    store<u32>(codes + (row << 2), code - 1)
  }
  store<u32>(table, size, 12)
  store<u32>(table, arena, 20)
  store<u32>(table, stopped, 28)
  return row
}

export function fillSlots(slots: u32, bits: u32, entries: u32, size: u32): void {
  const mask: u32 = (1 << bits) - 1
  for (let code: u32 = 0; code < size; code++) {
    const entry = entries + (code << 4)
    const address = load<u32>(entry)
    const length = load<u32>(entry, 4)
    const hash = load<u32>(entry, 8)
    let index = hash >> (32 - bits)
    while (load<u32>(slots + (index << 4), 12) != 0) index = (index + 1) & mask
    const slot = slots + (index << 4)
    if (length <= 8) store<u64>(slot, length == 0 ? 0 : load<u64>(address) & (u64.MAX_VALUE >> (64 - ((<u64>length) << 3))))
    else {
      store<u32>(slot, hash)
      store<u32>(slot, address, 4)
    }
    store<u32>(slot, length, 8)
    store<u32>(slot, code + 1, 12)
  }
}
