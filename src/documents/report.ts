import type { ErrorCode } from '../errors.js'

/**
 * A validation report in the form of Frictionless (report → tasks → errors), with `line`, `code` and `constraint` added.
 * `rowNumber` and `fieldNumber` count from 1 and the header is row 1; `line` is the physical line on which the row starts, from 1.
 */
export const REPORT_ERROR_TYPES = [
  'blank-header',
  'extra-label',
  'missing-label',
  'blank-label',
  'duplicate-label',
  'incorrect-label',
  'blank-row',
  'primary-key',
  'extra-cell',
  'missing-cell',
  'type-error',
  'constraint-error',
  'unique-error',
  'hash-count',
  'byte-count',
  'field-count',
  'row-count',
  'source-error',
  'encoding-error',
] as const
export type ReportErrorType = (typeof REPORT_ERROR_TYPES)[number]

export interface ReportError {
  readonly type: ReportErrorType
  readonly code: ErrorCode
  readonly title: string
  readonly description: string
  readonly message: string
  readonly tags: readonly string[]
  readonly note: string
  /** The row as it came, each cell cut at 200 characters; empty where there is none. */
  readonly cells: readonly string[]
  readonly line: number | null
  readonly rowNumber: number | null
  readonly cell: string | null
  readonly fieldName: string | null
  readonly fieldNumber: number | null
  /** Name of the constraint that does not hold ("minimum", …). */
  readonly constraint: string | null
}

export interface ReportTask {
  readonly name: string
  readonly type: 'table'
  readonly valid: boolean
  readonly place: string
  readonly labels: readonly string[]
  readonly stats: {
    readonly errors: number
    readonly warnings: number
    readonly seconds: number
    readonly md5: string | null
    readonly sha256: string | null
    readonly bytes: number | null
    readonly fields: number | null
    /** Data rows read, blank ones included; null where the file was not read to its end. */
    readonly rows: number | null
  }
  readonly warnings: readonly string[]
  readonly errors: readonly ReportError[]
  /** True when `errors` holds only the first of them; `totals` is exact all the same. */
  readonly truncated: boolean
  readonly totals: Readonly<Record<string, number>>
}

export interface ValidationReport {
  readonly valid: boolean
  readonly stats: { readonly tasks: number; readonly errors: number; readonly warnings: number; readonly seconds: number }
  readonly warnings: readonly string[]
  readonly errors: readonly ReportError[]
  readonly tasks: readonly ReportTask[]
}
