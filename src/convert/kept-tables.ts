import { buildTable, type Table } from '../tables/build-table.js'

/** Tables of one configuration; those of drops that were claimed under an older one come and go. */
const TABLES_MAX = 64

const tables = new Map<string, Table>()

/**
 * The table of a document that was checked under this name: made once in each thread, for it takes as long as all else that is done for a small
 * file. What is derived from a table (its schema in Thrift, say) is kept with it.
 */
export function keptTable(documentText: string, name: string): Table {
  const key = `${name}\n${documentText}`
  const kept = tables.get(key)
  if (kept !== undefined) return kept
  const table = buildTable(JSON.parse(documentText), name)
  if (tables.size >= TABLES_MAX) tables.clear()
  tables.set(key, table)
  return table
}
