import { spawn } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MIXED_TABLE, writeMixed } from './generate.js'

/**
 * `npm run bench [-- --rows N --runs N --baseline-rows N]`: one program, one run, Markdown on stdout and JSON beside it with `--json FILE`.
 * Whole processes are timed from outside, in alternating runs; only ratios of one run mean anything on a shared machine.
 */
interface Measure {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMb: number
}

interface Contender {
  readonly name: string
  readonly rows: number
  readonly command: (output: string) => readonly string[]
}

const here = fileURLToPath(new URL('.', import.meta.url))
const main = fileURLToPath(new URL('../../src/main.js', import.meta.url))

function option(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : process.argv[at + 1]!
}

function measure(command: readonly string[]): Promise<Measure> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(process.execPath, ['--import', join(here, 'report-usage.js'), ...command], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    })
    let usage = ''
    let errors = ''
    child.stdio[3]!.on('data', (bytes: Buffer) => {
      usage += bytes.toString()
    })
    child.stderr!.on('data', (bytes: Buffer) => {
      errors += bytes.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code !== 0) reject(new Error(`${command.join(' ')} ended with ${code}: ${errors}`))
      else {
        // Worker threads preload the reporter too: the last object is the whole process.
        const last = usage.slice(usage.lastIndexOf('{'))
        resolve({ seconds: (performance.now() - started) / 1000, ...(JSON.parse(last) as { cpuSeconds: number; peakMb: number }) })
      }
    })
  })
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

const rows = Number(option('rows', '1000000'))
const baselineRows = Number(option('baseline-rows', String(Math.min(rows, 200_000))))
const runs = Number(option('runs', '3'))
const folder = await mkdtemp(join(tmpdir(), 'parquet-intake-bench-'))
try {
  const input = join(folder, 'mixed.csv')
  const small = join(folder, 'mixed-small.csv')
  const table = join(folder, 'mixed.json')
  process.stderr.write(`making ${rows} rows …\n`)
  await writeMixed(input, rows)
  await writeMixed(small, baselineRows)
  await writeFile(table, JSON.stringify(MIXED_TABLE))
  const contenders: Contender[] = [
    {
      name: 'parquet-intake convert, verify full',
      rows,
      command: (out) => [main, 'convert', input, '--schema', table, '--out', out, '--json'],
    },
    {
      name: 'parquet-intake convert, verify none',
      rows,
      command: (out) => [main, 'convert', input, '--schema', table, '--out', out, '--verify', 'none', '--json'],
    },
    { name: 'DuckDB COPY', rows, command: (out) => [join(here, 'duckdb-copy.js'), input, out, String(availableParallelism())] },
    { name: 'csv-parse → appendRow', rows: baselineRows, command: (out) => [join(here, 'append-row.js'), small, out] },
  ]
  const results = contenders.map(() => [] as Measure[])
  const sizes = contenders.map(() => 0)
  for (let run = 0; run < runs; run++) {
    for (const [i, contender] of contenders.entries()) {
      const out = join(folder, `out-${i}-${run}.parquet`)
      results[i]!.push(await measure(contender.command(out)))
      sizes[i] = (await stat(out)).size
      await rm(out)
      process.stderr.write(`run ${run + 1} of ${runs}: ${contender.name}: ${results[i]![run]!.seconds.toFixed(2)} s\n`)
    }
  }
  const summary = contenders.map((contender, i) => {
    const seconds = median(results[i]!.map((m) => m.seconds))
    return {
      name: contender.name,
      rows: contender.rows,
      seconds,
      rowsPerSecond: contender.rows / seconds,
      cpuSeconds: median(results[i]!.map((m) => m.cpuSeconds)),
      peakMb: median(results[i]!.map((m) => m.peakMb)),
      bytesPerRow: sizes[i]! / contender.rows,
      ratioToAppendRow: 0,
    }
  })
  const base = summary.at(-1)!.rowsPerSecond
  for (const line of summary) line.ratioToAppendRow = line.rowsPerSecond / base
  const lines = [
    `${rows} rows of 13 mixed columns (${((await stat(input)).size / 1e6).toFixed(0)} MB), ${runs} alternating runs, medians; Node ${process.versions.node}, ${cpus().length} cores.`,
    '',
    '| | rows | seconds | rows/s | × appendRow | CPU s | peak MB | bytes/row |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...summary.map(
      (s) =>
        `| ${s.name} | ${s.rows} | ${s.seconds.toFixed(2)} | ${Math.round(s.rowsPerSecond)} | ${s.ratioToAppendRow.toFixed(2)} | ${s.cpuSeconds.toFixed(2)} | ${s.peakMb.toFixed(0)} | ${s.bytesPerRow.toFixed(1)} |`,
    ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  const json = option('json', '')
  if (json !== '')
    await writeFile(
      json,
      `${JSON.stringify({ node: process.versions.node, cores: cpus().length, rows, runs, results: summary }, null, 2)}\n`,
    )
} finally {
  await rm(folder, { recursive: true, force: true })
}
