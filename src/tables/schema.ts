import { z } from 'zod'
import type { Column } from '../columns/column.js'
import { type ColumnType, physicalTypeOf } from '../columns/vector.js'
import { sha256OfJson } from '../core/hashes.js'
import { tableName } from '../documents/text.js'
import { IntakeError } from '../errors.js'
import { compileConstraints } from './constraints.js'
import { compileFieldType } from './field-types.js'

export type { Column } from '../columns/column.js'

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

/** A table schema, checked and ready for use. */
export interface Table {
  readonly name: string
  readonly title: string | null
  /** The document as given, unknown keys included. Its hash is that of the whole. */
  readonly document: Readonly<Record<string, unknown>>
  /** SHA-256 of the RFC 8785 form of `document`. */
  readonly schemaSha256: string
  /** In schema order, which is that of the Parquet file. */
  readonly columns: readonly Column[]
  /** Indexes of the key's columns, in the order of the document; empty where there is no key. */
  readonly primaryKey: readonly number[]
  readonly fieldsMatch: FieldsMatch
}

/** Names of the columns that mended.csv adds and intake ignores (DESIGN §5). */
export const MENDED_LABELS: readonly string[] = ['_line', '_errors']

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
  const problems: string[] = []
  const parsed = tableDocument.safeParse(document)
  const givenName = (document as { name?: unknown } | null)?.name
  const title = name ?? (typeof givenName === 'string' ? givenName : 'table')
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${placeOf(document, issue.path)}${issue.message}`)
    throw invalid(title, problems)
  }
  const schema = parsed.data
  if (!tableName.safeParse(title).success)
    problems.push(`the name ${JSON.stringify(title)} must be letters, digits, "_" and "-", at most 128`)
  if (name !== undefined && schema.name !== undefined && schema.name !== name) {
    problems.push(`the document is called ${JSON.stringify(schema.name)}, but its file ${JSON.stringify(name)}`)
  }

  const indexOfName = new Map<string, number>()
  schema.fields.forEach((field, index) => {
    if (indexOfName.has(field.name)) problems.push(`the field name ${JSON.stringify(field.name)} stands twice`)
    if (MENDED_LABELS.includes(field.name)) problems.push(`the field name ${JSON.stringify(field.name)} is reserved for mended files`)
    indexOfName.set(field.name, index)
  })
  const keyIndexes = (key: readonly string[], what: string): number[] => {
    const indexes: number[] = []
    for (const part of key) {
      const index = indexOfName.get(part)
      if (index === undefined) problems.push(`${what} names the unknown field ${JSON.stringify(part)}`)
      else if (indexes.includes(index)) problems.push(`${what} names the field ${JSON.stringify(part)} twice`)
      else indexes.push(index)
    }
    return indexes
  }
  const primaryKey = keyIndexes(schema.primaryKey ?? [], 'primaryKey')
  const unique = new Set<number>()
  for (const key of schema.uniqueKeys ?? []) {
    const indexes = keyIndexes(key, 'uniqueKeys')
    if (key.length === 1) unique.add(indexes[0] ?? -1)
    else problems.push('uniqueKeys of several fields are not supported: use primaryKey')
  }

  const columns: Column[] = []
  const raw = (document as { fields: Record<string, unknown>[] }).fields
  schema.fields.forEach((field, index) => {
    const report = (problem: string): void => {
      problems.push(`field ${JSON.stringify(field.name)}: ${problem}`)
    }
    const parser = compileFieldType(field, report)
    if (parser === null) return
    const rules = field.constraints ?? {}
    const physical = physicalTypeOf(parser.logical)
    const type: ColumnType = { name: field.name, logical: parser.logical, physical, unit: field.parquet?.unit ?? null }
    columns.push({
      ...type,
      index,
      field: raw[index]!,
      required: rules.required === true,
      unique: rules.unique === true || unique.has(index),
      missingValues: new Set(
        (field.missingValues ?? schema.missingValues).map((entry) => (typeof entry === 'string' ? entry : entry.value)),
      ),
      parser,
      constraints: compileConstraints(field, parser, report),
    })
  })

  let copy: Record<string, unknown> | null = null
  let schemaSha256 = ''
  try {
    schemaSha256 = sha256OfJson(document)
    // A caller may change its object later; the table must not change with it.
    copy = structuredClone(document) as Record<string, unknown>
  } catch (error) {
    problems.push(`the document is no JSON: ${(error as Error).message}`)
  }
  if (problems.length > 0 || copy === null) throw invalid(title, problems)
  return {
    name: title,
    title: schema.title ?? null,
    document: copy,
    schemaSha256,
    columns,
    primaryKey,
    fieldsMatch: schema.fieldsMatch,
  }
}

function invalid(name: string, problems: readonly string[]): IntakeError {
  const list = problems.map((problem) => `\n  - ${problem}`).join('')
  return new IntakeError(
    'TABLE_INVALID',
    `The schema of table ${JSON.stringify(name)} has ${problems.length} problem${problems.length === 1 ? '' : 's'}:${list}`,
    {
      data: { table: name, problems },
    },
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
