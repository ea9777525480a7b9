import type { CellParser, ConstraintCheck } from './cell.js'
import type { ColumnType } from './vector.js'

/** A column of a compiled table: its place in the file, and everything needed to judge a cell. */
export interface Column extends ColumnType {
  /** Position in the schema, from 0; the Parquet file has the same order. */
  readonly index: number
  /** The field's part of the Table Schema document; its type stands there also where the document left it out. */
  readonly field: Readonly<Record<string, unknown>>
  /** By `constraints.required`. A part of the primary key cannot be missing either, but that is a finding of its own (PRIMARY_KEY_ERROR). */
  readonly required: boolean
  readonly unique: boolean
  /** Cell texts that mean "no value", compared before anything else. */
  readonly missingValues: ReadonlySet<string>
  readonly parser: CellParser
  readonly constraints: readonly ConstraintCheck[]
}
