import type { ReportErrorType } from '../documents/report.js'
import type { ErrorCode } from '../errors.js'
import { MENDED_LABELS, type Table } from './build-table.js'
import { nearestName } from './nearest-name.js'

export interface HeaderProblem {
  readonly type: ReportErrorType
  readonly code: ErrorCode
  /** The label as it stands in the file; null where the file lacks one. */
  readonly label: string | null
  /** The field of the table it is about; null for a label that belongs to none. */
  readonly fieldName: string | null
  /** From 1: the place in the file, or of a missing column the place in the schema. */
  readonly fieldNumber: number
  readonly message: string
}

export interface HeaderMatch {
  /** Position of a cell in its row → index of its column; -1 for a cell that is not taken. */
  readonly columnOfCell: Int32Array
  /** Columns of the table that the file leaves out, in schema order. */
  readonly absentColumns: readonly string[]
  /** In the order of the file, then what is missing. Empty: the header is right. */
  readonly problems: readonly HeaderProblem[]
}

/** Guesses at what was meant compare every label with every name: a header of thousands of wrong labels gets only the first. */
const HINTS_LIMIT = 50

/**
 * Maps the columns of a file to those of a table by `fieldsMatch` (Table Schema v2):
 *
 * | mode     | columns the table does not know | columns the file leaves out         | order    |
 * |----------|---------------------------------|-------------------------------------|----------|
 * | exact    | refused                         | refused                             | schema's |
 * | equal    | refused                         | refused                             | any      |
 * | subset   | ignored                         | refused                             | any      |
 * | superset | refused                         | null, unless required or in the key | any      |
 * | partial  | ignored; one must be known      | null, unless required or in the key | any      |
 *
 * Labels are compared as they are, nothing trimmed. Blank and duplicate labels are refused in every mode. The columns `_line` and
 * `_errors` of a mended file are ignored in every mode. A file without a header (null) has the columns of the schema in their order.
 */
export function matchHeader(table: Table, labels: readonly string[] | null): HeaderMatch {
  if (labels === null) return { columnOfCell: Int32Array.from(table.columns, (column) => column.index), absentColumns: [], problems: [] }

  const columnOfName = new Map(table.columns.map((column) => [column.name, column]))
  const allowsUnknown = table.fieldsMatch === 'subset' || table.fieldsMatch === 'partial'
  const allowsAbsent = table.fieldsMatch === 'superset' || table.fieldsMatch === 'partial'
  const columnOfCell = new Int32Array(labels.length).fill(-1)
  const problems: HeaderProblem[] = []
  const seen = new Map<string, number>()
  const present = new Set<number>()
  const labelSet = new Set(labels)
  const absentNames = table.columns.map((column) => column.name).filter((name) => !labelSet.has(name))
  const unknownLabels = [...labelSet].filter((label) => !columnOfName.has(label))
  let hints = 0
  const hint = (label: string, candidates: readonly string[]): string => {
    if (hints++ >= HINTS_LIMIT) return ''
    const nearest = nearestName(label, candidates)
    return nearest === null ? '' : `; did you mean ${quoted(nearest)}?`
  }

  labels.forEach((label, at) => {
    const fieldNumber = at + 1
    const first = seen.get(label)
    if (label.trim() === '' && !columnOfName.has(label)) {
      problems.push({
        type: 'blank-label',
        code: 'BLANK_LABEL',
        label,
        fieldName: null,
        fieldNumber,
        message: `Column ${fieldNumber} of the header has no name`,
      })
      return
    }
    if (first !== undefined) {
      problems.push({
        type: 'duplicate-label',
        code: 'DUPLICATE_COLUMN',
        label,
        fieldName: columnOfName.get(label)?.name ?? null,
        fieldNumber,
        message: `Column ${fieldNumber} of the header is called ${quoted(label)}, as column ${first} is`,
      })
      return
    }
    seen.set(label, fieldNumber)
    if (MENDED_LABELS.includes(label)) return
    const column = columnOfName.get(label)
    if (column !== undefined) {
      columnOfCell[at] = column.index
      present.add(column.index)
      return
    }
    if (allowsUnknown) return
    problems.push({
      type: 'extra-label',
      code: 'UNKNOWN_COLUMN',
      label,
      fieldName: null,
      fieldNumber,
      message: `Column ${fieldNumber} of the header, ${quoted(label)}, is not known to table "${table.name}"${hint(label, absentNames)}`,
    })
  })

  const absentColumns: string[] = []
  for (const column of table.columns) {
    if (present.has(column.index)) continue
    absentColumns.push(column.name)
    if (allowsAbsent && !column.required && !table.primaryKey.includes(column.index)) continue
    problems.push({
      type: 'missing-label',
      code: 'MISSING_COLUMN',
      label: null,
      fieldName: column.name,
      fieldNumber: column.index + 1,
      message: `The ${allowsAbsent ? 'required ' : ''}column ${quoted(column.name)} is not in the header${hint(column.name, unknownLabels)}`,
    })
  }
  if (table.fieldsMatch === 'partial' && present.size === 0 && problems.every((problem) => problem.type !== 'missing-label')) {
    const column = table.columns[0]!
    problems.push({
      type: 'missing-label',
      code: 'MISSING_COLUMN',
      label: null,
      fieldName: column.name,
      fieldNumber: 1,
      message: `The header holds no column of table "${table.name}"`,
    })
  }
  if (table.fieldsMatch === 'exact') problems.push(...misplaced(table, labels, columnOfCell))
  return { columnOfCell, absentColumns, problems }
}

/** Known columns that stand in another order than the schema's. Extra and missing ones were reported and do not count as misplaced. */
function misplaced(table: Table, labels: readonly string[], columnOfCell: Int32Array): HeaderProblem[] {
  const cells: number[] = []
  columnOfCell.forEach((column, at) => {
    if (column >= 0) cells.push(at)
  })
  const inOrder = cells.map((at) => columnOfCell[at]!).sort((a, b) => a - b)
  const problems: HeaderProblem[] = []
  cells.forEach((at, i) => {
    const expected = table.columns[inOrder[i]!]!
    if (columnOfCell[at] === expected.index) return
    problems.push({
      type: 'incorrect-label',
      code: 'INCORRECT_COLUMN',
      label: labels[at]!,
      fieldName: expected.name,
      fieldNumber: at + 1,
      message: `Column ${at + 1} of the header is ${quoted(labels[at]!)}, where table "${table.name}" has ${quoted(expected.name)}: it asks for its columns in their order`,
    })
  })
  return problems
}

/** Labels come from a file: cut, and with control characters escaped. */
function quoted(label: string): string {
  return JSON.stringify(label.length > 100 ? `${label.slice(0, 100)}…` : label)
}
