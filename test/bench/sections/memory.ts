import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { contest, converting, type Standing, secondsOf } from '../contest.js'
import { spreadOf } from '../measure.js'
import { count, megabytes, type SectionResult, seconds } from '../report.js'
import { mixed } from '../shapes/mixed.js'
import { SMALL_ROWS } from './mixed.js'

const THREADS = 2
const TIMES = 20

async function run(context: BenchContext): Promise<SectionResult> {
  const measured: { rows: number; bytes: number; standing: Standing }[] = []
  for (const full of [SMALL_ROWS, SMALL_ROWS * TIMES]) {
    const input = await context.inputs.get(mixed, scaled(context, full))
    const [standing] = await contest(context, [await converting(context, mixed, input, { threads: THREADS })])
    measured.push({ rows: input.rows, bytes: input.bytes, standing: standing! })
    if (full !== SMALL_ROWS) await context.inputs.forget(input)
  }
  const peaks = measured.map((m) => spreadOf(m.standing.runs.map((r) => r.peakMb)))
  return {
    tables: [
      {
        title: `Peak memory of convert, verify full, ${THREADS} threads`,
        head: ['input', 'rows', 'seconds', 'peak MB, median', 'peak MB, most', '× the smaller input'],
        rows: measured.map((m, i) => [
          `${megabytes(m.bytes)} MB`,
          count(m.rows),
          seconds(spreadOf(secondsOf(m.standing))),
          peaks[i]!.median.toFixed(0),
          peaks[i]!.most.toFixed(0),
          (peaks[i]!.median / peaks[0]!.median).toFixed(2),
        ]),
      },
    ],
    measured,
  }
}

export const memorySection: Section = { name: 'memory', about: 'peak memory of a file and of one twenty times as large', run }
