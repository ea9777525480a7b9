import { duckdbColumns, type Shape } from './shapes/shape.js'

/** CSV to Parquet with declared types, and the dialect declared as well: DuckDB need not guess, as we need not. */
export function copyStatement(shape: Shape, input: string, output: string): string {
  const reader = `read_csv('${input}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', columns = ${duckdbColumns(shape)})`
  return `COPY (SELECT * FROM ${reader}) TO '${output}' (FORMAT parquet, COMPRESSION snappy)`
}
