import { parse } from 'csv-parse/sync'
import type { DialectDocument } from '../documents/config.js'
import { type ErrorCode, IntakeError } from '../errors.js'
import { parserOptions, rowEnds } from './dialect.js'
import { joinHeaderRows } from './header-rows.js'
import { KNOWN_START_BYTES, knownFormat } from './known-formats.js'
import { LineIndex, lineEndsIn } from './line-index.js'
import type { CsvLimits, CsvReader, CsvRow, PreambleRow } from './read-csv.js'
import { RowParser } from './row-parser.js'
import { textEncoding } from './text-encoding.js'
import { type Transcoder, transcoder } from './transcoder.js'

const BATCH_ROWS = 1000

/** The reader behind `openCsv` (read-csv.ts), which says what it does. */
export class CsvSource implements CsvReader {
  labels: readonly string[] | null = null
  readonly preamble: PreambleRow[] = []

  private readonly dialect: DialectDocument
  private readonly limits: CsvLimits
  private readonly chunks: AsyncIterator<Uint8Array>
  private readonly transcoder: Transcoder
  private readonly encodingName: string
  private readonly parser: RowParser
  private readonly lines = new LineIndex()
  private readonly comments: CommentLines | null
  private readonly commentRows: ReadonlySet<number>
  private readonly lastHeaderRow: number

  private queue: CsvRow[] = []
  private headRows: CsvRow[] = []
  private rowNumber = 0
  private startedData = false
  private ended = false
  /** Thrown when the rows before it are handed out. */
  private failure: IntakeError | null = null
  private fedBytes = 0
  private rawBytes = 0
  private start: Uint8Array = Buffer.alloc(0)
  /** Offset after the last row. */
  private rowStart = 0

  constructor(options: { chunks: AsyncIterable<Uint8Array>; dialect: DialectDocument; limits: CsvLimits }) {
    const { dialect } = options
    this.dialect = dialect
    this.limits = options.limits
    this.chunks = options.chunks[Symbol.asyncIterator]()
    const encoding = textEncoding(dialect.encoding)!
    this.encodingName = encoding.name
    this.transcoder = transcoder(encoding)
    this.parser = new RowParser(parserOptions(dialect), (cells, end) => this.takeRow(cells, end))
    this.comments = dialect.commentChar === null ? null : new CommentLines(dialect)
    this.commentRows = new Set(dialect.commentRows)
    this.lastHeaderRow = dialect.header ? Math.max(...dialect.headerRows) : 0
  }

  /** Reads up to the first row of data. */
  async readHead(): Promise<void> {
    while (!this.startedData && !this.ended) await this.readChunk()
    if (!this.dialect.header) {
      if (this.failure !== null && this.queue.length === 0) throw this.failure
      return
    }
    if (this.labels !== null) return
    if (this.failure !== null) throw this.failure
    throw fault('BLANK_HEADER', 'The file ends before its header row', { line: this.lines.lineAt(this.fedBytes) })
  }

  async *batches(): AsyncGenerator<readonly CsvRow[]> {
    try {
      for (;;) {
        while (this.queue.length < BATCH_ROWS && !this.ended) await this.readChunk()
        const rows = this.queue
        this.queue = []
        for (let from = 0; from < rows.length; from += BATCH_ROWS) {
          yield rows.length <= BATCH_ROWS ? rows : rows.slice(from, from + BATCH_ROWS)
        }
        if (this.ended) break
      }
      if (this.failure !== null) throw this.failure
    } finally {
      if (!this.ended) await this.chunks.return?.()
    }
  }

  /** Takes one chunk. Afterwards `ended` says whether anything more will come, and `failure` why not. */
  private async readChunk(): Promise<void> {
    const next = await this.chunks.next()
    try {
      if (next.done === true) {
        this.finish()
        return
      }
      if (this.rawBytes < KNOWN_START_BYTES) this.start = Buffer.concat([this.start, next.value.subarray(0, KNOWN_START_BYTES)])
      this.rawBytes += next.value.length
      // A copy: csv-parse and the transcoder keep the last bytes, and the chunk may be used again by whoever gave it.
      const { utf8, broken } = this.transcoder.feed(Buffer.from(next.value))
      this.feed(utf8)
      if (broken) {
        this.pressOut()
        throw this.encodingFault()
      }
    } catch (error) {
      if (!(error instanceof IntakeError)) throw error
      this.failure = error
      this.ended = true
      await this.chunks.return?.()
    }
  }

  private feed(utf8: Buffer): void {
    const nul = utf8.indexOf(0)
    const text = nul < 0 ? utf8 : utf8.subarray(0, nul)
    this.fedBytes += text.length
    this.lines.feed(text)
    this.comments?.feed(text)
    if (text.length > 0) this.check(this.parser.feed(text))
    if (this.fedBytes - this.rowStart > this.limits.rowBytes) this.checkOpenRow()
    if (nul >= 0) {
      this.pressOut()
      const line = this.lines.lineAt(this.fedBytes)
      throw fault('NUL_BYTE', `Line ${line} holds a NUL byte${this.seeming()}`, { line })
    }
  }

  /**
   * The text ends here, at a byte that cannot be read. csv-parse looks some bytes ahead, so the last whole rows may still be in it: padding
   * that ends no row presses them out. What the padding does to the row it falls into does not matter, for that row is lost anyway.
   */
  private pressOut(): void {
    this.lines.end()
    const said = JSON.stringify(this.dialect)
    const filler = ['~', '^', '@', '_'].find((character) => !said.includes(character)) ?? '\u007f'
    this.parser.feed(Buffer.from(filler.repeat(64)))
  }

  private finish(): void {
    const { utf8, broken } = this.transcoder.end()
    this.feed(utf8)
    if (broken) {
      this.pressOut()
      throw this.encodingFault()
    }
    if (this.fedBytes === 0)
      throw fault('EMPTY_FILE', this.rawBytes === 0 ? 'The file has no bytes' : 'The file holds nothing but a byte order mark', {})
    this.lines.end()
    this.check(this.parser.finish())
    this.takeComments(this.fedBytes, true)
    this.completeHead(true)
    this.ended = true
  }

  private takeRow(cells: string[], end: number): void {
    this.takeComments(end)
    const start = this.rowStart
    const line = this.lines.lineAt(start)
    if (end - start > this.limits.rowBytes) throw this.tooLong(line)
    if (cells.length > this.limits.columns) {
      throw fault('LIMIT_EXCEEDED', `The row of line ${line} has ${cells.length} cells, the limit is ${this.limits.columns}`, {
        line,
        limit: 'columns',
        allowed: this.limits.columns,
      })
    }
    if (this.comments?.isSuspect(start, end) === true) this.recheck(line, start, end)
    this.rowStart = end
    this.comments?.forget(end)
    const rowNumber = ++this.rowNumber
    const isHeader = this.dialect.header && this.dialect.headerRows.includes(rowNumber)
    if (!isHeader && this.commentRows.has(rowNumber)) {
      if (!this.startedData) this.preamble.push({ kind: 'comment-row', cells, line, rowNumber })
      return
    }
    if (rowNumber <= this.lastHeaderRow) {
      this.preamble.push({ kind: isHeader ? 'header' : 'skipped', cells, line, rowNumber })
      if (isHeader) this.headRows.push({ cells, line, rowNumber })
      this.completeHead(rowNumber === this.lastHeaderRow)
      return
    }
    this.startedData = true
    const { nullSequence } = this.dialect
    if (nullSequence !== undefined) for (let i = 0; i < cells.length; i++) if (cells[i] === nullSequence) cells[i] = ''
    this.queue.push({ cells, line, rowNumber })
  }

  /** The lines between the last row and the next that `commentChar` takes out; one whose end is not in sight waits unless `isEnd`. */
  private takeComments(end: number, isEnd = false): void {
    if (this.comments === null) return
    for (;;) {
      const comment = this.comments.at(this.rowStart, end, isEnd)
      if (comment === null) return
      if (!this.startedData) this.preamble.push({ kind: 'comment', text: comment.text, line: this.lines.lineAt(this.rowStart) })
      this.rowStart = comment.end
    }
  }

  private completeHead(isLast: boolean): void {
    if (!isLast || !this.dialect.header || this.labels !== null || this.headRows.length < this.dialect.headerRows.length) return
    const labels = joinHeaderRows(
      this.headRows.map((row) => row.cells),
      this.dialect.headerJoin,
    )
    const { line } = this.headRows[0]!
    if (labels.every((label) => label.trim() === '')) throw fault('BLANK_HEADER', `The header in line ${line} is empty`, { line })
    this.labels = labels
  }

  private check(found: 'quote-not-closed' | 'quote-misplaced' | null): void {
    if (found === null) return
    this.takeComments(this.fedBytes)
    const { opened, at } = this.openPlaces()
    if (found === 'quote-not-closed') {
      throw fault('QUOTE_NOT_CLOSED', `A quoted cell that starts in line ${opened} is never closed`, { line: opened })
    }
    const where = opened === at ? '' : ` (the quote was opened in line ${opened})`
    throw fault('QUOTE_MISPLACED', `Line ${at} has a quote inside an unquoted cell, or text after a closing quote${where}`, {
      line: at,
      opened_line: opened,
    })
  }

  /** Lines of the unfinished cell: where it starts, and where the parser stands. Line ends before it lie in the cells of its own row. */
  private openPlaces(): { opened: number; at: number } {
    const row = this.lines.lineAt(this.rowStart)
    const opened = this.parser.openCells.reduce((line, cell) => line + lineEndsIn(cell), row)
    return { opened, at: opened + lineEndsIn(this.parser.openText) }
  }

  /** A row that is longer than the limit before its end is in sight. */
  private checkOpenRow(): void {
    this.takeComments(this.fedBytes)
    if (this.fedBytes - this.rowStart > this.limits.rowBytes) throw this.tooLong(this.lines.lineAt(this.rowStart))
  }

  private tooLong(line: number): IntakeError {
    const quote = this.parser.isInsideQuotes ? `; a quoted cell opened in line ${this.openPlaces().opened} is not closed up to there` : ''
    return fault('LIMIT_EXCEEDED', `The row of line ${line} has more than ${this.limits.rowBytes} bytes${quote}`, {
      line,
      limit: 'rowBytes',
      allowed: this.limits.rowBytes,
    })
  }

  /** csv-parse takes a comment character right after a closing quote; strictly read, the row says what it is. */
  private recheck(line: number, start: number, end: number): void {
    const { comment: _, comment_no_infix: __, ...strict } = parserOptions(this.dialect)
    try {
      parse(this.comments!.bytes(start, end), strict)
    } catch {
      throw fault('QUOTE_MISPLACED', `The row of line ${line} has text after a closing quote`, { line, opened_line: line })
    }
  }

  private seeming(): string {
    const known = knownFormat(this.start)
    return known === null ? '' : `; the file seems to be ${known}`
  }

  private encodingFault(): IntakeError {
    const line = this.lines.lineAt(this.fedBytes)
    if (this.encodingName !== 'utf-8')
      return fault('NOT_UTF8', `Line ${line} is not ${this.encodingName}, the encoding of the dialect`, { line })
    const seeming = this.seeming()
    if (seeming !== '') return fault('NOT_UTF8', `Line ${line} is not UTF-8${seeming}`, { line })
    const guess = this.fedBytes === 0 ? '; it may be UTF-16, as spreadsheets write "Unicode text"' : ''
    return fault('NOT_UTF8', `Line ${line} is not UTF-8${guess}`, { line })
  }
}

function fault(code: ErrorCode, message: string, data: Record<string, unknown>): IntakeError {
  return new IntakeError(code, message, { data })
}

/** The bytes since the last row, kept only for dialects with a comment character: csv-parse passes over comment lines without a word. */
class CommentLines {
  private window: Buffer = Buffer.alloc(0)
  private offset = 0
  private readonly mark: Buffer
  private readonly suspect: Buffer | null
  private readonly ends: readonly Buffer[]
  private readonly skipsSpace: boolean

  constructor(dialect: DialectDocument) {
    this.mark = Buffer.from(dialect.commentChar!, 'utf8')
    this.suspect = dialect.quoteChar === null ? null : Buffer.from(dialect.quoteChar + dialect.commentChar!, 'utf8')
    this.ends = rowEnds(dialect).map((end) => Buffer.from(end, 'utf8'))
    this.skipsSpace = dialect.skipInitialSpace
  }

  feed(bytes: Buffer): void {
    this.window = this.window.length === 0 ? bytes : Buffer.concat([this.window, bytes])
  }

  forget(offset: number): void {
    this.window = this.window.subarray(offset - this.offset)
    this.offset = offset
  }

  bytes(start: number, end: number): Buffer {
    return this.window.subarray(start - this.offset, end - this.offset)
  }

  /** The comment line that starts at `start` and ends before `limit`, or at it if the file does; null where there is none. `end` is the offset after its line end. */
  at(start: number, limit: number, isEnd: boolean): { text: string; end: number } | null {
    const bytes = this.bytes(start, limit)
    let mark = 0
    if (this.skipsSpace) mark = spaceBytes(bytes)
    if (bytes.length === 0 || bytes.compare(this.mark, 0, this.mark.length, mark, Math.min(mark + this.mark.length, bytes.length)) !== 0)
      return null
    let text = bytes.length
    let end = bytes.length
    for (const rowEnd of this.ends) {
      const found = bytes.indexOf(rowEnd, mark)
      // "\r\n" comes before "\r" in the list, so at one place the longer one wins.
      if (found >= 0 && found < text) {
        text = found
        end = found + rowEnd.length
      }
    }
    // At the edge of what was read, "\r" may be half of "\r\n".
    return end === bytes.length && !isEnd ? null : { text: bytes.toString('utf8', 0, text), end: start + end }
  }

  isSuspect(start: number, end: number): boolean {
    return this.suspect !== null && this.bytes(start, end).includes(this.suspect)
  }
}

/** Bytes of leading white space, line ends left alone. */
function spaceBytes(bytes: Buffer): number {
  const head = bytes.toString('utf8', 0, Math.min(bytes.length, 1024))
  return Buffer.byteLength(/^[^\S\r\n]*/.exec(head)![0])
}
