import type { SkippedRecords, TokeniseResult } from './kernels.js'

const LF = 0x0a
const CR = 0x0d

/** Which bytes end an unquoted run: the delimiter, the quote, CR, LF and NUL. */
function stopBytes(delimiter: number, quote: number): Uint8Array {
  const stops = new Uint8Array(256)
  for (const byte of [delimiter, quote, CR, LF, 0]) stops[byte] = 1
  return stops
}

let stops = stopBytes(0x2c, 0x22)
let stopsFor = (0x2c << 8) | 0x22

/**
 * `Kernels.tokenise`, byte by byte. The WebAssembly form uses it too: for a last record without a line end, and to say what is wrong with a
 * record that it stopped at.
 */
export function tokenise(
  u8: Uint8Array,
  u32: Uint32Array,
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
  if (stopsFor !== ((delimiter << 8) | quote)) {
    stops = stopBytes(delimiter, quote)
    stopsFor = (delimiter << 8) | quote
  }
  const stop = stops
  let rows = 0
  let at = start
  let words = out >>> 2
  const odd = (next: number, where: number): number => {
    result.next = next
    result.status = 'odd'
    result.recordEnd = where
    result.fields = 0
    return rows
  }
  const more = (next: number): number => {
    result.next = next
    result.status = 'more'
    result.recordEnd = next
    result.fields = 0
    return rows
  }

  while (rows < maxRows && at < end) {
    const record = at
    let fields = 0
    u32[words] = at
    // `contentEnd` and `at` are set where the record ends.
    let contentEnd = -1
    while (contentEnd < 0) {
      let p = at
      let byte = p < end ? u8[p]! : -1
      if (byte === quote && byte > 0) {
        p++
        for (;;) {
          while (p < end) {
            byte = u8[p]!
            if (byte === quote || byte === 0) break
            p++
          }
          // Not closed so far, or the quote is the last byte there is, and the next one could double it.
          if (p === end) return final ? odd(record, end) : more(record)
          if (byte === 0) return odd(record, p)
          p++
          if (p < end && u8[p] === quote) p++
          else break
        }
        if (p === end && !final) return more(record)
        byte = p < end ? u8[p]! : -1
      } else {
        byte = -1
        while (p < end) {
          byte = u8[p]!
          if (stop[byte] === 1) break
          p++
        }
        if (p === end) {
          if (!final) return more(record)
          byte = -1
        }
      }
      if (byte === delimiter) {
        at = p + 1
        fields++
        if (fields < width) u32[words + fields] = at
      } else if (byte === LF) {
        contentEnd = p
        at = p + 1
      } else if (byte === CR) {
        if (p + 1 === end) return final ? odd(record, p) : more(record)
        if (u8[p + 1] !== LF) return odd(record, p)
        contentEnd = p
        at = p + 2
      } else if (byte === -1) {
        contentEnd = p
        at = p
      } else {
        return odd(record, p)
      }
    }
    fields++
    if (fields !== width) {
      result.next = record
      result.status = contentEnd === record ? 'blank' : 'ragged'
      result.recordEnd = at
      result.fields = fields
      return rows
    }
    u32[words + width] = contentEnd + 1
    words += width + 1
    rows++
  }
  return more(at)
}

export function countByte(u8: Uint8Array, start: number, end: number, byte: number): number {
  let count = 0
  for (let i = start; i < end; i++) if (u8[i] === byte) count++
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
  const find = (byte: number, from: number): number => {
    const at = bytes.indexOf(byte, from)
    return at < 0 ? bytes.length : at
  }
  skipped.next = 0
  skipped.inside = 0
  let count = 0
  let quoted = inside === 1
  let nextQuote = quote === 0 ? bytes.length : find(quote, 0)
  for (let at = 0; ; ) {
    const lineEnd = quoted ? bytes.length : find(LF, at)
    if (nextQuote < lineEnd) {
      quoted = !quoted
      at = nextQuote + 1
      nextQuote = find(quote, at)
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
