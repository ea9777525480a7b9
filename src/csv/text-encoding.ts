/**
 * The encodings a drop may have: UTF-8, UTF-16, and the single-byte ones of the WHATWG Encoding standard. All of them can be written
 * again, which mended.csv needs; multi-byte legacy encodings (Shift_JIS, GB18030, …) cannot and are refused.
 */
export type TextEncoding =
  | { readonly kind: 'utf-8'; readonly name: string }
  | { readonly kind: 'utf-16'; readonly name: string; readonly littleEndian: boolean }
  | { readonly kind: 'single-byte'; readonly name: string; readonly codePoints: Int32Array }

const SINGLE_BYTE = /^(?:ibm866|iso-8859-(?:[2-8]|8-i|1[0345])|koi8-[ru]|macintosh|windows-(?:874|125[0-8])|x-mac-cyrillic)$/

/**
 * 0x80 to 0x9F of windows-1252. Written out because some releases of Node decode them as the C1 controls of Latin-1
 * (TextDecoder takes a Latin-1 short cut).
 */
const WINDOWS_1252_HIGH = [
  0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d, 0x017d, 0x8f, 0x90, 0x2018,
  0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d, 0x017e, 0x0178,
] as const

/** The encoding of a WHATWG label ("utf-8", "latin1", "windows-1250"); null where it is unknown or cannot be written. */
export function textEncoding(label: string): TextEncoding | null {
  let name: string
  try {
    name = new TextDecoder(label).encoding
  } catch {
    return null
  }
  if (name === 'utf-8') return { kind: 'utf-8', name }
  if (name === 'utf-16le' || name === 'utf-16be') return { kind: 'utf-16', name, littleEndian: name === 'utf-16le' }
  return SINGLE_BYTE.test(name) ? { kind: 'single-byte', name, codePoints: codePointsOf(name) } : null
}

/** Whether files of this encoding can be read and written; a configuration with another one is refused. */
export function isWritableEncoding(label: string): boolean {
  return textEncoding(label) !== null
}

/** The code point of each byte, -1 where the encoding has none. */
function codePointsOf(name: string): Int32Array {
  const decoder = new TextDecoder(name, { fatal: true })
  return Int32Array.from({ length: 256 }, (_, byte) => {
    if (name === 'windows-1252') return byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252_HIGH[byte - 0x80]! : byte
    try {
      return decoder.decode(Uint8Array.of(byte)).codePointAt(0) ?? -1
    } catch {
      return -1
    }
  })
}

/** Text as bytes of an encoding; a character that it does not have becomes "?". */
export class TextWriter {
  private readonly bytes: Map<number, number> | null

  constructor(private readonly encoding: TextEncoding) {
    this.bytes = encoding.kind === 'single-byte' ? new Map() : null
    if (encoding.kind === 'single-byte') {
      for (let byte = 255; byte >= 0; byte--) if (encoding.codePoints[byte]! >= 0) this.bytes!.set(encoding.codePoints[byte]!, byte)
    }
  }

  /** What a file of this encoding starts with: readers of UTF-16 need the mark, readers of UTF-8 stumble over it. */
  get byteOrderMark(): string {
    return this.encoding.kind === 'utf-16' ? '\uFEFF' : ''
  }

  encode(text: string): Uint8Array {
    if (this.encoding.kind === 'utf-8') return Buffer.from(text, 'utf8')
    if (this.encoding.kind === 'utf-16') {
      const units = Buffer.from(text, 'utf16le')
      return this.encoding.littleEndian ? units : units.swap16()
    }
    const out: number[] = []
    for (const character of text) out.push(this.bytes!.get(character.codePointAt(0)!) ?? 0x3f)
    return Uint8Array.from(out)
  }
}
