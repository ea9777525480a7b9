import type { ReportError, ReportErrorType, ReportTask, ValidationReport } from '../documents/report.js'
import type { ErrorCode } from '../errors.js'
import { shortened } from './cell-text.js'

/** Titles and descriptions of the error types of a Frictionless report, in our words. */
const TYPES: Record<ReportErrorType, { title: string; description: string; tags: readonly string[] }> = {
  'blank-header': { title: 'Blank header', description: 'The header row has no labels.', tags: ['#table', '#header'] },
  'extra-label': {
    title: 'Extra label',
    description: 'The header has a label that the table does not know.',
    tags: ['#table', '#header', '#label'],
  },
  'missing-label': {
    title: 'Missing label',
    description: 'The header lacks a label that the table requires.',
    tags: ['#table', '#header', '#label'],
  },
  'blank-label': { title: 'Blank label', description: 'A label of the header is empty.', tags: ['#table', '#header', '#label'] },
  'duplicate-label': {
    title: 'Duplicate label',
    description: 'Two labels of the header are the same.',
    tags: ['#table', '#header', '#label'],
  },
  'incorrect-label': {
    title: 'Incorrect label',
    description: 'A label differs from the one the table has at its place.',
    tags: ['#table', '#header', '#label'],
  },
  'blank-row': { title: 'Blank row', description: 'The row has no cells with content.', tags: ['#table', '#row'] },
  'primary-key': {
    title: 'Primary key',
    description: 'The primary key of the row is incomplete or stands in an earlier row.',
    tags: ['#table', '#row'],
  },
  'extra-cell': {
    title: 'Extra cell',
    description: 'The row has more cells than the header has labels.',
    tags: ['#table', '#row', '#cell'],
  },
  'missing-cell': {
    title: 'Missing cell',
    description: 'The row has fewer cells than the header has labels.',
    tags: ['#table', '#row', '#cell'],
  },
  'type-error': { title: 'Type error', description: 'The cell is not of the type of its column.', tags: ['#table', '#row', '#cell'] },
  'constraint-error': {
    title: 'Constraint error',
    description: 'The cell breaks a constraint of its column.',
    tags: ['#table', '#row', '#cell'],
  },
  'unique-error': {
    title: 'Unique error',
    description: 'The value of a unique column stands in an earlier row.',
    tags: ['#table', '#row', '#cell'],
  },
  'hash-count': { title: 'Hash', description: 'The file has another hash than was declared.', tags: ['#file'] },
  'byte-count': { title: 'Byte count', description: 'The file has another size than was declared.', tags: ['#file'] },
  'field-count': { title: 'Field count', description: 'The file has another number of columns than was declared.', tags: ['#table'] },
  'row-count': { title: 'Row count', description: 'The file has another number of rows than was declared.', tags: ['#table'] },
  'source-error': { title: 'Source error', description: 'The file cannot be read as the table it should be.', tags: ['#file'] },
  'encoding-error': {
    title: 'Encoding error',
    description: 'The bytes of the file are not text in the declared encoding.',
    tags: ['#file'],
  },
}

const CELL_SHOWN_CHARACTERS = 200

export interface Finding {
  readonly type: ReportErrorType
  readonly code: ErrorCode
  readonly message: string
  readonly cells?: readonly string[]
  readonly line?: number | null
  readonly rowNumber?: number | null
  readonly cell?: string | null
  readonly fieldName?: string | null
  readonly fieldNumber?: number | null
  readonly constraint?: string | null
}

function shown(text: string): string {
  return shortened(text, CELL_SHOWN_CHARACTERS)
}

/** Collects what is wrong with one file: the first `limit` in full, all of them in exact totals. */
export class ReportBuilder {
  private readonly errors: ReportError[] = []
  private readonly counts = new Map<ErrorCode, number>()
  private total = 0
  private firstFinding: Pick<Finding, 'code' | 'message'> | null = null
  /** Findings of one row share its cells. */
  private lastCells: { given: readonly string[]; shown: readonly string[] } | null = null

  constructor(private readonly options: { place: string; limit: number }) {}

  add(finding: Finding): void {
    this.total += 1
    this.counts.set(finding.code, (this.counts.get(finding.code) ?? 0) + 1)
    this.firstFinding ??= { code: finding.code, message: finding.message }
    if (this.errors.length >= this.options.limit) return
    const kind = TYPES[finding.type]
    this.errors.push({
      type: finding.type,
      code: finding.code,
      title: kind.title,
      description: kind.description,
      message: finding.message,
      tags: kind.tags,
      note: '',
      cells: finding.cells === undefined ? [] : this.shownCells(finding.cells),
      line: finding.line ?? null,
      rowNumber: finding.rowNumber ?? null,
      cell: finding.cell === undefined || finding.cell === null ? null : shown(finding.cell),
      fieldName: finding.fieldName ?? null,
      fieldNumber: finding.fieldNumber ?? null,
      constraint: finding.constraint ?? null,
    })
  }

  get count(): number {
    return this.total
  }

  get first(): Pick<Finding, 'code' | 'message'> | null {
    return this.firstFinding
  }

  private shownCells(given: readonly string[]): readonly string[] {
    if (this.lastCells?.given !== given) this.lastCells = { given, shown: given.map(shown) }
    return this.lastCells.shown
  }

  /** Exact, by code. */
  totals(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  build(facts: {
    name: string
    labels: readonly string[]
    seconds: number
    md5: string | null
    sha256: string | null
    bytes: number | null
    fields: number | null
    rows: number | null
  }): ValidationReport {
    const valid = this.total === 0
    const task: ReportTask = {
      name: facts.name,
      type: 'table',
      valid,
      place: this.options.place,
      labels: facts.labels.slice(0, 10_000),
      stats: {
        errors: this.total,
        warnings: 0,
        seconds: facts.seconds,
        md5: facts.md5,
        sha256: facts.sha256,
        bytes: facts.bytes,
        fields: facts.fields,
        rows: facts.rows,
      },
      warnings: [],
      errors: this.errors,
      truncated: this.errors.length < this.total,
      totals: this.totals(),
    }
    return { valid, stats: { tasks: 1, errors: this.total, warnings: 0, seconds: facts.seconds }, warnings: [], errors: [], tasks: [task] }
  }
}
