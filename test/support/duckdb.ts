import { DuckDBInstance } from '@duckdb/node-api'

/** Runs one query and gives rows of texts (null where null): the form in which cells are compared, free of JavaScript's number types. */
export async function duckdbTexts(sql: string): Promise<Array<Array<string | null>>> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run("SET TimeZone = 'UTC'")
    const reader = await connection.runAndReadAll(sql)
    return reader.getRows().map((row) => row.map((value) => (value === null ? null : String(value))))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
