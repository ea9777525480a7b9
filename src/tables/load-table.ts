import { type Table, tableOfShape } from './build-table.js'
import { hasTableShape } from './table-shape.js'

/** `compileTable` (schema.ts) for callers that can wait: zod is loaded only for a document with something wrong in it. Throws TABLE_INVALID. */
export async function loadTable(document: unknown, name?: string): Promise<Table> {
  if (hasTableShape(document)) return tableOfShape(document, name)
  const { compileTable } = await import('./schema.js')
  return compileTable(document, name)
}
