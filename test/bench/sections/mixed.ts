import { type BenchContext, type Section, scaled, threadCounts } from '../bench-context.js'
import { contest, contestTable, converting, duckdb, type Standing, threadsText } from '../contest.js'
import { count, megabytes, type SectionResult, type Table } from '../report.js'
import { mixed } from '../shapes/mixed.js'

export const LARGE_ROWS = 5_000_000
export const SMALL_ROWS = 1_000_000

async function run(context: BenchContext): Promise<SectionResult> {
  const tables: Table[] = []
  const measured: { rows: number; bytes: number; threads: number; standings: Standing[] }[] = []
  for (const full of [LARGE_ROWS, SMALL_ROWS]) {
    const input = await context.inputs.get(mixed, scaled(context, full))
    for (const threads of threadCounts(context)) {
      const standings = await contest(context, [
        await converting(context, mixed, input, { threads }),
        await converting(context, mixed, input, { threads, verify: 'none', webassembly: false }),
        duckdb(mixed, input, threads),
      ])
      measured.push({ rows: input.rows, bytes: input.bytes, threads, standings })
      const title = `${count(input.rows)} rows of ${mixed.title} (${megabytes(input.bytes)} MB), ${threadsText(threads)}`
      tables.push(contestTable(title, standings))
    }
  }
  return { tables, measured }
}

export const mixedSection: Section = { name: 'mixed', about: 'five million and one million mixed rows, against DuckDB', run }
