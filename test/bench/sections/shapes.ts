import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { contest, contestTable, converting, duckdb, type Standing, threadsText } from '../contest.js'
import { count, megabytes, type SectionResult, type Table } from '../report.js'
import { nonAscii, nulls, quotedTexts, wide } from '../shapes/others.js'
import { uniqueTexts } from '../shapes/unique.js'

/** Rows that make about 150 MB of each. */
const LARGE = [
  { shape: wide, rows: 100_000 },
  { shape: quotedTexts, rows: 600_000 },
  { shape: uniqueTexts, rows: 1_000_000 },
  { shape: nonAscii, rows: 1_500_000 },
  { shape: nulls, rows: 2_000_000 },
]

async function run(context: BenchContext): Promise<SectionResult> {
  const threads = context.cores
  const tables: Table[] = []
  const measured: { shape: string; rows: number; bytes: number; threads: number; standings: Standing[] }[] = []
  for (const { shape, rows } of LARGE) {
    const input = await context.inputs.get(shape, scaled(context, rows))
    const standings = await contest(context, [await converting(context, shape, input, { threads }), duckdb(shape, input, threads)])
    await context.inputs.forget(input)
    measured.push({ shape: shape.name, rows: input.rows, bytes: input.bytes, threads, standings })
    const title = `${count(input.rows)} rows of ${shape.title} (${megabytes(input.bytes)} MB), ${threadsText(threads)}`
    tables.push(contestTable(title, standings))
  }
  return { tables, measured }
}

export const shapesSection: Section = { name: 'shapes', about: 'wide, quoted, unique, non-ASCII and empty columns, against DuckDB', run }
