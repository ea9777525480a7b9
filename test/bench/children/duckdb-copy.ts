import { DuckDBInstance } from '@duckdb/node-api'
import { copyStatement } from '../duckdb-statement.js'
import { shapeNamed } from '../shapes/all.js'

/** DuckDB's COPY with declared types, as a yardstick. `node duckdb-copy.js SHAPE IN.csv OUT.parquet THREADS`. */
const [shape, input, output, threads] = process.argv.slice(2) as [string, string, string, string]
const instance = await DuckDBInstance.create(':memory:', { threads })
const connection = await instance.connect()
await connection.run(copyStatement(shapeNamed(shape), input, output))
connection.closeSync()
