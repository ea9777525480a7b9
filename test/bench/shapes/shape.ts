import type { Random } from '../random.js'
import type { RowBuffer } from '../row-buffer.js'

/** One kind of file: what its columns are, for both engines, and how a row is made. */
export interface Shape {
  readonly name: string
  /** A few words for the tables of results. */
  readonly title: string
  readonly columns: readonly ShapeColumn[]
  /** Writes row `i` (from 0), its end included. */
  readonly row: (out: RowBuffer, random: Random, i: number, rows: number) => void
}

export interface ShapeColumn {
  readonly name: string
  /** A field of a Table Schema document, without its name. */
  readonly field: Readonly<Record<string, unknown>>
  /** The type that DuckDB is told. */
  readonly duckdb: string
}

export const TYPES = {
  string: { field: { type: 'string' }, duckdb: 'VARCHAR' },
  int64: { field: { type: 'integer' }, duckdb: 'BIGINT' },
  int32: { field: { type: 'integer', parquet: { type: 'INT32' } }, duckdb: 'INTEGER' },
  double: { field: { type: 'number' }, duckdb: 'DOUBLE' },
  boolean: { field: { type: 'boolean' }, duckdb: 'BOOLEAN' },
  date: { field: { type: 'date' }, duckdb: 'DATE' },
  instant: { field: { type: 'datetime', parquet: { type: 'TIMESTAMP_MILLIS', utc: true } }, duckdb: 'TIMESTAMPTZ' },
} as const

/** A column of one of the usual types, with constraints if given. */
export function column(name: string, type: keyof typeof TYPES, constraints?: Readonly<Record<string, unknown>>): ShapeColumn {
  const { field, duckdb } = TYPES[type]
  return { name, field: constraints === undefined ? field : { ...field, constraints }, duckdb }
}

/** Keys that a variant of a table asks for. */
export interface Keys {
  readonly primaryKey?: readonly string[]
  readonly unique?: readonly string[]
}

/** The Table Schema document of a shape. */
export function tableOf(shape: Shape, keys: Keys = {}) {
  return {
    $schema: 'https://datapackage.org/profiles/2.0/tableschema.json',
    name: shape.name.replaceAll('-', '_'),
    fields: shape.columns.map(({ name, field }) => ({
      name,
      ...field,
      ...(keys.unique?.includes(name) ? { constraints: { ...(field.constraints as object | undefined), unique: true } } : {}),
    })),
    missingValues: [''],
    ...(keys.primaryKey === undefined ? {} : { primaryKey: keys.primaryKey }),
  }
}

/** The `columns` argument of DuckDB's read_csv. */
export function duckdbColumns(shape: Shape): string {
  return `{${shape.columns.map((c) => `'${c.name}': '${c.duckdb}'`).join(', ')}}`
}
