import { isUtf8 } from 'node:buffer'
import type { TextEncoding } from './text-encoding.js'

/** Valid UTF-8 so far; `broken` says that the bytes right after it are not of the encoding. */
export interface Transcoded {
  readonly utf8: Buffer
  readonly broken: boolean
}

/** Bytes of a file in, UTF-8 out, in pieces of any size; the byte order mark is taken off. Nothing may be fed after `broken`. */
export interface Transcoder {
  feed(bytes: Buffer): Transcoded
  /** The rest: `broken` when the file ends within a character. */
  end(): Transcoded
}

export function transcoder(encoding: TextEncoding): Transcoder {
  switch (encoding.kind) {
    case 'utf-8':
      return new Utf8Check()
    case 'utf-16':
      return new Utf16ToUtf8(encoding.littleEndian)
    case 'single-byte':
      return new SingleByteToUtf8(encoding.codePoints)
  }
}

const NOTHING = Buffer.alloc(0)

class Utf8Check implements Transcoder {
  /** An unfinished character, or the first bytes until the byte order mark is settled. */
  private rest: Buffer = NOTHING
  private atStart = true

  feed(bytes: Buffer): Transcoded {
    let all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    this.rest = NOTHING
    if (this.atStart) {
      if (all.length < 3) {
        this.rest = all
        return { utf8: NOTHING, broken: false }
      }
      this.atStart = false
      if (all[0] === 0xef && all[1] === 0xbb && all[2] === 0xbf) all = all.subarray(3)
    }
    const unfinished = unfinishedBytes(all)
    const whole = all.subarray(0, all.length - unfinished)
    if (!isUtf8(whole)) return { utf8: whole.subarray(0, validPrefixBytes(whole)), broken: true }
    this.rest = all.subarray(all.length - unfinished)
    return { utf8: whole, broken: false }
  }

  end(): Transcoded {
    const valid = validPrefixBytes(this.rest)
    return { utf8: this.rest.subarray(0, valid), broken: valid < this.rest.length }
  }
}

/** Bytes at the end that may be the beginning of a character. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) return 0
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return needed > back ? back : 0
    }
  }
  return 0
}

/** Length of the longest prefix that is UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
export function validPrefixBytes(bytes: Uint8Array): number {
  let at = 0
  while (at < bytes.length) {
    const byte = bytes[at]!
    if (byte < 0x80) {
      at++
      continue
    }
    let more: number
    let low = 0x80
    let high = 0xbf
    if (byte >= 0xc2 && byte <= 0xdf) more = 1
    else if (byte >= 0xe0 && byte <= 0xef) {
      more = 2
      if (byte === 0xe0) low = 0xa0
      if (byte === 0xed) high = 0x9f
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      more = 3
      if (byte === 0xf0) low = 0x90
      if (byte === 0xf4) high = 0x8f
    } else return at
    for (let i = 1; i <= more; i++) {
      const next = bytes[at + i]
      if (next === undefined || next < low || next > high) return at
      low = 0x80
      high = 0xbf
    }
    at += more + 1
  }
  return at
}

class Utf16ToUtf8 implements Transcoder {
  private rest: Buffer = NOTHING
  private atStart = true

  constructor(private littleEndian: boolean) {}

  feed(bytes: Buffer): Transcoded {
    let all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    if (this.atStart && all.length >= 2) {
      this.atStart = false
      // The mark says more about the file than the label does.
      if ((all[0] === 0xff && all[1] === 0xfe) || (all[0] === 0xfe && all[1] === 0xff)) {
        this.littleEndian = all[0] === 0xff
        all = all.subarray(2)
      }
    }
    let end = all.length - (all.length % 2)
    if (end >= 2 && isHighSurrogate(this.unitAt(all, end - 2))) end -= 2
    const text = this.decode(all.subarray(0, end))
    this.rest = all.subarray(end)
    if (text.isWellFormed()) return { utf8: Buffer.from(text, 'utf8'), broken: false }
    return { utf8: Buffer.from(text.slice(0, firstLoneSurrogate(text)), 'utf8'), broken: true }
  }

  end(): Transcoded {
    return { utf8: NOTHING, broken: this.rest.length > 0 }
  }

  private unitAt(bytes: Buffer, at: number): number {
    return this.littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
  }

  private decode(bytes: Buffer): string {
    return (this.littleEndian ? bytes : Buffer.from(bytes).swap16()).toString('utf16le')
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function firstLoneSurrogate(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const next = text.charCodeAt(i + 1)
    if (isHighSurrogate(unit) && next >= 0xdc00 && next <= 0xdfff) i++
    else return i
  }
  return text.length
}

class SingleByteToUtf8 implements Transcoder {
  private readonly sequences: (Buffer | null)[]

  constructor(codePoints: Int32Array) {
    this.sequences = Array.from(codePoints, (point) => (point < 0 ? null : Buffer.from(String.fromCodePoint(point), 'utf8')))
  }

  feed(bytes: Buffer): Transcoded {
    const out = Buffer.allocUnsafe(bytes.length * 3)
    let size = 0
    for (const byte of bytes) {
      if (byte < 0x80) {
        const only = this.sequences[byte]
        if (only === null) return { utf8: out.subarray(0, size), broken: true }
        out[size++] = only![0]!
        continue
      }
      const sequence = this.sequences[byte]
      if (sequence == null) return { utf8: out.subarray(0, size), broken: true }
      for (const part of sequence) out[size++] = part
    }
    return { utf8: out.subarray(0, size), broken: false }
  }

  end(): Transcoded {
    return { utf8: NOTHING, broken: false }
  }
}
