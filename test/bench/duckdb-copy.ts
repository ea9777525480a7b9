import { DuckDBInstance } from '@duckdb/node-api'
import { MIXED_DUCKDB } from './generate.js'

/** DuckDB's COPY with declared types, as a yardstick. `node duckdb-copy.js IN.csv OUT.parquet THREADS`. */
const [input, output, threads] = process.argv.slice(2) as [string, string, string]
const instance = await DuckDBInstance.create(':memory:', { threads })
const connection = await instance.connect()
await connection.run(
  `COPY (SELECT * FROM read_csv('${input}', header = true, columns = ${MIXED_DUCKDB})) TO '${output}' (FORMAT parquet, COMPRESSION snappy)`,
)
connection.closeSync()
