import type { Options } from 'csv-parse'
import type { DialectDocument } from '../documents/config.js'
import { isWritableEncoding } from './text-encoding.js'

/** Row ends that are taken unless the dialect names something that is no line end at all. */
const LINE_ENDS = ['\r\n', '\n', '\r'] as const

/**
 * What ends a row: any line end, also where `lineTerminator` names one of them (a file that mixes them would else lose rows without a
 * word), or exactly the terminator named.
 */
export function rowEnds(dialect: DialectDocument): readonly string[] {
  const named = dialect.lineTerminator
  return named === undefined || LINE_ENDS.some((end) => end === named) ? LINE_ENDS : [named]
}

/** What a dialect contradicts itself in, or asks for that cannot be done; empty where it can be used. */
export function dialectProblems(dialect: DialectDocument): string[] {
  const { delimiter, quoteChar, escapeChar, commentChar } = dialect
  const problems: string[] = []
  const ends = rowEnds(dialect)
  if (!isWritableEncoding(dialect.encoding)) {
    problems.push(
      `encoding ${JSON.stringify(dialect.encoding)} is not supported: use utf-8, utf-16le, utf-16be or a single-byte encoding such as windows-1252`,
    )
  }
  const roles: [string, string | null][] = [
    ['delimiter', delimiter],
    ['quoteChar', quoteChar],
    ['commentChar', commentChar],
  ]
  for (const [name, text] of roles) {
    if (text === null) continue
    if (/[\r\n\0]/.test(text)) problems.push(`${name} cannot hold line ends or NUL`)
    if (!text.isWellFormed()) problems.push(`${name} is no whole Unicode character`)
    for (const end of ends) if (text.includes(end) && !/[\r\n]/.test(text)) problems.push(`${name} holds the lineTerminator`)
  }
  if (quoteChar !== null && delimiter.includes(quoteChar)) problems.push('delimiter holds the quoteChar')
  if (commentChar !== null && quoteChar !== null && commentChar.includes(quoteChar)) problems.push('commentChar holds the quoteChar')
  if (commentChar !== null && (commentChar.startsWith(delimiter) || delimiter.startsWith(commentChar)))
    problems.push('commentChar and delimiter are the same')
  if (escapeChar !== null) {
    if (quoteChar === null) problems.push('escapeChar needs a quoteChar: it is taken inside quoted cells only')
    if (/[\r\n\0]/.test(escapeChar) || delimiter.includes(escapeChar) || !escapeChar.isWellFormed())
      problems.push('escapeChar cannot be a line end or the delimiter')
  }
  // A delimiter of one character is recognised before space is skipped; of a longer one its first character would be skipped alone.
  if (dialect.skipInitialSpace && delimiter.length > 1 && /^\s/.test(delimiter))
    problems.push('skipInitialSpace would skip the start of the delimiter')
  if (dialect.header && new Set(dialect.headerRows).size !== dialect.headerRows.length) problems.push('headerRows names a row twice')
  if (dialect.header && dialect.headerRows.some((row) => dialect.commentRows.includes(row)))
    problems.push('a row is in headerRows and in commentRows')
  if (dialect.header && Math.max(...dialect.headerRows) > 1000) problems.push('headerRows goes beyond row 1000')
  return problems
}

/** The options of csv-parse for a dialect, over UTF-8 without a byte order mark. With `escapeChar`, doubled quotes mean nothing. */
export function parserOptions(dialect: DialectDocument): Options {
  const { quoteChar } = dialect
  return {
    bom: false,
    encoding: 'utf8',
    delimiter: dialect.delimiter,
    quote: quoteChar,
    escape: quoteChar === null ? null : (dialect.escapeChar ?? (dialect.doubleQuote ? quoteChar : null)),
    // Said outright: left to itself, csv-parse takes the first line end it meets and ignores all others.
    record_delimiter: [...rowEnds(dialect)],
    relax_column_count: true,
    skip_empty_lines: false,
    ltrim: dialect.skipInitialSpace,
    ...(dialect.commentChar === null ? {} : { comment: dialect.commentChar, comment_no_infix: true }),
  }
}
