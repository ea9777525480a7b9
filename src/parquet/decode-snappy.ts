import { assert } from '../errors.js'
import { viewOf } from './decode-copy.js'
import { must, undecodable } from './decode-fault.js'

/**
 * Snappy's raw format, the reading side (google/snappy, format_description.txt). Nothing here is shared with the compressor.
 */

/** No stream gives more bytes than this for each of its own: a copy of 64 bytes takes three. */
const EXPANSION_LIMIT = 22
/** Room that `snappyDecompress` wants behind the bytes it writes: it moves four bytes at a time, and what is too much is overwritten later. */
export const SNAPPY_SLACK_BYTES = 16
/** Up to here a loop is quicker than a call that copies. */
const SHORT_LITERAL_BYTES = 48

/** Of the tags that are copies: size in bits 0 to 6, bytes of the offset that follow in 7 to 9, upper bits of the offset from 10 on. */
const COPIES = Uint16Array.from({ length: 256 }, (_, tag) => {
  if ((tag & 3) === 1) return (((tag >>> 2) & 7) + 4) | (1 << 7) | ((tag >>> 5) << 10)
  return ((tag >>> 2) + 1) | ((tag & 3) === 2 ? 2 << 7 : 4 << 7)
})
const OFFSET_MASKS = Int32Array.of(0, 0xff, 0xffff, 0, -1)

/** The length that a stream promises, checked for what its bytes can give, so that nobody reserves memory for a lie. */
export function snappyLength(input: Uint8Array): number {
  const [length] = preamble(input)
  must(length <= input.length * EXPANSION_LIMIT, 'a snappy stream promises more than it can hold')
  return length
}

/** The length that a stream promises, and the bytes it takes to say so. */
export function preamble(input: Uint8Array): [length: number, bytes: number] {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = input[i]
    if (byte === undefined) break
    // Multiplied, since the fifth byte goes beyond 31 bits.
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return [length, i + 1]
  }
  throw undecodable('a snappy stream without a length')
}

/**
 * Writes the stream's bytes to the start of `output`, which must have room for `snappyLength(input)` and SNAPPY_SLACK_BYTES more. Throws
 * PARQUET_INVALID for a stream that ends early, goes on after its length, or points before its beginning.
 */
export function snappyDecompress(input: Uint8Array, output: Uint8Array): void {
  const [length, start] = preamble(input)
  assert(output.length >= length + SNAPPY_SLACK_BYTES, 'room for the bytes and the slack')
  const written = inflate(input, viewOf(input), start, output, viewOf(output), length)
  must(written === length, 'a snappy stream ends before its length')
}

/**
 * Returns the bytes written. On its own, with nothing after the loop, as are all loops of the decoder: code after a loop has not run yet when
 * the engine compiles the loop in mid-run, and leaving it throws the compiled code away, page after page.
 */
function inflate(input: Uint8Array, from: DataView, start: number, output: Uint8Array, to: DataView, length: number): number {
  const end = input.length
  let ip = start
  let op = 0
  while (ip < end) {
    const tag = input[ip++]!
    if ((tag & 3) === 0) {
      let size = (tag >>> 2) + 1
      if (size > 60) {
        const sizeBytes = size - 60
        if (sizeBytes > end - ip) throw undecodable('a snappy literal is cut off')
        size = longSize(input, ip, sizeBytes)
        ip += sizeBytes
      }
      if (size > end - ip || size > length - op) throw undecodable('a snappy literal is longer than its stream')
      if (size <= 8 && end - ip >= 8) {
        to.setInt32(op, from.getInt32(ip, true), true)
        to.setInt32(op + 4, from.getInt32(ip + 4, true), true)
      } else if (size <= SHORT_LITERAL_BYTES) for (let i = 0; i < size; i++) output[op + i] = input[ip + i]!
      else output.set(input.subarray(ip, ip + size), op)
      ip += size
      op += size
    } else {
      // The three kinds of copies go one way, by a table: what kind comes next is a coin that no processor foresees.
      const copy = COPIES[tag]!
      const size = copy & 0x7f
      const offsetBytes = (copy >>> 7) & 7
      if (offsetBytes > end - ip) throw undecodable('a snappy copy is cut off')
      const low = end - ip >= 4 ? from.getInt32(ip, true) : lastBytes(input, ip, end)
      const offset = ((low & OFFSET_MASKS[offsetBytes]!) >>> 0) + ((copy >>> 10) << 8)
      ip += offsetBytes
      if (offset === 0 || offset > op || size > length - op) throw undecodable('a snappy copy points outside its stream')
      // Upwards: a copy may overlap what it makes, and repeats it then. Four bytes at a time are right while it lies four behind.
      if (offset >= 4) {
        const last = op + size
        for (let at = op; at < last; at += 4) to.setInt32(at, to.getInt32(at - offset, true), true)
      } else for (let i = 0; i < size; i++) output[op + i] = output[op + i - offset]!
      op += size
    }
  }
  return op
}

function longSize(input: Uint8Array, ip: number, sizeBytes: number): number {
  let size = 0
  for (let b = sizeBytes - 1; b >= 0; b--) size = size * 256 + input[ip + b]!
  return size + 1
}

/** Fewer than four bytes, as the low ones of a number. */
function lastBytes(input: Uint8Array, ip: number, end: number): number {
  let low = 0
  for (let i = end - 1; i >= ip; i--) low = (low << 8) | input[i]!
  return low
}
