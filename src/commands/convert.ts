import { resolve } from 'node:path'
import { ConvertPool, threadsOf } from '../convert/pool.js'
import { LARGE_FILE_BYTES } from '../convert/protocol.js'
import { type Compression, HAS_ZSTD, ZSTD_MISSING } from '../documents/compression.js'
import { IntakeError } from '../errors.js'
import { printable } from '../runtime/printable.js'
import type { SchemaChoice } from './choose-table.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { ConversionProgress } from './conversion-progress.js'
import { bytesText, plural } from './text-table.js'

export interface ConvertOptions extends SchemaChoice {
  readonly file: string
  readonly out: string
  /** undefined: all cores. */
  readonly threads: number | undefined
  readonly verify: 'full' | 'paranoid' | 'none'
  readonly onInvalid: 'quarantine-drop' | 'skip-rows'
  /** ZSTD where the runtime has it; USAGE elsewhere. */
  readonly compression: Compression
}

const LISTED_ERRORS = 20

/** One conversion without a store. Exit status 3 when rows are invalid, whether they were skipped or kept the file from being written. */
export async function convert(context: CommandContext, options: ConvertOptions): Promise<number> {
  if (options.compression === 'ZSTD' && !HAS_ZSTD) throw new IntakeError('USAGE', `--compression: ${ZSTD_MISSING}`)
  const path = resolve(context.cwd, options.file)
  const out = resolve(context.cwd, options.out)
  const threads = threadsOf(options.threads ?? 'auto')
  const stat = await context.files.stat(path)
  const isLarge = stat !== null && stat.sizeBytes >= LARGE_FILE_BYTES
  // Threads take their time to start. So they come first, and all that is loaded, read and checked here comes while they do.
  const converter = new ConvertPool({ threads, warm: stat === null ? 0 : isLarge ? threads : 1 })
  const progress = new ConversionProgress(context, `Converting ${options.file}`)
  try {
    const [{ chooseDialect, chooseTable }, { convertFile }] = await Promise.all([
      import('./choose-table.js'),
      import('../convert/convert-file.js'),
      isLarge ? import('../convert/large-file.js') : null,
    ])
    const table = await chooseTable(context, options)
    const dialect = await chooseDialect(context, options)
    const done = await convertFile({
      files: context.files,
      converter,
      path,
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
      if (!done.valid) {
        const { reportText } = await import('./report-text.js')
        context.stdout.write(reportText(done.report, { limit: LISTED_ERRORS, columns: context.stdout.columns }))
      }
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
