import { toJs, toText } from '../columns/value-format.js'
import type { ColumnType, PlainVector } from '../columns/vector.js'
import { checkRecordId } from '../core/record-id.js'
import { openParquet, type ParquetFile } from '../parquet/read-file.js'
import { printable, printableLines } from '../runtime/printable.js'
import type { CommandContext } from './context.js'
import { EXIT, jsonReplacer, note } from './context.js'
import { openStoreToRead } from './open-store.js'
import { countText, plural, renderTable, widthOf } from './text-table.js'

export interface CatOptions {
  readonly recordId: string
  readonly version: number | 'approved' | undefined
  /** Default: a table on a terminal, CSV elsewhere, NDJSON with --json. */
  readonly format: 'table' | 'csv' | 'ndjson' | undefined
  readonly limit: number | undefined
}

const TABLE_ROWS = 100
/** Rows between two waits for the reader: long output does not pile up in memory. */
const BATCH = 2000

/** Rows of one version. CSV cells read back as the same values; NDJSON keeps decimals and wide integers exact (as text where JSON numbers would round). */
export async function cat(context: CommandContext, options: CatOptions): Promise<number> {
  const format = options.format ?? (context.json ? 'ndjson' : context.stdout.isTerminal ? 'table' : 'csv')
  const store = await openStoreToRead(context)
  const opened = await store.openVersion(checkRecordId(options.recordId), options.version ?? 'current')
  try {
    const file = await openParquet(opened.body)
    const limit = Math.min(file.rowCount, options.limit ?? (format === 'table' ? TABLE_ROWS : Number.POSITIVE_INFINITY))
    if (format === 'table') await table(context, file, limit)
    else if (format === 'csv') await csv(context, file, limit)
    else await ndjson(context, file, limit)
    await context.stdout.drained()
    const cut = limit < file.rowCount ? `the first ${countText(limit)} of ` : ''
    note(context, `${cut}${plural(file.rowCount, 'row')}, version ${opened.entry.version} of ${printable(options.recordId)}`)
  } finally {
    await opened.body.close()
  }
  return EXIT.done
}

/** Row by row over the row groups, one group in memory. */
async function* rowsOf(file: ParquetFile, limit: number): AsyncGenerator<{ vectors: readonly PlainVector[]; index: number }> {
  let left = limit
  for (const [g, group] of file.rowGroups.entries()) {
    if (left <= 0) return
    const vectors: PlainVector[] = []
    for (let c = 0; c < file.columns.length; c++) vectors.push(await file.readColumn(g, c))
    const count = Math.min(left, group.rows)
    for (let index = 0; index < count; index++) yield { vectors, index }
    left -= count
  }
}

function cellText(column: ColumnType, vector: PlainVector, i: number): string | null {
  return vector.validity[i] === 1 ? toText(column, vector.values, i) : null
}

async function writeLines(context: CommandContext, lines: AsyncIterable<string>): Promise<void> {
  // Files and pipes get every byte as it is. A terminal would carry out what a cell says.
  const shown = (text: string): string => (context.stdout.isTerminal ? printableLines(text) : text)
  let batch = ''
  let count = 0
  for await (const line of lines) {
    batch += line
    if (++count % BATCH === 0) {
      context.stdout.write(shown(batch))
      batch = ''
      await context.stdout.drained()
    }
  }
  context.stdout.write(shown(batch))
}

async function csv(context: CommandContext, file: ParquetFile, limit: number): Promise<void> {
  await writeLines(
    context,
    (async function* () {
      yield `${file.columns.map((c) => csvCell(c.name)).join(',')}\n`
      for await (const { vectors, index } of rowsOf(file, limit)) {
        const cells = file.columns.map((column, c) => csvCell(cellText(column, vectors[c]!, index)))
        // A row of one missing cell would be a blank line, which readers pass over.
        yield cells.length === 1 && cells[0] === '' ? '""\n' : `${cells.join(',')}\n`
      }
    })(),
  )
}

/** RFC 4180. An empty text is quoted, so that it is not taken for a missing value by those who can tell. */
function csvCell(text: string | null): string {
  if (text === null) return ''
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

async function ndjson(context: CommandContext, file: ParquetFile, limit: number): Promise<void> {
  const names = file.columns.map((c) => JSON.stringify(c.name))
  await writeLines(
    context,
    (async function* () {
      for await (const { vectors, index } of rowsOf(file, limit)) {
        // Written member by member: an object would move names that look like numbers to the front.
        const members = file.columns.map((column, c) => {
          const vector = vectors[c]!
          const value = vector.validity[index] === 1 ? toJs(column, vector.values, index) : null
          return `${names[c]!}:${jsonText(value)}`
        })
        yield `{${members.join(',')}}\n`
      }
    })(),
  )
}

function jsonText(value: unknown): string {
  // JSON has no NaN and no infinities; a null would be taken for a missing value.
  if (typeof value === 'number' && !Number.isFinite(value)) return JSON.stringify(Number.isNaN(value) ? 'NaN' : value > 0 ? 'INF' : '-INF')
  return JSON.stringify(value, jsonReplacer)
}

const MAX_CELL = 40

/** Columns without any value are left out, and named; on a terminal the others are shown in blocks that fit. */
async function table(context: CommandContext, file: ParquetFile, limit: number): Promise<void> {
  const rows: (string | null)[][] = []
  for await (const { vectors, index } of rowsOf(file, limit))
    rows.push(file.columns.map((column, c) => cellText(column, vectors[c]!, index)))
  const used = file.columns.map((_, c) => c).filter((c) => rows.length === 0 || rows.some((row) => row[c] !== null))
  const numeric = new Set(used.filter((c) => ['integer', 'double', 'decimal'].includes(file.columns[c]!.logical.kind)))
  const columnOf = (c: number) => ({
    title: printable(file.columns[c]!.name),
    align: numeric.has(c) ? ('right' as const) : ('left' as const),
  })
  const width = context.stdout.columns
  const shorten = (text: string | null): string => (text === null ? '' : width === null ? text : cut(text))
  const rowNumber = { title: '#', align: 'right' as const }
  for (const [i, block] of blocks(
    used,
    (c) => Math.max(widthOf(columnOf(c).title), ...rows.map((row) => widthOf(shorten(row[c]!)))),
    width,
  ).entries()) {
    if (i > 0) context.stdout.write('\n')
    context.stdout.write(
      renderTable(
        [rowNumber, ...block.map(columnOf)],
        rows.map((row, n) => [n + 1, ...block.map((c) => shorten(row[c]!))]),
      ),
    )
  }
  const empty = file.columns.length - used.length
  if (empty > 0) note(context, `${plural(empty, 'column')} without a value in these rows not shown`)
}

function cut(text: string): string {
  return widthOf(text) > MAX_CELL ? `${[...text].slice(0, MAX_CELL - 1).join('')}…` : text
}

function blocks(columns: readonly number[], widthOfColumn: (c: number) => number, width: number | null): number[][] {
  if (width === null) return [[...columns]]
  const out: number[][] = []
  let block: number[] = []
  let taken = 6
  for (const c of columns) {
    const w = widthOfColumn(c) + 2
    if (block.length > 0 && taken + w > width) {
      out.push(block)
      block = []
      taken = 6
    }
    block.push(c)
    taken += w
  }
  out.push(block)
  return out
}
