import { resolve } from 'node:path'
import { validateFile } from '../convert/convert-file.js'
import { InProcessConverter } from '../convert/in-process.js'
import { printable } from '../runtime/printable.js'
import { chooseDialect, chooseTable, type SchemaChoice } from './choose-table.js'
import type { CommandContext } from './context.js'
import { EXIT, printJson } from './context.js'
import { ConversionProgress } from './conversion-progress.js'
import { reportText } from './report-text.js'
import { plural } from './text-table.js'

export interface ValidateOptions extends SchemaChoice {
  readonly file: string
  /** Errors listed on a terminal; --json has as many as the report holds. */
  readonly limit: number
}

/** A Frictionless report of one CSV file. Writes nothing. Exit status 3 when the file is not valid. */
export async function validate(context: CommandContext, options: ValidateOptions): Promise<number> {
  const table = await chooseTable(context, options)
  const dialect = await chooseDialect(context, options)
  const converter = new InProcessConverter(context.files)
  const progress = new ConversionProgress(context, `Checking ${options.file}`)
  try {
    const result = await validateFile({
      files: context.files,
      converter,
      path: resolve(context.cwd, options.file),
      table,
      dialect,
      signal: context.signal,
      progress: progress.cells,
    })
    progress.end()
    if (context.json) printJson(context, result.report)
    else {
      context.stdout.write(reportText(result.report, { limit: options.limit, columns: context.stdout.columns }))
      const rows = result.rows.in === null ? 'not read to its end' : plural(result.rows.in, 'row')
      const verdict = result.valid ? 'valid' : `not valid: ${plural(result.report.stats.errors, 'error')}`
      context.stdout.write(`${printable(options.file)}: ${verdict} (${rows}, table ${table.name})\n`)
    }
    return result.valid ? EXIT.done : EXIT.findings
  } finally {
    progress.end()
    await converter.close()
  }
}
