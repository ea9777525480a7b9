import { createInterface } from 'node:readline'
import { DuckDBInstance } from '@duckdb/node-api'
import { copyStatement } from '../duckdb-statement.js'
import { shapeNamed } from '../shapes/all.js'

/**
 * DuckDB in a process that goes on running, its connection open. `node duckdb-server.js SHAPE THREADS`; each line of its input is a JSON array
 * `[IN.csv, OUT.parquet]`, each line of its output the seconds that the COPY took.
 */
const [shape, threads] = process.argv.slice(2) as [string, string]
const instance = await DuckDBInstance.create(':memory:', { threads })
const connection = await instance.connect()
for await (const line of createInterface({ input: process.stdin })) {
  const [input, output] = JSON.parse(line) as [string, string]
  const began = performance.now()
  await connection.run(copyStatement(shapeNamed(shape), input, output))
  process.stdout.write(`${(performance.now() - began) / 1000}\n`)
}
connection.closeSync()
