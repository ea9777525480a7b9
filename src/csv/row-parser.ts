import { type CsvError, type Options, Parser } from 'csv-parse'

/** The part of csv-parse's inner state that says where an error is. */
interface ParserState {
  quoting: boolean
  record: string[]
  field: { toString(encoding: string): string }
}

export type ParserFault = 'quote-not-closed' | 'quote-misplaced'

/**
 * csv-parse without the stream around it: bytes in, rows out of the same call. `push` is the stream's own way to hand over a row; taking it
 * over saves a queue and a turn of the event loop for every row, and shows the byte offset of each row's end while it is known.
 */
export class RowParser extends Parser {
  private readonly parserState: ParserState

  constructor(
    options: Options,
    /** Called for every row with its cells and the offset of the byte after it. */
    private readonly onRow: (cells: string[], endOffset: number) => void,
  ) {
    super(options)
    this.parserState = (this as unknown as { state: ParserState }).state
  }

  override push(record: unknown): boolean {
    if (record === null) return true
    // csv-parse makes an Error with a stack trace for every row that is not as long as the first one. Ragged rows are the caller's
    // matter, and a file with a title line above its header would pay for each of its rows: so each row is a first one.
    const info = this.info as { records: number }
    info.records = 0
    this.onRow(record as string[], this.info.bytes)
    return true
  }

  /** null: all is well so far. Nothing may be fed after a fault. */
  feed(bytes: Buffer): ParserFault | null {
    let fault: ParserFault | null = null
    this._transform(bytes, 'utf8', (error) => {
      fault = faultOf(error)
    })
    return fault
  }

  finish(): ParserFault | null {
    let fault: ParserFault | null = null
    this._flush((error) => {
      fault = faultOf(error)
    })
    return fault
  }

  get isInsideQuotes(): boolean {
    return this.parserState.quoting
  }

  /** Cells of the row that is not finished. */
  get openCells(): readonly string[] {
    return this.parserState.record
  }

  /** Text of the cell that is not finished. */
  get openText(): string {
    return this.parserState.field.toString('utf8')
  }
}

function faultOf(error: Error | null | undefined): ParserFault | null {
  if (error === null || error === undefined) return null
  switch ((error as CsvError).code as string) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'quote-not-closed'
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'INVALID_OPENING_QUOTE':
      return 'quote-misplaced'
    default:
      throw error
  }
}
