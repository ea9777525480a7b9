import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { contest, converting, secondsOf, threadsText } from '../contest.js'
import { child, ratiosOf, spreadOf } from '../measure.js'
import { count, ratio, type SectionResult, seconds } from '../report.js'
import { mixed } from '../shapes/mixed.js'
import { LARGE_ROWS } from './mixed.js'

async function run(context: BenchContext): Promise<SectionResult> {
  const large = await context.inputs.get(mixed, scaled(context, LARGE_ROWS))
  const small = await context.inputs.get(mixed, scaled(context, 200_000))
  const standings = await contest(context, [
    await converting(context, mixed, large, { threads: context.cores }),
    {
      name: 'csv-parse → appendRow',
      rows: small.rows,
      command: (output) => ({ command: [child('append-row'), small.path, output] }),
      sameContent: false,
    },
  ])
  await context.inputs.forget(small)
  await context.inputs.forget(large)
  const rates = standings.map((s) => secondsOf(s).map((time) => s.rows / time))
  return {
    tables: [
      {
        title: `csv-parse → appendRow of @dsnp/parquetjs, ${mixed.title}, ${threadsText(context.cores)}`,
        head: ['', 'rows', 'seconds', 'rows/s', '× rows/s', 'peak MB', 'bytes/row'],
        rows: standings.map((s, i) => [
          s.name,
          count(s.rows),
          seconds(spreadOf(secondsOf(s))),
          count(spreadOf(rates[i]!).median),
          ratio(ratiosOf(rates[i]!, rates.at(-1)!)),
          spreadOf(s.runs.map((r) => r.peakMb)).most.toFixed(0),
          (s.outputBytes / s.rows).toFixed(1),
        ]),
      },
    ],
    measured: { threads: context.cores, standings },
  }
}

export const appendRowSection: Section = { name: 'append-row', about: 'rows a second, against the row writer that people reach for', run }
