import { ColumnBuilder, MISSING, PROBLEM } from '../columns/builder.js'
import type { DialectDocument } from '../documents/config.js'
import { DEFAULT_DIALECT, DEFAULT_LIMITS } from '../documents/defaults.js'
import { IntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import type { Table } from '../tables/build-table.js'
import { quoted, shortened } from './cell-text.js'
import { InProcessConverter } from './in-process.js'
import { RecordWriter } from './record-writer.js'
import { ROW_GROUP_ROWS } from './row-groups.js'

/** Row objects by column name, or a CSV file. */
export type RowData =
  | Iterable<Readonly<Record<string, unknown>>>
  | AsyncIterable<Readonly<Record<string, unknown>>>
  | { readonly csvPath: string; readonly dialect?: DialectDocument }

export interface StagedFacts {
  readonly path: string
  readonly rows: number
  readonly bytes: number
  readonly parquetSha256: string
  readonly contentSha256: string
  readonly schemaSha256: string
}

const ERRORS_SHOWN = 10
/** Memory of the columns at which a row group is closed early. */
const ROW_GROUP_MEMORY_BYTES = 256 * 1024 ** 2

/**
 * Writes the rows of a library call to one synced, verified Parquet file at `path`, which must not exist. All or nothing: any invalid row
 * throws the code of the first error, with up to ten messages and the exact count in `data`. On any failure, also one of the iterable itself,
 * nothing is left at `path`.
 *
 * A text in a row object is held to the same rules as a CSV cell; numbers, bigints, booleans, Dates, arrays and objects are taken by type.
 */
export async function stageData(options: { files: Files; table: Table; data: RowData; path: string }): Promise<StagedFacts> {
  const { table, data } = options
  const facts = 'csvPath' in data ? await stageCsv(options, data) : await stageRows(options, data)
  return { ...facts, schemaSha256: table.schemaSha256 }
}

type Facts = Omit<StagedFacts, 'schemaSha256'>

async function stageCsv(
  options: { files: Files; table: Table; path: string },
  data: { csvPath: string; dialect?: DialectDocument },
): Promise<Facts> {
  const result = await new InProcessConverter(options.files).convert({
    sourcePath: data.csvPath,
    place: data.csvPath,
    tableName: options.table.name,
    tableDocument: options.table.document,
    dialect: data.dialect ?? DEFAULT_DIALECT,
    grouping: { kind: 'single', recordId: null },
    onInvalid: 'quarantine-drop',
    output: { kind: 'file', path: options.path },
    reportFolder: null,
    limits: DEFAULT_LIMITS,
    compression: 'SNAPPY',
    verify: 'full',
    expectedRows: null,
    progress: null,
  })
  if (result.status === 'failed') throw new IntakeError(result.code, result.message, { hint: result.hint })
  const staged = result.staged[0]
  if (staged === undefined) {
    throw new IntakeError(result.problem!.code, `${data.csvPath}: ${result.problem!.message}`, {
      data: { errors: result.totals, report: result.report },
    })
  }
  return {
    path: staged.path,
    rows: staged.rows,
    bytes: staged.bytes,
    parquetSha256: staged.parquetSha256,
    contentSha256: staged.contentSha256,
  }
}

async function stageRows(
  options: { files: Files; table: Table; path: string },
  data: Iterable<Readonly<Record<string, unknown>>> | AsyncIterable<Readonly<Record<string, unknown>>>,
): Promise<Facts> {
  const { files, table } = options
  const problems = new Problems()
  const builders = table.columns.map((column) => new ColumnBuilder(column))
  const known = new Set(table.columns.map((c) => c.name))
  const keyRules = [
    ...table.columns
      .filter((c) => c.unique)
      .map((c) => ({ columns: [c.index] as readonly number[], primary: false, keys: new Set<string>() })),
    ...(table.primaryKey.length > 0 ? [{ columns: table.primaryKey, primary: true, keys: new Set<string>() }] : []),
  ]
  const codes = new Int32Array(builders.length)
  const writer = await RecordWriter.open({
    files,
    table,
    output: { kind: 'file', path: options.path },
    recordId: '',
    compression: 'SNAPPY',
    verify: 'full',
  })
  let rows = 0
  const closeRowGroup = async (): Promise<void> => {
    const vectors = builders.map((b) => b.take())
    // With a problem nothing will be kept; the rest is read only to report all of them.
    if (problems.count === 0 && vectors[0]!.rows > 0) await writer.writeRowGroup(vectors)
  }
  try {
    for await (const row of data) {
      rows++
      takeRow(row)
      if (builders[0]!.rows >= ROW_GROUP_ROWS || memoryOf(builders) >= ROW_GROUP_MEMORY_BYTES) await closeRowGroup()
    }
    problems.throwIfAny()
    if (rows === 0)
      throw new IntakeError('HEADER_ONLY', 'There are no rows: a version holds at least one', {
        hint: 'Pass the rows of the whole version.',
      })
    await closeRowGroup()
    const { path, bytes, parquetSha256, contentSha256, rows: written } = await writer.finish()
    return { path, rows: written, bytes, parquetSha256, contentSha256 }
  } catch (error) {
    // What went wrong first is what the caller must see.
    await writer.discard().catch(() => {})
    throw error
  }

  function takeRow(row: unknown): void {
    if (!isRowObject(row)) {
      problems.add('TYPE_ERROR', `Row ${rows} is not an object of values by column name`)
      return
    }
    for (const name of Object.keys(row)) {
      if (!known.has(name))
        problems.add('UNKNOWN_COLUMN', `Row ${rows}: the table ${table.name} has no column ${JSON.stringify(shortened(name, 100))}`)
    }
    const before = problems.count
    for (let c = 0; c < builders.length; c++) {
      const column = table.columns[c]!
      // Own properties only: a column may be called "constructor".
      const value = Object.hasOwn(row, column.name) ? row[column.name] : null
      const code = builders[c]!.checkValue(value)
      if (code === PROBLEM) {
        const problem = builders[c]!.lastProblem!
        problems.add(problem.code, `Row ${rows}, column ${JSON.stringify(column.name)}: ${problem.message}${gotText(value)}`)
      }
      codes[c] = code
    }
    if (problems.count > before) return
    for (const { columns, keys, primary } of keyRules) {
      if (columns.some((c) => codes[c] === MISSING)) {
        if (primary) problems.add('PRIMARY_KEY_ERROR', `Row ${rows}: a part of the primary key is missing`)
        continue
      }
      const key = columns
        .map((c) => builders[c]!.keyText(codes[c]!))
        .map((k) => `${k.length}:${k}`)
        .join('')
      if (keys.has(key)) {
        const names = columns.map((c) => JSON.stringify(table.columns[c]!.name)).join(', ')
        problems.add(primary ? 'PRIMARY_KEY_ERROR' : 'UNIQUE_ERROR', `Row ${rows}: the value of ${names} stands in an earlier row`)
      }
      keys.add(key)
    }
    for (let c = 0; c < builders.length; c++) builders[c]!.push(codes[c]!)
  }
}

/** Objects of any class, but no arrays, Maps, Dates and the like: their content is not in properties, and every cell would be missing. */
function isRowObject(row: unknown): row is Readonly<Record<string, unknown>> {
  return typeof row === 'object' && row !== null && Object.prototype.toString.call(row) === '[object Object]'
}

function memoryOf(builders: readonly ColumnBuilder[]): number {
  let bytes = 0
  for (const builder of builders) bytes += builder.sizeBytes
  return bytes
}

/** What was met, where a text says it: for objects the problem names their kind, and their own texts may throw or be of any length. */
function gotText(value: unknown): string {
  if (value === null || value === undefined || (typeof value === 'object' && !(value instanceof Date)) || typeof value === 'function')
    return ''
  return `, got ${quoted(String(value))}`
}

class Problems {
  count = 0
  private readonly messages: string[] = []
  private readonly totals: Record<string, number> = {}
  private first: IntakeError['code'] | null = null

  add(code: IntakeError['code'], message: string): void {
    this.count++
    this.first ??= code
    this.totals[code] = (this.totals[code] ?? 0) + 1
    if (this.messages.length < ERRORS_SHOWN) this.messages.push(message)
  }

  throwIfAny(): void {
    if (this.first === null) return
    const more = this.count > this.messages.length ? `\n… and ${this.count - this.messages.length} more` : ''
    throw new IntakeError(this.first, this.messages.join('\n') + more, { data: { errors: this.totals, count: this.count } })
  }
}
