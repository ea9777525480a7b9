import { DuckDBInstance } from '@duckdb/node-api'

/** `node content-digest.js FILE.parquet`: rows, columns, and the sum of a hash of each row. Files with the same rows in any order give the same. */
const [file] = process.argv.slice(2) as [string]
const connection = await (await DuckDBInstance.create(':memory:')).connect()
const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${file}')`)
const columns = described.getRows().map((row) => `"${String(row[0]).replaceAll('"', '""')}"`)
const read = await connection.runAndReadAll(`SELECT count(*), sum(hash(${columns.join(', ')})::HUGEINT) FROM read_parquet('${file}')`)
process.stdout.write(`${columns.length} ${read.getRows()[0]!.join(' ')}`)
connection.closeSync()
