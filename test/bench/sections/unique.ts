import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { contest, contestTable, converting, duckdb, threadsText } from '../contest.js'
import { count, megabytes, type SectionResult } from '../report.js'
import { unique } from '../shapes/unique.js'

async function run(context: BenchContext): Promise<SectionResult> {
  const threads = context.cores
  const input = await context.inputs.get(unique, scaled(context, 1_000_000))
  const standings = await contest(context, [
    await converting(context, unique, input, { threads }),
    await converting(context, unique, input, { threads, keys: { primaryKey: ['sample_id'] }, name: 'convert, primary key on an integer' }),
    await converting(context, unique, input, { threads, keys: { unique: ['serial'] }, name: 'convert, a text column unique' }),
    duckdb(unique, input, threads),
  ])
  await context.inputs.forget(input)
  const title = `${count(input.rows)} rows of ${unique.title} (${megabytes(input.bytes)} MB), ${threadsText(threads)}`
  return {
    tables: [
      {
        ...contestTable(title, standings),
        notes: ['Verify full throughout. Only the two rows that say so hold a key; DuckDB checks none.'],
      },
    ],
    measured: { rows: input.rows, bytes: input.bytes, threads, standings },
  }
}

export const uniqueSection: Section = { name: 'unique', about: 'unique values everywhere, with and without keys, against DuckDB', run }
