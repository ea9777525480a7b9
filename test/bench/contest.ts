import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchContext } from './bench-context.js'
import type { Input } from './inputs.js'
import { type Command, child, MAIN, ratiosOf, run, type Spread, spreadOf, type Usage } from './measure.js'
import { count, megabytes, ratio, seconds, type Table } from './report.js'
import { type Keys, type Shape, tableOf } from './shapes/shape.js'

/** One way to make a Parquet file out of a CSV. */
export interface Contender {
  readonly name: string
  readonly rows: number
  readonly command: (output: string) => Command
  /** False for one that writes other cells than the rest, or of other rows. */
  readonly sameContent?: boolean
}

export interface Standing {
  readonly name: string
  readonly rows: number
  readonly runs: readonly Usage[]
  readonly outputBytes: number
}

/**
 * Runs whole processes in turn, `runs` rounds of all, and takes what they wrote away again. Throws where two of them did not write the same
 * rows: who leaves something out is fast.
 */
export async function contest(context: BenchContext, contenders: readonly Contender[]): Promise<Standing[]> {
  const standings = contenders.map(({ name, rows }) => ({ name, rows, runs: [] as Usage[], outputBytes: 0 }))
  let digest: string | null = null
  for (let round = 0; round < context.runs; round++) {
    for (const [i, contender] of contenders.entries()) {
      const output = join(context.folder, `out-${i}.parquet`)
      const { seconds, cpuSeconds, peakMb } = await run(contender.command(output))
      const standing = standings[i]!
      standing.runs.push({ seconds, cpuSeconds, peakMb })
      standing.outputBytes = (await stat(output)).size
      if (round === 0 && contender.sameContent !== false && contenders.length > 1) {
        const { stdout } = await run({ command: [child('content-digest'), output] })
        digest ??= stdout
        if (stdout !== digest) throw new Error(`${contender.name} wrote ${stdout}, ${contenders[0]!.name} wrote ${digest}`)
      }
      await rm(output)
      context.say(`round ${round + 1} of ${context.runs}: ${contender.name}: ${seconds.toFixed(2)} s`)
    }
  }
  return standings
}

export function secondsOf(standing: Standing): number[] {
  return standing.runs.map((r) => r.seconds)
}

export interface Summary {
  readonly name: string
  readonly rows: number
  readonly seconds: Spread
  readonly cpuSeconds: Spread
  readonly peakMb: Spread
  readonly outputBytes: number
  /** Of the reference: the last contender. */
  readonly timeRatio: Spread
  readonly cpuRatio: Spread
  readonly sizeRatio: number
}

export function summarise(standings: readonly Standing[]): Summary[] {
  const reference = standings.at(-1)!
  return standings.map((standing) => ({
    name: standing.name,
    rows: standing.rows,
    seconds: spreadOf(secondsOf(standing)),
    cpuSeconds: spreadOf(standing.runs.map((r) => r.cpuSeconds)),
    peakMb: spreadOf(standing.runs.map((r) => r.peakMb)),
    outputBytes: standing.outputBytes,
    timeRatio: ratiosOf(secondsOf(standing), secondsOf(reference)),
    cpuRatio: ratiosOf(
      standing.runs.map((r) => r.cpuSeconds),
      reference.runs.map((r) => r.cpuSeconds),
    ),
    sizeRatio: standing.outputBytes / reference.outputBytes,
  }))
}

export function contestTable(title: string, standings: readonly Standing[]): Table {
  return {
    title,
    head: ['', 'seconds', 'rows/s', '× time', 'CPU s', '× CPU', 'peak MB', 'output MB', '× size'],
    rows: summarise(standings).map((s) => [
      s.name,
      seconds(s.seconds),
      count(s.rows / s.seconds.median),
      ratio(s.timeRatio),
      s.cpuSeconds.median.toFixed(2),
      ratio({ median: s.cpuRatio.median, least: s.cpuRatio.median, most: s.cpuRatio.median }),
      s.peakMb.most.toFixed(0),
      megabytes(s.outputBytes),
      s.sizeRatio.toFixed(2),
    ]),
  }
}

export interface ConvertOptions {
  readonly threads: number
  readonly verify?: 'full' | 'none'
  readonly webassembly?: boolean
  readonly keys?: Keys
  readonly name?: string
}

/** Our `convert` of a shape. Writes the table's document. */
export async function converting(context: BenchContext, shape: Shape, input: Input, options: ConvertOptions): Promise<Contender> {
  const { threads, verify = 'full', webassembly = true, keys } = options
  const schema = join(context.folder, `${shape.name}-${JSON.stringify(keys ?? {}).replace(/[^a-z_]+/gi, '')}.json`)
  await writeFile(schema, JSON.stringify(tableOf(shape, keys)))
  return {
    name: options.name ?? `convert, verify ${verify}${webassembly ? '' : ', no WebAssembly'}`,
    rows: input.rows,
    command: (output) => ({
      command: [
        MAIN,
        'convert',
        input.path,
        '--schema',
        schema,
        '--out',
        output,
        '--verify',
        verify,
        '--threads',
        String(threads),
        '--json',
      ],
      webassembly,
    }),
  }
}

export function duckdb(shape: Shape, input: Input, threads: number): Contender {
  return {
    name: 'DuckDB COPY',
    rows: input.rows,
    command: (output) => ({ command: [child('duckdb-copy'), shape.name, input.path, output, String(threads)] }),
  }
}

export function threadsText(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`
}
