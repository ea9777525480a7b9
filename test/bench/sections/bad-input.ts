import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { type Finished, MAIN, ratiosOf, run as runProcess, spreadOf, type Usage } from '../measure.js'
import { count, ratio, type SectionResult, seconds } from '../report.js'
import { faultyMixed, mixed } from '../shapes/mixed.js'
import { tableOf } from '../shapes/shape.js'
import { SMALL_ROWS } from './mixed.js'

/** What is read of the report of `validate --json`. */
interface Report {
  readonly stats: { readonly errors: number }
  readonly tasks: readonly { readonly errors: readonly { readonly code: string; readonly line: number }[] }[]
}

async function run(context: BenchContext): Promise<SectionResult> {
  const rows = scaled(context, SMALL_ROWS)
  const schema = join(context.folder, 'bad-input.json')
  await writeFile(schema, JSON.stringify(tableOf(mixed)))
  const [middle, everywhere] = [faultyMixed('middle'), faultyMixed('everywhere')]
  const cases = [
    { name: 'nothing wrong', input: await context.inputs.get(mixed, rows), errors: 0, firstLine: null },
    // The header is line 1.
    { name: middle.title, input: await context.inputs.get(middle, rows, '-middle'), errors: 1, firstLine: (rows >> 1) + 2 },
    { name: everywhere.title, input: await context.inputs.get(everywhere, rows, '-everywhere'), errors: rows, firstLine: 2 },
  ]
  const results = cases.map(() => [] as Usage[])
  for (let round = 0; round < context.runs; round++) {
    for (const [i, { name, input, errors, firstLine }] of cases.entries()) {
      const done = await runProcess({
        command: [MAIN, 'validate', input.path, '--schema', schema, '--json'],
        statuses: [errors === 0 ? 0 : 3],
      })
      checkReport(done, errors, firstLine)
      results[i]!.push({ seconds: done.seconds, cpuSeconds: done.cpuSeconds, peakMb: done.peakMb })
      context.say(`round ${round + 1} of ${context.runs}: ${name}: ${done.seconds.toFixed(2)} s`)
    }
  }
  for (const { input } of cases.slice(1)) await context.inputs.forget(input)
  const of = (i: number, pick: (usage: Usage) => number): number[] => results[i]!.map(pick)
  return {
    tables: [
      {
        title: `validate of ${count(rows)} mixed rows, right and wrong`,
        head: ['', 'seconds', '× time', 'CPU s', 'peak MB', 'errors counted', 'line of the first'],
        rows: cases.map(({ name, errors, firstLine }, i) => [
          name,
          seconds(spreadOf(of(i, (u) => u.seconds))),
          ratio(
            ratiosOf(
              of(i, (u) => u.seconds),
              of(0, (u) => u.seconds),
            ),
          ),
          spreadOf(of(i, (u) => u.cpuSeconds)).median.toFixed(2),
          spreadOf(of(i, (u) => u.peakMb)).most.toFixed(0),
          count(errors),
          firstLine === null ? '' : count(firstLine),
        ]),
        notes: ['Lines and totals are compared with those that the generator knows.'],
      },
    ],
    measured: cases.map(({ name, errors }, i) => ({ name, rows, errors, runs: results[i] })),
  }
}

/** Throws where the report does not say what is wrong with the file. */
function checkReport({ stdout }: Finished, errors: number, firstLine: number | null): void {
  const report = JSON.parse(stdout) as Report
  const first = report.tasks[0]?.errors[0]
  if (report.stats.errors === errors && (first?.line ?? null) === firstLine && (first?.code ?? 'TYPE_ERROR') === 'TYPE_ERROR') return
  throw new Error(`the report should have ${errors} errors from line ${firstLine} on: ${stdout.slice(0, 2000)}`)
}

export const badInputSection: Section = { name: 'bad-input', about: 'one wrong cell among a million rows, and a million wrong cells', run }
