import { z } from 'zod'
import { invalidTable, type Table, tableOfShape } from './build-table.js'

export type { Column, Table } from './build-table.js'

export const fieldsMatch = z.enum(['exact', 'equal', 'subset', 'superset', 'partial'])
export type FieldsMatch = z.infer<typeof fieldsMatch>

const missingValues = z.union([z.array(z.string()), z.array(z.looseObject({ value: z.string(), label: z.string().optional() }))])

/** Our own keys of a field. Strict: a misspelt key would change the file without a word. */
const parquetKeys = z.strictObject({
  type: z.string().optional(),
  /** Unit of measurement; goes into the file's metadata. */
  unit: z.string().min(1).max(64).optional(),
  /** datetime only: whether texts carry a zone. */
  utc: z.boolean().optional(),
  precision: z.number().int().optional(),
  scale: z.number().int().optional(),
})
export type ParquetKeys = z.infer<typeof parquetKeys>

const constraints = z.strictObject({
  required: z.boolean().optional(),
  unique: z.boolean().optional(),
  minLength: z.number().int().nonnegative().optional(),
  maxLength: z.number().int().nonnegative().optional(),
  minimum: z.unknown().optional(),
  maximum: z.unknown().optional(),
  exclusiveMinimum: z.unknown().optional(),
  exclusiveMaximum: z.unknown().optional(),
  pattern: z.string().optional(),
  enum: z.array(z.unknown()).min(1).optional(),
  jsonSchema: z.unknown().optional(),
})
export type Constraints = z.infer<typeof constraints>

/** A field of a Table Schema (v2). Keys that the standard does not name are allowed and kept. */
const fieldDocument = z.looseObject({
  name: z
    .string()
    .min(1)
    .max(255)
    .refine((name) => name.isWellFormed(), 'must be well-formed Unicode'),
  type: z.string().default('any'),
  format: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  constraints: constraints.optional(),
  missingValues: missingValues.optional(),
  decimalChar: z.string().length(1).optional(),
  groupChar: z.string().length(1).optional(),
  bareNumber: z.boolean().optional(),
  trueValues: z.array(z.string()).min(1).optional(),
  falseValues: z.array(z.string()).min(1).optional(),
  delimiter: z.string().min(1).max(16).optional(),
  itemType: z.string().optional(),
  categories: z.union([z.array(z.looseObject({ value: z.unknown() })).min(1), z.array(z.unknown()).min(1)]).optional(),
  parquet: parquetKeys.optional(),
})
export type FieldDocument = z.infer<typeof fieldDocument>

const names = z.union([z.string().transform((name) => [name]), z.array(z.string()).min(1)])

/** A Table Schema document (Data Package v2, table-schema). */
const tableDocument = z.looseObject({
  $schema: z.string().optional(),
  name: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  fields: z.array(fieldDocument).min(1).max(16_384),
  // The v2 text says a string, its JSON profile an array that holds one.
  fieldsMatch: z.union([fieldsMatch, z.tuple([fieldsMatch]).transform(([mode]) => mode)]).default('exact'),
  missingValues: missingValues.default(['']),
  primaryKey: names.optional(),
  uniqueKeys: z.array(names).optional(),
})

/** A document as it is given: nothing filled in. */
export type TableDocument = z.input<typeof tableDocument>

/**
 * Checks a Table Schema document and makes it usable. The table is called `name`, or as the document says, or "table".
 *
 * Defaults where the standard leaves them to us: `integer` is INT64; `number` is DOUBLE, and with `parquet.type` "DECIMAL" has precision 18
 * and scale 0 unless given; `datetime` and `time` count milliseconds; `parquet.utc` is true unless the format is a pattern without %z.
 * `categories` are checked like `enum`. `foreignKeys` say something about other files and are kept without being checked.
 *
 * Throws TABLE_INVALID; the message and `data.problems` list every problem.
 */
export function compileTable(document: unknown, name?: string): Table {
  const parsed = tableDocument.safeParse(document)
  if (parsed.success) return tableOfShape(document as TableDocument, name)
  const givenName = (document as { name?: unknown } | null)?.name
  const title = name ?? (typeof givenName === 'string' ? givenName : 'table')
  throw invalidTable(
    title,
    parsed.error.issues.map((issue) => `${placeOf(document, issue.path)}${issue.message}`),
  )
}

/** Where in the document a finding of zod is, in the words of a person: the field's name rather than its number. */
function placeOf(document: unknown, path: readonly PropertyKey[]): string {
  if (path.length === 0) return ''
  let rest = path.map(String)
  let place = ''
  if (path[0] === 'fields' && typeof path[1] === 'number') {
    const field = (document as { fields?: { name?: unknown }[] }).fields?.[path[1]]
    place = typeof field?.name === 'string' ? `field ${JSON.stringify(field.name)}: ` : `field ${path[1] + 1}: `
    rest = rest.slice(2)
  }
  return rest.length === 0 ? place : `${place}${rest.join('.')}: `
}
