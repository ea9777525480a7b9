import { must, undecodable } from './decode-fault.js'

/**
 * RLE / bit-packed hybrid of parquet-format's Encodings.md, the reading side. A damaged stream gives PARQUET_INVALID; it never makes this
 * code write outside what it was given, and every turn of every loop uses up input or output.
 */

/** Where the stream is, and what the last run header said. */
interface Cursor {
  at: number
  /** Values of the run, and whether they are packed. */
  count: number
  packed: boolean
}

const cursor: Cursor = { at: 0, count: 0, packed: false }
/** Packed runs are unpacked from words; this is where they are put on a word's border. */
let words = new Int32Array(1024)

/**
 * Definition levels of a flat optional column, one bit each: writes 1 (present) or 0 for each of `rows` rows and gives the number of
 * present ones. The stream must fill `[start, end)`.
 */
export function decodeLevels(bytes: Uint8Array, start: number, end: number, rows: number, validity: Uint8Array): number {
  cursor.at = start
  let present = 0
  let row = 0
  while (row < rows) {
    readRun(bytes, end)
    const n = Math.min(cursor.count, rows - row)
    const { at } = cursor
    if (cursor.packed) {
      const whole = n >>> 3
      if (at + Math.ceil(cursor.count / 8) > end) throw undecodable('a packed run of levels is cut off')
      for (let g = 0; g < whole; g++) {
        const byte = bytes[at + g]!
        validity[row] = byte & 1
        validity[row + 1] = (byte >>> 1) & 1
        validity[row + 2] = (byte >>> 2) & 1
        validity[row + 3] = (byte >>> 3) & 1
        validity[row + 4] = (byte >>> 4) & 1
        validity[row + 5] = (byte >>> 5) & 1
        validity[row + 6] = (byte >>> 6) & 1
        validity[row + 7] = byte >>> 7
        row += 8
      }
      for (let b = 0; b < (n & 7); b++) validity[row++] = (bytes[at + whole]! >>> b) & 1
      for (let i = row - n; i < row; i++) present += validity[i]!
      cursor.at = at + cursor.count / 8
    } else {
      must(cursor.count === n, 'a run of levels is longer than its page')
      const level = bytes[at]
      if (at >= end || level! > 1) throw undecodable('a level that a flat column cannot have')
      validity.fill(level!, row, row + n)
      if (level === 1) present += n
      row += n
      cursor.at = at + 1
    }
  }
  must(cursor.at === end, 'the levels of a page do not end where they should')
  return present
}

/** Codes of `bitWidth` bits, 0 to 32. The stream must fill `[start, end)`; codes are not checked against any dictionary. */
export function decodeCodes(bytes: Uint8Array, start: number, end: number, bitWidth: number, count: number, out: Int32Array): void {
  must(bitWidth <= 32, `codes of ${bitWidth} bits`)
  const valueBytes = (bitWidth + 7) >>> 3
  cursor.at = start
  let done = 0
  while (done < count) {
    readRun(bytes, end)
    const n = Math.min(cursor.count, count - done)
    const { at } = cursor
    if (cursor.packed) {
      const packedBytes = (cursor.count / 8) * bitWidth
      if (packedBytes > end - at) throw undecodable('a packed run of codes is cut off')
      unpack(bytes, at, Math.ceil((n * bitWidth) / 8), bitWidth, n, out, done)
      cursor.at = at + packedBytes
    } else {
      must(cursor.count === n, 'a run of codes is longer than its page')
      if (at + valueBytes > end) throw undecodable('a run of codes is cut off')
      let value = 0
      for (let b = 0; b < valueBytes; b++) value |= bytes[at + b]! << (8 * b)
      out.fill(value, done, done + n)
      cursor.at = at + valueBytes
    }
    done += n
  }
  must(cursor.at === end, 'the codes of a page do not end where they should')
}

/** A run's header: an unsigned number whose lowest bit tells groups of eight packed values from one value repeated. */
function readRun(bytes: Uint8Array, end: number): void {
  let header = 0
  let at = cursor.at
  for (let shift = 0; ; shift += 7) {
    if (at >= end || shift > 28) throw undecodable('the header of a run is not whole')
    const byte = bytes[at++]!
    if (shift === 28 && byte > 0x0f) throw undecodable('a run of more than 32 bits')
    header |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  cursor.at = at
  cursor.packed = (header & 1) === 1
  cursor.count = cursor.packed ? (header >>> 1) * 8 : header >>> 1
  if (cursor.count === 0) throw undecodable('a run of nothing')
}

function unpack(bytes: Uint8Array, at: number, packedBytes: number, bitWidth: number, count: number, out: Int32Array, to: number): void {
  switch (bitWidth) {
    case 0:
      out.fill(0, to, to + count)
      return
    case 8:
      for (let i = 0; i < count; i++) out[to + i] = bytes[at + i]!
      return
    case 16:
      for (let i = 0; i < count; i++) out[to + i] = bytes[at + 2 * i]! | (bytes[at + 2 * i + 1]! << 8)
      return
  }
  const needed = (packedBytes + 3) >>> 2
  if (words.length < needed) words = new Int32Array(needed * 2)
  // The last word may keep bytes of an earlier page behind the end of this run: they lie above the bits of the last value.
  new Uint8Array(words.buffer).set(bytes.subarray(at, at + packedBytes))
  if (bitWidth === 32) out.set(words.subarray(0, count), to)
  else if (32 % bitWidth === 0) unpackWhole(words, bitWidth, count, out, to)
  else unpackAcross(words, bitWidth, count, out, to)
}

/** Widths that divide 32: no value lies across two words. */
function unpackWhole(source: Int32Array, bitWidth: number, count: number, out: Int32Array, to: number): void {
  const mask = (1 << bitWidth) - 1
  const end = to + count
  let o = to
  for (let w = 0; o < end; w++) {
    let word = source[w]!
    const stop = Math.min(end, o + 32 / bitWidth)
    while (o < stop) {
      out[o++] = word & mask
      word >>>= bitWidth
    }
  }
}

/** Any width from 1 to 31. */
function unpackAcross(source: Int32Array, bitWidth: number, count: number, out: Int32Array, to: number): void {
  // A shift by 31 and one more, since a shift by 32 is a shift by 0.
  const mask = 0x7fffffff >>> (31 - bitWidth)
  const end = to + count
  let w = 0
  let word = source[0]!
  let left = 32
  for (let o = to; o < end; o++) {
    if (left >= bitWidth) {
      out[o] = word & mask
      word >>>= bitWidth
      left -= bitWidth
    } else {
      const low = word
      word = source[++w]!
      out[o] = (low | (word << left)) & mask
      word >>>= bitWidth - left
      left += 32 - bitWidth
    }
  }
}
