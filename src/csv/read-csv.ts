import type { DialectDocument } from '../documents/config.js'
import { IntakeError } from '../errors.js'
import { dialectProblems } from './dialect.js'

export interface CsvRow {
  /** As many as the row has, which need not be as many as the header has. A blank line is one empty cell. */
  readonly cells: string[]
  /** Physical line on which the row starts, from 1. */
  readonly line: number
  /** From 1, lines that `commentChar` takes out not counted; without such lines and rows above it the header is row 1. */
  readonly rowNumber: number
}

/** What stands before the first row of data, as it was read. */
export type PreambleRow =
  /** A line that `commentChar` takes out: its text without the line end. */
  | { readonly kind: 'comment'; readonly text: string; readonly line: number }
  /** `header`: a row of labels. `comment-row`: taken out by `commentRows`. `skipped`: a row above the header that is neither. */
  | {
      readonly kind: 'header' | 'comment-row' | 'skipped'
      readonly cells: readonly string[]
      readonly line: number
      readonly rowNumber: number
    }

export interface CsvReader {
  /** null: the dialect says that there is no header. */
  readonly labels: readonly string[] | null
  readonly preamble: readonly PreambleRow[]
  /**
   * The rows of data, in batches; to be called once. Throws what is wrong with the file from some place on, after all rows before that
   * place were handed out: NOT_UTF8, NUL_BYTE, QUOTE_NOT_CLOSED, QUOTE_MISPLACED, LIMIT_EXCEEDED, each with `data.line`.
   */
  batches(): AsyncIterable<readonly CsvRow[]>
}

export interface CsvLimits {
  /** UTF-8 bytes of one row. */
  readonly rowBytes: number
  /** Cells of one row. */
  readonly columns: number
}

/**
 * Opens a CSV text and reads its header. Chunks may have any size; no more are taken than rows are asked for.
 *
 * `headerRows` and `commentRows` count rows as CsvRow.rowNumber does. The cells of several header rows are joined by `headerJoin`.
 * `nullSequence` becomes an empty cell. Throws EMPTY_FILE, BLANK_HEADER and all that `batches` throws; CONFIG_INVALID for a dialect that
 * contradicts itself.
 */
export async function openCsv(options: {
  chunks: AsyncIterable<Uint8Array>
  dialect: DialectDocument
  limits: CsvLimits
}): Promise<CsvReader> {
  const problems = dialectProblems(options.dialect)
  if (problems.length > 0) {
    throw new IntakeError('CONFIG_INVALID', `The dialect cannot be used: ${problems.join('; ')}`, { data: { problems } })
  }
  // csv-parse comes with it: most files are plain text and never need it.
  const { CsvSource } = await import('./csv-source.js')
  const source = new CsvSource(options)
  await source.readHead()
  return source
}
