import { COPY_CUT, COPY_OUTSIDE, LITERAL_CUT, LITERAL_LONG, STREAM_SHORT } from './faults'

/** For an offset below 16: the bytes of a vector that repeats what lies that far behind. */
const PATTERNS: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0,
  0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0,
  0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0,
])
/** How far such a vector goes in whole repetitions. */
const STEPS: usize = memory.data<u8>([16, 16, 16, 15, 16, 15, 12, 14, 16, 9, 10, 11, 12, 13, 14, 15])
/**
 * By tag: size in bits 0 to 6 (0: a literal whose size follows), bytes of the offset that follow in bits 7 to 9 (0: a literal), upper bits of
 * the offset from 10 on.
 */
const TAGS: usize = memory.data<u16>([
  1, 132, 257, 513, 2, 133, 258, 514, 3, 134, 259, 515, 4, 135, 260, 516,
  5, 136, 261, 517, 6, 137, 262, 518, 7, 138, 263, 519, 8, 139, 264, 520,
  9, 1156, 265, 521, 10, 1157, 266, 522, 11, 1158, 267, 523, 12, 1159, 268, 524,
  13, 1160, 269, 525, 14, 1161, 270, 526, 15, 1162, 271, 527, 16, 1163, 272, 528,
  17, 2180, 273, 529, 18, 2181, 274, 530, 19, 2182, 275, 531, 20, 2183, 276, 532,
  21, 2184, 277, 533, 22, 2185, 278, 534, 23, 2186, 279, 535, 24, 2187, 280, 536,
  25, 3204, 281, 537, 26, 3205, 282, 538, 27, 3206, 283, 539, 28, 3207, 284, 540,
  29, 3208, 285, 541, 30, 3209, 286, 542, 31, 3210, 287, 543, 32, 3211, 288, 544,
  33, 4228, 289, 545, 34, 4229, 290, 546, 35, 4230, 291, 547, 36, 4231, 292, 548,
  37, 4232, 293, 549, 38, 4233, 294, 550, 39, 4234, 295, 551, 40, 4235, 296, 552,
  41, 5252, 297, 553, 42, 5253, 298, 554, 43, 5254, 299, 555, 44, 5255, 300, 556,
  45, 5256, 301, 557, 46, 5257, 302, 558, 47, 5258, 303, 559, 48, 5259, 304, 560,
  49, 6276, 305, 561, 50, 6277, 306, 562, 51, 6278, 307, 563, 52, 6279, 308, 564,
  53, 6280, 309, 565, 54, 6281, 310, 566, 55, 6282, 311, 567, 56, 6283, 312, 568,
  57, 7300, 313, 569, 58, 7301, 314, 570, 59, 7302, 315, 571, 60, 7303, 316, 572,
  0, 7304, 317, 573, 0, 7305, 318, 574, 0, 7306, 319, 575, 0, 7307, 320, 576,
])
/** By the bytes that an offset has: the bits that are its own, of the four behind the tag. */
const MASKS: usize = memory.data<u32>([0, 0xff, 0xffff, 0, 0xffffffff])

/** As many bytes of input and of output must be left for the short way, a literal of 60 bytes and a copy of 64, which looks at neither end. */
const FAR: u32 = 144

/** From behind the stream's length on. Returns 0, or a fault. */
export function inflate(from: u32, end: u32, to: u32, length: u32): i32 {
  const limit = to + length
  let ip = from
  let op = to
  while (ip < end) {
    // The short way: a literal, if there is one, and a copy. What it does not know it leaves to the long one below.
    while (end - ip >= FAR && limit - op >= FAR) {
      let tag = <u32>load<u8>(ip)
      if ((tag & 3) == 0) {
        if (tag >= 240) break
        const size = (tag >> 2) + 1
        v128.store(op, v128.load(ip, 1))
        if (size > 16) {
          v128.store(op, v128.load(ip, 17), 16)
          v128.store(op, v128.load(ip, 33), 32)
          v128.store(op, v128.load(ip, 49), 48)
        }
        ip += 1 + size
        op += size
        tag = <u32>load<u8>(ip)
        if ((tag & 3) == 0) continue
      }
      // Of the three kinds two have as many bytes of offset as their number; that the next tag can be found without a table matters most.
      const kind = tag & 3
      if (kind == 3) break
      const entry = <u32>load<u16>(TAGS + (tag << 1))
      const size = entry & 0x7f
      const offset = (<u32>load<u16>(ip, 1) & (0xffff >> ((2 - kind) << 3))) + ((entry >> 10) << 8)
      if (offset > op - to || offset < 8) break
      const source = op - offset
      ip += 1 + kind
      if (offset < 16) {
        store<u64>(op, load<u64>(source))
        for (let i: u32 = 8; i < size; i += 8) store<u64>(op + i, load<u64>(source + i))
        op += size
        continue
      }
      v128.store(op, v128.load(source))
      if (size > 16) {
        v128.store(op, v128.load(source, 16), 16)
        if (size > 32) {
          v128.store(op, v128.load(source, 32), 32)
          v128.store(op, v128.load(source, 48), 48)
        }
      }
      op += size
    }
    if (ip >= end) break
    const tag = <u32>load<u8>(ip++)
    if ((tag & 3) == 0) {
      // One less than the size, so that nothing wraps.
      let n = tag >> 2
      if (n >= 60) {
        const sizeBytes = n - 59
        if (sizeBytes > end - ip) return LITERAL_CUT
        n = load<u32>(ip) & ((<u32>0xffffffff) >> (32 - 8 * sizeBytes))
        ip += sizeBytes
      }
      if (n >= end - ip || n >= limit - op) return LITERAL_LONG
      n++
      if (n <= 64) {
        for (let i: u32 = 0; i < n; i += 16) v128.store(op + i, v128.load(ip + i))
      } else memory.copy(op, ip, n)
      ip += n
      op += n
    } else {
      const entry = <u32>load<u16>(TAGS + (tag << 1))
      const size = entry & 0x7f
      const offsetBytes = (entry >> 7) & 7
      if (offsetBytes > end - ip) return COPY_CUT
      const offset = (load<u32>(ip) & load<u32>(MASKS + (offsetBytes << 2))) + ((entry >> 10) << 8)
      ip += offsetBytes
      if (offset == 0 || offset > op - to || size > limit - op) return COPY_OUTSIDE
      const source = op - offset
      if (offset >= 16) {
        for (let i: u32 = 0; i < size; i += 16) v128.store(op + i, v128.load(source + i))
      } else {
        const pattern = i8x16.swizzle(v128.load(source), v128.load(PATTERNS + (offset << 4)))
        const step = <u32>load<u8>(STEPS + offset)
        for (let i: u32 = 0; i < size; i += step) v128.store(op + i, pattern)
      }
      op += size
    }
  }
  return op == limit ? 0 : STREAM_SHORT
}
