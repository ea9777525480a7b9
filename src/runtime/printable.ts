/**
 * Characters that would do something to a terminal or to the reader's eye instead of showing themselves: C0 and C1 controls, DEL, line and
 * paragraph separators, bidirectional marks and overrides, zero-width characters, the byte order mark, and lone surrogates.
 */
const UNSHOWABLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/u
const UNSHOWABLE_ALL = new RegExp(UNSHOWABLE.source, 'gu')

/** Text that is safe on a terminal and cannot pretend to be another: what does not show itself is written as `\u{hex}`. */
export function printable(text: string): string {
  if (!UNSHOWABLE.test(text)) return text
  return text.replace(UNSHOWABLE_ALL, (c) => {
    if (c === '\n') return '\\n'
    if (c === '\r') return '\\r'
    if (c === '\t') return '\\t'
    return `\\u{${c.codePointAt(0)!.toString(16)}}`
  })
}

/** The same for text of several lines: line feeds stay. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}
