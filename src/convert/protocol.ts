import type { DialectDocument, IntakeConfig, OnInvalid } from '../documents/config.js'
import type { ValidationReport } from '../documents/report.js'
import type { ErrorCode } from '../errors.js'

/**
 * What goes to a conversion and what comes back: plain data, so that it crosses threads unchanged. Nothing throws across a thread: an
 * Error subclass thrown in a worker arrives without its class and code, so failures are values.
 */
export interface ConvertRequest {
  /** The bytes to convert. They do not change while the conversion runs: the claim owns them. */
  readonly sourcePath: string
  /** How reports name the file. */
  readonly place: string
  readonly tableName: string
  /** The whole Table Schema document: workers make their table of it themselves. */
  readonly tableDocument: unknown
  /** True: `compileTable` has accepted this document under this name, so a worker need not load what checks its shape. */
  readonly tableChecked?: boolean
  readonly dialect: DialectDocument
  readonly grouping: Grouping
  readonly onInvalid: OnInvalid
  readonly output: Output
  /** Where report.json, rejects.csv and mended.csv go when there is something to mend; null: they are not written. */
  readonly reportFolder: string | null
  /**
   * Records whose rows go into mended.csv, for a run that is made for it alone, when the store has refused records that were staged.
   * Absent: those that this conversion holds back, and those of which it left rows out.
   */
  readonly mendedRecords?: readonly string[]
  readonly limits: ConvertLimits
  readonly compression: IntakeConfig['convert']['compression']
  readonly verify: IntakeConfig['convert']['verify']
  /** Data rows a manifest promised; null: no promise. */
  readonly expectedRows: number | null
  /** Two cells: bytes read, bytes to read. Shared, so that the main thread can show progress without messages. */
  readonly progress: BigInt64Array | null
}

export type Grouping =
  /** The whole file is one record. */
  | { readonly kind: 'single'; readonly recordId: string | null }
  /** The record of a row is `prefix + cell + suffix`. */
  | { readonly kind: 'column'; readonly prefix: string; readonly column: string; readonly suffix: string }

export type Output =
  /** One folder per record: `<stagingRoot>/<drop-id>-<first 16 hex of SHA-256(record_id)>/data.parquet`, for the commit to sync. */
  | { readonly kind: 'staging'; readonly stagingRoot: string; readonly dropId: string }
  /** One file, which must not exist; synced. Needs grouping 'single'. */
  | { readonly kind: 'file'; readonly path: string }
  /** Validation only. */
  | { readonly kind: 'none' }

export interface ConvertLimits {
  readonly rowBytes: number
  readonly columns: number
  readonly recordsPerDrop: number
  readonly reportErrors: number
}

/** One record's Parquet file, written, synced and verified. */
export interface StagedRecord {
  readonly recordId: string
  /** Staging transaction; null when the output is a file. */
  readonly tx: string | null
  readonly path: string
  readonly rows: number
  /** Rows of this record left out because they were invalid (`skip-rows`). */
  readonly invalid: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
}

/** A record that is not committed, with its valid and invalid rows. */
export interface WithheldRecord {
  readonly recordId: string
  readonly rows: number
  readonly invalid: number
}

export interface ConvertDone {
  readonly status: 'done'
  /** True when every row is valid. */
  readonly valid: boolean
  readonly schemaSha256: string
  readonly staged: readonly StagedRecord[]
  readonly withheld: readonly WithheldRecord[]
  /** in = rows of `staged` + rows of `withheld` + withheldUnassigned + invalid + blank. null: the file was not read to its end. */
  readonly rows: {
    readonly in: number | null
    readonly good: number | null
    readonly invalid: number | null
    readonly blank: number | null
  }
  readonly absentColumns: readonly string[]
  /** The first thing wrong: its code and message name the drop's outcome. null when valid. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null
  /** Errors by code, exact. */
  readonly totals: Readonly<Record<string, number>>
  readonly report: ValidationReport
  readonly seconds: number
}

/** The conversion itself could not go on: an operating error, not a fault of the file. */
export interface ConvertFailed {
  readonly status: 'failed'
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
}

export type ConvertResult = ConvertDone | ConvertFailed

/** Files of so many bytes go to all threads at once. Below, one thread is done before others would have begun. */
export const LARGE_FILE_BYTES = 8 * 1024 ** 2

/** Runs conversions: in this thread or in a pool of workers. */
export interface Converter {
  convert(request: ConvertRequest, options?: { signal?: AbortSignal }): Promise<ConvertResult>
  close(): Promise<void>
}
