import type { DialectDocument } from '../documents/config.js'
import { IntakeError } from '../errors.js'
import { dialectProblems, rowEnds } from './dialect.js'
import { fillHeaderRows } from './header-rows.js'
import type { PreambleRow } from './read-csv.js'
import { TextWriter, textEncoding } from './text-encoding.js'

export { isWritableEncoding } from './text-encoding.js'

/**
 * Writes rows in a dialect, so that reading them in the same dialect gives the same cells. A cell is quoted only where it must be.
 *
 * What a dialect has no way to say (a delimiter in a cell where nothing quotes, a character that the encoding lacks) was never read from
 * a file of that dialect; in texts of our own such as error messages it becomes a space, an apostrophe or "?".
 */
export class CsvWriter {
  private readonly text: TextWriter
  private readonly rowEnd: string
  /** Matches the cells that must be quoted, wherever they stand. */
  private readonly special: RegExp
  private readonly everySpecial: RegExp
  private readonly commentRows: ReadonlySet<number>
  private started = false
  /** Number that the next row has for a reader; null until a head was written, for then `commentRows` says nothing. */
  private nextRow: number | null = null

  /** Throws CONFIG_INVALID for a dialect that cannot be used. */
  constructor(private readonly dialect: DialectDocument) {
    const problems = dialectProblems(dialect)
    if (problems.length > 0)
      throw new IntakeError('CONFIG_INVALID', `The dialect cannot be used: ${problems.join('; ')}`, { data: { problems } })
    this.text = new TextWriter(textEncoding(dialect.encoding)!)
    this.rowEnd = dialect.lineTerminator ?? '\r\n'
    // Of a delimiter of several characters each one counts: the end of a cell and the start of the delimiter could make another one.
    const characters = [dialect.delimiter, dialect.quoteChar ?? '', dialect.escapeChar ?? '', ...rowEnds(dialect), '\r\n'].join('')
    this.special = new RegExp(`[${[...new Set(characters)].map(escaped).join('')}]`, 'u')
    this.everySpecial = new RegExp(this.special.source, 'gu')
    this.commentRows = new Set(dialect.commentRows)
  }

  /**
   * What stands before the data: the preamble of a file that was read, with its columns replaced. `labels` are the new labels and `kept`
   * says which columns of the old header come first among them; the labels after those are new. null: write no header.
   * From here on, rows that the dialect's `commentRows` would take out of the result are preceded by a blank row that is taken out instead.
   */
  head(preamble: readonly PreambleRow[], labels: readonly string[] | null, kept: readonly number[]): Uint8Array[] {
    const out: Uint8Array[] = []
    const headers = preamble.flatMap((row) => (row.kind === 'header' ? [row.cells] : []))
    const filled = headers.length === 0 ? [] : fillHeaderRows(headers)
    let header = 0
    let rows = 0
    for (const row of preamble) {
      if (row.kind === 'comment') {
        out.push(this.bytes(`${row.text}${this.rowEnd}`))
        continue
      }
      rows++
      if (row.kind !== 'header') {
        out.push(this.bytes(this.line(row.cells)))
        continue
      }
      const cells = filled[header++]!
      if (labels === null) out.push(this.bytes(this.line(row.cells)))
      else if (headers.length === 1) out.push(this.bytes(this.line(labels)))
      else {
        // Of several header rows only the last one names the new columns; the others are blank there, so that joining adds nothing.
        const added = labels.slice(kept.length).map((label) => (header === headers.length ? label : ''))
        out.push(this.bytes(this.line([...kept.map((column) => cells[column] ?? ''), ...added])))
      }
    }
    this.nextRow = rows + 1
    return out
  }

  row(cells: readonly string[]): Uint8Array {
    let text = ''
    if (this.nextRow !== null) {
      while (this.commentRows.has(this.nextRow)) {
        text += this.rowEnd
        this.nextRow++
      }
      this.nextRow++
    }
    return this.bytes(text + this.line(cells))
  }

  private line(cells: readonly string[]): string {
    let text = ''
    for (let i = 0; i < cells.length; i++) {
      if (i > 0) text += this.dialect.delimiter
      text += this.cell(cells[i]!, i === 0)
    }
    return text + this.rowEnd
  }

  private cell(cell: string, isFirst: boolean): string {
    const { quoteChar, escapeChar, doubleQuote, commentChar } = this.dialect
    const looksLikeComment = isFirst && commentChar !== null && cell.startsWith(commentChar[0]!)
    const needed =
      looksLikeComment ||
      this.special.test(cell) ||
      (this.dialect.skipInitialSpace && /^\s/u.test(cell)) ||
      (isFirst && cell.startsWith('\uFEFF'))
    if (!needed) return cell
    if (quoteChar === null) return `${looksLikeComment ? ' ' : ''}${cell.replace(this.everySpecial, ' ')}`
    const escapeWith = escapeChar ?? (doubleQuote ? quoteChar : null)
    if (escapeWith === null) return quoteChar + cell.replaceAll(quoteChar, quoteChar === "'" ? ' ' : "'") + quoteChar
    // Functions, because "$" in a replacement text has a meaning.
    const inner = escapeWith === quoteChar ? cell : cell.replaceAll(escapeWith, () => escapeWith + escapeWith)
    return quoteChar + inner.replaceAll(quoteChar, () => escapeWith + quoteChar) + quoteChar
  }

  private bytes(text: string): Uint8Array {
    const mark = this.started ? '' : this.text.byteOrderMark
    this.started = true
    return this.text.encode(mark + text)
  }
}

function escaped(character: string): string {
  return character.replace(/[\\\]^-]/, '\\$&')
}
