import { ColumnBuilder, MISSING, PROBLEM } from '../columns/builder.js'
import type { ColumnVector } from '../columns/vector.js'
import { isRecordId } from '../core/record-id.js'
import type { CsvRow } from '../csv/read-csv.js'
import type { HeaderMatch } from '../tables/header.js'
import type { Table } from '../tables/schema.js'
import { quoted } from './cell-text.js'
import type { Grouping } from './protocol.js'
import type { Finding } from './report-builder.js'

export type RowVerdict = 'valid' | 'invalid' | 'blank'

/** Rows gathered since the last segment: one vector per table column, and the record of each row as an index into `recordIds`. */
export interface Segment {
  readonly rows: number
  readonly vectors: readonly ColumnVector[]
  readonly recordOfRow: Uint32Array
}

/** The record of a row that names none or an illegal one. */
export const NO_RECORD = -1

/**
 * Holds rows to a table: cell by cell, then the keys of their record. `check` says what is wrong with a row and changes nothing that a
 * later row depends on but the keys seen; `push` takes the row just checked into the columns.
 *
 * The order of findings is fixed (cells by position, then unique columns, then the primary key), so that a second run over the same
 * file, made to write rejects.csv, says the same.
 */
export class RowValidator {
  /** Record ids in order of first appearance. */
  readonly recordIds: string[] = []
  /** What is wrong with the row checked last. */
  findings: Finding[] = []
  /** Record of the row checked last, or NO_RECORD. */
  record = NO_RECORD

  private readonly builders: ColumnBuilder[]
  private readonly codes: Int32Array
  private readonly columnOfCell: Int32Array
  private readonly width: number
  private readonly recordCell: number
  /** A text that means "no value" in the record's own column names no record. */
  private readonly recordMissingValues: ReadonlySet<string>
  private readonly recordOfText = new Map<string, number>()
  private readonly uniqueColumns: readonly number[]
  private readonly seenUnique: Array<Map<number, Set<string>>>
  private readonly seenKeys = new Map<number, Set<string>>()
  private recordOfRow = new Uint32Array(1024)
  private characters = 0
  private checked = 0
  private rows = 0

  constructor(
    private readonly options: {
      table: Table
      labels: readonly string[]
      header: HeaderMatch
      grouping: Grouping
      /** Whether a row that is invalid for another reason still takes its keys; it does not where its good twin is to be committed. */
      invalidRowsTakeKeys: boolean
      recordsLimit: number
    },
  ) {
    const { table, labels, header, grouping } = options
    this.builders = table.columns.map((column) => new ColumnBuilder(column))
    this.codes = new Int32Array(table.columns.length)
    this.columnOfCell = header.columnOfCell
    this.width = labels.length
    this.recordCell = grouping.kind === 'column' ? labels.indexOf(grouping.column) : -1
    const recordColumn = this.recordCell < 0 ? -1 : header.columnOfCell[this.recordCell]!
    this.recordMissingValues = recordColumn < 0 ? new Set() : table.columns[recordColumn]!.missingValues
    if (grouping.kind === 'single') this.recordIds.push(grouping.recordId ?? '')
    this.uniqueColumns = table.columns.filter((c) => c.unique).map((c) => c.index)
    this.seenUnique = this.uniqueColumns.map(() => new Map())
  }

  /** True when the drop names more records than it may. */
  get tooManyRecords(): boolean {
    return this.recordIds.length > this.options.recordsLimit
  }

  /** Rows pushed since the last segment. */
  get segmentRows(): number {
    return this.rows
  }

  /** Rows checked since the last segment, blank ones left out. */
  get segmentChecked(): number {
    return this.checked
  }

  /** Characters of the rows checked since the last segment, delimiters counted: what the columns hold of them is bounded by it. */
  get segmentCharacters(): number {
    return this.characters
  }

  check(row: CsvRow): RowVerdict {
    const { cells } = row
    if (this.findings.length > 0) this.findings = []
    this.record = NO_RECORD
    let characters = 0
    for (let i = 0; i < cells.length; i++) characters += cells[i]!.length
    // A row without content: an empty line, or delimiters alone as spreadsheets leave them at the end.
    if (characters === 0) return 'blank'
    this.characters += characters + cells.length
    this.checked++
    if (cells.length !== this.width) {
      this.raggedRow(row)
      // A ragged row's cells may have moved: neither they nor the record they name can be trusted.
      return 'invalid'
    }
    this.codes.fill(MISSING)
    for (let i = 0; i < cells.length; i++) {
      const column = this.columnOfCell[i]!
      if (column < 0) continue
      const code = this.builders[column]!.check(cells[i]!)
      if (code === PROBLEM) this.cellProblem(row, i, column)
      this.codes[column] = code
    }
    this.findRecord(row)
    if (this.findings.length === 0 || this.options.invalidRowsTakeKeys) this.checkKeys(row)
    return this.findings.length === 0 ? 'valid' : 'invalid'
  }

  /** Takes the row checked last, which must have been valid. */
  push(): void {
    for (let c = 0; c < this.builders.length; c++) this.builders[c]!.push(this.codes[c]!)
    if (this.rows === this.recordOfRow.length) {
      const larger = new Uint32Array(this.rows * 2)
      larger.set(this.recordOfRow)
      this.recordOfRow = larger
    }
    this.recordOfRow[this.rows++] = this.record
  }

  /** Hands over the rows pushed so far and starts anew; keys seen stay. */
  takeSegment(): Segment {
    const segment = {
      rows: this.rows,
      vectors: this.builders.map((builder) => builder.take()),
      recordOfRow: this.recordOfRow.slice(0, this.rows),
    }
    this.rows = 0
    this.checked = 0
    this.characters = 0
    return segment
  }

  private raggedRow(row: CsvRow): void {
    const { cells } = row
    const extra = cells.length > this.width
    this.findings.push({
      type: extra ? 'extra-cell' : 'missing-cell',
      code: 'RAGGED_ROW',
      message: `Line ${row.line} has ${cells.length} cell${cells.length === 1 ? '' : 's'}, the header has ${this.width}`,
      cells,
      line: row.line,
      rowNumber: row.rowNumber,
      cell: extra ? cells[this.width]! : null,
      fieldName: extra ? null : (this.options.labels[cells.length] ?? null),
      fieldNumber: extra ? this.width + 1 : cells.length + 1,
    })
  }

  private cellProblem(row: CsvRow, position: number, column: number): void {
    const problem = this.builders[column]!.lastProblem!
    const name = this.options.table.columns[column]!.name
    const cell = row.cells[position]!
    this.findings.push({
      type: problem.type,
      code: problem.code,
      message: `Line ${row.line}, column ${JSON.stringify(name)}: ${problem.message}, got ${quoted(cell)}`,
      cells: row.cells,
      line: row.line,
      rowNumber: row.rowNumber,
      cell,
      fieldName: name,
      fieldNumber: position + 1,
      constraint: problem.constraint,
    })
  }

  private findRecord(row: CsvRow): void {
    const { grouping } = this.options
    if (grouping.kind === 'single') {
      this.record = 0
      return
    }
    if (this.recordCell < 0) return
    const text = row.cells[this.recordCell]!
    let record = this.recordOfText.get(text)
    if (record === undefined) {
      const id = `${grouping.prefix}${text}${grouping.suffix}`
      const isMissing = text === '' || this.recordMissingValues.has(text)
      if (isMissing || !isRecordId(id)) {
        this.findings.push({
          type: 'constraint-error',
          code: 'RECORD_ID_ILLEGAL',
          message: isMissing
            ? `Line ${row.line}, column ${JSON.stringify(grouping.column)}: the cell that names the record is empty${text === '' ? '' : ` (${quoted(text)})`}`
            : `Line ${row.line}, column ${JSON.stringify(grouping.column)}: ${quoted(text)} does not give a legal record id`,
          cells: row.cells,
          line: row.line,
          rowNumber: row.rowNumber,
          cell: text,
          fieldName: grouping.column,
          fieldNumber: this.recordCell + 1,
        })
        return
      }
      record = this.recordIds.length
      this.recordIds.push(id)
      this.recordOfText.set(text, record)
    }
    this.record = record
  }

  /** Keys are unique within one record; the first occurrence wins. */
  private checkKeys(row: CsvRow): void {
    if (this.record === NO_RECORD) return
    const { table } = this.options
    let problems = 0
    const taken: Array<[Set<string>, string]> = []
    for (let u = 0; u < this.uniqueColumns.length; u++) {
      const column = this.uniqueColumns[u]!
      const code = this.codes[column]!
      if (code < 0) continue
      const key = this.builders[column]!.keyText(code)
      const seen = setOf(this.seenUnique[u]!, this.record)
      if (seen.has(key)) {
        problems++
        this.keyFinding(row, 'unique-error', 'UNIQUE_ERROR', [column], 'stands in an earlier row of this record already')
      } else taken.push([seen, key])
    }
    if (table.primaryKey.length > 0) {
      const missing = table.primaryKey.filter((c) => this.codes[c] === MISSING)
      if (missing.length > 0) {
        problems++
        this.keyFinding(row, 'primary-key', 'PRIMARY_KEY_ERROR', missing, 'is missing, but is part of the primary key')
      } else if (table.primaryKey.every((c) => this.codes[c]! >= 0)) {
        const key =
          table.primaryKey.length === 1
            ? this.builders[table.primaryKey[0]!]!.keyText(this.codes[table.primaryKey[0]!]!)
            : table.primaryKey.map((c) => lengthPrefixed(this.builders[c]!.keyText(this.codes[c]!))).join('')
        const seen = setOf(this.seenKeys, this.record)
        if (seen.has(key)) {
          problems++
          this.keyFinding(row, 'primary-key', 'PRIMARY_KEY_ERROR', table.primaryKey, 'stands in an earlier row of this record already')
        } else taken.push([seen, key])
      }
    }
    if (problems === 0 || this.options.invalidRowsTakeKeys) for (const [seen, key] of taken) seen.add(key)
  }

  private keyFinding(
    row: CsvRow,
    type: 'unique-error' | 'primary-key',
    code: 'UNIQUE_ERROR' | 'PRIMARY_KEY_ERROR',
    columns: readonly number[],
    what: string,
  ): void {
    const names = columns.map((c) => this.options.table.columns[c]!.name)
    const positions = columns.map((c) => this.columnOfCell.indexOf(c))
    const cells = positions.map((p) => (p < 0 ? '' : row.cells[p]!))
    this.findings.push({
      type,
      code,
      message: `Line ${row.line}, ${columns.length === 1 ? 'column' : 'columns'} ${names.map((n) => JSON.stringify(n)).join(', ')}: ${cells.map(quoted).join(', ')} ${what}`,
      cells: row.cells,
      line: row.line,
      rowNumber: row.rowNumber,
      cell: cells.length === 1 ? cells[0]! : null,
      fieldName: names.length === 1 ? names[0]! : null,
      fieldNumber: positions.length === 1 && positions[0]! >= 0 ? positions[0]! + 1 : null,
      constraint: type === 'unique-error' ? 'unique' : 'primaryKey',
    })
  }
}

function setOf(sets: Map<number, Set<string>>, record: number): Set<string> {
  let set = sets.get(record)
  if (set === undefined) {
    set = new Set()
    sets.set(record, set)
  }
  return set
}

function lengthPrefixed(text: string): string {
  return `${text.length}:${text}`
}
