import { resolve } from 'node:path'
import { convertFile } from '../convert/convert-file.js'
import { ConvertPool, threadsOf } from '../convert/pool.js'
import { printable } from '../runtime/printable.js'
import { chooseDialect, chooseTable, type SchemaChoice } from './choose-table.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { ConversionProgress } from './conversion-progress.js'
import { reportText } from './report-text.js'
import { bytesText, plural } from './text-table.js'

export interface ConvertOptions extends SchemaChoice {
  readonly file: string
  readonly out: string
  /** undefined: all cores. */
  readonly threads: number | undefined
  readonly verify: 'full' | 'paranoid' | 'none'
  readonly onInvalid: 'quarantine-drop' | 'skip-rows'
  readonly compression: 'SNAPPY' | 'GZIP' | 'NONE'
}

const LISTED_ERRORS = 20

/** One conversion without a store. Exit status 3 when rows are invalid, whether they were skipped or kept the file from being written. */
export async function convert(context: CommandContext, options: ConvertOptions): Promise<number> {
  const table = await chooseTable(context, options)
  const dialect = await chooseDialect(context, options)
  const out = resolve(context.cwd, options.out)
  const converter = new ConvertPool({ threads: threadsOf(options.threads ?? 'auto') })
  const progress = new ConversionProgress(context, `Converting ${options.file}`)
  try {
    const done = await convertFile({
      files: context.files,
      converter,
      path: resolve(context.cwd, options.file),
      table,
      dialect,
      signal: context.signal,
      progress: progress.cells,
      out,
      onInvalid: options.onInvalid,
      compression: options.compression,
      verify: options.verify,
    })
    progress.end()
    const [staged] = done.staged
    if (context.json) {
      printJson(context, {
        file: options.file,
        out: staged === undefined ? null : out,
        table: table.name,
        valid: done.valid,
        rows_in: done.rows.in,
        rows: staged?.rows ?? 0,
        invalid: done.rows.invalid,
        blank: done.rows.blank,
        bytes: staged?.bytes ?? null,
        parquet_sha256: staged?.parquetSha256 ?? null,
        content_sha256: staged?.contentSha256 ?? null,
        schema_sha256: done.schemaSha256,
        absent_columns: done.absentColumns,
        seconds: done.seconds,
        errors: done.totals,
      })
    } else {
      if (!done.valid) context.stdout.write(reportText(done.report, { limit: LISTED_ERRORS, columns: context.stdout.columns }))
      if (staged === undefined) {
        context.stdout.write(`${printable(options.file)}: not converted: ${done.problem?.message ?? 'it is not valid'}\n`)
        note(context, 'Nothing was written. `--on-invalid skip-rows` leaves invalid rows out.')
      } else {
        const skipped = done.rows.invalid !== null && done.rows.invalid > 0 ? `, ${plural(done.rows.invalid, 'invalid row')} left out` : ''
        context.stdout.write(`${printable(options.out)}: ${plural(staged.rows, 'row')}${skipped}, ${bytesText(staged.bytes)}\n`)
        note(context, `${done.seconds.toFixed(2)} s, SHA-256 ${staged.parquetSha256}`)
      }
    }
    return done.valid ? EXIT.done : EXIT.findings
  } finally {
    progress.end()
    await converter.close()
  }
}
