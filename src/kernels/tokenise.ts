import type { SkippedRecords, TokeniseResult } from './kernels.js'

const LF = 0x0a
const CR = 0x0d

/** The highest bit of each of four bytes, and all others. */
const HIGH = 0x80808080 | 0
const REST = 0x7f7f7f7f
/** Above the comma and the quote, and above CR: bytes from there on mean nothing to most dialects, and nothing to any but as its delimiter or quote. */
const ABOVE_COMMA = 0x2d2d2d2d
const ABOVE_RETURN = 0x0e0e0e0e

/** Four bits of a word, the highest of each byte, side by side. */
function gathered(marks: number): number {
  return Math.imul(marks >>> 7, 0x10204080) >>> 28
}

/** Which of four bytes are below the one that `above` repeats. */
function below(four: number, above: number): number {
  return gathered(~(((four | HIGH) - above) | four) & HIGH)
}

/** Says where and why the work ended, and returns the rows. */
function stop(
  result: TokeniseResult,
  rows: number,
  status: TokeniseResult['status'],
  next: number,
  recordEnd: number,
  fields: number,
): number {
  result.next = next
  result.status = status
  result.recordEnd = recordEnd
  result.fields = fields
  return rows
}

/**
 * `Kernels.tokenise`, 32 bytes at a time: they give one bit for each byte that may end something, and only those bytes are looked at.
 * The WebAssembly form uses it too: for a last record without a line end, and to say what is wrong with a record that it stopped at.
 */
export function tokenise(
  u8: Uint8Array,
  i32: Int32Array,
  start: number,
  end: number,
  final: boolean,
  width: number,
  delimiter: number,
  quote: number,
  out: number,
  maxRows: number,
  result: TokeniseResult,
): number {
  let rows = 0
  if (maxRows === 0 || start >= end) return stop(result, rows, 'more', start, start, 0)
  // Where both stand below, one comparison finds them with the line ends, and a few bytes more than wanted.
  const plain = delimiter <= 0x2c && quote <= 0x2c
  let words = out >>> 2
  let record = start
  let field = start
  let fields = 0
  // 1: the byte before is a CR of a line end.
  let returned = 0
  i32[words] = start

  // Bytes before `from` are done.
  for (let from = start; from < end; ) {
    const block = from & ~31
    const word = block >>> 2
    let marks: number
    if (plain) {
      marks =
        below(i32[word]!, ABOVE_COMMA) |
        (below(i32[word + 1]!, ABOVE_COMMA) << 4) |
        (below(i32[word + 2]!, ABOVE_COMMA) << 8) |
        (below(i32[word + 3]!, ABOVE_COMMA) << 12) |
        (below(i32[word + 4]!, ABOVE_COMMA) << 16) |
        (below(i32[word + 5]!, ABOVE_COMMA) << 20) |
        (below(i32[word + 6]!, ABOVE_COMMA) << 24) |
        (below(i32[word + 7]!, ABOVE_COMMA) << 28)
    } else marks = otherMarks(i32, word, delimiter, quote)
    marks &= -1 << (from - block)
    if (end - block < 32) marks &= (1 << (end - block)) - 1
    from = block + 32
    while (marks !== 0) {
      const at = block + 31 - Math.clz32(marks & -marks)
      marks &= marks - 1
      const byte = u8[at]!
      if (byte === delimiter) {
        field = at + 1
        fields++
        if (fields < width) i32[words + fields] = field
      } else if (byte === LF) {
        fields++
        if (fields !== width) return stop(result, rows, at - returned === record ? 'blank' : 'ragged', record, at + 1, fields)
        i32[words + width] = at - returned + 1
        rows++
        record = at + 1
        if (rows === maxRows || record === end) return stop(result, rows, 'more', record, record, 0)
        words += width + 1
        i32[words] = record
        field = record
        fields = 0
        returned = 0
      } else if (byte === quote && byte !== 0) {
        if (at !== field) return stop(result, rows, 'odd', record, at, 0)
        let p = at + 1
        let inner = 0
        for (;;) {
          while (p < end) {
            inner = u8[p]!
            if (inner === quote || inner === 0) break
            p++
          }
          // Not closed so far, or the quote is the last byte there is, and the next one could double it.
          if (p === end) return stop(result, rows, final ? 'odd' : 'more', record, final ? end : record, 0)
          if (inner === 0) return stop(result, rows, 'odd', record, p, 0)
          p++
          if (p < end && u8[p] === quote) p++
          else break
        }
        if (p === end) {
          if (!final) return stop(result, rows, 'more', record, record, 0)
        } else {
          inner = u8[p]!
          if (inner !== delimiter && inner !== LF && inner !== CR) return stop(result, rows, 'odd', record, p, 0)
        }
        // What is quoted is struck out.
        if (p < block + 32) marks &= -1 << (p - block)
        else {
          from = p
          break
        }
      } else if (byte === CR) {
        if (at + 1 === end) return stop(result, rows, final ? 'odd' : 'more', record, final ? at : record, 0)
        if (u8[at + 1] !== LF) return stop(result, rows, 'odd', record, at, 0)
        returned = 1
      } else if (byte === 0) return stop(result, rows, 'odd', record, at, 0)
    }
  }
  if (!final) return stop(result, rows, 'more', record, record, 0)
  fields++
  if (fields !== width) return stop(result, rows, end === record ? 'blank' : 'ragged', record, end, fields)
  i32[words + width] = end + 1
  rows++
  return stop(result, rows, 'more', end, end, 0)
}

/** The delimiter, the quote, and what is not above CR. */
function otherMarks(i32: Int32Array, word: number, delimiter: number, quote: number): number {
  const delimiters = Math.imul(delimiter, 0x01010101)
  const quotes = Math.imul(quote, 0x01010101)
  let marks = 0
  for (let i = 0; i < 8; i++) {
    const four = i32[word + i]!
    const d = four ^ delimiters
    const q = four ^ quotes
    // The highest bit is set of a byte that is not zero.
    const unlike = (((d & REST) + REST) | d) & (((q & REST) + REST) | q)
    marks |= (gathered(~unlike & HIGH) | below(four, ABOVE_RETURN)) << (4 * i)
  }
  return marks
}

export function countByte(u8: Uint8Array, i32: Int32Array, start: number, end: number, byte: number): number {
  let count = 0
  let at = start
  for (; at < end && (at & 3) !== 0; at++) if (u8[at] === byte) count++
  const bytes = Math.imul(byte, 0x01010101)
  for (let word = at >>> 2, last = end >>> 2; word < last; ) {
    // Four counts of a byte each, added up before one of them can overflow.
    const stop = Math.min(word + 255, last)
    let counts = 0
    for (; word < stop; word++) {
      const four = i32[word]! ^ bytes
      counts = (counts + ((~(((four & REST) + REST) | four) & HIGH) >>> 7)) | 0
    }
    counts = (counts & 0xff00ff) + ((counts >>> 8) & 0xff00ff)
    count += (counts & 0xffff) + (counts >>> 16)
  }
  for (at = Math.max(at, end & ~3); at < end; at++) if (u8[at] === byte) count++
  return count
}

export function recordAfter(u8: Uint8Array, start: number, end: number, quote: number, inside: 0 | 1): number {
  let quoted: number = inside
  for (let i = start; i < end; i++) {
    const byte = u8[i]!
    if (byte === quote && quote !== 0) quoted ^= 1
    else if (byte === LF && quoted === 0) return i + 1
  }
  return -1
}

/** `Kernels.skipRecords`, by searches of the runtime, which are many times as fast as a loop over bytes. */
export function skipRecords(
  memory: Buffer,
  start: number,
  end: number,
  quote: number,
  inside: 0 | 1,
  most: number,
  skipped: SkippedRecords,
): number {
  const bytes = memory.subarray(start, end)
  skipped.next = 0
  skipped.inside = 0
  let count = 0
  let quoted = inside === 1
  let nextQuote = quote === 0 ? bytes.length : placeOf(bytes, quote, 0)
  for (let at = 0; ; ) {
    const lineEnd = quoted ? bytes.length : placeOf(bytes, LF, at)
    if (nextQuote < lineEnd) {
      quoted = !quoted
      at = nextQuote + 1
      nextQuote = placeOf(bytes, quote, at)
      continue
    }
    if (lineEnd === bytes.length) break
    at = lineEnd + 1
    skipped.next = start + at
    if (++count === most) return count
  }
  skipped.inside = quoted ? 1 : 0
  return count
}

function placeOf(bytes: Buffer, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from)
  return at < 0 ? bytes.length : at
}
